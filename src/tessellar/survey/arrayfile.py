"""Named arrays in one file, written at one go and read without copies.

Each array is there as NumPy writes it, on a multiple of 64 bytes; at the end an index tells where.
A file of NumPy's own kind (npz) has the same arrays in a zip archive: the sums that are made of its
bytes, and the copies on both sides, cost a survey more than a twentieth of its time.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt

_MAGIC = b"tessellar arrays"
# At the end: where the index begins, how long it is.
_TAIL = struct.Struct(f"<QQ{len(_MAGIC)}s")
_STEP = 64
# No header of an array is longer.
_HEADER = 4096
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def write_arrays(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays, of any types but objects, to the beginning of a file."""
    index = {}
    for name, array in arrays.items():
        stream.write(bytes(-stream.tell() % _STEP))
        index[name] = stream.tell()
        whole = np.ascontiguousarray(array).reshape(array.shape)
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(whole))
        stream.write(whole.reshape(-1).view(np.uint8).data)
    begin, text = stream.tell(), json.dumps(index).encode()
    stream.write(text + _TAIL.pack(begin, len(text), _MAGIC))


class ArrayFile(Mapping[str, NDArray[Any]]):
    """Arrays that `write_arrays` wrote: by name, mapped into memory and read-only.

    Parameters
    ----------
    path : Path

    Raises
    ------
    Corrupt
        With the first question, if the file is no such file, or is cut short.
    ValueError
        If an array in it makes no sense.
    OSError
        If it cannot be opened. A disk that cannot be read ends the process, as with all maps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getitem__(self, name: str) -> NDArray[Any]:
        begin = self._index[name]
        head = io.BytesIO(self._bytes[begin : begin + _HEADER].tobytes())
        shape, fortran, dtype = _READERS[np.lib.format.read_magic(head)](head)
        offset = begin + head.tell()
        return np.ndarray(shape, dtype, buffer=self._bytes.data, offset=offset, order="F" if fortran else "C")

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        if self.path.stat().st_size < _TAIL.size:
            raise Corrupt(f"{self.path}: cut short")
        return np.memmap(self.path, np.uint8, mode="r")

    @cached_property
    def _index(self) -> dict[str, int]:
        begin, length, magic = _TAIL.unpack(self._bytes[-_TAIL.size :].tobytes())
        if magic != _MAGIC or begin + length + _TAIL.size != len(self._bytes):
            raise Corrupt(f"{self.path}: not a file of arrays, or cut short")
        found: dict[str, int] = json.loads(self._bytes[begin : begin + length].tobytes())
        return found
