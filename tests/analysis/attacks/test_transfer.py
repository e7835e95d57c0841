import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.3, 0.7, (6, 2, 3, 1)).astype(np.float32)
WEIGHTS = RNG.normal(size=(2, 3, 1, 3)).astype(np.float32)


def linear(weights, images):
    return jnp.tensordot(images - 0.5, weights, 3)


MODELS = {
    "one": functools.partial(linear, WEIGHTS),
    "same": functools.partial(linear, 2 * WEIGHTS),
    "opposite": functools.partial(linear, -WEIGHTS),
}
LABELS = np.argmax(np.asarray(MODELS["one"](IMAGES)), 1)
LABELS[0] = (LABELS[0] + 1) % 3


def attack(logits_fn, images, labels):
    return attacks.fgsm(logits_fn, images, labels, attacks.Linf(0.2))


def predicted(name, images):
    return np.argmax(np.asarray(MODELS[name](np.asarray(images))), 1)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_matrix_counts_images_that_the_tested_model_had_right(batch_size):
    matrix = attacks.transfer_matrix(MODELS, IMAGES, LABELS, attack, batch_size)
    assert matrix.names == ("one", "same", "opposite")
    for j, tested in enumerate(MODELS):
        before = predicted(tested, IMAGES) == LABELS
        assert matrix.clean[j] == before.mean()
        for i, made in enumerate(MODELS):
            still = before & (predicted(tested, attack(MODELS[made], IMAGES, LABELS)) == LABELS)
            np.testing.assert_allclose(matrix.accuracy[i, j], still.sum() / before.sum() if before.any() else np.nan)
    assert matrix.clean[0] == 5 / 6
    assert matrix.accuracy[0, 0] == matrix.accuracy[0, 1] < 1, "a multiple of the logits transfers wholly"


def test_no_image_right_before_is_no_share():
    matrix = attacks.transfer_matrix(MODELS, IMAGES[:1], LABELS[:1], attack)
    assert np.isnan(matrix.accuracy[:, 0]).all()
    assert "–" in str(matrix)


def test_the_table_can_be_read():
    matrix = attacks.TransferMatrix(("f", "g"), np.array([1, 0.5]), np.array([[0.25, 1], [0, 1 / 3]]))
    assert str(matrix).splitlines() == [
        "| made on, tested on | f | g |",
        "|---|---|---|",
        "| (before) | 100.0 | 50.0 |",
        "| f | 25.0 | 100.0 |",
        "| g | 0.0 | 33.3 |",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], IMAGES, LABELS), r"models=\[\]: expected a dictionary of functions by name"),
        (({}, IMAGES, LABELS), "models={}: expected a dictionary"),
        ((MODELS, IMAGES, LABELS[:2]), r"labels of shape \(2,\): expected \(6,\)"),
        ((MODELS, IMAGES, LABELS + 3), r"but there are 3 classes"),
        (({"bad": 3}, IMAGES, LABELS), "3 is not callable"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        attacks.transfer_matrix(*arguments, attack)


def answer(images):
    assert type(images) is np.ndarray
    return np.asarray(MODELS["one"](images))


def fit(images, soft):
    """Least squares on the logarithms: exact for a linear model."""
    logits = np.log(soft) - np.log(soft).mean(1, keepdims=True)
    weights = np.linalg.lstsq(images.reshape(len(images), -1) - 0.5, logits, rcond=None)[0]
    return jax.tree_util.Partial(linear, np.float32(weights.reshape(2, 3, 1, 3)))


@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_proxy_is_attacked_in_place_of_what_it_imitates(batch_size):
    images = RNG.uniform(size=(20, 2, 3, 1)).astype(np.float32)
    sizes = []

    def predict(images):
        sizes.append(len(images))
        return answer(images)

    imitation = attacks.proxy(predict, images, fit, batch_size)
    assert sizes == ([20] if batch_size is None else [7, 7, 7])
    labels = predicted("one", IMAGES)
    made = attack(imitation, IMAGES, labels)
    np.testing.assert_allclose(made, attack(MODELS["one"], IMAGES, labels), atol=1e-6)


def test_probabilities_are_taken_as_they_are_and_logits_through_a_softmax():
    logits = answer(IMAGES)
    soft = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for predict in (answer, lambda images: soft):
        received = attacks.proxy(predict, IMAGES, lambda images, soft: soft)
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, soft, rtol=1e-5)


@pytest.mark.parametrize(
    ("predict", "settings", "message"),
    [
        (lambda images: images.sum((1, 2, 3)), {}, r"predict gave float32\(6,\) for 6 images: expected \(6, classes\)"),
        (lambda images: images[:, 0, :, 0] + np.float32(np.nan), {}, "scores that are not finite for image 0"),
        (answer, {"batch_size": 0}, "batch_size=0: expected a positive integer"),
    ],
)
def test_a_proxy_needs_scores(predict, settings, message):
    with pytest.raises(ValueError, match=message):
        attacks.proxy(predict, IMAGES, fit, **settings)
