import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

import zoo
from train import optimizers, state, transfer
from train.batches import Batch
from train.steps import make_train_step
from train.tasks import Classification
from train.transfer.freezing import delayed, optimizer
from train.transfer.rules import Group

RANDOM = np.random.default_rng(0)
MODEL = zoo.create("coordinate_regressor", widths=(4, 4), num_classes=3)
BATCH = Batch(
    RANDOM.uniform(size=(6, 8, 8, 1)).astype(np.float32), np.arange(6, dtype=np.int32) % 3, np.ones(6, np.float32)
)
TASK = Classification(3)


@functools.cache
def initial():
    return zoo.init(MODEL, jax.random.key(0), (8, 8, 1))


def step_with(groups, build, epochs, updates, epoch=0):
    moves = optimizer(groups, build, epochs, updates)
    still = transfer.frozen(groups, epoch, epochs)
    step = make_train_step(
        MODEL, zoo.Preprocess((0.5,), (0.3,)), moves, TASK, lambda key, batch: batch, jax.random.key(1), still=still
    )
    return state.create(initial(), moves, TASK), step


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_frozen_parameters_and_their_statistics_stay_bit_by_bit(name):
    groups = transfer.of_model("stem:0,stage1:0,stage2:0.1,dense:0,head:0.2", MODEL, (8, 8, 1), 0.1)
    start, step = step_with(groups, lambda peak, _: optimizers.OPTIMIZERS[name].build(peak, 0.5), 1, 10)
    for _ in range(2):
        start, report = step(start, BATCH)
    assert float(report.gradient_norm) > 0
    before, after = flatten_dict(initial(), sep="/"), flatten_dict(start.variables, sep="/")
    for path, old in before.items():
        moves = path.split("/")[1] in ("stage2", "head")
        assert (np.asarray(old).tobytes() != np.asarray(after[path]).tobytes()) == moves, path


def test_each_group_moves_at_its_rate():
    groups = transfer.of_model("stem:0,stage1:0,stage2:0.1,dense:0.1,head:0.4", MODEL, (8, 8, 1), 0.1)
    start, step = step_with(groups, lambda peak, _: optax.sgd(peak), 1, 10)
    plain = {path: group._replace(rate=0.1 if group.rate else 0) for path, group in groups.items()}
    other, same_rate = step_with(plain, lambda peak, _: optax.sgd(peak), 1, 10)
    old = flatten_dict(initial()["params"], sep="/")
    pairs = ((start, step), (other, same_rate))
    moved, reference = (flatten_dict(run(begin, BATCH)[0].variables["params"], sep="/") for begin, run in pairs)
    for path, group in groups.items():
        expected = np.asarray(old[path]) + group.rate / 0.1 * (np.asarray(reference[path]) - np.asarray(old[path]))
        np.testing.assert_allclose(moved[path], expected, atol=1e-6)


def test_frozen_normalizations_use_their_running_averages():
    """The loss of a network that is frozen but for its head is that of evaluation, not of the batch's statistics."""
    groups = transfer.of_model("different-small", MODEL, (8, 8, 1), 0.1)
    start, step = step_with(groups, lambda peak, _: optax.sgd(peak), 1, 10)
    _, report = step(start, BATCH)
    logits = MODEL.apply(initial(), zoo.Preprocess((0.5,), (0.3,))(jnp.asarray(BATCH.images)))
    assert float(report.objective) == pytest.approx(
        float(TASK.loss(logits, jnp.asarray(BATCH.targets)).mean()), rel=1e-5
    )


def test_a_group_that_begins_late_begins_as_if_it_were_the_first_update():
    gradient = jnp.ones(2)
    inner = optax.chain(optax.add_decayed_weights(0.5), optax.sgd(optax.linear_schedule(1.0, 0.0, 4), momentum=0.9))
    late, now = delayed(inner, 2), inner
    waiting, fresh, params = late.init(gradient), now.init(gradient), jnp.array([1.0, 2.0])
    for index in range(4):
        move, waiting = late.update(gradient, waiting, params)
        if index < 2:
            assert np.asarray(move).tolist() == [0, 0]
        else:
            expected, fresh = now.update(gradient, fresh, params)
            np.testing.assert_array_equal(move, expected)


def test_a_phase_begins_with_an_epoch():
    groups = {"stem": Group(0), "stage1": Group(0.1, 1 / 3), "head": Group(0.1)}
    assert [sorted(transfer.frozen(groups, epoch, 6)) for epoch in (0, 1, 2, 5)] == [["stage1", "stem"]] * 2 + [
        ["stem"]
    ] * 2
    assert transfer.frozen({"stage1": Group(0.1, 0.9)}, 0, 1) == frozenset()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in ("sgd", "adamw") else pytest.mark.slow) for name in optimizers.OPTIMIZERS],
)
def test_every_optimizer_moves_what_its_groups_say(name):
    params = {part: {"kernel": jnp.full((3, 2), 0.5), "bias": jnp.zeros(2)} for part in ("stem", "stage1", "head")}
    parts = {"stem": Group(0), "stage1": Group(0.1, 0.5), "head": Group(0.1)}
    groups = {f"{part}/{leaf}": group for part, group in parts.items() for leaf in ("kernel", "bias")}
    gradient = jax.tree.map(lambda leaf: jnp.arange(1.0, leaf.size + 1).reshape(leaf.shape), params)
    with jax.numpy_dtype_promotion("standard"):
        transformation = optimizer(groups, lambda peak, _: optimizers.OPTIMIZERS[name].build(peak, 0.5), 2, 1)
        update, opt_state = jax.jit(transformation.update), transformation.init(params)
        for moving in ({"head"}, {"head", "stage1"}):
            moves, opt_state = update(gradient, opt_state, params)
            assert {part for part in moves if any(bool(leaf.any()) for leaf in jax.tree.leaves(moves[part]))} == moving
