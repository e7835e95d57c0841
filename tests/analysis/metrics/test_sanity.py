import flax.linen as nn
import jax
import numpy as np
import pytest

import analysis
from analysis import metrics

LAYERS = ("head", "stage2", "stage1")
KEY = jax.random.key(0)


def edges(model, variables, images, labels):
    """A map that never looks at the model."""
    return np.abs(np.diff(images.sum(-1), axis=2, append=0))


@pytest.fixture(scope="module")
def saliency():
    return metrics.of_logits(analysis.saliency)


@pytest.fixture(scope="module")
def cascade(small, variables, images, labels, saliency):
    return metrics.randomisation(saliency, small(), variables, images, labels, KEY)


def test_layers_go_from_the_logits_downwards(cascade):
    assert cascade.layers == LAYERS
    assert cascade.rank_correlation.shape == cascade.structural_similarity.shape == (3, 5)


def test_a_map_of_the_image_alone_is_caught(small, variables, images, labels):
    result = metrics.randomisation(edges, small(), variables, images, labels, KEY)
    np.testing.assert_allclose(result.rank_correlation, 1, atol=1e-5)
    np.testing.assert_allclose(result.structural_similarity, 1, atol=1e-5)


def test_a_map_of_the_weights_changes(cascade):
    assert abs(np.mean(cascade.rank_correlation[-1])) < 0.5
    assert np.mean(cascade.structural_similarity[-1]) < 0.7


def test_a_cascade_ends_at_the_model_s_own_start(small, variables, images, labels, saliency, cascade):
    fresh = jax.jit(small().init)(KEY, images[:1])
    before, after = (saliency(small(), weights, images, labels) for weights in (variables, fresh))
    np.testing.assert_allclose(cascade.rank_correlation[-1], metrics.rank_correlation(before, after), atol=1e-4)


def test_independent_layers_leave_the_others_trained(small, variables, images, labels, saliency, cascade):
    result = metrics.randomisation(saliency, small(), variables, images, labels, KEY, order="independent")
    np.testing.assert_array_equal(result.rank_correlation[0], cascade.rank_correlation[0])
    fresh = jax.jit(small().init)(KEY, images[:1])["params"]
    mixed = {"params": variables["params"] | {"stage1": fresh["stage1"]}}
    before, after = (saliency(small(), weights, images, labels) for weights in (variables, mixed))
    np.testing.assert_allclose(result.rank_correlation[2], metrics.rank_correlation(before, after), atol=1e-4)


def test_chosen_layers_and_methods_of_a_model(small, variables, images, labels):
    result = metrics.randomisation(
        analysis.grad_cam, small(), variables, images, labels, KEY, layers=["stage2"], preprocess=lambda x: x
    )
    assert result.layers == ("stage2",)
    assert np.isfinite(result.rank_correlation).all()


def test_statistics_of_batch_normalization_are_forgotten_too(images, labels, saliency):
    class Normalized(nn.Module):
        @nn.compact
        def __call__(self, images):
            x = nn.BatchNorm(use_running_average=True, name="norm")(images)
            return nn.Dense(3, name="head")(nn.relu(x).mean((1, 2)))

    variables = Normalized().init(KEY, images[:1])
    moved = variables | {"batch_stats": {"norm": {"mean": np.full(2, 0.5, np.float32), "var": np.ones(2, np.float32)}}}
    result = metrics.randomisation(saliency, Normalized(), moved, images, labels, KEY, layers=["norm"])
    before, after = (saliency(Normalized(), weights, images, labels) for weights in (moved, variables))
    assert float(abs(before - after).max()) > 0
    np.testing.assert_allclose(result.rank_correlation[0], metrics.rank_correlation(before, after), atol=1e-6)
    assert (np.asarray(result.rank_correlation) < 0.9).all()


def test_bad_input_is_refused(small, variables, images, labels, saliency):
    def call(**changes):
        arguments = {"images": images, "labels": labels, "key": KEY} | changes
        return metrics.randomisation(saliency, small(), variables, **arguments)

    for changes, message in (
        ({"order": "cascading"}, "did you mean cascade"),
        ({"layers": ["stage3"]}, r"layer 'stage3' of Small has no variables, did you mean stage"),
        ({"key": None}, "key=None"),
        ({"images": images[0]}, "images of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call(**changes)
