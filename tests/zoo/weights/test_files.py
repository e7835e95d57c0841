"""Files written by PyTorch are read as PyTorch reads them, and a file that wants anything else is refused by name."""

import json
import os
import pickle
import re
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from tests.support.torch_files import Global, Reference, archive, pickled, tensor
from zoo.weights.files import read_arrays

WRITTEN_BY_TORCH = Path(__file__).parents[2] / "goldens" / "torch_files"
BASE = np.arange(24, dtype=np.float32)
EXPECTED = {
    "whole": BASE.reshape(2, 3, 4),
    "transposed": BASE.reshape(4, 6).T,
    "part": BASE[5:11:2],
    "scalar": np.int64(7),
    "empty": np.zeros((0, 3), np.float32),
    "half": np.array([0.5, -2.0], np.float16),
    "brain": np.array([1.5, -3.0], jnp.bfloat16),
    "flags": np.array([True, False]),
    "bytes": np.array([1, 255], np.uint8),
    "parameter": np.array([[1.0, 2.0]], np.float32),
}


@pytest.mark.parametrize("name", ["tensors.pth", "tensors_legacy.pth"])
def test_reads_what_torch_writes(name):
    found = read_arrays(WRITTEN_BY_TORCH / name)
    assert list(found) == list(EXPECTED)
    for key, expected in EXPECTED.items():
        assert found[key].dtype == expected.dtype, key
        assert found[key].shape == expected.shape, key
        assert found[key].tobytes() == expected.tobytes(), key


@pytest.mark.parametrize("name", ["checkpoint.pth", "model.pt"])
def test_unwraps_checkpoints(name):
    found = read_arrays(WRITTEN_BY_TORCH / name)
    assert found["0.weight"].shape == (2, 1, 3, 3)
    assert all(not key.startswith("module.") for key in found)


def test_reads_safetensors(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1.5], jnp.bfloat16)}
    safetensors.numpy.save_file(arrays, tmp_path / "weights.safetensors")
    found = read_arrays(tmp_path / "weights.safetensors")
    assert {key: (value.dtype, value.tobytes()) for key, value in found.items()} == {
        key: (value.dtype, value.tobytes()) for key, value in arrays.items()
    }


def test_reads_the_parameters_of_the_oldest_files(tmp_path):
    old = Global("torch.nn.parameter.Parameter", (), state=(tensor(), None, OrderedDict(), True, False))
    found = read_arrays(archive(tmp_path / "old.pth", {"weight": old}))
    np.testing.assert_array_equal(found["weight"], np.arange(6).reshape(2, 3))


def test_a_malicious_file_runs_nothing_and_is_named(tmp_path):
    witness = tmp_path / "witness"

    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(witness),)

    contents = pickle.dumps({"weight": Attack()}, 2)
    path = archive(tmp_path / "evil.pth", contents)
    with zipfile.ZipFile(path) as file, file.open("a/data.pkl") as program:
        pickle.load(program)
    assert witness.is_dir(), "the attack would not have worked anyway"
    witness.rmdir()
    with pytest.raises(ValueError, match=r"weight \(posix\.mkdir\) beside tensors and asks for posix\.mkdir"):
        read_arrays(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "builtins.getattr",
        "builtins.exec",
        "torch.load",
        "torch.storage._load_from_bytes",
        "torch._utils._rebuild_tensor_v2.__globals__",
        "collections.OrderedDict.__init__",
        "numpy.core.multiarray.scalar",
        "argparse.Namespace",
        "torch.jit._pickle.build_intlist",
    ],
)
def test_runs_no_other_name_and_lists_it(tmp_path, name):
    path = archive(tmp_path / "file.pth", {"weight": tensor(), "extra": Global(name, ("x",))})
    said = f"skipped extra .{re.escape(name)}., and objects of {re.escape(name)}, of which nothing was run"
    with pytest.warns(UserWarning, match=said):
        assert list(read_arrays(path)) == ["weight"]


def test_runs_none_in_other_opcodes_and_formats(tmp_path):
    by_inst = b"(S'true'\nios\nsystem\n."
    by_stack = pickle.PROTO + b"\x04" + b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
    legacy = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    (tmp_path / "legacy.pth").write_bytes(legacy + by_stack + pickle.dumps([], 2))
    paths = [
        archive(tmp_path / "inst.pth", by_inst),
        archive(tmp_path / "stack.pth", by_stack),
        tmp_path / "legacy.pth",
    ]
    for path in paths:
        with pytest.raises(ValueError, match=r"holds a os\.system: expected a state dictionary"):
            read_arrays(path)


def test_whole_modules_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"torch\.nn\.modules\.container\.Sequential.*save module\.state_dict\(\)"):
        read_arrays(WRITTEN_BY_TORCH / "whole_module.pth")


def test_a_file_cannot_spoil_the_next_one(tmp_path):
    spoiler = Global("torch._utils._rebuild_tensor_v2", None, state=(None, {"__defaults__": (1,), "spoilt": True}))
    spoiler_class = Global("collections.OrderedDict", None, state=(None, {"items": "spoilt"}))
    for value in (spoiler, spoiler_class):
        with pytest.raises(ValueError, match="."):
            read_arrays(archive(tmp_path / "spoiler.pth", {"weight": value}))
    test_reads_what_torch_writes("tensors.pth")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"offset": 1}, "reaches element 6 of a storage of 6"),
        ({"shape": (3, 3)}, "reaches element 8"),
        ({"strides": (4, 1)}, "reaches element 6"),
        ({"offset": -1}, "not integers from 0"),
        ({"strides": (3, -1)}, "not integers from 0"),
        ({"shape": (2, 3.0)}, "not integers from 0"),
        ({"strides": (3,)}, "strides"),
        ({"size": 7}, "holds 24 bytes, and should hold 28"),
        ({"kind": "torch.DoubleStorage"}, "holds 24 bytes, and should hold 48"),
        ({"key": "1"}, "data/1"),
        ({"tag": "module"}, "not a storage: refused"),
        ({"kind": "torch.Size"}, "not a storage: refused"),
        ({"size": 2**62, "shape": (2**61,), "strides": (0,)}, "should hold"),
    ],
)
def test_no_tensor_reaches_beyond_its_storage(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        read_arrays(archive(tmp_path / "file.pth", {"weight": tensor(**wrong)}))


def test_a_good_handmade_file_is_read(tmp_path):
    """Without this, the refusals above could have another reason."""
    found = read_arrays(archive(tmp_path / "file.pth", {"weight": tensor()}))
    np.testing.assert_array_equal(found["weight"], np.arange(6).reshape(2, 3))


@pytest.mark.parametrize("name", ["tensors.pth", "tensors_legacy.pth", "weights.safetensors"])
def test_a_file_cut_anywhere_is_called_damaged(tmp_path, name):
    safetensors.numpy.save_file({"a": np.arange(6, dtype=np.float32)}, tmp_path / "weights.safetensors")
    whole = (tmp_path if name.endswith("safetensors") else WRITTEN_BY_TORCH).joinpath(name).read_bytes()
    for length in range(0, len(whole) - 1, 37):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut"):
            read_arrays(tmp_path / "cut")


@pytest.mark.filterwarnings("ignore:.*skipped")
def test_a_flipped_byte_never_gives_another_error_than_value_error(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("tensors.pth", "tensors_legacy.pth"):
        whole = (WRITTEN_BY_TORCH / name).read_bytes()
        for position in generator.integers(len(whole), size=150):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << generator.integers(8)
            (tmp_path / "damaged").write_bytes(damaged)
            try:
                read_arrays(tmp_path / "damaged")
            except ValueError:
                continue


def test_refuses_compressed_members_before_reading_them(tmp_path):
    """A few bytes may unfold to any number of them."""
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("file/data.pkl", pickled({"weight": tensor()}))
        file.writestr("file/byteorder", b"little" + bytes(10_000), zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="file/byteorder is compressed"):
        read_arrays(path)


def test_a_claim_of_a_huge_storage_allocates_nothing(tmp_path):
    saved = pickled({"weight": Global("torch._utils._rebuild_tensor", (
        Reference(("storage", Global("torch.FloatStorage"), "0", "cpu", 2**50, None)), 0, (2**50,), (1,),
    ))})  # fmt: skip
    head = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    (tmp_path / "huge.pth").write_bytes(head + saved + pickle.dumps(["0"], 2) + struct.pack("<q", 2**50))
    with pytest.raises(ValueError, match="should hold"):
        read_arrays(tmp_path / "huge.pth")


def test_a_far_place_in_the_memo_allocates_nothing(tmp_path):
    path = tmp_path / "memo.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("file/data.pkl", b"\x80\x02}r" + struct.pack("<I", 2**31) + b".")
    with pytest.raises(ValueError, match="damaged.*place 2147483648 of a memo of at most 2 entries"):
        read_arrays(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([tensor()], "holds a list"),
        ({"epoch": 3, "extra": None}, "epoch, extra beside tensors"),
        ({}, "nothing beside tensors"),
    ],
)
def test_refuses_what_is_no_state_dictionary(tmp_path, value, message):
    with pytest.raises(ValueError, match=message):
        read_arrays(archive(tmp_path / "file.pth", value))


@pytest.mark.parametrize(
    "value",
    [
        {"net": {"weight": tensor()}, "epoch": 3},
        {"state_dict_ema": {"module._orig_mod.weight": tensor()}, "optimizer": {"state": {}, "groups": [1]}},
    ],
)
def test_unwraps_the_only_dictionary_of_arrays(tmp_path, value):
    assert list(read_arrays(archive(tmp_path / "file.pth", value))) == ["weight"]
    with pytest.raises(ValueError, match="other"):
        read_arrays(archive(tmp_path / "two.pth", value | {"other": {"weight": tensor()}}))


def test_names_numbers_that_numpy_does_not_know(tmp_path):
    header = json.dumps({"weight": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2))
    with pytest.raises(ValueError, match="type that NumPy does not know"):
        read_arrays(path)


def test_names_files_that_are_missing_or_foreign(tmp_path):
    with pytest.raises(ValueError, match=r"no file .*none\.pth"):
        read_arrays(tmp_path / "none.pth")
    with pytest.raises(ValueError, match="it is a directory"):
        read_arrays(tmp_path)
    (tmp_path / "page.pth").write_bytes(b"<!DOCTYPE html><html></html>")
    with pytest.raises(ValueError, match="neither a safetensors file"):
        read_arrays(tmp_path / "page.pth")
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as file:
        file.writestr("a/readme", "x")
    with pytest.raises(ValueError, match=r"without the data\.pkl"):
        read_arrays(tmp_path / "other.pth")
    with pytest.raises(ValueError, match="big-endian"):
        read_arrays(archive(tmp_path / "big.pth", {"weight": tensor()}, byteorder=b"big"))
