"""The interpreter of traced programs, and the flat view of their equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.tree_util import Partial

from convzoo.jaxprs import equations, inner_program, interpret, literal, module_path, trace

X = jnp.ones(3)


@jax.custom_jvp
def doubled(x):
    return 2.0 * x


doubled.defjvp(lambda primals, tangents: (doubled(*primals), 2.0 * tangents[0]))


@jax.custom_vjp
def tripled(x):
    return 3.0 * x


tripled.defvjp(lambda x: (tripled(x), None), lambda _, g: (3.0 * g,))


def primitives(function, *inputs):
    """Names of the primitives that a rule meets."""
    names = []

    def rule(equation, values, path):
        names.append(equation.primitive.name)
        return [None] * len(equation.outvars)

    program = jax.make_jaxpr(function)(*inputs)
    interpret(program, [None] * len(inputs), rule)
    return names


def evaluate(equation, values, path):
    """A rule that computes, so that an interpretation can be compared with the function."""
    results = equation.primitive.bind(*values, **equation.params)
    return results if equation.primitive.multiple_results else [results]


def by_platform(x):
    return lax.platform_dependent(x, cpu=lambda x: jnp.sin(x), default=lambda x: jnp.cos(x))


ENTERED = {
    "jit": (jax.jit(lambda x: jnp.sin(x)), ["sin"]),
    "jit in jit": (jax.jit(lambda x: jax.jit(jnp.sin)(x) + 1.0), ["sin", "add"]),
    "checkpoint": (jax.checkpoint(lambda x: jnp.sin(x)), ["sin"]),
    "custom_jvp": (doubled, ["mul"]),
    "custom_vjp": (tripled, ["mul"]),
    "the default platform": (by_platform, ["platform_index", "cos"]),
}
WHOLE = {
    "scan": lambda x: lax.scan(lambda carry, value: (carry + value, carry), 0.0, x)[0],
    "while": lambda x: lax.while_loop(lambda x: x[0] < 8.0, lambda x: 2.0 * x, x),
    "cond": lambda x: lax.cond(True, jnp.sin, jnp.cos, x),
    "reduce": lambda x: lax.reduce(x, 0.0, lambda a, b: a + 2.0 * b, (0,)),
    "reduce_window": lambda x: lax.reduce_window(x, 0.0, lambda a, b: a + 2.0 * b, (2,), (1,), "VALID"),
}


@pytest.mark.parametrize(("function", "names"), ENTERED.values(), ids=ENTERED)
def test_inner_programs_are_entered(function, names):
    assert primitives(function, X) == names


@pytest.mark.parametrize("name", WHOLE)
def test_what_runs_its_program_several_times_is_one_equation(name):
    names = primitives(WHOLE[name], X)
    assert names.count(name) == 1
    assert "sin" not in names
    assert not {"mul", "add"} & {*names}
    [loop] = [equation for _, equation in equations(jax.make_jaxpr(WHOLE[name])(X)) if equation.primitive.name == name]
    assert inner_program(loop) is None


@pytest.mark.parametrize("function", [*(function for function, _ in ENTERED.values()), *WHOLE.values()])
def test_an_evaluating_rule_gives_the_values_of_the_function(function):
    expected = jnp.cos(X) if function is by_platform else function(X)
    [result] = interpret(jax.make_jaxpr(function)(X), [X], evaluate, constant=lambda value: value)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_captured_arrays_and_literals_go_through_constant():
    captured = np.arange(3.0, dtype=np.float32)
    constants = []

    def constant(value):
        constants.append(np.asarray(value))
        return value

    function = jax.jit(lambda x: x * jnp.asarray(captured) + 1.0)
    program = jax.make_jaxpr(function)(X)
    [result] = interpret(program, [X], evaluate, constant)
    np.testing.assert_array_equal(result, captured + 1)
    assert any(np.array_equal(value, captured) for value in constants)
    assert any(value.shape == () and value == 1 for value in constants)


def test_an_inner_program_without_inputs_takes_no_operands():
    function = lambda: lax.platform_dependent(default=lambda: jnp.zeros(2))  # noqa: E731
    assert interpret(jax.make_jaxpr(function)(), [], evaluate, lambda value: value)[0].shape == (2,)


@pytest.mark.parametrize("inputs", [[], [None, None]])
def test_another_number_of_inputs_is_refused(inputs):
    with pytest.raises(ValueError, match="zip"):
        interpret(jax.make_jaxpr(jnp.sin)(X), inputs, lambda equation, values, path: [None])


def test_another_number_of_results_is_refused():
    with pytest.raises(ValueError, match="zip"):
        interpret(jax.make_jaxpr(jnp.sin)(X), [None], lambda equation, values, path: [None, None])


def test_module_paths_reach_into_inner_programs():
    def function(x):
        with jax.named_scope("Net"), jax.named_scope("stem"):
            return jax.jit(jnp.sin)(x)

    paths = []

    def rule(equation, values, path):
        paths.append(path)
        return [None]

    program = jax.make_jaxpr(function)(X)
    interpret(program, [None], rule)
    assert [module_path(path) for path in paths] == [("stem",)]
    assert [module_path(path) for path, equation in equations(program) if equation.primitive.name == "sin"] == [
        ("stem",)
    ]
    paths.clear()
    interpret(program, [None], rule, path="Outer")
    assert module_path(paths[0]) == ("Net", "stem")


def test_all_equations_include_loops_and_every_platform():
    names = [equation.primitive.name for _, equation in equations(jax.make_jaxpr(by_platform)(X))]
    assert {"sin", "cos"} <= {*names}
    bodies = [equation.primitive.name for _, equation in equations(jax.make_jaxpr(WHOLE["while"])(X))]
    assert {"lt", "mul"} <= {*bodies}


def test_a_trace_takes_the_leaves_of_its_function_and_is_cached():
    def product(weights, x):
        return weights["a"] * x

    program = trace(Partial(product, {"a": X}), X)
    assert len(program.jaxpr.invars) == 2
    assert not program.consts
    assert trace(Partial(product, {"a": 2 * X}), X) is program
    assert trace(Partial(product, {"a": jnp.ones(4)}), jnp.ones(4)) is not program


def test_a_literal_is_a_scalar_constant():
    equation = jax.make_jaxpr(lambda x: lax.max(x, 0.5))(1.0).eqns[0]
    assert [literal(atom) for atom in equation.invars] == [None, 0.5]
