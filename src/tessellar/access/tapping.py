"""Tables from and for TAP services: files to upload, answers to keep."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tessellar.errors import InputError, NoPermission

if TYPE_CHECKING:
    from astropy.table import Table

_FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".fits": "fits", ".vot": "votable", ".xml": "votable"}


def read_upload(text: str) -> tuple[str, Table]:
    """Read ``NAME=FILE``: a table in any of the formats of `write_answer`.

    Raises
    ------
    InputError
        If it is not written so, or the file is no table.
    """
    from astropy.table import Table

    name, sign, file = text.partition("=")
    if not sign or not name.isidentifier():
        raise InputError(f"upload {text!r}: write NAME=FILE, as in mine=stars.csv")
    path = Path(file).expanduser()
    form = _FORMATS.get(path.suffix)
    if form is None:
        raise InputError(f"upload {path}: a table is read from {', '.join(_FORMATS)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return name, Table.read(path, format=form)
    except Exception as error:
        raise InputError(f"upload {path}: cannot be read as a table: {' '.join(str(error).split())[:200]}") from error


def write_answer(table: Table, path: Path) -> Path:
    """Write a table under its final name when it is whole; the ending tells the format.

    ``.ecsv`` keeps units and the query, ``.fits`` and ``.vot`` units; ``.parquet`` needs the extra ``parquet``.

    Raises
    ------
    InputError
        If the ending is none of these.
    NoPermission
        If it cannot be written.
    """
    form = _FORMATS.get(path.suffix, "parquet" if path.suffix == ".parquet" else None)
    if form is None:
        raise InputError(f"{path}: a table is written to {', '.join((*_FORMATS, '.parquet'))}; choose one of these")
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if form == "parquet":
                _write_parquet(table, part)
            else:
                table.write(part, format=form, overwrite=True)
        part.replace(path)
    except OSError as error:
        raise NoPermission(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _write_parquet(table: Table, path: Path) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(f"{path}: Parquet needs pyarrow: pip install 'tessellar[parquet]'") from error
    columns = {name: pa.array(table[name].tolist()) for name in table.colnames}
    parquet.write_table(pa.table(columns), path)
