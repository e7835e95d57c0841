import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.features.parametrizations import COLOR, Fourier, Pixels, hartley


def image(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(0.05, 0.95, shape), jnp.float32)


@pytest.mark.parametrize("shape", [(4, 6, 1), (5, 7, 3), (6, 5, 3), (1, 1, 2)])
def test_an_image_comes_back_from_its_coordinates(shape):
    forms = Pixels(), Pixels(0.4, 5.0), Fourier(), Fourier(0.0), Fourier(1.5, decorrelate=False)

    @jax.jit
    def there_and_back(image):
        coordinates = [form.encode(image) for form in forms]
        return coordinates, [form.decode(at) for form, at in zip(forms, coordinates, strict=True)]

    for form, at, back in zip(forms, *there_and_back(image(shape)), strict=True):
        assert at.shape == shape
        assert at.dtype == jnp.float32
        np.testing.assert_allclose(back, image(shape), atol=2e-5, err_msg=str(form))


@pytest.mark.parametrize("shape", [(4, 6, 1), (5, 7, 2)])
def test_hartley_is_its_sum_of_waves_orthonormal_and_its_own_inverse(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    height, width, channels = shape
    row, column = np.indices((height, width))
    expected = np.zeros(shape)
    for u in range(height):
        for v in range(width):
            angle = 2 * np.pi * (u * row / height + v * column / width)
            expected[u, v] = ((np.cos(angle) + np.sin(angle))[..., None] * x).sum((0, 1)) / np.sqrt(height * width)
    np.testing.assert_allclose(hartley(jnp.asarray(x)), expected, atol=1e-5)
    np.testing.assert_allclose(hartley(hartley(jnp.asarray(x))), x, atol=1e-5)
    assert channels == expected.shape[-1]


def test_amplitudes_are_white_without_decay_and_fall_with_frequency_with_it():
    assert np.ptp(Fourier(decay=0.0).scale((6, 8, 1))) == 0
    scale = np.asarray(Fourier(decay=2.0).scale((8, 8, 1)))[..., 0]
    np.testing.assert_allclose(scale[0], [16, 16, 4, 16 / 9, 1, 16 / 9, 4, 16], rtol=1e-6)
    np.testing.assert_allclose(scale, scale.T)
    np.testing.assert_allclose(scale[1, 1], 8, rtol=1e-6)


def test_a_step_in_one_decorrelated_color_moves_all_colors_as_photographs_do():
    at = jnp.zeros((4, 4, 3)).at[0, 0].set(jnp.array([1.0, 0.0, 0.0]))
    moved = Fourier().decode(at)
    logits = np.log(moved / (1 - moved))[0, 0]
    expected = COLOR[:, 0] / np.linalg.norm(COLOR, axis=0).max()
    np.testing.assert_allclose(logits / np.linalg.norm(logits), expected / np.linalg.norm(expected), atol=1e-5)
    alone = Fourier(decorrelate=False).decode(at)[0, 0]
    np.testing.assert_array_equal(alone[1:], [0.5, 0.5])


def test_a_step_is_std_times_as_long_in_pixels_and_projection_clips():
    pixels = Pixels(mean=0.0, std=5.0)
    at = pixels.encode(jnp.full((1, 1, 1), 0.5)) + 0.01
    assert pixels.decode(at).item() == pytest.approx(0.55)
    assert pixels.decode(pixels.project(at + 1)).item() == pytest.approx(1)
    assert pixels.decode(pixels.project(at - 1)).item() == pytest.approx(0)


def test_noise_starts_where_it_says():
    key = jax.random.key(0)
    wide = Pixels().decode(Pixels(std=5.0).start(key, (64, 64, 3)) * 5)
    assert 0 <= wide.min() < 0.01
    assert 0.99 < wide.max() <= 1
    narrow = Pixels(noise=0.1)
    assert abs(narrow.decode(narrow.start(key, (64, 64, 3))) - 0.5).max() <= 0.05 + 1e-6
    for noise, low, high in ((0.01, 1e-4, 0.01), (1.0, 0.1, 0.3)):
        clouds = Fourier(noise=noise)
        assert low < np.std(clouds.decode(clouds.start(key, (64, 64, 3)))) < high


@pytest.mark.parametrize("wrong", [{"noise": 2.0}, {"noise": -0.1}, {"std": 0.0}, {"std": float("inf")}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Pixels(**wrong)
