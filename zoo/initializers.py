"""The initializers of a model, run one by one, so that a large network needs no more compilation than a small one.

`jax.jit(model.init)` compiles one program that holds the generator of random numbers once for each kernel: 20 s for
ResNet-50. Here the traced program is walked equation by equation, and random numbers come in pieces of one size from
one compiled program. That gives the same numbers, because a random number depends on its key and its place alone.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.extend.random import define_prng_impl, threefry2x32_p
from jax.interpreters.partial_eval import dce_jaxpr

PIECE = 1 << 16
"""Random numbers that one call of the compiled program makes."""


def run(model: nn.Module, key: jax.Array, shape: tuple[int, int, int], dtype: Any) -> dict[str, Any]:
    """Make a model's variables, as `model.init` does, without compiling them as one program.

    Args:
      model: a module of this zoo's signature.
      key: from `jax.random.key` or `jax.random.PRNGKey`; not one that is being traced.
      shape: (H, W, C) of one image.
      dtype: type of the images.

    Returns:
      `{"params": ..., "batch_stats": ...}`; equal to `model.init` to the bit.
    """
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    program, structure = _program(model, shape, dtype, str(jax.random.key_impl(key)))
    leaves = _evaluate(program, [key] if program.jaxpr.invars else [])
    return jax.tree.unflatten(structure, jax.device_put(leaves, may_alias=False))


def plain(model: nn.Module, key: jax.Array, shape: tuple[int, int, int], dtype: Any) -> dict[str, Any]:
    """Make a model's variables by `model.init`, also while the key is being traced."""
    made = model.init(key, jnp.zeros((1, *shape), dtype))
    return {kind: made[kind] for kind in ("params", "batch_stats") if kind in made}


@functools.lru_cache(maxsize=16)
def _program(model: nn.Module, shape: tuple[int, int, int], dtype: Any, impl: str) -> tuple[core.ClosedJaxpr, Any]:
    """The initializers alone, without the forward pass, and the structure of what they make."""
    key = jax.eval_shape(lambda: jax.random.key(0, impl=impl))
    program, shapes = jax.make_jaxpr(lambda key: plain(model, key, shape, dtype), return_shape=True)(key)
    jaxpr, _ = dce_jaxpr(program.jaxpr, [True] * len(program.jaxpr.outvars))
    return core.ClosedJaxpr(jaxpr, program.consts), jax.tree.structure(shapes)


def _evaluate(program: core.ClosedJaxpr, inputs: list[Any]) -> list[Any]:
    values = dict(zip(program.jaxpr.invars, inputs, strict=True))
    values.update(zip(program.jaxpr.constvars, program.consts, strict=True))

    def read(atom):
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in program.jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        results = _apply(equation, operands)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in program.jaxpr.outvars]


def _apply(equation: core.JaxprEqn, operands: list[Any]) -> list[Any]:
    """Compute one equation: in NumPy where that gives the same bits, as JAX does elsewhere."""
    primitive = equation.primitive
    output: Any = equation.outvars[0].aval
    if primitive.name == "broadcast_in_dim" and np.ndim(operands[0]) == 0:
        return [np.full(output.shape, operands[0], output.dtype)]
    if primitive.name == "mul" and output.dtype == np.float32:
        return [np.multiply(*map(np.asarray, operands), dtype=np.float32)]
    if primitive.name == "jit" and equation.params["name"] == "_truncated_normal" and _in_pieces(operands[0], output):
        key, lower, upper = operands
        return [_truncated_normal(key, lower, upper, output.shape)]
    results = primitive.bind(*operands, **equation.params)
    return list(results) if primitive.multiple_results else [results]


def _in_pieces(key: jax.Array, output: Any) -> bool:
    """Whether a random number depends on its key and its place alone, and its bits are those of `_bits`."""
    threefry = str(jax.random.key_impl(key)) == "threefry2x32" and jax.config.values["jax_threefry_partitionable"]
    return threefry and output.dtype == np.float32 and key.ndim == 0


def _truncated_normal(key: jax.Array, lower: Any, upper: Any, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    words, bounds = jax.random.key_data(key), np.asarray([lower, upper], np.float32)
    pieces = [_piece(words, np.uint32(start), *bounds) for start in range(0, size, PIECE)]
    return np.concatenate(pieces)[:size].reshape(shape)


@jax.jit
def _piece(words: jax.Array, start: jax.Array, lower: jax.Array, upper: jax.Array) -> jax.Array:
    key = jax.random.wrap_key_data(jnp.append(words, start), impl=_FROM_A_PLACE)
    return jax.random.truncated_normal(key, lower, upper, (PIECE,), np.float32)


def _bits(words: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
    """The random bits of a key from a place on: the last word."""
    first, second, start = words
    places = start + jax.lax.iota(np.uint32, shape[0])
    key = (jnp.broadcast_to(word, shape) for word in (first, second))
    high, low = threefry2x32_p.bind(*key, jnp.zeros_like(places), places)
    return high ^ low


def _refuse(*_):
    raise NotImplementedError("only for random bits")


_FROM_A_PLACE = define_prng_impl(
    key_shape=(3,), seed=_refuse, split=_refuse, random_bits=_bits, fold_in=_refuse, name="threefry2x32 from a place"
)
