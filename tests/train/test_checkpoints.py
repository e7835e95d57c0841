import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from train import checkpoints, state
from train.tasks import Classification

OPTIMIZER = optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.1, momentum=0.9))


def make(step, width=3):
    kernel = jax.random.normal(jax.random.key(step), (width, 2))
    variables = {"params": {"kernel": kernel, "half": kernel.astype(jnp.bfloat16)}, "batch_stats": {"mean": kernel[0]}}
    made = state.create(variables, OPTIMIZER, Classification(2))
    return made._replace(step=jnp.int32(step), epoch=jnp.int32(step // 10))


def flip_a_bit(path, seed=0):
    files = sorted(file for file in (path / "state").rglob("*") if file.is_file() and file.stat().st_size)
    file = files[seed % len(files)]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_every_bit_comes_back(tmp_path, same):
    saved = make(10)
    assert checkpoints.save(tmp_path, saved) == tmp_path / "10"
    restored = checkpoints.restore(tmp_path, jax.eval_shape(lambda: make(0)))
    assert same(restored, saved)
    assert [leaf.dtype for leaf in jax.tree.leaves(restored)] == [leaf.dtype for leaf in jax.tree.leaves(saved)]


def test_the_last_two_stay_and_a_step_is_replaced(tmp_path, same):
    for step in (5, 10, 15):
        checkpoints.save(tmp_path, make(step))
    assert checkpoints.steps(tmp_path) == [10, 15]
    again = make(15)._replace(epoch=jnp.int32(9))
    checkpoints.save(tmp_path, again)
    assert checkpoints.steps(tmp_path) == [10, 15]
    assert same(checkpoints.restore(tmp_path, again), again)
    checkpoints.discard_after(tmp_path, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10"]


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_is_noticed_and_the_step_before_is_taken(tmp_path, same, seed):
    for step in (10, 20):
        checkpoints.save(tmp_path, make(step))
    flip_a_bit(tmp_path / "20", seed)
    with pytest.warns(RuntimeWarning, match="20 is damaged .* is not what was written"):
        assert same(checkpoints.restore(tmp_path, make(0)), make(10))


MANIFESTS = {
    **{"empty": b"", "list": b"[]", "number": b"3", "null": b"null", "no arrays": b'{"files": {"a": "b"}}'},
    **{"no files": b'{"arrays": {"a": "b"}}', "lists": b'{"arrays": ["a"], "files": ["b"]}', "latin": b"\xff\xfe"},
    **{"numbers": b'{"arrays": {"a": 1}, "files": {"a": 1}}', "deep": b"[" * 100_000, "missing": None},
}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A sound checkpoint and a later one."""
    root = tmp_path_factory.mktemp("two")
    for step in (10, 20):
        checkpoints.save(root, make(step))
    return root


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_of_any_other_form_counts_as_damage(two, same, name):
    manifest = two / "20" / "manifest.json"
    before = manifest.read_bytes()
    try:
        manifest.unlink() if MANIFESTS[name] is None else manifest.write_bytes(MANIFESTS[name])
        with pytest.warns(RuntimeWarning, match="20 is damaged .*: falling back to the one before"):
            assert same(checkpoints.restore(two, make(0)), make(10))
    finally:
        manifest.write_bytes(before)


def test_any_flipped_bit_of_a_manifest_is_noticed(two, same):
    """Where a flip leaves the same content, such as a tab for a space, the checkpoint itself comes back."""
    manifest = two / "20" / "manifest.json"
    before = manifest.read_bytes()
    random = np.random.default_rng(0)
    falls = 0
    try:
        for position in random.choice(len(before), 60, replace=False):
            content = bytearray(before)
            content[position] ^= 1 << random.integers(8)
            manifest.write_bytes(content)
            same_content = checkpoints._damage(two / "20") is None
            assert not same_content or json.loads(content) == json.loads(before)
            falls += not same_content
    finally:
        manifest.write_bytes(before)
    assert falls > 45


@pytest.mark.parametrize("text", ['"step": 20,', '"sha256": '])
def test_a_manifest_without_its_step_or_digest_is_damaged(two, text):
    manifest = two / "20" / "manifest.json"
    before = manifest.read_text()
    assert text in before
    try:
        manifest.write_text(before.replace(text, text.replace('": ', 'x": ')))
        assert checkpoints._damage(two / "20") == "its manifest cannot be read"
    finally:
        manifest.write_text(before)


def test_a_checkpoint_under_another_number_is_noticed(two, tmp_path, same):
    for name, source in (("10", "10"), ("30", "20"), ("20", "10")):
        shutil.copytree(two / source, tmp_path / name)
    with (
        pytest.warns(RuntimeWarning, match=r"30 is damaged \(it holds step 20\)"),
        pytest.warns(RuntimeWarning, match=r"20 is damaged \(it holds step 10\)"),
    ):
        assert same(checkpoints.restore(tmp_path, make(0)), make(10))


def test_without_a_sound_checkpoint_a_damaged_one_is_refused(tmp_path):
    (checkpoints.save(tmp_path, make(10)) / "manifest.json").write_text("[]")
    with (
        pytest.warns(RuntimeWarning, match="damaged"),
        pytest.raises(ValueError, match="no checkpoint in .* is intact"),
    ):
        checkpoints.restore(tmp_path, make(0))


def test_files_of_a_file_manager_are_no_damage(tmp_path, same):
    checkpoints.save(tmp_path, make(10))
    for name in (
        ".DS_Store",
        "10/.DS_Store",
        "10/state/.DS_Store",
        "10/state/._manifest.ocdbt",
        "notes.txt",
        "12",
        "1²",
    ):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "3 (copy)").mkdir()
    assert checkpoints.steps(tmp_path) == [10]
    assert same(checkpoints.restore(tmp_path, make(0)), make(10))
    checkpoints.save(tmp_path, make(20))
    assert checkpoints.steps(tmp_path) == [10, 20]
    assert (tmp_path / ".DS_Store").exists()
    (tmp_path / "20" / "state" / "added").write_bytes(b"x")
    with pytest.warns(RuntimeWarning, match="20 is damaged .state/added is not what was written"):
        assert same(checkpoints.restore(tmp_path, make(0)), make(10))


def test_what_a_killed_save_left_is_not_seen_and_is_removed(tmp_path, same):
    unfinished = tmp_path / ".30.new" / "state"
    unfinished.mkdir(parents=True)
    (unfinished / "half").write_bytes(b"x")
    assert checkpoints.restore(tmp_path, make(0)) is None
    checkpoints.save(tmp_path, make(20))
    assert [path.name for path in tmp_path.iterdir()] == ["20"]


def test_another_shape_or_type_is_refused_rather_than_cast(tmp_path):
    path = checkpoints.save(tmp_path, make(10))
    with pytest.raises(ValueError, match=r"half.*bfloat16\[3, 2\], expected bfloat16\[4, 2\]"):
        checkpoints.restore(tmp_path, make(0, width=4))
    narrow = make(0)
    narrow.variables["batch_stats"]["mean"] = narrow.variables["batch_stats"]["mean"].astype(jnp.float16)
    with pytest.raises(ValueError, match=r"expected float16\[2\]"):
        checkpoints.restore(tmp_path, narrow)
    arrays = json.loads((path / "manifest.json").read_text())["arrays"]
    assert len(arrays) == len(jax.tree.leaves(make(0)))


def test_restoring_leaves_the_arrays_free_of_any_device(tmp_path):
    checkpoints.save(tmp_path, make(10))
    restored = checkpoints.restore(tmp_path, make(0))
    assert not any(leaf.committed for leaf in jax.tree.leaves(restored))
    assert np.isfinite(restored.variables["params"]["kernel"]).all()
