import jax
import numpy as np
import pytest

from analysis import attacks, execution, taps
from analysis.attacks import square_search
from tests.analysis.attacks.test_black_box import run

KEY = jax.random.key(0)
WEIGHTS = np.random.default_rng(0).normal(size=(6, 6, 1)).astype(np.float32)
IMAGES = np.random.default_rng(1).uniform(size=(4, 6, 6, 1)).astype(np.float32)


def far(images):
    """Two linear classes, of which the second is out of reach."""
    level = np.stack([np.tensordot(image, WEIGHTS, 3) for image in images])
    return np.stack([100 + level, 0 * level], 1)


def worst(ball, eps):
    """The least level in ball and box, by bisection on the multiplier of the ball."""
    if ball is attacks.Linf:
        return far(np.clip(IMAGES - eps * np.sign(WEIGHTS), 0, 1))[:, 0]
    levels = []
    for image in IMAGES.astype(np.float64):
        low, high = 0.0, 1e3
        for _ in range(60):
            middle = (low + high) / 2
            inside = np.linalg.norm(np.clip(image - middle * WEIGHTS, 0, 1) - image) < eps
            low, high = (middle, high) if inside else (low, middle)
        levels.append(far(np.clip(image - low * WEIGHTS, 0, 1)[None])[0, 0])
    return np.array(levels)


@pytest.mark.parametrize(("ball", "eps", "share"), [(attacks.Linf, 0.1, 0.999), (attacks.L2, 0.5, 0.65)])
def test_it_approaches_the_worst_image_of_a_linear_model(ball, eps, share):
    """Not all of it in L2, where the least square is three by three and the weights have no structure."""
    made = attacks.square(far, IMAGES, [0] * 4, ball(eps), 1200, KEY)
    assert made.queries.tolist() == [1200] * 4
    clean = far(IMAGES)[:, 0]
    assert ((clean - far(made.images)[:, 0]) >= share * (clean - worst(ball, eps))).all()


@pytest.mark.parametrize("ball", [attacks.Linf, attacks.L2])
def test_the_image_of_largest_margin_is_returned(ball):
    levels = []

    def predict(images):
        scores = far(images)
        levels.append(scores[0, 0])
        return scores

    made = attacks.square(predict, IMAGES[:1], [0], ball(0.2), 100, KEY)
    assert far(made.images)[0, 0] == min(levels) < levels[0]


def test_it_fools_a_trained_network_about_as_often_as_gradients_do(digits, digits_net, fitted):
    logits_fn = taps.logits_fn(digits_net, fitted("train", 0, 600))
    images, labels, threat = digits.images[:40], digits.labels[:40], attacks.Linf(0.15)

    def predict(images):
        return execution.call(logits_fn, images)

    def wrong(images):
        return np.argmax(np.asarray(predict(images)), 1) != labels

    gradient = wrong(attacks.pgd(logits_fn, images, labels, threat, 20, key=KEY))
    made = attacks.square(predict, images, labels, threat, 500, KEY, batch_size=40)
    asked = wrong(made.images)
    assert gradient.mean() > wrong(images).mean() + 0.2
    assert asked.sum() >= 0.8 * gradient.sum()
    np.testing.assert_array_equal(made.queries < 500, asked)


def test_squares_shrink_by_the_schedule_of_the_paper(monkeypatch):
    sides = []
    moves = square_search.MOVES[attacks.Linf]

    def step(current, image, numbers, eps, side):
        sides.append(side)
        return current

    monkeypatch.setitem(square_search.MOVES, attacks.Linf, moves._replace(step=step))
    image = np.full((1, 20, 20, 1), 0.5, np.float32)
    attacks.square(lambda x: np.array([[1.0, 0.0]]), image, [0], attacks.Linf(0.1), 1000, KEY)
    changes = [0, *(np.flatnonzero(np.diff(sides)) + 1)]
    shares = [0.8 / 2**halvings for halvings in range(10)]
    expected = [max(round(np.sqrt(share * 400)), 1) for share in shares]
    assert [sides[at] for at in changes] == [*dict.fromkeys(expected)]
    # Halved after steps 10, 50, 200, 500, 1000, 2000, 4000, 6000 of ten thousand; 5 pixels and 2.5 have the side 2.
    assert changes == [0, 2, 6, 21, 51, 101, 201, 601]


def test_a_step_in_linf_changes_one_square():
    asked = []

    def predict(images):
        asked.append(images[0])
        return far(images)

    attacks.square(predict, IMAGES[:1], [0], attacks.Linf(0.05), 40, KEY)
    stripes = asked[1] - asked[0]
    assert len({*np.round(np.abs(stripes[stripes != 0]), 3)} - {0.05}) <= 4, "±eps, less where it was clipped"
    best = asked[1]
    for candidate in asked[2:]:
        rows, columns = np.flatnonzero((candidate != best).any((1, 2))), np.flatnonzero((candidate != best).any((0, 2)))
        side = max(np.ptp(rows), np.ptp(columns)) + 1 if rows.size else 0
        assert side <= 5
        best = candidate if far(candidate[None])[0, 0] < far(best[None])[0, 0] else best


@pytest.mark.parametrize("side", [2, 3, 5, 8])
def test_bumps_are_those_of_the_paper(side):
    def pyramid(height, width):
        largest = max(height, width) // 2
        values = np.zeros((height, width))
        for r in range(height):
            for s in range(width):
                count = largest - max(abs(r - height // 2), abs(s - width // 2))
                values[r, s] = sum(1 / (largest + 1 - k) ** 2 for k in range(count + 1))
        return values / np.sqrt((values**2).sum())

    expected = np.concatenate([pyramid(side // 2, side), -pyramid(side - side // 2, side)])
    np.testing.assert_allclose(square_search._bump(side), expected / np.linalg.norm(expected), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 3), (9, 4, 2)])
@pytest.mark.parametrize("ball", [attacks.Linf, attacks.L2])
def test_images_of_any_shape(ball, shape):
    images = np.full((2, *shape), 0.5, np.float32)
    made = attacks.square(lambda x: np.array([[1.0, 0.0]] * len(x)), images, [0, 0], ball(0.2), 30, KEY).images
    assert made.shape == images.shape
    assert np.isfinite(made).all()


@pytest.mark.parametrize("queries", [1, 2, 3])
def test_small_budgets_are_kept(queries):
    assert run("square", queries=queries, eps=0.01).queries.max() == queries
