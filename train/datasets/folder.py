"""A folder of pictures with one sub-folder a class, with such folders for training and testing, or with a manifest."""

from pathlib import Path

import numpy as np

from convzoo.files import is_hidden
from convzoo.pictures import below
from train.datasets import manifest, pictures
from train.datasets.dataset import Dataset, Split
from train.datasets.prepare import stratified
from train.datasets.stream import Stream, exceeds_memory

TEST_SHARE = 0.2
TRAIN = "train"
TEST = ("test", "val", "valid", "validation")
"""Names of folders to test on, the preferred first."""
ALIASES = {"training": TRAIN, "testing": TEST[0]}
"""Other names of them; capitals do not matter in any."""
FILE = "file"
"""Entry of `Split.extra` that holds the name of each image's file."""

Classes = dict[str, list[Path]]
"""The files of each class."""


def load(
    path: str,
    size: int,
    seed: int = 0,
    keep_proportions: bool = False,
    validation: bool = False,
    skip_broken: bool = False,
    stream: bool = False,
) -> Dataset:
    """Read a folder: every sub-folder with pictures in it, at any depth, is the class of its name.

    If the folder holds `train/` beside `test/`, `val/`, `valid/` or `validation/`, these hold the classes and are
    the splits, as are `training/` and `testing/`, with capitals or without; with several to test on, `test/` is used.
    Else a fifth of each class is for testing. Hidden folders and files, whose names start with a dot, are ignored, as
    are `__MACOSX` and others of `convzoo.files.LITTER`. If the folder holds `manifest.csv`, its columns `file`, `class`
    and perhaps `split` say all that instead of the folders.

    Args:
      path: of the folder.
      size: height and width in pixels of the result.
      seed: draws the fifth.
      keep_proportions: resize and crop the centre, instead of squeezing.
      validation: read the next of the folders to test on, if there is one, as images for validation.
      skip_broken: leave out files that cannot be read as pictures, and count them in the note.
      stream: decode images when they are needed; sets that take more than a quarter of the memory always are.

    Returns:
      A `Dataset` of colour images, or of gray ones where all are gray; `extra["file"]` holds their file names.

    Raises:
      ValueError: no such folder, fewer than two classes, a class with too few pictures, folders of splits beside
        other folders, test classes that are not trained, wrong rows of a manifest, or files that cannot be read as
        pictures.
    """
    root, name = Path(path), f"folder:{path}"
    if not root.is_dir():
        raise ValueError(f"{name}: no such folder")
    content, remark = _content(root, name)
    tests = [split for split in TEST if split in content]
    used, unused = [TRAIN, *tests[: 2 if validation else 1]], tests[2 if validation else 1 :]
    classes = tuple(content[TRAIN])
    for split in used:
        if strangers := sorted(set(content[split]) - set(classes)):
            raise ValueError(
                f"{name}: {split}/ has a class {strangers[0]!r}, but {TRAIN}/ has only {', '.join(classes)}"
            )
    rows = [(split, label, file) for split in used for label, files in content[split].items() for file in files]
    files = [file for *_, file in rows]
    try:
        read = pictures.read(files, size, keep_proportions, root, stream or exceeds_memory(len(files), size))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if read.reasons and not skip_broken:
        raise ValueError(
            f"{name}: {len(read.reasons)} of {len(files)} files cannot be read as a picture: "
            f"{pictures.listed(read.reasons)}; --skip-broken leaves them out"
        )
    rows = [row for row, readable in zip(rows, read.readable, strict=True) if readable]
    if empty := [label for label in classes if (TRAIN, label) not in {row[:2] for row in rows}]:
        raise ValueError(f"{name}: class {empty[0]!r} has no readable picture to train on")
    labels = np.array([classes.index(label) for _, label, _ in rows], np.int32)
    whole = Split(read.images, labels, {FILE: np.array([file.name for *_, file in rows])})
    if tests:
        dataset = _as_split(name, whole, np.array([split for split, *_ in rows]), classes, used, unused)
    else:
        dataset = stratified(name, whole.images, labels, classes, TEST_SHARE, seed, whole.extra)
        remark += "a fifth of each class is for testing; folders train/ and test/ would be used as they are"
    remark += dataset.note
    if isinstance(read.images, Stream):
        remark += "; images are decoded from their files batch by batch"
    if read.remark:
        remark += f"; {read.remark}"
    if read.reasons:
        remark += f"; {len(read.reasons)} of {len(files)} files skipped: {pictures.listed(read.reasons)}"
    return Dataset(name, dataset.train, dataset.test, classes, remark, dataset.validation)


def _as_split(
    name: str, whole: Split, splits: np.ndarray, classes: tuple[str, ...], used: list[str], unused: list[str]
) -> Dataset:
    """The data set of splits that the folder names."""
    for split in used:
        if split not in splits:
            raise ValueError(f"{name}: {split}/ has no readable picture")
    # They lie one after the other: a slice is not a copy.
    edges = {split: np.flatnonzero(splits == split)[[0, -1]] for split in used}
    train, test, *others = (whole.rows(slice(int(first), int(last) + 1)) for first, last in edges.values())
    note = f"trained on {TRAIN}/, tested on {used[1]}/" + "".join(f", validated on {other}/" for other in used[2:])
    note += f"; not used: {', '.join(f'{other}/' for other in unused)}" if unused else ""
    return Dataset(name, train, test, classes, note, others[0] if others else None)


def _content(root: Path, name: str) -> tuple[dict[str, Classes], str]:
    """The classes of each split, or of `TRAIN` alone, and a remark on their source."""
    file = root / manifest.NAME
    if not file.is_file():
        return {split: _classes(folder, name) for split, folder in _splits(root, name).items()}, ""
    return manifest.read(file, name, (TRAIN, *TEST)), f"{file.name}: "


def _folders(root: Path) -> list[Path]:
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not is_hidden(path.name)]


def _split(folder: Path) -> str:
    """The split that a folder's name says, or its name."""
    plain = folder.name.lower()
    split = ALIASES.get(plain, plain)
    return split if split in (TRAIN, *TEST) else folder.name


def _splits(root: Path, name: str) -> dict[str, Path]:
    """The folder of each split, to train on first; or the folder itself to train on, if it holds classes."""
    folders = _folders(root)
    if not {_split(folder) for folder in folders} & {TRAIN, *TEST}:
        return {TRAIN: root}  # a walk through all of them is saved
    splits: dict[str, Path] = {}
    for folder in filter(below, folders):
        if twin := splits.get(_split(folder)):
            raise ValueError(f"{name} holds {twin.name}/ and {folder.name}/: expected one of them")
        splits[_split(folder)] = folder
    tests = [test for test in TEST if test in splits]
    others = [folder.name for split, folder in splits.items() if split not in (TRAIN, *TEST)]
    if TRAIN in splits and tests and others:
        raise ValueError(
            f"{name} holds {splits[TRAIN].name}/ and {splits[tests[0]].name}/ beside {others[0]}/: "
            "expected splits or classes, not both"
        )
    if not others and (TRAIN in splits) != bool(tests):
        listed = " and ".join(f"{folder.name}/" for folder in splits.values())
        missing = f"{TRAIN}/" if tests else "test/ or val/"
        raise ValueError(f"{name} holds {listed}, but no {missing}: expected both, or one folder a class")
    if TRAIN not in splits or not tests:
        return {TRAIN: root}
    return {split: splits[split] for split in (TRAIN, *tests)}


def _classes(root: Path, name: str) -> Classes:
    """The pictures of each class."""
    files = {folder.name: below(folder) for folder in _folders(root)}
    files = {label: some for label, some in files.items() if some}
    if len(files) < 2:
        raise ValueError(
            f"{name}: {len(files)} sub-folder(s) with pictures in {root}, but one a class is needed, 2 at least"
        )
    return files
