"""What holds for every method, in one table."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
from analysis import attacks, checks, taps
from tests.support.helpers import Pooled, random_variables

OF_FUNCTION = {
    "saliency": analysis.saliency,
    "input_times_gradient": analysis.input_times_gradient,
    "smoothgrad": functools.partial(analysis.smoothgrad, key=jax.random.key(2), samples=4),
    "integrated_gradients": functools.partial(analysis.integrated_gradients, steps=4),
    "occlusion": functools.partial(analysis.occlusion, window=3),
    "apgd": lambda *args, **kwargs: attacks.apgd(
        *args, threat=attacks.Linf(0.1), loss="dlr", steps=2, key=jax.random.key(3), **kwargs
    ),
    "fgsm": lambda *args, **kwargs: attacks.fgsm(*args, threat=attacks.Linf(0.1), **kwargs),
    "pgd": lambda *args, **kwargs: attacks.pgd(
        *args, threat=attacks.L2(0.5), steps=1, restarts=2, key=jax.random.key(3), **kwargs
    ),
    "sticker": functools.partial(
        attacks.sticker, mask=np.indices((6, 8)).sum(0) % 3 == 0, steps=2, key=jax.random.key(4)
    ),
}
OF_MODEL = {
    "guided_backprop": analysis.guided_backprop,
    "deconvnet": analysis.deconvnet,
    "cam": analysis.cam,
    "grad_cam": analysis.grad_cam,
    "grad_cam_plus_plus": analysis.grad_cam_plus_plus,
    "guided_grad_cam": analysis.guided_grad_cam,
    "score_cam": analysis.score_cam,
}
METHODS = {**OF_FUNCTION, **OF_MODEL}
# They divide their work otherwise than image by image; the others hand their batch size to `in_batches`, and the test
# under jit compares theirs, all images at once, with three at a time. Integrated gradients have a test of their own.
OWN_BATCHES = ("smoothgrad", "occlusion", "pgd", "score_cam", "guided_grad_cam")


@pytest.fixture(scope="module")
def pooled_variables():
    return random_variables(Pooled(), (6, 8, 2), mean=0.05)


def bound(name, logits_fn, pooled_variables):
    """A method as a function of images and labels."""
    if name in OF_MODEL:
        return functools.partial(OF_MODEL[name], Pooled(), pooled_variables)
    return functools.partial(OF_FUNCTION[name], logits_fn)


@pytest.fixture(scope="module", params=METHODS)
def method(request, logits_fn, pooled_variables):
    return bound(request.param, logits_fn, pooled_variables)


@pytest.fixture(scope="module")
def maps(method, images, labels):
    """What a method gives for all images, three at a time."""
    return np.asarray(method(images, labels, batch_size=3))


def test_others_in_the_call_do_not_matter(method, maps, images, labels):
    others = np.concatenate([images[:2], 1 - images[2:], images, images])
    other_labels = np.concatenate([labels[:2], 2 - labels[2:], labels, labels])
    np.testing.assert_array_equal(maps[:2], np.asarray(method(others, other_labels, batch_size=3))[:2])
    np.testing.assert_array_equal(maps[:1], np.asarray(method(images[:1], labels[:1], batch_size=3)))
    assert maps.shape[:3] == images.shape[:3]
    assert np.isfinite(maps).all()
    assert np.ptp(maps) > 0


@pytest.mark.optimized
@pytest.mark.parametrize("name", ["saliency", "grad_cam"])
def test_nor_do_they_in_optimized_programs(logits_fn, pooled_variables, images, labels, name):
    """One method of functions and one of models; `make test-all` optimizes the test of all above too."""
    method = bound(name, logits_fn, pooled_variables)
    few, all_of_them = (np.asarray(method(images[:n], labels[:n], batch_size=3)) for n in (2, 5))
    np.testing.assert_array_equal(few, all_of_them[:2])


@pytest.mark.parametrize("method", OWN_BATCHES, indirect=True)
def test_batch_size_does_not_matter(method, maps, images, labels):
    np.testing.assert_allclose(method(images, labels, batch_size=None), maps, atol=1e-5)


def test_neither_jit_nor_vmap_matters(method, maps, images, labels):
    """Two groups of images at once, in one compiled program; where noise is drawn, it is by the place in a group."""
    groups = jnp.stack([images[:2], 1 - images[:2]]), jnp.stack([labels[:2], (labels[:2] + 1) % 3])
    together = jax.jit(jax.vmap(method))(*groups)
    np.testing.assert_allclose(together[0], maps[:2], atol=1e-5)
    assert np.abs(together[1] - maps[:2]).max() > 1e-4


@pytest.mark.parametrize("name", ["saliency", "integrated_gradients", "grad_cam", "guided_backprop", "pgd", "apgd"])
def test_bfloat16_models(small, variables, pooled_variables, images, labels, name):
    if name in OF_MODEL:
        method = functools.partial(OF_MODEL[name], Pooled(dtype=jnp.bfloat16), pooled_variables)
    else:
        method = functools.partial(OF_FUNCTION[name], taps.logits_fn(small(dtype=jnp.bfloat16), variables))
    result = method(images[:2], labels[:2])
    assert result.dtype == jnp.float32
    assert np.isfinite(result).all()
    assert np.ptp(result) > 0


@pytest.mark.parametrize(
    ("name", "wrap"),
    [("saliency", jax.tree_util.Partial), *((name, functools.partial) for name in OF_FUNCTION)],
)
def test_new_values_do_not_compile_again(name, wrap, images, labels):
    """`functools.partial` over arrays is read as JAX's `Partial`: one method with the latter is enough."""
    of_function = OF_FUNCTION[name]
    traces = []

    def function(weights, images):
        traces.append(images.shape)
        return images.reshape(images.shape[0], -1)[:, :8] @ weights

    weights = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    of_function(wrap(function, weights), images, labels, batch_size=2)
    first = len(traces)
    of_function(wrap(function, 2 * weights), 1 - images[:3], 2 - labels[:3], batch_size=2)
    assert len(traces) == first <= 4


def with_pixel(images, value):
    changed = images.copy()
    changed[1, 2, 3, 0] = value
    return changed


REFUSED = {
    "label_too_large": (lambda x, y: (x, np.where(y == 2, 7, y)), r"labels\[1\] is 7, but there are 3 classes"),
    "label_negative": (lambda x, y: (x, y - 1), r"labels\[0\] is -1"),
    "label_shape": (lambda x, y: (x, y[:, None]), r"labels of shape \(5, 1\): expected \(5,\)"),
    "label_count": (lambda x, y: (x, y[:4]), r"labels of shape \(4,\): expected \(5,\)"),
    "label_type": (lambda x, y: (x, y.astype(np.float32)), "labels of type float32: expected integers"),
    "nan": (lambda x, y: (with_pixel(x, np.nan), y), "NaN"),
    "infinite": (lambda x, y: (with_pixel(x, np.inf), y), r"images span \[.*inf\]: expected \[0, 1\]"),
    "below": (lambda x, y: (with_pixel(x, -0.1), y), r"images span \[-0.1"),
    "above": (lambda x, y: (jnp.asarray(2 * x), y), r"expected \[0, 1\]"),
    "rank": (lambda x, y: (x[0], y[:6]), r"images of shape \(6, 8, 2\): expected \(N, H, W, C\)"),
    "empty": (lambda x, y: (x[:0], y[:0]), r"images of shape \(0, 6, 8, 2\)"),
    "bytes": (lambda x, y: (np.uint8(255 * x), y), "images of type uint8.*divide"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(images, labels, case):
    change, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        checks.inputs(lambda images: images.sum((1, 2)) @ jnp.ones((2, 3)), *change(images, labels))


@pytest.mark.parametrize(("name", "case"), [*zip(METHODS, itertools.cycle(REFUSED), strict=False)])
def test_every_method_refuses_it(logits_fn, pooled_variables, images, labels, name, case):
    """Each method with one case and each case with a method: they share the check above."""
    change, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        bound(name, logits_fn, pooled_variables)(*change(images, labels))


@pytest.mark.parametrize("name", [name for name in OF_MODEL if "cam" in name])
def test_layers_that_do_not_serve_are_refused(pooled_variables, images, labels, name):
    for layer, message in {"stage2": "has no layer 'stage2', did you mean stage1", "head": "no spatial extent"}.items():
        with pytest.raises(ValueError, match=message):
            OF_MODEL[name](Pooled(), pooled_variables, images, labels, layer=layer)


@pytest.mark.parametrize(("name", "batch_size"), [*zip(METHODS, itertools.cycle([0, -1, 2.0, True]), strict=False)])
def test_batch_size_must_be_positive(logits_fn, pooled_variables, images, labels, name, batch_size):
    with pytest.raises(ValueError, match="batch_size=.*positive integer"):
        bound(name, logits_fn, pooled_variables)(images, labels, batch_size=batch_size)


@pytest.mark.parametrize(
    "function", [lambda x: x, lambda x: x.sum((1, 2, 3)), lambda x: (x[:, 0, 0], 1), lambda x: x[:, 0, 0] > 0]
)
def test_a_function_that_gives_no_logits_is_refused(images, labels, function):
    with pytest.raises(ValueError, match=r"the logits function gave .* expected floats of shape \(1, classes\)"):
        analysis.saliency(function, images, labels)


def test_one_nan_among_many_pixels_is_seen():
    images = np.full((12, 16, 16, 3), 0.5, np.float32)
    images[5, 3, 3, 1] = np.nan
    for given in (images, np.nan * images):
        with pytest.raises(ValueError, match="NaN"):
            analysis.saliency(lambda x: x.mean((1, 2)), jnp.asarray(given), np.zeros(12, int))


@pytest.mark.parametrize("name", OF_MODEL)
def test_images_that_do_not_fit_the_model_are_refused(pooled_variables, images, labels, name):
    with pytest.raises(ValueError, match=r"does not take images of shape \(1, 6, 8, 1\)"):
        OF_MODEL[name](Pooled(), pooled_variables, images[..., :1], labels)


def test_images_that_do_not_fit_a_function_are_refused(images, labels):
    for function in (functools.partial(Pooled().apply, {}), Pooled(), lambda x: x @ jnp.ones((3, 2))):
        with pytest.raises(ValueError, match=r"does not take images of shape \(1, 6, 8, 2\)"):
            analysis.saliency(function, images, labels)


@pytest.mark.parametrize("score", [lambda logits, labels: logits, lambda logits, labels: logits.sum()])
def test_a_score_is_one_number_an_image(logits_fn, images, labels, score):
    for method in (analysis.saliency, analysis.occlusion):
        with pytest.raises(ValueError, match=r"the score gave float32.* expected one number an image"):
            method(logits_fn, images, labels, score=score)


def test_values_are_not_looked_at_inside_a_trace(logits_fn, images, labels):
    outside = with_pixel(images, 1.5)
    heat = jax.jit(lambda x: analysis.saliency(logits_fn, x, labels))(outside)
    np.testing.assert_allclose(heat[2:], analysis.saliency(logits_fn, images, labels)[2:], rtol=1e-5)


def test_images_that_a_trace_closes_over_are_values_still(logits_fn, images, labels):
    held = jnp.asarray(images)
    heat = jax.jit(lambda: analysis.saliency(logits_fn, held, jnp.asarray(labels)))()
    np.testing.assert_allclose(heat, analysis.saliency(logits_fn, images, labels), rtol=1e-5)
    with pytest.raises(ValueError, match="NaN"):
        jax.jit(lambda: analysis.saliency(logits_fn, images * np.float32(np.nan), labels))()


def test_lists_and_doubles_are_taken(logits_fn, images, labels):
    expected = analysis.saliency(logits_fn, images, labels)
    given = analysis.saliency(logits_fn, images.astype(np.float64), [*map(int, labels)])
    np.testing.assert_array_equal(given, expected)
