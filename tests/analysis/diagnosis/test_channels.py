import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.diagnosis.channels import NOISE, channel_report


class Pass(nn.Module):
    """A function of images as the only layer of a network."""

    function: object

    @nn.compact
    def __call__(self, images):
        return Inner(self.function, name="layer")(images).mean((1, 2))


class Inner(nn.Module):
    function: object

    def __call__(self, images):
        return self.function(images)


def kinds(report):
    return {(finding.kind, finding.channels) for finding in report.findings}


def of(function, images, **settings):
    return channel_report(Pass(function), {}, images, "layer", **settings)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).uniform(0, 1, (6, 8, 8, 1)).astype(np.float32)


def test_the_numbers_against_numpy(digits, digits_net, healthy):
    images = digits.images[:50]
    report = channel_report(digits_net, healthy, images, "stage2", batch_size=16)
    values = jnp.asarray(images)
    for stage, stride in (("stage1", 1), ("stage2", 2)):
        weights = healthy["params"][stage]["conv"]
        values = nn.relu(
            jax.lax.conv_general_dilated(
                values, weights["kernel"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            + weights["bias"][None, None, None]
        )
    columns = np.asarray(values, np.float64).reshape(-1, 16)
    np.testing.assert_array_equal(report.active, (np.asarray(values) > 0).any((1, 2)).sum(0))
    np.testing.assert_allclose(report.mean, columns.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(report.deviation, columns.std(0), rtol=1e-4)
    np.testing.assert_allclose(report.low, columns.min(0), atol=1e-5)
    np.testing.assert_allclose(report.high, columns.max(0), rtol=1e-5)
    np.testing.assert_allclose(report.correlation, np.corrcoef(columns.T), atol=1e-4)
    assert np.isnan(report.checkerboard).all(), "4×4 pixels are too few"


@pytest.mark.parametrize("batch_size", [7, 64])
def test_batch_size_does_not_matter(digits, digits_net, healthy, batch_size):
    reports = [
        channel_report(digits_net, healthy, digits.images[:50], "stage1", batch_size=size) for size in (16, batch_size)
    ]
    for name in ("active", "constant", "saturated"):
        np.testing.assert_array_equal(*(getattr(report, name) for report in reports))
    for name in ("mean", "deviation", "low", "high", "reliability", "correlation", "checkerboard"):
        # Seen: up to 1.2e-5, of sums over pixels in another order, where a CPU has AVX2 alone.
        np.testing.assert_allclose(*(getattr(report, name) for report in reports), atol=1e-4)


def test_dead_and_duplicated_by_surgery(digits, digits_net, healthy):
    conv = healthy["params"]["stage1"]["conv"]
    conv["kernel"][..., 2], conv["bias"][2] = 0, -1
    conv["kernel"][..., 5], conv["bias"][5] = conv["kernel"][..., 1], conv["bias"][1]
    report = channel_report(digits_net, healthy, digits.images, "stage1")
    assert kinds(report) == {("dead", (2,)), ("duplicated", (5, 1))}
    assert str(report).splitlines() == [
        "stage1: channel 2 is dead: active on 0 of 797 images",
        "stage1: channel 5 repeats channel 1: correlation 1.0000",
    ]
    assert report.active[2] == 0
    assert np.isnan(report.reliability[2])
    assert np.isfinite(np.delete(report.reliability, 2)).all()


def test_a_channel_that_only_its_border_moves_is_dead(noise):
    """Padding makes a constant channel vary over pixels, but no image makes it vary."""
    ramp = jnp.arange(64.0).reshape(1, 8, 8, 1) / 64
    report = of(lambda x: jnp.concatenate([x, jnp.broadcast_to(ramp, x.shape)], -1), noise)
    assert ("dead", (1,)) in kinds(report)
    assert ("dead", (0,)) not in kinds(report)


def test_saturated(noise):
    squashed = of(lambda x: jnp.tanh(jnp.concatenate([x - 0.5, 1e4 * (x - 0.5), 0.5 - x], -1)), noise)
    assert ("saturated", (1,)) in kinds(squashed)
    assert squashed.saturated[1] > 0.98
    stuck = of(lambda x: nn.sigmoid(jnp.concatenate([20 * x - 10, x, 0 * x + 50], -1)), noise)
    assert kinds(stuck) == {("saturated", (2,))}, "it is at a bound that another channel reaches too"
    own = of(lambda x: nn.relu(jnp.concatenate([x, 0 * x + 50], -1)), noise)
    assert kinds(own) == {("dead", (1,))}, "an end that only one channel reaches is no bound"
    sparse = of(lambda x: nn.relu(jnp.concatenate([x - 0.8, 1 - x], -1)), noise)
    assert not sparse.findings, "a ReLU that rests at zero is not saturated"
    bounded = of(lambda x: jnp.clip(jnp.concatenate([x, 100 * x - 20], -1), 0, 1), noise)
    assert bounded.saturated[1] < 0.9
    assert not bounded.findings


def test_reliability_is_that_of_signal_in_noise():
    """A kernel of norm n sees noise of deviation n·NOISE; the response to smooth images is known."""
    rng = np.random.default_rng(0)
    levels = rng.uniform(0, 1, (400, 1, 1, 1))
    images = np.float32(np.broadcast_to(levels, (400, 8, 8, 1)))

    def differences(x):
        plain = x[:, ::2, ::2]
        ringing = 10 * (x[:, ::2, ::2] - x[:, 1::2, ::2]) + 0.02 * x[:, ::2, ::2]
        return jnp.concatenate([plain, ringing], -1)

    report = of(differences, images)
    signal = np.array([1, 0.02]) * levels.std()
    noise = np.array([1, np.sqrt(10.02**2 + 10**2)]) * NOISE
    np.testing.assert_allclose(report.reliability, signal / np.hypot(signal, noise), atol=0.04)
    assert [finding.channels for finding in report.findings if finding.kind == "noisy"] == [(1,)]
    again = of(differences, images, key=jax.random.key(7))
    assert (again.reliability != report.reliability).all()


def test_checkerboard_is_the_share_of_the_shared_pattern(noise):
    board = jnp.asarray((-1.0) ** np.add.outer(np.arange(8), np.arange(8)), jnp.float32)[None, ..., None]
    report = of(lambda x: jnp.concatenate([x, x + 0.4 * board, x + 0.4 * x * board], -1), noise)
    variance, phases = noise.var(), noise.mean(0)[..., 0] + 0.4 * np.asarray(board)[0, ..., 0]
    means = np.array([phases[i::2, j::2].mean() for i in (0, 1) for j in (0, 1)])
    expected = means.var() / (noise[..., 0] + 0.4 * np.asarray(board)[..., 0]).var()
    np.testing.assert_allclose(report.checkerboard[1], expected, rtol=1e-4)
    np.testing.assert_allclose(expected, 0.16 / (0.16 + variance), atol=0.05)
    assert report.checkerboard[0] < 0.05
    assert ("checkerboard", (1,)) in kinds(report)
    assert ("checkerboard", (0,)) not in kinds(report)


class Up(nn.Module):
    """Twice the size, by a transposed convolution or by resizing before a convolution."""

    transposed: bool

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(16, (3, 3), 2, name="down")(x))
        if self.transposed:
            return nn.ConvTranspose(16, (3, 3), (2, 2), name="up")(x)
        return nn.Conv(16, (3, 3), name="up")(x.repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("seed", range(3))
def test_a_transposed_convolution_leaves_a_checkerboard_and_a_resized_one_does_not(digits, seed):
    found = {}
    for transposed in (True, False):
        variables = Up(transposed).init(jax.random.key(seed), digits.images[:1])
        report = channel_report(Up(transposed), variables, digits.images[:200], "up")
        found[transposed] = report.checkerboard
        assert any(finding.kind == "checkerboard" for finding in report.findings) == transposed
    assert found[True].max() > 4 * found[False].max()


def test_layers_without_spatial_extent_are_taken(digits, digits_net, healthy):
    healthy["params"]["head"]["kernel"][:, 3] = 0
    report = channel_report(digits_net, healthy, digits.images[:100], "head")
    assert len(report.mean) == 10
    assert [finding.channels for finding in report.findings if finding.kind == "dead"] == [(3,)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "stag1"}, "did you mean stage1"),
        ({"images": lambda x: x[:1]}, "one image: expected at least two"),
        ({"images": lambda x: 2 * x}, r"expected \[0, 1\]"),
        ({"images": lambda x: np.where(x > 0.9, np.nan, x)}, "NaN"),
        ({"batch_size": 0}, "batch_size=0: expected a positive integer"),
    ],
)
def test_bad_input(digits, digits_net, healthy, change, message):
    change = dict(change)
    images = change.pop("images", lambda x: x)(digits.images[:8])
    with pytest.raises(ValueError, match=message):
        channel_report(digits_net, healthy, images, **{"layer": "stage1"} | change)
