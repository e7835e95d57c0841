import jax
import jax.numpy as jnp
import numpy as np

import zoo
from zoo.architectures.googlenet import STAGES, GoogLeNetHead
from zoo.layers import NoNorm

IMAGE = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)


def train(model):
    def run(key, images):
        variables = model.init(key, images)
        kept = {kind: variables[kind] for kind in ("params", "batch_stats")}
        mutable = ["batch_stats", "aux_logits"]
        return model.apply(kept, images, True, mutable=mutable, rngs={"dropout": key})

    return jax.eval_shape(run, jax.random.key(0), IMAGE)


def test_training_sows_the_logits_of_both_heads():
    logits, state = train(zoo.create("googlenet_aux", num_classes=7))
    assert logits.shape == (2, 7)
    assert set(state["aux_logits"]["stage3"]) == {"aux1", "aux2"}
    assert [leaf.shape for leaf in jax.tree.leaves(state["aux_logits"])] == [(2, 7), (2, 7)]


def test_without_the_field_or_without_classes_there_are_no_heads():
    for fields in ({"auxiliary": False}, {"num_classes": 0}):
        model = zoo.create("googlenet_aux", **fields)
        params = jax.eval_shape(model.init, jax.random.key(0), IMAGE)["params"]
        assert not {"aux1", "aux2"} & set(params["stage3"])


def test_auxiliary_head_is_mean_convolution_and_two_dense_layers(filled):
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 6)).astype(np.float32)
    head = GoogLeNetHead(num_classes=3, norm=NoNorm(), dropout=0.0)
    params = filled(head, x)["params"]
    _, state = jax.jit(lambda params, x: head.apply({"params": params}, x, True, mutable=["aux_logits"]))(params, x)
    y = x.reshape(2, 4, 2, 4, 2, 6).mean((2, 4))
    y = np.maximum(y @ np.asarray(params["conv"]["conv"]["kernel"])[0, 0], 0).reshape(2, -1)
    dense, last = jax.tree.map(np.asarray, (params["dense"], params["head"]))
    y = np.maximum(y @ dense["kernel"] + dense["bias"], 0) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(jax.tree.leaves(state)[0], y, rtol=1e-4, atol=1e-5)


def test_channels_of_naive_modules_explode():
    model = zoo.create("googlenet", naive=True)
    features = jax.eval_shape(
        lambda key, images: model.init_with_output(key, images, method="features")[0], jax.random.key(0), IMAGE
    )
    widths = np.cumsum([192] + [sum(one + three[1] + five[1] for one, three, five, _ in rows) for rows in STAGES])
    assert [features[f"stage{s}"].shape[-1] for s in (1, 2, 3, 4)] == widths.tolist()
    assert widths[-1] > 4 * 1024
