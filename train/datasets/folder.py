"""A folder of pictures with one sub-folder a class, or with such folders for training and testing."""

from pathlib import Path

import numpy as np
from PIL import Image

from train.datasets.dataset import Dataset, Split
from train.datasets.prepare import pixels, stratified

TEST_SHARE = 0.2
TRAIN = "train"
TEST = ("test", "val", "valid", "validation")
"""Names of folders to test on, the preferred first."""
FILE = "file"
"""Entry of `Split.extra` that holds the name of each image's file."""


def load(path: str, size: int, seed: int = 0, keep_proportions: bool = False, validation: bool = False) -> Dataset:
    """Read a folder: every sub-folder with pictures in it, at any depth, is the class of its name.

    If the folder holds `train/` beside `test/`, `val/`, `valid/` or `validation/`, these hold the classes and are
    the splits; with several to test on, `test/` is used. Else a fifth of each class is for testing. Hidden folders
    and files, whose names start with a dot, are ignored.

    Args:
      path: of the folder.
      size: height and width in pixels of the result.
      seed: draws the fifth.
      keep_proportions: resize and crop the centre, instead of squeezing.
      validation: read the next of the folders to test on, if there is one, as images for validation.

    Returns:
      A `Dataset` of colour images, or of gray ones where all are gray; `extra["file"]` holds their file names.

    Raises:
      ValueError: no such folder, fewer than two classes, a class with too few pictures, folders of splits beside
        other folders, test classes that are not trained, or a file that cannot be read as a picture.
    """
    root, name = Path(path), f"folder:{path}"
    if not root.is_dir():
        raise ValueError(f"{name}: no such folder")
    tests = _tests(root, name)
    files = _classes(root / TRAIN if tests else root, name)
    classes = tuple(files)
    train = _read_all(files, classes, size, keep_proportions)
    if not tests:
        dataset = stratified(name, train.images, train.labels, classes, TEST_SHARE, seed, train.extra)
        note = "a fifth of each class is for testing; folders train/ and test/ would be used as they are"
        return Dataset(name, dataset.train, dataset.test, classes, note)
    used, unused = tests[: 2 if validation else 1], tests[2 if validation else 1 :]
    splits = [train]
    for split in used:
        split_files = _classes(root / split, name)
        if strangers := sorted(set(split_files) - set(files)):
            raise ValueError(
                f"{name}: {split}/ has a class {strangers[0]!r}, but {TRAIN}/ has only {', '.join(classes)}"
            )
        splits.append(_read_all(split_files, classes, size, keep_proportions))
    channels = max(split.images.shape[3] for split in splits)
    train, test, *others = (_with_channels(split, channels) for split in splits)
    note = f"trained on {TRAIN}/, tested on {tests[0]}/" + "".join(f", validated on {other}/" for other in used[1:])
    note += f"; not used: {', '.join(f'{other}/' for other in unused)}" if unused else ""
    return Dataset(name, train, test, classes, note, others[0] if others else None)


def _folders(root: Path) -> list[Path]:
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _tests(root: Path, name: str) -> list[str]:
    """The folders to test on, if the folder holds splits; [] if it holds classes."""
    names = [folder.name for folder in _folders(root) if _pictures(folder)]
    tests = [test for test in TEST if test in names]
    others = [other for other in names if other not in (TRAIN, *TEST)]
    if TRAIN in names and tests and others:
        raise ValueError(
            f"{name} holds {TRAIN}/ and {tests[0]}/ beside {others[0]}/: expected splits or classes, not both"
        )
    if not others and (TRAIN in names) != bool(tests):
        listed, missing = " and ".join(f"{split}/" for split in names), f"{TRAIN}/" if tests else "test/ or val/"
        raise ValueError(f"{name} holds {listed}, but no {missing}: expected both, or one folder a class")
    return tests if TRAIN in names else []


def _classes(root: Path, name: str) -> dict[str, list[Path]]:
    """The pictures of each class."""
    files = {folder.name: _pictures(folder) for folder in _folders(root)}
    files = {label: pictures for label, pictures in files.items() if pictures}
    if len(files) < 2:
        raise ValueError(
            f"{name}: {len(files)} sub-folder(s) with pictures in {root}, but one a class is needed, 2 at least"
        )
    return files


def _pictures(folder: Path) -> list[Path]:
    suffixes = Image.registered_extensions()
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in suffixes and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _read_all(files: dict[str, list[Path]], classes: tuple[str, ...], size: int, keep_proportions: bool) -> Split:
    images = [_read(file, size, keep_proportions) for pictures in files.values() for file in pictures]
    if len({image.shape for image in images}) > 1:
        images = [np.broadcast_to(image, (size, size, 3)) for image in images]
    indices = np.array([classes.index(label) for label in files], np.int32)
    labels = np.repeat(indices, [len(pictures) for pictures in files.values()])
    names = np.array([file.name for pictures in files.values() for file in pictures])
    return Split(np.stack(images), labels, {FILE: names})


def _with_channels(split: Split, channels: int) -> Split:
    shape = (*split.images.shape[:3], channels)
    return Split(np.ascontiguousarray(np.broadcast_to(split.images, shape)), split.labels, split.extra)


def _read(file: Path, size: int, keep_proportions: bool) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return pixels(image, size, keep_proportions)
    except OSError as error:
        raise ValueError(f"{file} cannot be read as a picture: {error}") from None
