"""Auxiliary heads weigh 0.3 in the objective of every task, and are left out of evaluation."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import zoo
from train import state
from train.batches import Batch
from train.steps import AUX_WEIGHT, make_evaluation_step, make_train_step
from train.tasks import TASKS, Classification, Embedding, Position, Segmentation

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(6, 4, 4, 1)).astype(np.float32)
LABELS = np.array([0, 0, 1, 1, 2, 2], np.int32)
CASES = {
    "classification": (Classification(3, label_smoothing=0.1), LABELS, (3,), (3,)),
    "segmentation": (Segmentation(2, (4, 4)), RANDOM.integers(0, 2, (6, 4, 4)), (4, 4, 2), (2, 2, 2)),
    "position": (Position((4, 4)), RANDOM.uniform(size=(6, 2)).astype(np.float32), (2,), (2,)),
    "embedding": (Embedding(5, "contrastive"), LABELS, (5,), (5,)),
}
"""Task, targets, and shapes of the output and of the auxiliary heads' output."""


class TwoHeads(nn.Module):
    """A linear map of the pixels, and two auxiliary ones."""

    shape: tuple[int, ...]
    auxiliary: tuple[int, ...]

    @nn.compact
    def __call__(self, images, train=False):
        x = images.reshape(len(images), -1)
        for name in ("aux1", "aux2"):
            if train or self.is_initializing():
                y = nn.Dense(math.prod(self.auxiliary), name=name)(x).reshape(-1, *self.auxiliary)
                if not self.is_initializing():
                    self.sow("aux_logits", f"{name} logits", y, reduce_fn=lambda _, new: new, init_fn=lambda: None)
        return nn.Dense(math.prod(self.shape), name="head")(x).reshape(-1, *self.shape)


def test_every_task_has_a_case():
    assert set(CASES) == set(TASKS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "segmentation" else pytest.mark.slow) for name in CASES]
)
def test_the_objective_is_the_main_loss_and_three_tenths_of_each_auxiliary_one(name):
    task, targets, *shapes = CASES[name]
    model = TwoHeads(*shapes)
    variables = zoo.init(model, jax.random.key(0), (4, 4, 1))
    batch = Batch(IMAGES, targets, np.ones(6, np.float32))
    preprocess = zoo.Preprocess((0.5,), (0.5,))
    step = make_train_step(model, preprocess, optax.sgd(0.1), task, lambda key, batch: batch, jax.random.key(1))
    after, report = step(state.create(variables, optax.sgd(0.1), task), batch)
    x = preprocess(jnp.asarray(IMAGES))
    outputs, heads = model.apply(variables, x, train=True, mutable=["aux_logits"])
    main, *side = (float(task.loss(y, jnp.asarray(targets)).mean()) for y in (outputs, *jax.tree.leaves(heads)))
    assert len(side) == 2
    assert float(report.objective) == pytest.approx(main + AUX_WEIGHT * sum(side), rel=1e-5)
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), variables["params"], after.variables["params"])
    assert all(moved[head]["kernel"] for head in ("head", "aux1", "aux2"))
    total = make_evaluation_step(model, preprocess, task)(variables, task.empty(6), batch)
    alone = task.update(task.empty(6), outputs, jnp.asarray(targets), jnp.ones(6))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), total, alone)
    without = {head: leaf for head, leaf in variables["params"].items() if head == "head"}
    np.testing.assert_array_equal(model.apply({"params": without}, x), outputs)


@pytest.mark.parametrize(
    ("task", "name", "fields", "heads"),
    [
        (Classification(10), "googlenet", {"auxiliary": True}, 2),
        (Embedding(64), "googlenet", {"auxiliary": True}, 2),
        (Segmentation(3, (48, 48)), "fcn_resnet50", {"auxiliary": True, "backbone": "resnet18"}, 1),
    ],
)
def test_heads_of_the_catalogue_give_what_a_task_takes(task, name, fields, heads):
    model = zoo.create(name, **fields, num_classes=task.width)
    image = jax.ShapeDtypeStruct((2, 96, 96, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    sown = jax.eval_shape(
        lambda v, x: model.apply(v, x, train=True, rngs={"dropout": jax.random.key(0)}, mutable=[*v, "aux_logits"])[1],
        variables,
        image,
    )["aux_logits"]
    shapes = [leaf.shape[1:] for leaf in jax.tree.leaves(sown)]
    assert len(shapes) == heads
    for shape in shapes:
        assert all(size in (None, one) for one, size in zip(shape, task.output_shape, strict=True))
