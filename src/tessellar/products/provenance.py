"""What a file was made from, and how: the record in every file that tessellar writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tessellar import __version__
from tessellar.errors import MissingInput
from tessellar.products.cards import card, sealed
from tessellar.products.fitsfile import FitsFile

EXTNAME = "PROVENANCE"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class InputFile:
    """One file that went in: its name, bytes and SHA-256 (empty where it was not taken)."""

    name: str
    size: int
    sha256: str = ""

    @classmethod
    def of(cls, path: str | Path, sha256: str | None = None) -> InputFile:
        """Describe a file; its digest is computed unless it is known already (from the ledger).

        Raises
        ------
        MissingInput
            If there is no such file.
        """
        path = Path(path)
        try:
            if sha256 is None:
                with path.open("rb") as stream:
                    sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            return cls(path.name, path.stat().st_size, sha256)
        except FileNotFoundError as error:
            raise MissingInput(f"{path}: no such file") from error


@dataclass(frozen=True)
class Provenance:
    """What a file was made from, with what settings, by which version, when.

    Parameters
    ----------
    inputs : tuple of InputFile
        The files that went in.
    settings : mapping
        Name → any value that JSON can hold.
    version : str
        Of tessellar.
    created : str
        UTC, ISO 8601.

    Examples
    --------
    >>> record = Provenance((InputFile("a_tp.fits", 2880, "00ff"),), {"aperture": "pipeline"})
    >>> record.inputs[0].name, record.settings["aperture"]
    ('a_tp.fits', 'pipeline')
    """

    inputs: tuple[InputFile, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    created: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"))


def provenance_part(provenance: Provenance) -> list[bytes]:
    """Write the record as a FITS binary table: a row an input, then a row a setting."""
    rows = [("input", _escape(one.name), one.size, one.sha256, "") for one in provenance.inputs]
    rows += [("setting", _escape(key), 0, "", _json(value)) for key, value in provenance.settings.items()]
    widths = [max([1, *(len(str(row[at])) for row in rows)]) for at in range(5)]
    formats = [f"S{widths[0]}", f"S{widths[1]}", ">i8", f"S{widths[3]}", f"S{widths[4]}"]
    names = ("KIND", "NAME", "SIZE", "SHA256", "VALUE")
    comments = ("input or setting", "of the file or setting", "of the file", "digest of the file", "of the setting")
    table = np.array(rows, dtype=list(zip(names, formats, strict=True)))
    cards = [
        card("XTENSION", "BINTABLE", "binary table"),
        card("BITPIX", 8, "array data type"),
        card("NAXIS", 2, "number of array dimensions"),
        card("NAXIS1", table.dtype.itemsize, "bytes of a row"),
        card("NAXIS2", len(rows), "number of rows"),
        card("PCOUNT", 0, "no heap"),
        card("GCOUNT", 1, "one group"),
        card("TFIELDS", len(names), "number of columns"),
    ]
    for number, (name, form, comment) in enumerate(zip(names, formats, comments, strict=True), 1):
        cards.append(card(f"TTYPE{number}", name, comment))
        cards.append(card(f"TFORM{number}", "K" if form == ">i8" else f"{form[1:]}A", "column format"))
    cards.append(card("TUNIT3", "byte", "column unit"))
    cards += [
        card("EXTNAME", EXTNAME, "name of extension"),
        card("SOFTWARE", f"tessellar {provenance.version}", "what wrote this file"),
        card("CREATED", provenance.created, "when, UTC"),
        card("NINPUTS", len(provenance.inputs), "number of input files"),
    ]
    return sealed(cards, table.tobytes())


def read_provenance(file: FitsFile) -> Provenance | None:
    """Read the record back, or None where the file has none."""
    hdu = file.find(EXTNAME)
    if hdu is None or not hdu.is_table:
        return None
    columns = {name: file.column(hdu, name).tolist() for name in ("KIND", "NAME", "SIZE", "SHA256", "VALUE")}
    inputs, settings = [], {}
    for kind, name, size, digest, value in zip(*columns.values(), strict=True):
        if kind == "input":
            inputs.append(InputFile(_unescape(name), size, digest))
        else:
            settings[_unescape(name)] = json.loads(value)
    version = str(hdu.keys.get("SOFTWARE", "")).removeprefix("tessellar ")
    return Provenance(tuple(inputs), settings, version, str(hdu.keys.get("CREATED", "")))


def _json(value: object) -> str:
    """Write a setting as ASCII JSON; numpy scalars and arrays as plain numbers and lists, what else as its text."""

    def plain(other: object) -> object:
        return other.tolist() if isinstance(other, np.generic | np.ndarray) else str(other)

    return json.dumps(value, default=plain)


def _escape(name: str) -> str:
    return json.dumps(name)[1:-1]


def _unescape(name: str) -> str:
    return str(json.loads(f'"{name}"'))
