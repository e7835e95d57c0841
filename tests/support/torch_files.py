"""Files as `torch.save` writes them, made by hand."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np


class Global:
    """Something that a pickle asks for by name, whether it exists or not."""

    def __init__(self, name: str, arguments: tuple | None = None, state=None):
        self.name, self.arguments, self.state = name, arguments, state


class Reference(tuple):
    """A persistent identity."""


class Pickler(pickle._Pickler):
    """Writes `Global` and `Reference` as PyTorch writes its classes and storages."""

    def persistent_id(self, value):
        return tuple(value) if isinstance(value, Reference) else None

    def save(self, value, save_persistent_id=True):
        if not isinstance(value, Global):
            return super().save(value, save_persistent_id)
        module, _, name = value.name.rpartition(".")
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        if value.arguments is not None:
            super().save(value.arguments)
            self.write(pickle.REDUCE)
        if value.state is not None:
            super().save(value.state)
            self.write(pickle.BUILD)
        return None


def pickled(value) -> bytes:
    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(value)
    return buffer.getvalue()


def tensor(shape=(2, 3), strides=(3, 1), offset=0, size=6, key="0", kind="torch.FloatStorage", tag="storage"):
    storage = Reference((tag, Global(kind), key, "cpu", size))
    return Global("torch._utils._rebuild_tensor_v2", (storage, offset, shape, strides, False, OrderedDict()))


def archive(path: Path, value, storages=None, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", value if isinstance(value, bytes) else pickled(value))
        for name, contents in (storages or {"0": np.arange(6, dtype=np.float32).tobytes()}).items():
            file.writestr(f"a/data/{name}", contents)
        for name, contents in members.items():
            file.writestr(f"a/{name}", contents)
    return path


def legacy(path: Path, value) -> Path:
    """A file in the format before PyTorch 1.6, of one storage of six numbers."""
    head = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    numbers = struct.pack("<q", 6) + np.arange(6, dtype=np.float32).tobytes()
    path.write_bytes(head + pickled(value) + pickle.dumps(["0"], 2) + numbers)
    return path


def old_tensor():
    storage = Reference(("storage", Global("torch.FloatStorage"), "0", "cpu", 6, None))
    return Global("torch._utils._rebuild_tensor_v2", (storage, 0, (2, 3), (3, 1), False, OrderedDict()))
