"""What holds for every method, in one table."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
from analysis import attacks, taps

METHODS = {
    "saliency": analysis.saliency,
    "occlusion": functools.partial(analysis.occlusion, window=3),
    "grad_cam": None,  # takes the model instead of a function
    "fgsm": lambda *args, **kwargs: attacks.fgsm(*args, threat=attacks.Linf(0.1), **kwargs),
    "pgd": lambda *args, **kwargs: attacks.pgd(
        *args, threat=attacks.L2(0.5), steps=2, restarts=2, key=jax.random.key(3), **kwargs
    ),
}


@pytest.fixture(scope="module", params=METHODS)
def method(request, small, variables, logits_fn):
    if request.param == "grad_cam":
        return functools.partial(analysis.grad_cam, small(), variables)
    return functools.partial(METHODS[request.param], logits_fn)


@pytest.fixture(scope="module", params=[name for name in METHODS if name != "grad_cam"])
def of_function(request):
    return METHODS[request.param]


def test_others_in_the_call_do_not_matter(method, images, labels):
    whole = np.asarray(method(images, labels, batch_size=3))
    others = np.concatenate([images[:2], 1 - images[2:], images, images])
    other_labels = np.concatenate([labels[:2], 2 - labels[2:], labels, labels])
    np.testing.assert_array_equal(whole[:2], np.asarray(method(others, other_labels, batch_size=3))[:2])
    np.testing.assert_array_equal(whole[:1], np.asarray(method(images[:1], labels[:1], batch_size=3)))
    assert whole.shape[:3] == images.shape[:3]
    assert np.isfinite(whole).all()
    assert np.ptp(whole) > 0


def test_batch_size_and_jit_do_not_matter(method, images, labels):
    whole = method(images, labels)
    np.testing.assert_allclose(method(images, labels, batch_size=3), whole, atol=1e-5)
    jitted = jax.jit(method)(jnp.asarray(images), jnp.asarray(labels))
    np.testing.assert_allclose(jitted, whole, atol=1e-5)


@pytest.mark.parametrize("name", ["saliency", "grad_cam", "pgd"])
def test_bfloat16_models(small, variables, images, labels, name):
    halved = small(dtype=jnp.bfloat16)
    method = functools.partial(analysis.grad_cam, halved, variables)
    if name != "grad_cam":
        method = functools.partial(METHODS[name], taps.logits_fn(halved, variables))
    result = method(images[:2], labels[:2])
    assert result.dtype == jnp.float32
    assert np.isfinite(result).all()
    assert np.ptp(result) > 0


def test_new_values_do_not_compile_again(of_function, images, labels):
    traces = []

    def function(weights, images):
        traces.append(images.shape)
        return images.reshape(images.shape[0], -1)[:, :8] @ weights

    weights = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)), jnp.float32)
    of_function(jax.tree_util.Partial(function, weights), images, labels, batch_size=2)
    first = len(traces)
    of_function(jax.tree_util.Partial(function, 2 * weights), 1 - images[:3], 2 - labels[:3], batch_size=2)
    of_function(functools.partial(function, weights), images, labels, batch_size=2)
    again = len(traces) - first
    of_function(functools.partial(function, weights), images, 2 - labels, batch_size=2)
    assert first <= 4
    assert again <= first, "functools.partial is another function, traced once more at most"
    assert len(traces) == first + again


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
def test_bad_input_is_refused_before_anything_runs(method, images, labels, case):
    change, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        method(*change(images, labels))


@pytest.mark.parametrize("batch_size", [0, -1, 2.0])
def test_batch_size_must_be_positive(method, images, labels, batch_size):
    with pytest.raises(ValueError, match="batch_size=.*positive integer"):
        method(images, labels, batch_size=batch_size)


@pytest.mark.parametrize(
    "function", [lambda x: x, lambda x: x.sum((1, 2, 3)), lambda x: (x[:, 0, 0], 1), lambda x: x[:, 0, 0] > 0]
)
def test_a_function_that_gives_no_logits_is_refused(images, labels, function):
    with pytest.raises(ValueError, match=r"the logits function gave .* expected floats of shape \(1, classes\)"):
        analysis.saliency(function, images, labels)


def test_values_are_not_looked_at_inside_a_trace(logits_fn, images, labels):
    outside = with_pixel(images, 1.5)
    heat = jax.jit(lambda x: analysis.saliency(logits_fn, x, labels))(outside)
    np.testing.assert_allclose(heat[2:], analysis.saliency(logits_fn, images, labels)[2:], rtol=1e-5)


def test_lists_and_doubles_are_taken(logits_fn, images, labels):
    expected = analysis.saliency(logits_fn, images, labels)
    given = analysis.saliency(logits_fn, images.astype(np.float64), [*map(int, labels)])
    np.testing.assert_array_equal(given, expected)
