"""What holds for every attack that only asks: by the table of methods, on a function that refuses tracers."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jax
import ml_dtypes
import numpy as np
import pytest

from analysis import attacks
from analysis.attacks.goal import Goal
from analysis.attacks.methods import METHODS
from analysis.attacks.queries import of_scores

KEY = jax.random.key(0)
ORDERS = {attacks.Linf: np.inf, attacks.L2: 2}
SETTINGS = {
    "square": {"queries": 40, "key": KEY},
    "nes": {"queries": 40, "key": KEY, "samples": 12},
    "finite_differences": {"steps": 3},
    "hop_skip_jump": {"queries": 300, "key": KEY},
}
SCORES = [name for name in SETTINGS if METHODS[name].needs == "scores"]
LABELS = [name for name in SETTINGS if METHODS[name].needs == "labels"]
DRAWN = [name for name in SETTINGS if "key" in SETTINGS[name]]
EVERY = pytest.mark.parametrize("name", SETTINGS)
WEIGHTS = np.random.default_rng(0).normal(size=(5, 6, 2, 3)).astype(np.float32)
IMAGES = np.random.default_rng(1).uniform(size=(5, 5, 6, 2)).astype(np.float32)
ROOM = 0.3


def test_the_table_is_complete():
    assert {*SETTINGS} == {name for name, method in METHODS.items() if method.needs != "gradients"}


class Service:
    """A linear classifier whose rows do not depend on each other, with a bias that centres it on grey; it counts."""

    def __init__(self, of_labels=False, change=lambda scores: scores):
        self.of_labels, self.change, self.sizes = of_labels, change, []

    def scores(self, images):
        return np.stack([np.tensordot(image.astype(np.float32) - 0.5, WEIGHTS, 3) for image in images])

    def __call__(self, images):
        assert type(images) is np.ndarray, "a tracer, or an array of JAX's"
        assert images.min() >= 0
        assert images.max() <= 1
        self.sizes.append(len(images))
        scores = self.change(self.scores(images))
        return scores.argmax(1) if self.of_labels else scores


def correct(images):
    return Service().scores(images).argmax(1)


def run(name, images=IMAGES, labels=None, ball=attacks.Linf, eps=ROOM, predict=None, **settings):
    method = METHODS[name]
    predict = Service(method.needs == "labels") if predict is None else predict
    threat = (ball(eps),) if method.kind == "bounded" else ()
    if method.kind == "minimal":
        settings = {"norm": "l2" if ball is attacks.L2 else "linf"} | settings
    labels = correct(images) if labels is None else labels
    return method.function(predict, images, labels, *threat, **(SETTINGS[name] | settings))


def lengths(ball, delta):
    return np.linalg.norm(np.asarray(delta, np.float64).reshape(len(delta), -1), ORDERS[ball], axis=1)


@pytest.mark.parametrize("ball", ORDERS)
@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_stays_in_the_ball_and_among_images_and_improves(name, ball, dtype):
    for images in (IMAGES.astype(dtype), np.round(IMAGES).astype(dtype)):
        labels = correct(images)
        made = run(name, images, labels, ball).images
        assert made.dtype == dtype
        assert (lengths(ball, made.astype(np.float64) - images) <= ROOM + 10 * float(ml_dtypes.finfo(dtype).eps)).all()
        assert made.min() >= 0
        assert made.max() <= 1
        margins = [of_scores(Service().scores(x), Goal(labels, np.ones(len(x)))) for x in (images, made)]
        assert (margins[1] > margins[0]).all()


@pytest.mark.parametrize("ball", ORDERS)
@pytest.mark.parametrize("name", SCORES)
def test_no_radius_is_the_identity(name, ball):
    np.testing.assert_array_equal(run(name, ball=ball, eps=0.0).images, IMAGES)


@EVERY
@pytest.mark.parametrize("ball", ORDERS)
def test_a_success_is_one(name, ball):
    labels = correct(IMAGES)
    made = run(name, ball=ball, eps=2.0 if ball is attacks.L2 else ROOM)
    fooled = correct(made.images) != labels
    assert fooled.any()
    assert (lengths(ball, made.images - IMAGES) > 0).any()
    if METHODS[name].kind == "bounded":
        np.testing.assert_array_equal(fooled[made.queries < made.queries.max()], True)


@EVERY
def test_targets_are_reached(name):
    targets = (correct(IMAGES) + 1) % 3
    settings = {} if name in LABELS else {"eps": 0.5}
    made = run(name, targets=targets, **settings)
    assert (correct(made.images) == targets).mean() >= 0.8


@EVERY
def test_an_image_that_is_wrong_already_costs_one_query_and_stays(name):
    labels = (correct(IMAGES) + 1) % 3
    made = run(name, labels=labels)
    np.testing.assert_array_equal(made.images, IMAGES)
    assert made.queries.tolist() == [1] * len(IMAGES)
    reached = run(name, labels=labels, targets=correct(IMAGES))
    np.testing.assert_array_equal(reached.images, IMAGES)


@EVERY
@pytest.mark.parametrize("batch_size", [None, 4])
def test_queries_are_the_images_that_the_function_saw(name, batch_size):
    predict = Service(name in LABELS)
    made = run(name, predict=predict, batch_size=batch_size)
    assert predict.sizes[0] == (batch_size or len(IMAGES))
    if batch_size is None:
        assert sum(predict.sizes) == made.queries.sum()
    else:
        assert {*predict.sizes} == {batch_size}
        alone = run(name)
        np.testing.assert_array_equal(made.queries, alone.queries)
        np.testing.assert_array_equal(made.images, alone.images)
        padding = sum(predict.sizes) - made.queries.sum()
        # While two images or more ask, calls are full; the last one alone fills each of its calls.
        assert 0 <= padding <= (batch_size - 1) * made.queries.max()
    if name in SETTINGS and "queries" in SETTINGS[name]:
        assert made.queries.max() <= SETTINGS[name]["queries"]


@EVERY
def test_an_image_does_not_depend_on_the_others(name):
    made = run(name)
    others = np.concatenate([IMAGES[:2], 1 - IMAGES, IMAGES[2:]])
    beside = run(name, others, batch_size=3)
    np.testing.assert_array_equal(beside.images[:2], made.images[:2])
    np.testing.assert_array_equal(beside.queries[:2], made.queries[:2])
    np.testing.assert_array_equal(run(name, IMAGES[:1]).images, made.images[:1])


@pytest.mark.parametrize("name", DRAWN)
def test_the_key_and_the_place_in_the_call_decide(name):
    same = np.repeat(IMAGES[:1], 3, 0)
    hard = {} if name in LABELS else {"eps": 0.02}
    first, again, other = (run(name, same, **hard, key=jax.random.key(seed)).images for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[0] != first[1]).any()


def softmax(scores):
    exponentials = np.exp(scores - scores.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


@pytest.mark.parametrize("name", SCORES)
def test_probabilities_serve_as_logits_do(name):
    made = run(name, predict=Service(change=softmax))
    assert (correct(made.images) != correct(IMAGES)).any()


def test_functions_of_jax_are_called_not_traced(logits_fn, images, labels):
    traces = []

    @jax.jit
    def counted(images):
        traces.append(type(images))
        return logits_fn(images)

    truth = np.argmax(logits_fn(images), 1)
    made = attacks.square(counted, images, truth, attacks.Linf(0.1), 20, key=KEY, batch_size=3)
    assert len(traces) == 1, "one program for all calls"
    assert made.images.shape == images.shape
    with pytest.raises(ValueError, match="images are traced: this attack calls its function"):
        jax.jit(lambda x: attacks.square(counted, x, truth, attacks.Linf(0.1), 2, key=KEY).images)(images)


@pytest.fixture
def url():
    """A classifier behind HTTP on loopback: JSON lists of pixels in, scores out."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            images = np.array(json.loads(self.rfile.read(int(self.headers["Content-Length"]))), np.float32)
            body = json.dumps(service(images).tolist()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@EVERY
def test_a_model_behind_a_server(name, url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def predict(images):
        with opener.open(url, json.dumps(images.tolist()).encode(), timeout=10) as response:
            scores = np.array(json.load(response))
        return scores.argmax(1) if name in LABELS else scores

    settings = {"queries": 40} if "queries" in SETTINGS[name] else {"steps": 1}
    remote, local = run(name, predict=predict, **settings), run(name, **settings)
    np.testing.assert_array_equal(remote.queries, local.queries)
    np.testing.assert_allclose(remote.images, local.images, atol=1e-6)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(("batch_size", "value"), [(None, np.nan), (2, np.inf)])
def test_scores_that_are_not_finite_are_named(name, batch_size, value):
    marked = IMAGES[3]

    def predict(images):
        scores = Service().scores(images)
        changed = (images != marked).any((1, 2, 3)) & (np.abs(images - marked).max((1, 2, 3)) < 0.35)
        scores[changed, 2] = value
        return scores

    with pytest.raises(ValueError, match="scores that are not finite for query 2 of image 3"):
        run(name, predict=predict, batch_size=batch_size, eps=0.05)


REFUSED = {
    "labels_negative": ({"labels": [0, 1, 2, -1, 0]}, r"labels\[3\] is -1, expected 0 or more"),
    "labels_shape": ({"labels": [0, 1]}, r"labels of shape \(2,\): expected \(5,\)"),
    "labels_type": ({"labels": [0.0] * 5}, "labels of type float64: expected integers that are not negative"),
    "targets": ({"targets": [0]}, r"targets of shape \(1,\): expected \(5,\)"),
    "images": ({"images": 2 * IMAGES, "labels": [0] * 5}, r"images span .*expected \[0, 1\]"),
    "batch_size": ({"batch_size": 0}, "batch_size=0: expected a positive integer"),
    "predict": ({"predict": 3}, "3 is not callable"),
}
REFUSED_BY = {
    "key": (DRAWN, {"key": None}, "key=None: expected one key"),
    "queries": (DRAWN, {"queries": 0}, "queries=0: expected"),
    "threat": (SCORES, {"ball": lambda eps: eps}, r"threat=0.3: expected a threat model"),
    "radii": (SCORES, {"eps": np.array([0.1, 0.2])}, "expected one radius that is a number"),
    "class": (SCORES, {"labels": [0, 1, 2, 3, 0]}, "labels hold 3, but predict gave scores of 3 classes"),
    "target": (SCORES, {"targets": [0, 1, 2, 7, 0]}, "targets hold 7, but predict gave scores of 3 classes"),
    "vector": (
        SCORES,
        {"predict": lambda x: x.sum((1, 2, 3))},
        r"predict gave float32\(5,\) for 5 images: expected scores",
    ),
    "one_class": (SCORES, {"predict": lambda x: x[:, 0, 0, :1]}, "two classes or more"),
    "scores": (LABELS, {"predict": Service()}, r"predict_labels gave float32\(5, 3\) for 5 images: expected integers"),
    "step_size": (["nes", "finite_differences"], {"step_size": -1}, "step_size=-1: expected"),
    "share": (["square"], {"share": 0}, "share=0: expected a number above 0"),
    "few": (["nes"], {"queries": 13}, "queries=13: expected an integer of at least 14"),
    "odd": (["nes"], {"samples": 3}, "samples=3: expected an even number"),
    "sigma": (["nes"], {"sigma": 0}, "sigma=0: expected"),
    "momentum": (["nes"], {"momentum": 1}, "momentum=1: expected"),
    "steps": (["finite_differences"], {"steps": 0}, "steps=0: expected a positive integer"),
    "width": (["finite_differences"], {"width": 0.6}, "width=0.6: expected"),
    "norm": (LABELS, {"norm": "l1"}, "norm='l1' is unknown.*expected 'l2' or 'linf'"),
    "starts": (LABELS, {"starts": IMAGES[:1]}, r"starts of shape \(1, 5, 6, 2\): expected \(5, 5, 6, 2\)"),
}
CASES = [(name, *case) for case in REFUSED.values() for name in SETTINGS]
CASES += [(name, *case) for names, *case in REFUSED_BY.values() for name in names]


@pytest.mark.parametrize(("name", "settings", "message"), CASES)
def test_bad_input(name, settings, message):
    with pytest.raises(ValueError, match=message):
        run(name, **settings)


def test_squares_are_defined_for_two_norms():
    class Other(attacks.Linf):
        pass

    with pytest.raises(ValueError, match="threat=.*Other.*expected attacks.Linf or attacks.L2"):
        run("square", ball=Other)


def test_errors_of_the_function_are_not_hidden():
    def broken(images):
        raise ConnectionError("down")

    with pytest.raises(ConnectionError, match="down"):
        run("square", predict=broken)


def test_the_function_may_change_what_it_is_given():
    def greedy(images):
        scores = Service().scores(images)
        images[:] = 0
        return scores

    before = IMAGES.copy()
    np.testing.assert_array_equal(run("square", predict=greedy).images, run("square").images)
    np.testing.assert_array_equal(IMAGES, before)
