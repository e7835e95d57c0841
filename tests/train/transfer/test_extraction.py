import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from train import datasets, transfer

MODEL = zoo.create("coordinate_regressor", widths=(4, 8), num_classes=3)


@pytest.fixture(scope="module")
def variables():
    return zoo.init(MODEL, jax.random.key(0), (8, 8, 1))


def test_features_are_layers_averaged_over_space(variables):
    images = np.random.default_rng(0).uniform(size=(7, 8, 8, 1)).astype(np.float32)
    values = transfer.features(MODEL, variables, images, ["stage1", "stage2", "dense"], batch_size=4)
    assert values.shape == (7, 4 + 8 + 8)
    stages = MODEL.apply(variables, jnp.asarray(images), method="features")
    for name, part in (("stage1", values[:, :4]), ("stage2", values[:, 4:12])):
        np.testing.assert_allclose(part, stages[name].mean((1, 2)), atol=1e-6)
    kernel, bias = (np.asarray(variables["params"]["head"][name]) for name in ("kernel", "bias"))
    logits = np.maximum(values[:, 12:], 0) @ kernel + bias
    np.testing.assert_allclose(MODEL.apply(variables, jnp.asarray(images)), logits, atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["stage9"], "'stage9': no such layer, did you mean stage"),
        (["conv"], "'conv': several layers end so"),
        ([], "expected at least one"),
    ],
)
def test_unknown_layers_are_refused(layers, message, variables):
    with pytest.raises(ValueError, match=message):
        transfer.features(MODEL, variables, np.zeros((2, 8, 8, 1), np.float32), layers)


@pytest.mark.parametrize("kind", ["logistic", "svm"])
def test_a_linear_head_on_features_of_an_untrained_network_reads_digits(kind, variables):
    data = datasets.load("digits", 8)
    layers = ["stage1", "stage2"]
    train, test = (transfer.features(MODEL, variables, part.images[:300], layers) for part in (data.train, data.test))
    assert transfer.linear_head(train, data.train.labels[:300], kind).score(test, data.test.labels[:300]) > 0.3
    with pytest.raises(ValueError, match="kind='svn' is unknown, did you mean svm"):
        transfer.linear_head(train, data.train.labels[:300], "svn")
