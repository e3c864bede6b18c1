"""Files of arrays: what is written is read, and what is not whole is not taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tessellar.errors import Corrupt
from tessellar.survey.arrayfile import ArrayFile, write_arrays

TYPES = st.sampled_from(["f8", "f4", "i4", "i8", "?", "U7", ">f8"])
ARRAYS = arrays(TYPES, array_shapes(min_dims=0, min_side=0, max_side=5))


def written(path: Path, found: dict[str, np.ndarray]) -> ArrayFile:
    with path.open("wb") as stream:
        write_arrays(stream, found)
    return ArrayFile(path)


@given(st.dictionaries(st.text(max_size=6), ARRAYS, max_size=5))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, found: dict[str, np.ndarray]) -> None:
    file = written(tmp_path_factory.mktemp("arrays") / "a", found)
    assert set(file) == set(found)
    for name, array in found.items():
        assert (file[name].dtype, file[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(file[name], array)


def test_it_is_read_where_it_lies_also_when_its_name_is_gone(tmp_path: Path) -> None:
    turned = np.arange(12.0).reshape(3, 4).T
    file = written(tmp_path / "a", {"flux": np.arange(1000.0), "turned": turned})
    flux = file["flux"]
    (tmp_path / "a").unlink()
    assert not flux.flags.writeable
    assert not flux.flags.owndata
    assert flux.ctypes.data % 64 == 0
    assert flux.sum() == 499500
    np.testing.assert_array_equal(file["turned"], turned)
    assert "error" not in file
    with pytest.raises(KeyError, match="error"):
        file["error"]


@pytest.mark.parametrize("left", [0, 10, 200, 8000])
def test_what_is_cut_short_is_told(tmp_path: Path, left: int) -> None:
    written(tmp_path / "a", {"flux": np.arange(1000.0)})
    with (tmp_path / "a").open("r+b") as stream:
        stream.truncate(left)
    with pytest.raises(Corrupt, match="cut short"):
        list(ArrayFile(tmp_path / "a"))
