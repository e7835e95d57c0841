"""Runs with every strategy of the trainer: stopped and resumed bit by bit, validated, stopped early, averaged."""

import dataclasses
import logging
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import train
import zoo
from train import batches, checkpoints, run_directory
from train.datasets import Dataset, Split
from train.tasks.classification import cross_entropy

EVERYTHING = {
    "epochs": 4,
    "batch_size": 300,
    "accumulate": 3,
    "ema": 0.9,
    "schedule": "plateau",
    "patience": 1,
    "early_stop": 3,
    "augment": ("shift", "mixup", "cutmix"),
    "clip": 0.5,
    "learning_rate": 1.0,
    "class_weights": "balanced",
    "label_smoothing": 0.1,
    "nesterov": True,
}
"""Five batches an epoch in windows of three and two."""


def stop_after(config, steps):
    """Train, and stop after that many batches."""
    with pytest.raises(train.Interrupted):
        train.run(
            config, quiet=True, after_step=lambda step: signal.raise_signal(signal.SIGTERM) if step == steps else None
        )
    assert checkpoints.steps(run_directory.Path(config.out) / "checkpoints")[-1] == steps


def state_of(out):
    """The whole state of the last checkpoint."""
    config, data = run_directory.read_config(out)
    return checkpoints.restore(out / "checkpoints", run_directory.template(config, data))


@pytest.fixture(scope="session")
def whole(tmp_path_factory, small):
    """A run with everything that nothing interrupted, and the messages of its compilation."""
    out = tmp_path_factory.mktemp("everything") / "run"
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logging.getLogger("jax").addHandler(handler)
    with jax.log_compiles(True):
        summary = train.run(small(out, **EVERYTHING), quiet=True)
    logging.getLogger("jax").removeHandler(handler)
    return out, summary, messages


@pytest.mark.optimized
@pytest.mark.parametrize("step", [7, pytest.param(10, marks=pytest.mark.slow)])
def test_with_everything_on_a_stop_changes_no_bit(step, whole, small, same, tmp_path):
    """A stop amid a window of accumulated gradients, and one at the end of an epoch before its evaluation."""
    config = small(tmp_path / "run", **EVERYTHING)
    stop_after(config, step)
    assert train.run(config, quiet=True).test == whole[1].test
    assert same(state_of(tmp_path / "run"), state_of(whole[0]))
    assert same(train.load(tmp_path / "run").variables, train.load(whole[0]).variables)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (whole[0] / "metrics.jsonl").read_bytes()


@pytest.mark.optimized
def test_the_step_with_everything_on_is_compiled_once(whole):
    compiled = [message for message in whole[2] if message.startswith("Compiling")]
    assert sum("jit(train_step)" in message for message in compiled) == 1
    # Validation and test images come in batches of one shape.
    assert sum("jit(evaluation_step)" in message for message in compiled) == 1


def test_the_state_holds_all_that_moves(whole):
    state = state_of(whole[0])
    assert int(state.step) == 5 * int(state.epoch)
    assert int(state.opt_state.gradient_step) == 2 * int(state.epoch)
    assert float(state.stopping.best) < 3
    assert state.plateau is not None
    raw, averaged = (np.asarray(tree["params"]["head"]["kernel"]) for tree in (state.variables, state.ema))
    assert np.abs(raw - averaged).max() > 1e-3


def test_the_averages_are_what_is_evaluated_and_loaded(whole):
    run = train.load(whole[0])
    assert run.dataset.validation is not None
    rows = run_directory.read_rows(whole[0], run_directory.METRICS)
    losses = [row["validation"]["loss"] for row in rows]
    best = int(np.argmin(losses))
    assert run.metrics == rows[: best + 1]
    assert run.step == rows[best]["step"]
    split = run.dataset.validation
    logits = zoo.logits_fn(run.model, run.variables, run.preprocess)(split.images)
    assert float(cross_entropy(logits, split.labels).mean()) == pytest.approx(losses[best], rel=1e-5)
    assert whole[1].validation == rows[best]["validation"]


def noise(count, seed):
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 2
    return Split(random.uniform(size=(count, 4, 4, 1)).astype(np.float32), labels)


@pytest.fixture(scope="session")
def memorizing(tmp_path_factory):
    """A run on noise, whose validation loss can only rise, and what it says."""
    dataset = Dataset("noise", noise(40, 0), noise(20, 1), ("a", "b"), validation=noise(60, 2))
    config = train.Config(
        "mlp",
        dataset,
        epochs=40,
        batch_size=40,
        learning_rate=1.0,
        augment=(),
        schedule="plateau",
        patience=2,
        early_stop=5,
        validation=0.5,
        warmup=0.0,
        fields={"widths": (16,)},
        out=str(tmp_path_factory.mktemp("noise") / "run"),
    )
    return config, train.run(config, quiet=True)


def test_early_stopping_ends_the_run_and_keeps_the_best_epoch(memorizing, capsys):
    config, summary = memorizing
    rows = run_directory.read_rows(summary.out, run_directory.METRICS)
    losses = np.float32([row["validation"]["loss"] for row in rows])
    best = int(np.argmin(losses))
    assert len(rows) == best + 1 + config.early_stop < 40
    assert (summary.epoch, summary.validation) == (best + 1, rows[best]["validation"])
    run = train.load(summary.out)
    assert (run.step, run.metrics) == (best + 1, rows[: best + 1])
    assert checkpoints.steps(summary.out / "best") == [best + 1]
    logits = zoo.logits_fn(run.model, run.variables, run.preprocess)(config.dataset.validation.images)
    assert float(cross_entropy(logits, config.dataset.validation.labels).mean()) == pytest.approx(
        losses[best], rel=1e-4
    )
    assert train.run(config) == summary
    assert "is finished" in capsys.readouterr().err


def test_the_plateau_cuts_the_rate_after_its_patience(memorizing):
    _, summary = memorizing
    state = state_of(summary.out)
    # Five evaluations without improvement hold two cuts, after two and four of them.
    assert float(state.plateau.scale) == pytest.approx(0.01)
    assert int(state.stopping.bad) == 5


def test_a_cut_of_the_rate_shrinks_the_next_step(memorizing):
    """One step from the same state, with and without the cut."""
    from train import steps
    from train.augment import chain
    from train.state import initial_state, make_optimizer

    config = memorizing[0].resolve()
    data = train.datasets.Data.of(config.load_dataset())
    task = config.make_task(data)
    start = initial_state(config, data)
    split = config.dataset.train
    batch = batches.Batch(split.images, split.labels, np.ones(40, np.float32))
    step = steps.make_train_step(
        config.build(2), data.preprocess, make_optimizer(config, data), task, chain([]), jax.random.key(0)
    )
    before = jax.tree.map(np.asarray, start.variables["params"])
    cut = start._replace(plateau=start.plateau._replace(scale=jnp.float32(0.1)))
    full, tenth = (step(jax.tree.map(jnp.copy, one), batch)[0].variables["params"] for one in (start, cut))
    jax.tree.map(lambda w, a, b: np.testing.assert_allclose(b - w, 0.1 * (a - w), atol=1e-6), before, full, tenth)


def test_validation_comes_from_the_training_images_and_never_from_the_test(small, tmp_path, capsys):
    config = small(tmp_path / "run", early_stop=9, epochs=1)
    train.run(config)
    said = capsys.readouterr().err
    assert "1,295 training, 142 validation and 360 test images" in said
    assert "142 images are for validation: the data set's own, or a share of those for training" in said
    resolved = config.resolve()
    assert resolved.validation == 0.1
    dataset, whole = resolved.load_dataset(), small("x").resolve().load_dataset()
    np.testing.assert_array_equal(dataset.test.images, whole.test.images)
    parts = np.concatenate([dataset.train.images, dataset.validation.images]).reshape(len(whole.train), -1)
    assert sorted(map(bytes, parts)) == sorted(map(bytes, whole.train.images.reshape(len(whole.train), -1)))
    assert np.bincount(dataset.validation.labels).min() >= 13
    again, other = (dataclasses.replace(resolved, seed=seed).load_dataset() for seed in (0, 1))
    assert again.fingerprint() == dataset.fingerprint() != other.fingerprint()
    (row,) = run_directory.read_rows(tmp_path / "run", run_directory.METRICS)
    assert list(row) == ["epoch", "step", "train", "validation", "test"]


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2", "convnext_tiny"])
def test_every_parameter_and_statistic_is_float32_in_mixed_precision(name):
    model = train.Config(name, mixed_precision=True).build(10)
    images = jnp.zeros((1, 32, 32, 3))
    with jax.numpy_dtype_promotion("standard"):  # Flax' layer normalization promotes
        variables = jax.eval_shape(model.init, jax.random.key(0), images)
        assert jax.eval_shape(model.apply, variables, images).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.slow
def test_mixed_precision_with_rematerialization_computes_in_bfloat16_and_learns_alike(small, tmp_path):
    config = small(tmp_path / "run", mixed_precision=True, remat=True, epochs=2, batch_size=128)
    plain = train.run(small(tmp_path / "plain", epochs=2, batch_size=128), quiet=True)
    summary = train.run(config, quiet=True)
    run = train.load(tmp_path / "run")
    assert {leaf.dtype for leaf in jax.tree.leaves(run.variables)} == {jnp.dtype("float32")}
    logits, layers = run.model.apply(
        run.variables, jnp.asarray(run.dataset.test.images[:2]), capture_intermediates=True, mutable=["intermediates"]
    )
    assert logits.dtype == jnp.bfloat16
    assert layers["intermediates"]["dense1"]["__call__"][0].dtype == jnp.bfloat16
    assert summary.test["loss"] == pytest.approx(plain.test["loss"], rel=0.03)
    assert summary.test["loss"] != plain.test["loss"]


def test_a_loss_that_is_no_number_names_the_first_bad_parameter(small, tmp_path):
    config = small(tmp_path / "run", learning_rate=1e38, epochs=2, schedule="constant", warmup=0.0, augment=())
    with pytest.raises(FloatingPointError, match="at step [1-5]; the first bad parameter is params/dense1/kernel"):
        train.run(config, quiet=True)
    assert not checkpoints.steps(tmp_path / "run" / "checkpoints")


def test_balanced_weights_undo_the_counts_of_classes():
    task = train.tasks.Classification.create(
        train.datasets.Data(("a", "b"), (4, 4, 1), 8, zoo.Preprocess(), "", class_counts=(6, 2)), balanced=True
    )
    assert task.class_weights == pytest.approx((4 / 6, 2))
    logits, labels = jnp.zeros((8, 2)), jnp.array([0] * 6 + [1] * 2)
    losses = task.loss(logits, labels)
    assert float(losses[:6].sum()) == pytest.approx(float(losses[6:].sum()))
    assert float(losses.mean()) == pytest.approx(np.log(2))
    metrics = task.update(task.empty(), logits, labels, jnp.ones(8))
    assert float(metrics.loss) == pytest.approx(8 * np.log(2))
    with pytest.raises(ValueError, match="class 'b' has no training images"):
        train.tasks.Classification.create(
            train.datasets.Data(("a", "b"), (4, 4, 1), 8, zoo.Preprocess(), "", class_counts=(8, 0)), balanced=True
        )


def test_the_step_mixes_the_losses_by_share():
    """Against one step on each target alone: gradients are linear in the loss."""
    from train import state, steps
    from train.augment import chain
    from train.tasks import Classification

    model, images = zoo.create("mlp", widths=(), num_classes=3), np.random.default_rng(0).uniform(size=(4, 2, 2, 1))
    variables, task = zoo.init(model, jax.random.key(0), (2, 2, 1)), Classification(3)
    optimizer = train.optimizers.OPTIMIZERS["sgd"].build(lambda count: 0.1, 0.0, momentum=0.0)
    step = steps.make_train_step(model, zoo.Preprocess(), optimizer, task, chain([]), jax.random.key(0))
    first, second = np.array([0, 1, 2, 0], np.int32), np.array([1, 1, 0, 2], np.int32)
    single = batches.Batch(images.astype(np.float32), first, np.ones(4, np.float32))

    def moved(batch):
        after, report = step(state.create(variables, optimizer, task), batch)
        return float(report.objective), np.asarray(after.variables["params"]["head"]["kernel"])

    mixed = moved(single._replace(other=second, share=np.full(4, 0.7, np.float32)))
    for both, one, other in zip(mixed, moved(single), moved(single._replace(targets=second)), strict=True):
        np.testing.assert_allclose(both, 0.7 * one + 0.3 * other, atol=1e-6)
