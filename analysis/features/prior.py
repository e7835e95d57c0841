"""A prior learned from images: a small denoiser, which removes what natural images do not contain.

Reference: Romano, Elad & Milanfar, 2016, "The little engine that could: regularization by denoising",
arXiv:1611.02862; Zhang et al., 2016, "Beyond a Gaussian denoiser", arXiv:1608.03981.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.tree_util import Partial

from analysis import checks, execution
from convzoo.checks import integer
from convzoo.checks import key as check_key
from convzoo.pytrees import register


class Denoiser(nn.Module):
    """Convolutions that estimate the noise in an image, and take it away; DnCNN without its normalization.

    Attributes:
      features: channels of each hidden layer.
      depth: number of convolutions.

    Example:
      >>> images = jnp.ones((1, 8, 8, 3))
      >>> denoised, variables = jax.eval_shape(Denoiser().init_with_output, jax.random.key(0), images)
      >>> denoised.shape, variables["params"]["conv1"]["kernel"].shape
      ((1, 8, 8, 3), (3, 3, 3, 24))
    """

    features: int = 24
    depth: int = 4

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """(N, H, W, C) noisy → (N, H, W, C)."""
        x = 2 * images - 1
        for index in range(self.depth - 1):
            x = nn.relu(nn.Conv(self.features, (3, 3), name=f"conv{index + 1}")(x))
        # At first it does nothing, which no image needs to be protected from.
        return images - nn.Conv(images.shape[-1], (3, 3), name="noise", kernel_init=nn.initializers.zeros)(x)


@register
@dataclasses.dataclass(frozen=True)
class DenoisingPrior:
    r"""Regularization by denoising, as a regularizer of `analysis.invert` and `analysis.maximize`.

    .. math:: R(x) = \frac{w}{2 hwc} x^T (x - D(x)), \qquad \nabla R = \frac{w}{hwc} (x - D(x))

    The gradient is taken as it stands, without the denoiser's own, which is what makes any denoiser usable.

    Attributes:
      weight: w.
      denoise: D, images (N, H, W, C) in [0, 1] → (N, H, W, C); a `Partial`, such as `learn_denoiser` gives.

    Example:
      >>> halve = DenoisingPrior(1.0, Partial(lambda images: images / 2))
      >>> jax.grad(lambda images: halve(images).sum())(jnp.ones((1, 1, 1, 1))).item()
      0.5
    """

    weight: Any
    denoise: Partial

    def __call__(self, images: jax.Array) -> jax.Array:
        """(N,) penalties; their values are x·(x − D(x)) / hwc, their gradients as above."""
        residual = jax.lax.stop_gradient(images - self.denoise(images))
        return self.weight * (images * residual).mean((1, 2, 3))


class Lesson(NamedTuple):
    """The settings of a denoiser's training.

    Attributes:
      noise: the largest standard deviation of the noise, in pixel values; each image draws its own below.
      batch_size: images a step.
      learning_rate: of Adam.
    """

    noise: float = 0.2
    batch_size: int = 32
    learning_rate: float = 2e-3


def learn_denoiser(
    images: Any, key: jax.Array, steps: int = 500, denoiser: nn.Module = Denoiser(), lesson: Lesson = Lesson()
) -> Partial:
    r"""Teach a denoiser the images of a data set.

    .. math:: \min_D \; \mathbb{E} \, \| D(x + \sigma n) - x \|^2, \qquad \sigma \sim U(0, noise), \; n \sim N(0, 1)

    Args:
      images: (N, H, W, C) floats in [0, 1].
      key: from `jax.random.key`, for parameters, batches and noise.
      steps: of Adam.
      denoiser: a module from images to images.
      lesson: noise, batch size and learning rate.

    Returns:
      The denoiser as a function (N, H, W, C) → (N, H, W, C), for images of any size.

    Raises:
      ValueError: images of another shape or range, no key, a module that does not give images, or numbers out of range.

    Example:
      >>> images = jnp.full((4, 6, 6, 1), 0.5)
      >>> denoise = learn_denoiser(images, jax.random.key(0), steps=2, denoiser=Denoiser(features=4, depth=2))
      >>> jax.eval_shape(denoise, images).shape
      (4, 6, 6, 1)
    """
    images = jnp.asarray(checks.as_images(images))
    integer("steps", steps)
    integer("batch_size", lesson.batch_size)
    if not 0 < lesson.noise <= 1:
        raise ValueError(f"noise={lesson.noise!r}: expected a standard deviation of pixel values, in (0, 1]")
    start, key = jax.random.split(check_key("key", key))
    variables = jax.jit(denoiser.init)(start, images[:1])
    apply = functools.partial(Partial, execution.as_argument(denoiser.apply).func)
    form = jax.eval_shape(apply(variables), images[:1])
    if checks.form(form) != checks.form(images[:1]):
        raise ValueError(f"the denoiser gives {checks.form(form)} for {checks.form(images[:1])}: expected the same")
    step = _Lesson(execution.Static(denoiser), lesson)
    state = variables, optax.adam(lesson.learning_rate).init(variables), jnp.int32(0)
    variables, *_ = execution.iterate(step, state, steps, images, key)
    return apply(variables)


@dataclasses.dataclass(frozen=True)
class _Lesson:
    """One step of teaching; a class so that equal lessons are equal functions."""

    denoiser: execution.Static
    lesson: Lesson

    def __call__(self, state, images, key):
        variables, moments, step = state
        which, level, noise = jax.random.split(jax.random.fold_in(key, step), 3)
        clean = images[jax.random.randint(which, (self.lesson.batch_size,), 0, len(images))]
        sigma = jax.random.uniform(level, (len(clean), 1, 1, 1), clean.dtype, 0, self.lesson.noise)
        noisy = clean + sigma * jax.random.normal(noise, clean.shape, clean.dtype)

        def loss(variables):
            return ((self.denoiser.value.apply(variables, noisy) - clean) ** 2).mean()

        # Where a user forbids promotion, optax's counts still meet its floats.
        with jax.numpy_dtype_promotion("standard"):
            change, moments = optax.adam(self.lesson.learning_rate).update(jax.grad(loss)(variables), moments)
        return optax.apply_updates(variables, change), moments, step + 1
