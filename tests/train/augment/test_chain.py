import jax
import numpy as np
import pytest

from train.augment import AUGMENTATIONS, MIXTURES, MOTIONS, Colours, chain, colour, fit
from train.batches import Batch

IMAGES = np.random.default_rng(1).uniform(size=(64, 8, 16, 3)).astype(np.float32)
BATCH = Batch(IMAGES, np.arange(64, dtype=np.int32), np.ones(64, np.float32))
COLOURS = Colours.of(IMAGES)


def changed(names, seed=0, batch=BATCH, geometry="none"):
    """A batch after augmentation, as NumPy arrays."""
    augment = jax.jit(chain(names, geometry, COLOURS))
    return jax.tree.map(np.asarray, augment(jax.random.key(seed), batch))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_keeps_the_range_and_depends_on_key_and_place_alone(name):
    augment = jax.jit(chain([name], "none", COLOURS))
    others = BATCH._replace(images=np.concatenate([IMAGES[:4], 1 - IMAGES[4:]]))
    keys = [jax.random.key(seed) for seed in (0, 0, 1)]
    first, again, other = (np.asarray(augment(key, BATCH).images) for key in keys)
    assert first.shape == IMAGES.shape
    assert first.dtype == np.float32
    assert 0 <= first.min() <= first.max() <= 1
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != IMAGES).any()
    # An example changes in the same way whoever else is in the batch; a mixture depends on the next one.
    np.testing.assert_array_equal(np.asarray(augment(keys[0], others).images)[:3], first[:3])


def test_a_chain_applies_all_in_order_with_keys_of_their_own():
    key = jax.random.key(0)
    expected = BATCH
    for index, name in enumerate(("shift", "flip")):
        matrices = MOTIONS[name].draw(jax.random.fold_in(key, index), 64, (8, 16))
        expected = expected._replace(images=MOTIONS[name].sample(expected.images, matrices, False))
    np.testing.assert_array_equal(chain(["shift", "flip"])(key, BATCH).images, expected.images)
    assert chain([])(key, BATCH) is BATCH


def test_targets_stay_where_nothing_moves_or_mixes_them():
    after = changed([name for name in AUGMENTATIONS if name not in MIXTURES])
    np.testing.assert_array_equal(after.targets, BATCH.targets)
    assert after.other is None
    assert after.share is None


@pytest.mark.parametrize("name", sorted(colour.FITTED))
def test_facts_about_the_training_images_are_fitted_or_asked_for(name):
    with pytest.raises(ValueError, match=f"augment='{name}': expected facts .*Colours.of"):
        chain([name])(jax.random.key(0), BATCH)
    fitted, expected = fit([name], "none", IMAGES), chain([name], "none", COLOURS)
    key = jax.random.key(0)
    np.testing.assert_array_equal(fitted(key, BATCH).images, expected(key, BATCH).images)
