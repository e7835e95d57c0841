"""Every form for CPU against XLA's native form: values, both gradients, types, and what is chosen."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convzoo.jaxprs import interpret
from zoo.layers import Conv, native
from zoo.layers.cpu import dispatch, products
from zoo.layers.cpu.barrier import apart
from zoo.layers.native import Settings

# image, kernel, strides, padding, dilation, groups
CONVOLUTIONS = {
    "1x1": ((2, 5, 4, 3), (1, 1, 3, 5), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "1x1 strided": ((2, 5, 4, 3), (1, 1, 3, 5), (2, 3), ((0, 0), (0, 0)), (1, 1), 1),
    "1x1 grouped": ((1, 3, 4, 6), (1, 1, 2, 9), (1, 2), ((0, 0), (0, 0)), (1, 1), 3),
    "depthwise": ((2, 7, 6, 4), (3, 3, 1, 4), (1, 1), ((1, 1), (1, 1)), (1, 1), 4),
    "depthwise strided, asymmetric": ((3, 9, 8, 3), (3, 2, 1, 3), (2, 3), ((0, 2), (1, 0)), (1, 1), 3),
    "depthwise dilated, doubled": ((1, 9, 11, 3), (3, 3, 1, 6), (2, 1), ((2, 2), (1, 3)), (2, 3), 3),
    "depthwise 5x5 stride 2": ((2, 9, 9, 4), (5, 5, 1, 4), (2, 2), ((2, 2), (2, 2)), (1, 1), 4),
    "depthwise 5x3 strided, dilated": ((2, 15, 9, 2), (5, 3, 1, 4), (2, 1), ((1, 2), (0, 1)), (3, 2), 2),
    "depthwise that skips pixels": ((1, 8, 7, 2), (2, 1, 1, 2), (3, 3), ((0, 0), (0, 0)), (1, 1), 2),
    "depthwise signal": ((2, 9, 3), (4, 1, 3), (2,), ((1, 2),), (1,), 3),
    "grouped": ((2, 6, 5, 12), (3, 3, 4, 6), (2, 1), ((1, 0), (1, 1)), (1, 2), 3),
    "few channels": ((2, 8, 9, 17), (3, 3, 17, 5), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "few channels, valid": ((2, 11, 9, 3), (3, 2, 3, 18), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "few channels, wide padding": ((1, 8, 9, 20), (3, 3, 20, 4), (1, 1), ((3, 4), (0, 2)), (1, 1), 1),
    "many outputs": ((1, 8, 9, 2), (3, 2, 2, 130), (1, 1), ((2, 1), (0, 1)), (1, 1), 1),
    "features, strided": ((4, 9, 8, 17), (3, 2, 17, 5), (2, 3), ((1, 1), (0, 1)), (1, 1), 1),
    "features, dilated": ((2, 9, 10, 6), (3, 2, 6, 5), (1, 1), ((2, 2), (0, 1)), (2, 3), 1),
    "features, strided and dilated": ((3, 9, 10, 6), (3, 2, 6, 5), (2, 1), ((2, 2), (0, 1)), (2, 3), 1),
    "stem": ((2, 10, 9, 3), (7, 7, 3, 5), (2, 2), ((3, 3), (3, 3)), (1, 1), 1),
    "small stem, asymmetric": ((2, 9, 10, 3), (3, 3, 3, 6), (2, 2), ((0, 1), (1, 0)), (1, 1), 1),
    "large stem": ((1, 19, 21, 1), (11, 5, 1, 4), (4, 3), ((2, 2), (0, 1)), (1, 1), 1),
    "patches": ((2, 8, 9, 5), (4, 3, 5, 6), (4, 3), ((0, 0), (0, 0)), (1, 1), 1),
    "patches with a rest": ((2, 9, 10, 3), (4, 4, 3, 6), (4, 4), ((0, 0), (0, 0)), (1, 1), 1),
    "many groups": ((1, 5, 4, 38), (3, 3, 2, 57), (1, 1), ((1, 1), (1, 1)), (1, 1), 19),
}
# maps, kernel (features / groups, inputs), strides, padding, dilation, groups, sizes
TRANSPOSED = {
    "k3 s2": ((2, 4, 5, 3), (3, 3, 2, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 1, (7, 9)),
    "k4 s2, larger": ((1, 4, 3, 3), (4, 4, 2, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 1, (8, 7)),
    "k2 s3, asymmetric": ((1, 3, 4, 2), (2, 5, 3, 2), (3, 2), ((0, 1), (2, 0)), (1, 1), 1, (9, 10)),
    "signal": ((2, 5, 3), (5, 2, 3), (3,), ((1, 2),), (1,), 1, (15,)),
    "depthwise": ((1, 4, 3, 3), (4, 3, 1, 3), (2, 1), ((1, 1), (0, 2)), (1, 1), 3, (8, 3)),
    "dilated": ((1, 4, 3, 2), (3, 3, 2, 2), (2, 2), ((1, 1), (1, 1)), (2, 2), 1, (9, 7)),
}


@pytest.fixture(autouse=True)
def _small_outputs_are_many(monkeypatch):
    """So that small images meet every form."""
    monkeypatch.setattr(products, "LEAST_NUMBERS", 1 << 6)
    monkeypatch.setattr(products, "LEAST_CHANNELS", 5)
    monkeypatch.setattr(products, "LEAST_ROWS", 2)
    monkeypatch.setattr(products, "LEAST_BYTES", 1 << 10)


def compare(chosen, native, operands):
    y, pull = jax.vjp(jax.jit(chosen), *operands)
    expected, expected_pull = jax.vjp(jax.jit(native), *operands)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    cotangent = jnp.asarray(np.random.default_rng(3).normal(size=y.shape), y.dtype)
    for ours, theirs in zip(pull(cotangent), expected_pull(cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_agree_with_the_native_form(name, normal):
    image, kernel, *settings = CONVOLUTIONS[name]
    settings = Settings(*settings)
    compare(
        lambda x, k: dispatch.convolve(x, k, settings),
        lambda x, k: native.convolve(x, k, settings),
        (jnp.asarray(normal(*image)), jnp.asarray(normal(*kernel))),
    )


@pytest.mark.parametrize("name", ["few channels", "features, strided", "features, dilated", "stem", "patches"])
def test_forms_by_argument_have_derivatives_of_every_kind(name, normal):
    image, kernel, *settings = CONVOLUTIONS[name]
    settings = Settings(*settings)
    operands = tuple(jnp.asarray(normal(*shape)) for shape in (image, kernel))
    tangents = tuple(jnp.asarray(normal(*shape)) for shape in (image, kernel))

    def all_kinds(convolve):
        run = lambda *operands: convolve(*operands, settings)  # noqa: E731
        gradient = jax.grad(lambda *operands: (run(*operands) ** 2).mean(), argnums=(0, 1))
        return {
            "forward": jax.jvp(run, operands, tangents)[1],
            "in the image": jax.jvp(lambda x: run(x, operands[1]), operands[:1], tangents[:1])[1],
            "in the kernel": jax.jvp(lambda kernel: run(operands[0], kernel), operands[1:], tangents[1:])[1],
            "forward over reverse": jax.jvp(gradient, operands, tangents)[1],
        }

    chex.assert_trees_all_close(
        jax.jit(all_kinds, static_argnums=0)(dispatch.convolve),
        jax.jit(all_kinds, static_argnums=0)(native.convolve),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions_agree_with_the_native_form(name, normal):
    image, kernel, *settings, sizes = TRANSPOSED[name]
    settings = Settings(*settings)
    compare(
        lambda y, k: dispatch.convolve_transposed(y, k, settings, sizes),
        lambda y, k: native.convolve_transposed(y, k, settings, sizes),
        (jnp.asarray(normal(*image)), jnp.asarray(normal(*kernel))),
    )


@pytest.mark.parametrize("name", ["1x1", "depthwise 5x5 stride 2", "grouped", "few channels", "features, strided"])
def test_bfloat16_adds_up_no_worse_than_the_native_form(name, normal):
    image, kernel, *settings = CONVOLUTIONS[name]
    settings = Settings(*settings)
    x, k = (jnp.asarray(normal(*shape), jnp.bfloat16) for shape in (image, kernel))
    exact = native.convolve(x.astype(jnp.float32), k.astype(jnp.float32), settings)
    error = {}
    for form in (dispatch.convolve, native.convolve):
        y = jax.jit(lambda x, k, form=form: form(x, k, settings))(x, k)
        assert y.dtype == jnp.bfloat16
        error[form] = float(jnp.abs(y.astype(jnp.float32) - exact).max())
    assert error[dispatch.convolve] <= 1.01 * error[native.convolve]
    grads = jax.jit(jax.grad(lambda x, k: dispatch.convolve(x, k, settings).sum().astype(jnp.float32), (0, 1)))(x, k)
    assert {g.dtype for g in grads} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_an_interpreter_sees_one_native_convolution(name):
    image, kernel, *settings = CONVOLUTIONS[name]
    settings = Settings(*settings)
    program = jax.make_jaxpr(lambda x, k: dispatch.convolve(x, k, settings))(jnp.ones(image), jnp.ones(kernel))
    seen = []

    def note(equation, values, path):
        seen.append(equation.primitive.name)
        return [None] * len(equation.outvars)

    interpret(program, [None, None], note)
    assert [name for name in seen if name != "platform_index"] == ["conv_general_dilated"]


def test_one_form_is_compiled():
    """No conditional is left, and no native convolution where a form of our own replaces it."""
    layer = Conv(4, 3, groups=4)
    x = jnp.ones((1, 6, 6, 4))
    variables = jax.eval_shape(layer.init, jax.random.key(0), x)
    traced = jax.jit(layer.apply).trace(variables, x)
    compiled = traced.lower().compile().as_text()
    assert " conditional(" not in compiled
    assert " convolution(" not in compiled
    for platform in ("cuda", "tpu"):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert text.count("stablehlo.convolution") == 1


def test_forward_mode_where_there_is_no_gradient_by_hand(normal):
    for name in ("1x1", "grouped"):
        image, kernel, *settings = CONVOLUTIONS[name]
        x, k = jnp.asarray(normal(*image)), jnp.asarray(normal(*kernel))
        y, tangent = jax.jvp(jax.jit(lambda x, s=Settings(*settings), k=k: dispatch.convolve(x, k, s)), (x,), (x,))
        np.testing.assert_allclose(y, tangent, rtol=1e-5, atol=1e-5)


def test_forward_over_reverse_through_a_gradient_by_hand(normal):
    """The Hessian of a quadratic in a linear map, against that of the native form."""
    image, kernel, *settings = CONVOLUTIONS["depthwise"]
    settings = Settings(*settings)
    x, k = jnp.asarray(normal(*image)), jnp.asarray(normal(*kernel))

    def product(form):
        loss = lambda x: (form(x, k, settings) ** 3).sum()  # noqa: E731
        return jax.jit(lambda x: jax.jvp(jax.grad(loss), (x,), (x,))[1])(x)

    np.testing.assert_allclose(product(dispatch.convolve), product(native.convolve), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["depthwise", "few channels", "features, strided"])
def test_batches_of_kernels(name, normal):
    image, kernel, *settings = CONVOLUTIONS[name]
    settings = Settings(*settings)
    x, kernels = jnp.asarray(normal(*image)), jnp.asarray(normal(2, *kernel))
    each = jax.jit(jax.vmap(jax.grad(lambda k: (dispatch.convolve(x, k, settings) ** 2).sum())))(kernels)
    alone = jax.grad(lambda k: (native.convolve(x, k, settings) ** 2).sum())(kernels[1])
    np.testing.assert_allclose(each[1], alone, rtol=1e-4, atol=1e-3)


def test_a_kernel_gradient_by_products_copies_pixels_piece_by_piece():
    """More images take as much memory more as the loop's own copies of its operands, and no more."""
    settings = Settings((1, 1), ((1, 1), (1, 1)), (1, 1))

    def gradient(x, kernel, y):
        return jax.vjp(lambda kernel: products.form(x, kernel, settings), kernel)[1](y)

    def temporary(images):
        pixels, kernel = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((images, 16, 16, 8), (3, 3, 8, 8)))
        return jax.jit(gradient).lower(pixels, kernel, pixels).compile().memory_analysis().temp_size_in_bytes

    assert temporary(32) - temporary(16) <= 2 * 16 * 16 * 16 * 8 * 4


def test_numbers_set_apart_are_the_same_numbers():
    x = jnp.array([-0.0, 1.5, jnp.inf, -jnp.inf, jnp.nan])
    y, pull = jax.vjp(jax.jit(apart), x)
    np.testing.assert_array_equal(np.signbit(y), np.signbit(x))
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(pull(jnp.arange(5.0))[0][:4], jnp.arange(4.0))
