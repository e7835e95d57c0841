import jax
import numpy as np
import pytest
from scipy import stats

from train.augment import MIXTURES, chain
from train.batches import Batch

COUNT = 64
LEVELS = (np.arange(COUNT) / (COUNT - 1)).astype(np.float32)
IMAGES = np.broadcast_to(LEVELS[:, None, None, None], (COUNT, 8, 8, 1))
LABELS = np.arange(COUNT, dtype=np.int32)


def mixed(names, targets=LABELS, geometry="none"):
    batch = Batch(IMAGES, targets, np.ones(COUNT, np.float32))
    return jax.tree.map(np.asarray, jax.jit(chain(names, geometry))(jax.random.key(0), batch))


@pytest.mark.parametrize("names", [["mixup"], ["cutmix"], ["mixup", "cutmix"]])
def test_the_share_of_each_label_is_the_share_of_its_image(names):
    after = mixed(names)
    assert ((after.share >= 0.5) & (after.share <= 1)).all()
    pairs = np.sort(np.stack([after.targets, after.other]), axis=0)
    np.testing.assert_array_equal(pairs, np.sort(np.stack([LABELS, np.roll(LABELS, -1)]), axis=0))
    # Every image has one level: the mean of a mixture is the mean of the levels by share.
    expected = after.share * LEVELS[after.targets] + (1 - after.share) * LEVELS[after.other]
    np.testing.assert_allclose(after.images.mean((1, 2, 3)), expected, atol=1e-5)
    assert (after.share < 0.9).any()


def test_mixup_blends_and_cutmix_pastes_one_box():
    blended = mixed(["mixup"]).images
    assert np.ptp(blended, axis=(1, 2, 3)).max() < 1e-6
    pasted = mixed(["cutmix"]).images[..., 0]
    for image, own, other in zip(pasted, LEVELS, np.roll(LEVELS, -1), strict=True):
        assert np.isin(np.round(image, 5), np.round([own, other], 5)).all()
        rows, columns = np.nonzero(abs(image - other) < 1e-5)
        if len(rows):
            assert (abs(image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] - other) < 1e-5).all()


def test_with_both_each_example_takes_one():
    spread = np.ptp(mixed(["mixup", "cutmix"]).images, axis=(1, 2, 3))
    assert 10 < (spread > 1e-4).sum() < 54


def test_a_mask_is_pasted_with_its_image_and_blended_masks_share_the_loss():
    masks = np.broadcast_to(LABELS[:, None, None], (COUNT, 8, 8))
    pasted = mixed(["cutmix"], masks, "mask")
    np.testing.assert_allclose(pasted.images[..., 0], LEVELS[pasted.targets], atol=1e-6)
    np.testing.assert_array_equal(pasted.share, np.ones(COUNT))
    blended = mixed(["mixup"], masks, "mask")
    shares = blended.share[:, None, None]
    expected = shares * LEVELS[blended.targets] + (1 - shares) * LEVELS[blended.other]
    np.testing.assert_allclose(blended.images[..., 0], expected, atol=1e-5)


def test_shares_of_mixup_are_distributed_as_beta():
    maps = jax.vmap(lambda key: MIXTURES["mixup"](key, (1, 1)))(jax.random.split(jax.random.key(0), 4000))
    shares = np.asarray(maps).ravel()
    assert stats.kstest(shares, stats.beta(0.2, 0.2).cdf).pvalue > 0.01
    assert ((shares >= 0) & (shares <= 1)).all()
