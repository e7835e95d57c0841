import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import taps


class Block(nn.Module):
    wrap: object = None

    @nn.compact
    def __call__(self, x):
        dense = (self.wrap or (lambda module: module))(nn.Dense)
        x = dense(2, name="first")(x)
        return nn.Dense(2, name="second")(x)


class Net(nn.Module):
    """Two blocks that hold the same names, and one layer of its own."""

    wrap: object = None

    @nn.compact
    def __call__(self, x, train=True):
        if train:
            raise AssertionError("not in test mode")
        x = Block(self.wrap, name="left")(x)
        x = Block(self.wrap, name="right")(x)
        return nn.Dense(2, name="head")(x)


PATHS = ["left/first", "left/second", "left", "right/first", "right/second", "right", "head"]
INPUTS = jnp.array([[1.0, -2.0], [0.5, 3.0]])
WRAPS = {"plain": None, "remat": nn.remat, "jit": nn.jit}


def dense(seed):
    rng = np.random.default_rng(seed)
    return {"kernel": jnp.asarray(rng.normal(size=(2, 2)), jnp.float32), "bias": jnp.full(2, seed, jnp.float32)}


VARIABLES = {
    "params": {
        "left": {"first": dense(1), "second": dense(2)},
        "right": {"first": dense(3), "second": dense(4)},
        "head": dense(5),
    }
}


def by_hand(changes=None):
    """Outputs of all dense layers, with some of them changed."""
    x, outputs = np.asarray(INPUTS, np.float64), {}
    for path in ("left/first", "left/second", "right/first", "right/second", "head"):
        parameters = VARIABLES["params"]
        for part in path.split("/"):
            parameters = parameters[part]
        x = x @ np.asarray(parameters["kernel"]) + np.asarray(parameters["bias"])
        x = outputs[path] = (changes or {}).get(path, lambda x: x)(x)
    return outputs


def test_list_is_in_order_and_allocates_nothing():
    shapes = jax.eval_shape(lambda: VARIABLES)
    listed = taps.list(Net(), shapes, jax.ShapeDtypeStruct((7, 2), jnp.float32))
    assert [*listed] == PATHS
    assert {activation.shape for activation in listed.values()} == {(7, 2)}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jitted"])
def test_read_perturb_replace(wrap, jit):
    model, delta = Net(WRAPS[wrap]), np.float32([[1, 2], [3, 4]])

    def passes(inputs):
        return (
            taps.read(model, VARIABLES, inputs, "right/first"),
            taps.perturb(model, VARIABLES, inputs, "left/first", delta),
            taps.perturb(model, VARIABLES, inputs, "left/first", 2 * delta),
            taps.replace(model, VARIABLES, inputs, "right/first", 0.0),
            model.apply(VARIABLES, inputs, train=False),
        )

    read, moved, again, zeroed, untouched = (jax.jit(passes) if jit else passes)(INPUTS)
    np.testing.assert_allclose(read, by_hand()["right/first"], rtol=1e-5)
    np.testing.assert_allclose(moved, by_hand({"left/first": lambda x: x + delta})["head"], rtol=1e-5)
    np.testing.assert_allclose(again, by_hand({"left/first": lambda x: x + 2 * delta})["head"], rtol=1e-5)
    np.testing.assert_allclose(zeroed, by_hand({"right/first": lambda x: 0 * x})["head"], rtol=1e-5)
    np.testing.assert_allclose(untouched, by_hand()["head"], rtol=1e-5)


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_gradient_of_a_perturbation_is_that_of_the_activation(wrap):
    model = Net(WRAPS[wrap])
    total = jax.jit(jax.grad(lambda delta: taps.perturb(model, VARIABLES, INPUTS, "left", delta)[:, 0].sum()))
    gradient = total(np.zeros((2, 2), np.float32))
    kernels = [VARIABLES["params"]["right"][name]["kernel"] for name in ("first", "second")]
    expected = np.asarray(kernels[0]) @ np.asarray(kernels[1]) @ np.asarray(VARIABLES["params"]["head"]["kernel"])[:, 0]
    np.testing.assert_allclose(gradient, np.tile(expected, (2, 1)), rtol=1e-5)


def test_a_reading_can_be_differentiated():
    gradient = jax.grad(lambda inputs: taps.read(Net(nn.remat), VARIABLES, inputs, "left/first")[:, 1].sum())(INPUTS)
    np.testing.assert_allclose(gradient, np.tile(VARIABLES["params"]["left"]["first"]["kernel"][:, 1], (2, 1)))


def test_run_reads_after_its_edits():
    logits, seen = taps.run(Net(), VARIABLES, INPUTS, ["left/first", "right"], {"left/first": jnp.abs})
    expected = by_hand({"left/first": np.abs})
    np.testing.assert_allclose(logits, expected["head"], rtol=1e-5)
    np.testing.assert_allclose(seen["left/first"], expected["left/first"], rtol=1e-5)
    np.testing.assert_allclose(seen["right"], expected["right/second"], rtol=1e-5)


def test_an_ending_names_a_layer():
    class Outer(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2, name="second")(Block(name="body")(x))

    variables = jax.eval_shape(Outer().init, jax.random.key(0), INPUTS)
    assert taps.find(Outer(), variables, INPUTS, "first") == "body/first"
    assert taps.find(Outer(), variables, INPUTS, "second") == "second", "a whole path goes before an ending"
    assert taps.find(Outer(), variables, INPUTS, "body/second") == "body/second"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("first", "'first' could be left/first, right/first: give more of the path"),
        ("left/frist", "Net has no layer 'left/frist', did you mean left/first"),
        ("haed", "did you mean head.*it is made of left, right, head"),
        ("st", "Net has no layer 'st'"),
        ("", "Net has no layer ''"),
    ],
)
def test_names_that_are_no_layer(layer, message):
    with pytest.raises(ValueError, match=message):
        taps.read(Net(), VARIABLES, INPUTS, layer)


def test_a_tap_that_does_not_fire_is_an_error():
    calls = []

    class Moody(nn.Module):
        @nn.compact
        def __call__(self, x):
            calls.append(None)
            return nn.Dense(2, name="first")(x) if len(calls) == 1 else x

    variables = {"params": {"first": dense(1)}}
    assert [*taps.list(Moody(), variables, INPUTS)] == ["first"]
    with pytest.raises(RuntimeError, match="the tap on 'first' did not fire"):
        taps.perturb(Moody(), variables, INPUTS, "first", 1.0)
    with pytest.raises(RuntimeError, match="the tap on 'first' did not fire"):
        taps.read(Moody(), variables, INPUTS, "first")


def test_a_layer_that_is_called_twice_is_refused():
    class Shared(nn.Module):
        @nn.compact
        def __call__(self, x):
            layer = nn.Dense(2, name="shared")
            return layer(layer(x))

    variables = {"params": {"shared": dense(1)}}
    with pytest.raises(ValueError, match="'shared' is called 2 times in one pass"):
        taps.read(Shared(), variables, INPUTS, "shared")


def test_an_edit_keeps_shape_and_type():
    with pytest.raises(ValueError, match=r"edit of layer 'left' gave float32\(2, 1\): expected float32\(2, 2\)"):
        taps.run(Net(), VARIABLES, INPUTS, edits={"left": lambda x: x[:, :1]})


def test_what_a_model_sows_itself_is_no_layer():
    class Sower(nn.Module):
        @nn.compact
        def __call__(self, x):
            self.sow("intermediates", "note", x)
            return nn.Dense(2, name="first")(x)

    assert [*taps.list(Sower(), {"params": {"first": dense(1)}}, INPUTS)] == ["first"]


def test_a_model_with_a_list_in_its_fields():
    model, variables = nn.Sequential([nn.Dense(2), nn.relu]), {"params": {"layers_0": dense(1)}}
    read = taps.read(model, variables, INPUTS, "layers_0")
    np.testing.assert_allclose(read, by_hand()["left/first"], rtol=1e-5)
