import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from train.datasets import scenes

FIRST_OF_EACH = slice(0, 10)


@pytest.fixture(scope="module", params=(32, 64))
def split(request):
    return scenes.load(request.param, count=500, test_count=1).train


@pytest.fixture(scope="module")
def large():
    return scenes.load(16, seed=1, count=2000, test_count=1000)


def corner(images):
    """The lower right corner that holds the watermark: 7×5 pixels at size 32."""
    return images[:, -7:, -5:]


def test_ten_classes_in_equal_shares(split):
    assert len(scenes.CLASSES) == len(set(scenes.CLASSES)) == 10
    np.testing.assert_array_equal(np.bincount(split.labels), np.full(10, 50))
    np.testing.assert_array_equal(split.labels[FIRST_OF_EACH], np.arange(10))


def test_an_image_depends_on_seed_split_and_index_alone():
    few, many = scenes.load(16, count=30, test_count=30), scenes.load(16, count=300, test_count=10)
    np.testing.assert_array_equal(few.train.images, many.train.images[:30])
    np.testing.assert_array_equal(few.train.extra["mask"], many.train.extra["mask"][:30])
    assert abs(few.train.images - few.test.images).max() > 0.3
    assert abs(few.train.images - scenes.load(16, seed=1, count=30, test_count=1).train.images).max() > 0.3
    assert len(np.unique(many.train.images, axis=0)) == 300


def test_a_seed_shows_the_same_scenes_at_any_size():
    small, big = (scenes.load(size, count=40, test_count=1).train for size in (32, 64))
    np.testing.assert_array_equal(small.extra["centre"], big.extra["centre"])
    np.testing.assert_array_equal(small.extra["scale"], big.extra["scale"])
    shrunk = big.images.reshape(40, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert abs(shrunk - small.images).mean() < 0.025
    np.testing.assert_allclose(big.extra["mask"].mean((1, 2)), small.extra["mask"].mean((1, 2)), atol=0.02)


def test_centre_is_the_centre_of_gravity_of_the_mask(split):
    mask, centre = split.extra["mask"], split.extra["centre"]
    pixels = (np.arange(mask.shape[1]) + 0.5) / mask.shape[1]
    area = mask.sum((1, 2))
    gravity = np.stack([(mask.sum(axis) * pixels).sum(-1) / area for axis in (2, 1)], axis=-1)
    assert abs(gravity - centre).max() * mask.shape[1] < 1


def test_centre_is_inside_every_filled_object(split):
    mask, labels = split.extra["mask"], split.labels
    rows, columns = (split.extra["centre"] * mask.shape[1]).astype(int).T
    inside = mask[np.arange(len(mask)), rows, columns]
    hollow = np.isin(labels, [scenes.CLASSES.index("ring"), scenes.CLASSES.index("crescent")])
    assert inside[~hollow].all()
    assert not inside[labels == scenes.CLASSES.index("ring")].any()


def test_objects_are_whole_and_as_large_as_scale_says(split):
    mask, scale = split.extra["mask"], split.extra["scale"]
    assert not mask[:, [0, -1]].any()
    assert not mask[:, :, [0, -1]].any()
    disc = split.labels == scenes.CLASSES.index("disc")
    np.testing.assert_allclose(mask[disc].mean((1, 2)), np.pi * scale[disc] ** 2, rtol=0.05)
    assert scale.min() >= 0.2
    assert np.ptp(scale) > 0.1


def test_mask_covers_the_visible_object(split):
    """Network one-coloured objects the colour is uniform, and far from the colour beside them."""
    for image, mask, label in zip(split.images, split.extra["mask"], split.labels, strict=True):
        if scenes.SHAPES[scenes.CLASSES[label]].texture is None:
            core = image[_shrink(mask)]
            rim = image[_shrink(~mask) & ~_shrink(_shrink(~mask))]
            assert core.std(axis=0).max() < 0.08
            assert np.abs(core.mean(0).mean() - rim.mean()) > 0.08


def _shrink(mask):
    """Pixels whose four neighbours are in the mask too."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis)
    return inner


def test_textures_have_two_colours(split):
    for name in ("stripes", "checkers"):
        chosen = split.labels == scenes.CLASSES.index(name)
        spread = [
            image[_shrink(mask)].std(0).max()
            for image, mask in zip(split.images[chosen], split.extra["mask"][chosen], strict=True)
        ]
        assert min(spread) > 0.05


def test_mean_colour_does_not_tell_the_class(large):
    train, test = (split.images.mean((1, 2)) for split in (large.train, large.test))
    probe = LogisticRegression(max_iter=1000).fit(train, large.train.labels)
    assert probe.score(test, large.test.labels) < 0.15


def test_place_and_scale_do_not_tell_the_class(large):
    train, test = (
        np.concatenate([split.extra["centre"], split.extra["scale"][:, np.newaxis]], axis=1)
        for split in (large.train, large.test)
    )
    probe = LogisticRegression(max_iter=1000).fit(train, large.train.labels)
    assert probe.score(test, large.test.labels) < 0.15


def test_watermark_touches_only_its_corner():
    plain, marked = (scenes.load(32, count=50, test_count=1, watermark=mark).train for mark in ("none", "class"))
    untouched = np.ones((32, 32), bool)
    untouched[-7:, -5:] = False
    np.testing.assert_array_equal(marked.images[:, untouched], plain.images[:, untouched])
    np.testing.assert_array_equal(marked.extra["mask"], plain.extra["mask"] & untouched)
    assert set(np.unique(corner(marked.images))) == {0, 1}
    assert len(np.unique(corner(plain.images))) > 100


def test_watermark_is_one_pattern_a_class():
    marks = corner(scenes.load(32, count=200, test_count=1, watermark="class").train.images)
    np.testing.assert_array_equal(marks, np.tile(marks[FIRST_OF_EACH], (20, 1, 1, 1)))
    assert len(np.unique(marks, axis=0)) == 10


def test_shuffled_watermark_is_independent_of_the_class():
    data = scenes.load(32, count=10, test_count=2000, watermark="class", test_watermark="shuffled")
    marks, test = corner(data.train.images), data.test
    shown = (corner(test.images)[:, np.newaxis] == marks).all((2, 3, 4)).argmax(1)
    np.testing.assert_allclose(np.bincount(shown, minlength=10) / 2000, 0.1, atol=0.03)
    assert (shown == test.labels).mean() < 0.13


def test_test_images_are_marked_as_in_training_unless_told():
    data = scenes.load(32, count=10, test_count=10, watermark="class")
    np.testing.assert_array_equal(corner(data.test.images), corner(data.train.images))
    other = scenes.load(32, count=10, test_count=10, watermark="class", test_watermark="none")
    np.testing.assert_array_equal(other.train.images, data.train.images)
    assert len(np.unique(corner(other.test.images))) > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 8}, "size=8"),
        ({"count": 0}, "count=0"),
        ({"seed": -1}, "seed=-1"),
        ({"watermark": "on"}, "watermark='on' is unknown, .*: expected 'none', 'class' or 'shuffled'"),
        ({"test_watermark": "off"}, "test_watermark='off'"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        scenes.load(**arguments)
