"""Images that stay in their files: the same values, and the same run, as from memory."""

import signal
import threading

import numpy as np
import pytest
from PIL import Image

import train
from train import console
from train.augment.colour import Colours
from train.datasets import Data, folder, stream


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """Noisy gray and coloured pictures of two classes."""
    root = tmp_path_factory.mktemp("squares")
    draw = np.random.default_rng(0)
    for label in ("dark", "light"):
        (root / label).mkdir()
        for index in range(20):
            pixels = draw.integers(0, 128, (7, 9, 3), np.uint8) + (100 if label == "light" else 0)
            image = Image.fromarray(pixels.astype(np.uint8))
            (image.convert("L") if index % 5 == 0 else image).save(root / label / f"{index}.png")
    return root


def both(root):
    return (folder.load(str(root), 6, stream=each) for each in (False, True))


def test_a_stream_is_indexed_as_an_array(squares):
    memory, files = both(squares)
    assert isinstance(files.train.images, stream.Stream)
    assert not isinstance(memory.train.images, stream.Stream)
    assert "decoded from their files" in files.note
    images = memory.train.images
    lazy = files.train.images
    assert (lazy.shape, lazy.dtype, lazy.ndim, lazy.size, len(lazy)) == (images.shape, images.dtype, 4, images.size, 32)
    mask = np.arange(32) % 3 == 0
    for rows in (slice(2, 9), np.array([5, 1, 1]), mask, 3, -1):
        np.testing.assert_array_equal(lazy[rows], images[rows])
    np.testing.assert_array_equal(np.asarray(lazy), images)
    part = files.train.rows(mask)
    assert isinstance(part.images, stream.Stream)
    np.testing.assert_array_equal(part.images[1:], images[mask][1:])
    np.testing.assert_array_equal(part.labels, memory.train.labels[mask])


def test_facts_are_the_same_and_need_one_pass(squares, monkeypatch):
    memory, files = both(squares)
    decoded = []
    original = stream.Stream._decode
    monkeypatch.setattr(stream.Stream, "_decode", lambda self, file: decoded.append(file) or original(self, file))
    assert Data.of(memory) == Data.of(files)
    assert sorted(decoded) == sorted({*decoded})
    assert len(decoded) == 40
    left, right = (Colours.of(data.train.images) for data in (memory, files))
    np.testing.assert_array_equal(left.components, right.components)


def test_few_batches_are_decoded_ahead_and_none_after_the_last_is_taken(squares, monkeypatch):
    lazy = folder.load(str(squares), 6, stream=True).train.images
    batches = lazy.batches(np.arange(32).reshape(16, 2))
    submitted = []
    original = stream.ThreadPoolExecutor.submit
    monkeypatch.setattr(
        stream.ThreadPoolExecutor, "submit", lambda *arguments: submitted.append(1) or original(*arguments)
    )
    for taken in range(1, 4):
        assert next(batches).shape == (2, 6, 6, 3)
        assert len(submitted) == 2 * (taken + stream.AHEAD)
    before = threading.active_count()
    batches.close()
    assert threading.active_count() < before


def test_large_sets_are_streamed_by_themselves(squares, monkeypatch):
    monkeypatch.setattr(stream, "SHARE", 1e-12)
    assert isinstance(folder.load(str(squares), 6).train.images, stream.Stream)


def test_a_file_that_vanishes_is_named(squares, tmp_path):
    files = folder.load(str(squares), 6, stream=True).train
    moved = squares / "dark" / "1.png"
    content = moved.read_bytes()
    moved.unlink()
    try:
        with pytest.raises(ValueError, match=r"dark/1.png can no longer be read"):
            np.asarray(stream.Stream([moved], (6, 6, 3)))
    finally:
        moved.write_bytes(content)
    assert len(files) == 32


@pytest.mark.optimized
def test_a_streamed_run_ends_in_the_bits_of_one_in_memory_even_if_stopped_within_an_epoch(squares, tmp_path, same):
    def config(name, **changes):
        common = {"dataset": f"folder:{squares}", "size": 6, "batch_size": 6, "epochs": 2, "validation": 0.1}
        common["augment"] = ("flip", "pca")
        fields = {"widths": (8,)}
        return train.Config("mlp", out=str(tmp_path / name), fields=fields, **common, **changes)

    def stop(step):
        if step == 7:
            signal.raise_signal(signal.SIGTERM)

    train.run(config("memory"), quiet=True)
    train.run(config("files", stream=True), quiet=True)
    with pytest.raises(console.Interrupted):
        train.run(config("stopped", stream=True), quiet=True, after_step=stop)
    assert train.load(tmp_path / "stopped").step == 7
    train.run(config("stopped", stream=True), quiet=True)
    memory, *others = (train.load(tmp_path / name) for name in ("memory", "files", "stopped"))
    for other in others:
        assert same(memory.variables, other.variables)
        for file in ("metrics.jsonl", "config.json"):
            assert (memory.path / file).read_bytes() == (other.path / file).read_bytes()
    train.run(config("files"), quiet=True)  # the same run, from memory
