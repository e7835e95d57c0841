"""PyTorch's pickles without PyTorch: tensors and containers are read, and everything else is skipped and listed.

A pickle is a program: it may call whatever it can import. Here it imports nothing. Every name it asks
for is looked up in a table of harmless stand-ins, made anew for each file, so that a file cannot even
spoil them for the next; a name that is not in the table gets one that takes anything, does nothing and is listed.
"""

import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

DTYPES = {
    "torch.BFloat16Storage": jnp.bfloat16,
    "torch.BoolStorage": np.bool_,
    "torch.ByteStorage": np.uint8,
    "torch.CharStorage": np.int8,
    "torch.DoubleStorage": np.float64,
    "torch.FloatStorage": np.float32,
    "torch.HalfStorage": np.float16,
    "torch.IntStorage": np.int32,
    "torch.LongStorage": np.int64,
    "torch.ShortStorage": np.int16,
}
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
PROTOCOL = 1001
DEPTH = 3
"""Containers one in the other whose tensors are read, as in {"ema": {"module": {name: tensor}}}."""


class StorageType(NamedTuple):
    """The number type of a storage, by PyTorch's name."""

    name: str


class Storage(NamedTuple):
    """A contiguous array of numbers in the file, which tensors are views of.

    Attributes:
      key: what the file calls it.
      kind: PyTorch's name of its type.
      size: how many numbers it holds.
      start: the first one that is meant; not 0 only in the oldest files.
    """

    key: str
    kind: str
    size: int
    start: int = 0

    @property
    def dtype(self) -> np.dtype:
        """The type of its numbers."""
        return np.dtype(DTYPES[self.kind])


class Tensor(NamedTuple):
    """The description of a tensor in a pickle, before its storage has been read."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Parameter:
    """`torch.nn.Parameter` as in the oldest files: created empty, with its tensor in its state."""

    tensor: Any = None

    def __setstate__(self, state):
        self.tensor = state[0]


class Foreign:
    """The stand-in for an object of any other class: it takes whatever it is given, keeps nothing and does nothing.

    Attributes:
      name: of the class or function that the file asks for.
    """

    name = ""

    def __new__(cls, *arguments, **settings):
        """An object without content."""
        return object.__new__(cls)

    def __init__(self, *arguments, **settings):
        pass

    def __call__(self, *arguments, **settings):
        """The same object."""
        return self

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, value):
        """Drop an entry."""

    def extend(self, values):
        """Drop entries."""


class Content(NamedTuple):
    """The content of a file of `torch.save`.

    Attributes:
      saved: the object, with arrays for its tensors and `Foreign` objects for what is neither tensor nor container.
      foreign: names of the classes and functions that the file asks for besides; none of them was imported or run.
    """

    saved: Any
    foreign: tuple[str, ...]


def is_pickle(head: bytes) -> bool:
    """Whether a file's first bytes are those of one of the formats of `torch.save`."""
    return head.startswith(b"PK\x03\x04") or _is_legacy(head)


def _is_legacy(head: bytes) -> bool:
    return head[:2] == b"\x80\x02" and MAGIC in head[:16]


def read_pickle(path: Path) -> Content:
    """Read what `torch.save` wrote, as containers of NumPy arrays: read-only views of the file's contents.

    Args:
      path: a file of the present format (a zip archive) or of that before PyTorch 1.6.

    Returns:
      The object saved, with arrays for the tensors of the outermost containers, `DEPTH` of them, and foreign names.

    Raises:
      ValueError: a tensor that reaches beyond its storage, or a damaged file.
    """
    try:
        with path.open("rb") as file:
            if _is_legacy(file.read(16)):
                file.seek(0)
                return _read_legacy(file, path.stat().st_size)
        with zipfile.ZipFile(path) as archive:
            return _read_zip(archive)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, struct.error) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} is not as torch.save writes it: {type(error).__name__}: {error}") from error


def _read_zip(archive: zipfile.ZipFile) -> Content:
    members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
    if packed := [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]:
        raise ValueError(f"{packed[0]} is compressed, which torch.save never does")
    if "data.pkl" not in members:
        raise ValueError("a zip archive without the data.pkl that torch.save writes")
    if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
        raise ValueError("written on a big-endian machine, which is not supported")
    with archive.open(members["data.pkl"]) as file:
        machine = _load(file)
        saved = machine.load()

    def contents(storage: Storage) -> bytes:
        return archive.read(members[f"data/{storage.key}"])

    return Content(_fill(saved, contents), tuple(machine.foreign))


def _read_legacy(file: IO[bytes], length: int) -> Content:
    _, protocol, system = (_load(file).load() for _ in range(3))
    machine = _load(file)
    saved, keys = machine.load(), _load(file).load()
    if protocol != PROTOCOL or not system["little_endian"]:
        raise ValueError(f"not of protocol {PROTOCOL} and little-endian, which alone are supported")
    # A storage is its length in numbers, then the numbers; only references to it know their type.
    kinds = machine.kinds
    blocks: dict[str, bytes] = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        size = count * kinds[key].itemsize
        if not 0 <= size <= length - file.tell():
            raise EOFError(f"storage {key} should hold {size} bytes, and {length - file.tell()} are left")
        blocks[key] = file.read(size)
    return Content(_fill(saved, lambda storage: blocks[storage.key]), tuple(machine.foreign))


def _fill(saved: Any, contents: Callable[[Storage], bytes]) -> Any:
    """Put arrays in the places of the tensors, reading each storage once."""
    numbers: dict[str, np.ndarray] = {}

    def array(tensor: Tensor) -> np.ndarray:
        storage = tensor.storage
        if storage.key not in numbers:
            data, expected = contents(storage), storage.size * storage.dtype.itemsize
            if len(data) != expected:
                raise ValueError(f"storage {storage.key} holds {len(data)} bytes, and should hold {expected}")
            numbers[storage.key] = np.frombuffer(data, storage.dtype)
        return _view(numbers[storage.key], tensor)

    def fill(value: Any, depth: int) -> Any:
        if isinstance(value, Parameter):
            value = value.tensor
        if isinstance(value, Tensor):
            return array(value)
        if depth and isinstance(value, dict):
            return {key: fill(entry, depth - 1) for key, entry in value.items()}
        if depth and type(value) in (list, tuple):
            return type(value)(fill(entry, depth - 1) for entry in value)
        return value

    return fill(saved, DEPTH)


def _view(numbers: np.ndarray, tensor: Tensor) -> np.ndarray:
    """A tensor's array, after a check that no element of it lies outside its storage."""
    offset, shape, strides = tensor.storage.start + tensor.offset, tensor.shape, tensor.strides
    if not math.prod(shape):
        return np.zeros(shape, numbers.dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if last >= numbers.size:
        raise ValueError(
            f"a tensor of shape {shape}, strides {strides} and offset {offset} "
            f"reaches element {last} of a storage of {numbers.size}"
        )
    steps = tuple(stride * numbers.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)


def _load(file: IO[bytes]) -> "_Unpickler":
    """The machine for the next pickle of a file, once its memo is known to be no larger than the pickle.

    The pickle machine makes room for the place in its memo that it is told to write to, however far it is.
    """
    start = file.tell()
    try:
        for count, (opcode, place, _) in enumerate(pickletools.genops(file)):
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and (place or 0) > count:
                raise pickle.UnpicklingError(f"place {place} of a memo of at most {count} entries")
    except ValueError as error:
        raise pickle.UnpicklingError(str(error)) from error
    file.seek(start)
    return _Unpickler(file)


class _Unpickler(pickle.Unpickler):
    """A pickle machine whose whole world is `_stand_ins()`, and more of their kind that do nothing.

    Attributes:
      foreign: the names asked for that are not among the stand-ins, in their order, as the keys of a dictionary.
      kinds: types of the numbers in a storage, by its key.
    """

    def __init__(self, file):
        super().__init__(file, encoding="utf-8")
        self._world = _stand_ins()
        self.foreign: dict[str, None] = {}
        self.kinds: dict[str, np.dtype] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; nothing is imported."""
        asked = f"{module}.{name}"
        if asked not in self._world:
            self.foreign[asked] = None
            self._world[asked] = type("Foreign", (Foreign,), {"name": asked})
        return self._world[asked]

    def persistent_load(self, identity: Any) -> Storage:
        """A storage, from ("storage", type, key, location, size) and, in legacy files, the part that is meant."""
        kind, storage_type, key, _, size, *view = identity
        if kind != "storage" or not isinstance(storage_type, StorageType) or not isinstance(key, str):
            raise ValueError("a reference to something that is not a storage: refused")
        start = view[0][1] if view and view[0] is not None else 0
        _check_naturals(size, start)
        storage = Storage(key, storage_type.name, size, start)
        self.kinds[key] = storage.dtype
        return storage


def _stand_ins() -> dict[str, Any]:
    """All that a pickle may ask for, by name."""

    class Dict(dict):
        """An `OrderedDict`; the attributes that PyTorch hangs on it are dropped."""

        def __setstate__(self, state):
            pass

    class OldParameter(Parameter):
        """A class of this file alone."""

    def tensor(storage, offset, shape, strides, *unused):
        if not isinstance(storage, Storage):
            raise ValueError(f"a tensor over a {type(storage).__name__}, not a storage")
        _check_naturals(offset, *shape, *strides)
        if len(shape) != len(strides):
            raise ValueError(f"a tensor of shape {tuple(shape)} with strides {tuple(strides)}")
        return Tensor(storage, offset, tuple(shape), tuple(strides))

    def parameter(tensor, *unused):
        return tensor

    return {
        "collections.OrderedDict": Dict,
        "torch.Size": tuple,
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_parameter": parameter,
        "torch.nn.parameter.Parameter": OldParameter,
        **{name: StorageType(name) for name in DTYPES},
    }


def _check_naturals(*numbers: Any) -> None:
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError("a tensor whose offset, shape or strides are not integers from 0")
