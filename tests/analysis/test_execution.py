import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import execution


def affine(state, scale, shift):
    return state * scale + shift


@pytest.fixture(params=["python", "loop", "traced"])
def iterate(request, monkeypatch):
    """`execution.iterate` in each of its forms."""
    if request.param == "loop":
        monkeypatch.setattr(execution, "_platform", lambda tree: "gpu")
    if request.param == "traced":
        return lambda step, state, steps, *args: jax.jit(lambda state: execution.iterate(step, state, steps, *args))(
            state
        )
    return execution.iterate


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_iterate(iterate, steps):
    expected = 1.0
    for _ in range(steps):
        expected = expected * 2 + 3
    assert iterate(affine, jnp.float32(1), steps, 2.0, jnp.float32(3)) == expected


def test_the_step_is_traced_once(iterate):
    traces = []

    def step(state, shift):
        traces.append(None)
        return state + shift

    for steps, shift in ((4, 1.0), (7, 2.0)):
        assert iterate(step, jnp.zeros(2), steps, shift).tolist() == [steps * shift] * 2
    assert len(traces) == 1


def test_a_trace_unrolls_and_can_be_differentiated():
    gradient = jax.grad(lambda scale: execution.iterate(affine, jnp.float32(1), 3, scale, jnp.float32(0)))(2.0)
    assert gradient == 3 * 2.0**2
    assert "while" not in str(jax.make_jaxpr(lambda x: execution.iterate(affine, x, 3, 2.0, 1.0))(1.0))


@pytest.mark.parametrize(("count", "batch_size", "batches"), [(5, 2, 3), (4, 2, 2), (3, 8, 1), (3, None, 1)])
def test_in_batches(count, batch_size, batches):
    shapes = []

    def function(x, tree):
        shapes.append(x.shape)
        return {"sum": x + tree["y"], "rows": x[:, None]}

    x, y = jnp.arange(count), np.arange(count, dtype=np.int32) * 10
    result = execution.in_batches(function, batch_size, x, {"y": y})
    np.testing.assert_array_equal(result["sum"], 11 * np.arange(count))
    np.testing.assert_array_equal(result["rows"], np.arange(count)[:, None])
    assert shapes == [(batch_size or count,)] * batches


def test_rows_of_an_array_stay_with_their_library():
    table, rows = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([3, 0, 3])
    assert isinstance(execution.rows_of(table, rows), np.ndarray)
    taken = execution.rows_of(jnp.asarray(table), rows)
    assert isinstance(taken, jax.Array)
    np.testing.assert_array_equal(taken, execution.rows_of(table, rows))


def test_weights_are_arguments_of_the_program():
    weights = jnp.full((2, 3), 7.0)
    program = str(jax.make_jaxpr(execution.call)(execution.as_argument(functools.partial(jnp.dot, weights)), weights.T))
    assert "lambda ; a:f32[2,3] b:f32[3,2]" in program


def test_a_partial_over_settings_stays_part_of_the_program():
    function = execution.as_argument(functools.partial(jnp.sum, axis=1))
    assert jax.tree.leaves(function) == []
    assert execution.call(function, jnp.ones((2, 3))).tolist() == [3.0, 3.0]


def test_callables_without_a_hash_are_told_apart():
    class Scale(list):
        def __call__(self, x):
            return x * self[0]

    assert execution.call(execution.as_argument(Scale([2.0])), 3.0) == 6.0
    assert execution.call(execution.as_argument(Scale([4.0])), 3.0) == 12.0


def test_what_is_not_callable_is_refused():
    with pytest.raises(ValueError, match="3 is not callable"):
        execution.as_argument(3)


@pytest.mark.parametrize("batch_size", [None, 1, 3, 4, 7, 100])
def test_sums_over_samples(batch_size):
    """Each example's sum holds each of its samples once, in batches of one shape and no larger than allowed."""
    shapes = set()

    def terms(sample, x):
        shapes.add(x.shape)
        return {"power": x ** sample[:, None].astype(x.dtype), "count": jnp.ones(len(x), jnp.int32)}

    x = np.random.default_rng(0).uniform(size=(3, 2)).astype(np.float32)
    sums = execution.sum_over_samples(terms, 7, batch_size, x)
    np.testing.assert_allclose(sums["power"], sum(x**power for power in range(7)), rtol=1e-6)
    np.testing.assert_array_equal(sums["count"], 7)
    assert len(shapes) == 1
    assert batch_size is None or shapes.pop()[0] <= batch_size


def test_samples_that_fill_a_batch_are_left_out_even_if_they_are_not_numbers():
    last = execution.sum_over_samples(lambda sample, x: jnp.where(jnp.asarray(sample) < 4, x, np.nan), 5, 3, np.ones(2))
    assert np.isnan(last).all()
    first = execution.sum_over_samples(
        lambda sample, x: x / (1 + jnp.asarray(sample, x.dtype)), 5, 3, np.ones(2, np.float32)
    )
    np.testing.assert_allclose(first, np.full(2, sum(1 / n for n in range(1, 6))), rtol=1e-6)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_long_work_shows_its_progress_on_a_terminal_only(monkeypatch, stream, shown):
    monkeypatch.setattr(execution.sys, "stderr", stream())
    monkeypatch.setattr(execution, "PATIENCE", 0)
    execution.in_batches(lambda x: x, 1, np.arange(4))
    assert ("/4 " in execution.sys.stderr.getvalue()) == shown
    one_batch = execution.sys.stderr.tell()
    execution.in_batches(lambda x: x, None, np.arange(4))
    assert execution.sys.stderr.tell() == one_batch
