"""Light curves out of a store: FITS files as they would have been written at once, and tables for other tools."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import ConfigError, InputError
from tessellar.mission import flags
from tessellar.mission.names import build_name
from tessellar.products.filing import translated
from tessellar.products.lightcurveheaders import reason_cards
from tessellar.products.lightcurvelayout import COUNTS, STATUS_NAMES
from tessellar.products.lightcurvestore import LightCurveStore
from tessellar.products.provenance import InputFile, Provenance
from tessellar.products.wcscards import WorldCards
from tessellar.products.writer import write_light_curve

if TYPE_CHECKING:
    from tessellar.targets import TIC

# Status with which a light curve comes.
_WITH_LIGHT_CURVE = (1, 3)
_SKIPPED = 5
# Rows of one batch of a Parquet file, about.
_BATCH = 1 << 20


@dataclass(frozen=True, eq=False, kw_only=True)
class ToldStar:
    """What a store tells of a star for its file, where the file was not described when the star was measured.

    Attributes
    ----------
    method : str
    cadence : float
        Seconds.
    row : mapping
        Of the store's table.
    columns : mapping of str to array (n,)
        By FITS names.
    headers : mapping of str to (value, comment)
        Further cards of the primary header.
    settings : mapping
        What the star was measured with: goes into the provenance.
    """

    method: str
    cadence: float
    row: Mapping[str, Any]
    columns: Mapping[str, NDArray[Any]]
    headers: Mapping[str, Any]
    settings: Mapping[str, Any]


def describe_record(
    meta: Mapping[str, Any], provenance: Provenance, *, name: str = "", columns: Iterable[str] = ()
) -> str:
    """What a star's file says beyond the store's columns, as text for the column ``record`` of the table.

    Parameters
    ----------
    meta : mapping
        As for `write_light_curve`.
    provenance : Provenance
    name : str
        What stands for the method in the file's name, where it is another word.
    columns : iterable of str
        The columns of the file in their order.
    """
    own = {"meta": dict(meta), "name": name, "columns": list(columns), "provenance": asdict(provenance)}
    return json.dumps(own, default=_plain, allow_nan=False)


def export_fits(
    store: LightCurveStore,
    folder: str | os.PathLike[str],
    *,
    method: str | None = None,
    tics: Iterable[int | TIC] | None = None,
    packed: bool = False,
    skipped: Mapping[int, int] | None = None,
    complete: Callable[[ToldStar], ToldStar] | None = None,
) -> Iterator[Path]:
    """Write light curves of a store as FITS files, one by one.

    Each is the file that would have been written when the star was measured; written again it is the same to the last
    byte, for its date is that of the measurement.

    Parameters
    ----------
    store : LightCurveStore
    folder : path-like
        Made if need be.
    method : str, optional
        All if not given.
    tics : iterable of int, optional
        Stars; all that have a light curve if not given.
    packed : bool
        Write ``.fits.gz``.
    skipped : mapping of int to int, optional
        Of stars that a survey skips, the TIC id of the brighter star whose mask holds them: their STATUS is SKIPPED.
    complete : callable, optional
        Adds what follows from what the store has, as `tessellar.photometry.completing.completed` does, for stars that
        were put in without a ``record``; others are complete.

    Yields
    ------
    Path
        Of each file.

    Raises
    ------
    InputError
        If a star is not there, or has no light curve.
    NoSpace, NoPermission, StoreError
        If a file cannot be written.

    Examples
    --------
    >>> from tessellar.products import LightCurveStore, export_fits
    >>> store = LightCurveStore("s0027-1-1-c0600.lc.h5")  # doctest: +SKIP
    >>> paths = list(export_fits(store, "out", method="aperture", tics=[25155310]))  # doctest: +SKIP
    """
    chosen = None if tics is None else [int(tic) for tic in tics]
    for each in store.methods if method is None else (method,):
        wanted = _with_light_curves(store, each) if chosen is None else chosen
        cards, settings = store.cards(each), store.settings(each)
        for tic in wanted:
            if chosen is not None and method is None and (tic, each) not in store:
                continue
            told = _described(store, tic, each, cards, settings, complete)
            yield _write(store, tic, each, Path(folder), packed, told, (skipped or {}).get(tic))


def _with_light_curves(store: LightCurveStore, method: str) -> list[int]:
    tics, names = store.tics(method), store.table_names(method)
    if "status" not in names:
        return [int(tic) for tic in tics]
    return [int(tic) for tic in tics[np.isin(store.values(method, "status"), _WITH_LIGHT_CURVE)]]


@dataclass(frozen=True, eq=False)
class _Described:
    """What goes into a star's file besides its images: columns, header, provenance, and the word in its name."""

    columns: Mapping[str, NDArray[Any]]
    meta: dict[str, Any]
    provenance: Provenance
    word: str


def _described(
    store: LightCurveStore,
    tic: int,
    method: str,
    cards: Mapping[str, tuple[str, str]],
    settings: Mapping[str, Any],
    complete: Callable[[ToldStar], ToldStar] | None,
) -> _Described:
    row = store.row(tic, method)
    columns = store.star(tic, method)
    if not np.isfinite(columns.get("FLUX", np.nan)).any():
        raise InputError(
            f"TIC {tic} has no light curve by {method} in {store.path.name}: {row.get('reasons') or 'none'}"
        )
    if row.get("record"):
        own = json.loads(row["record"])
        record = own["provenance"]
        inputs = tuple(InputFile(**one) for one in record["inputs"])
        provenance = Provenance(inputs, record["settings"], record["version"], record["created"])
        columns = {name: columns[name] for name in own["columns"]}
        return _Described(columns, own["meta"], provenance, own["name"] or method)
    told = ToldStar(
        method=method, cadence=store.cadence, row=row, columns=columns, headers=_cards_of(row, cards), settings=settings
    )
    if complete is not None:
        told = complete(told)
    return _Described(told.columns, _told(store, tic, told), _made(store, method, row, told.settings), method)


def _write(
    store: LightCurveStore,
    tic: int,
    method: str,
    folder: Path,
    packed: bool,
    told: _Described,
    skipped_by: int | None,
) -> Path:
    meta, images = told.meta, store.images(tic, method)
    if images is not None:
        meta = {**meta, "corner": images.corner}
    if skipped_by is not None:
        meta = {**meta, "headers": _skipped(meta.get("headers") or {}, skipped_by)}
    version = (meta.get("headers") or {}).get("VERSION", (1, ""))[0]
    name = build_name(
        "tessellar",
        instrument=str(meta.get("source", "ffi")),
        tic=tic,
        sector=store.field.sector,
        cadence=store.cadence,
        version=f"v{version}",
        product=f"{told.word}-lc",
        extension="fits.gz" if packed else "fits",
    )
    return write_light_curve(
        folder / name,
        told.columns,
        meta=meta,
        aperture=None if images is None else images.aperture,
        sumimage=None if images is None else images.sumimage,
        weights=() if images is None else images.weights,
        wcs=None if images is None else WorldCards(images.wcs, images.crpix),
        provenance=told.provenance,
    )


def _cards_of(row: Mapping[str, Any], cards: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Header cards that the table of a store has: how the star ended, and what is known of it."""
    headers: dict[str, Any] = {}
    if "status" in row:
        headers["STATUS"] = (STATUS_NAMES.get(row["status"], "UNKNOWN"), "OK, or WARNING: see REASON")
    headers |= reason_cards(str(row.get("reasons", "")))
    for name, (keyword, comment) in cards.items():
        value = row.get(name)
        known = value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))
        if known and not (isinstance(value, int) and value == np.iinfo(np.int64).min):
            headers[keyword] = (int(value) if value is not None and name in COUNTS else value, comment)
    return headers


def _told(store: LightCurveStore, tic: int, told: ToldStar) -> dict[str, Any]:
    """Header of a star of which the store has columns only."""
    mask = str(told.settings.get("quality", "default"))
    return {
        "sector": store.field.sector,
        "camera": store.field.camera,
        "ccd": store.field.ccd,
        "cadence": store.cadence,
        "quality_mask": mask,
        "quality_bits": int(flags.MASKS[mask]) if mask in flags.MASKS else None,
        "method": told.method,
        **store.meta,
        "tic": tic,
        **{name: told.row.get(name) for name in ("ra", "dec", "tmag")},
        "headers": dict(told.headers),
    }


def _why_skipped(by: int) -> str:
    return f"its light is in the mask of TIC {by}, which is brighter"


def _skipped(headers: Mapping[str, Any], by: int) -> dict[str, Any]:
    """Header of a star that was measured, and is skipped: its own reasons stay, and why it is skipped follows."""
    known = sum(key.startswith("REASON") for key in headers)
    lines = [text for text, _ in reason_cards(_why_skipped(by)).values()]
    made = {**headers, "STATUS": ("SKIPPED", "a brighter star has the mask: see SKIPBY")}
    made |= {f"REASON{number}": (line, "") for number, line in enumerate(lines, known + 1)}
    return {**made, "SKIPBY": (by, "TIC id of the star that has the mask")}


def _made(store: LightCurveStore, method: str, row: Mapping[str, Any], settings: Mapping[str, Any]) -> Provenance:
    inputs = tuple(InputFile(**one) for one in store.meta.get("inputs", ()))
    created = datetime.fromtimestamp(row["appended"], UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return Provenance(inputs, {"method": method, **settings}, store.version(method), created)


def export_parquet(
    store: LightCurveStore,
    path: str | os.PathLike[str],
    *,
    method: str,
    light_curves: bool = False,
    tics: Iterable[int | TIC] | None = None,
    skipped: Mapping[int, int] | None = None,
) -> Path:
    """Write the table, or all light curves, of a method as a Parquet file, for DuckDB, polars, pandas and others.

    Parameters
    ----------
    store : LightCurveStore
    path : path-like
        The file; it appears whole, or not at all.
    method : str
    light_curves : bool
        Write the light curves, one row a star and cadence (``tic, TIME, CADENCENO, FLUX ...``), sorted by star as in
        the store; else the table, one row a star.
    tics : iterable of int, optional
        Stars; all if not given.
    skipped : mapping of int to int, optional
        As for `export_fits`.

    Raises
    ------
    ConfigError
        If pyarrow is not installed (``pip install 'tessellar[parquet]'``).
    InputError
        If there is no such method or star.
    NoSpace, NoPermission, StoreError
        If it cannot be written.

    Examples
    --------
    >>> from tessellar.products import LightCurveStore, export_parquet
    >>> store = LightCurveStore("s0027-1-1-c0600.lc.h5")  # doctest: +SKIP
    >>> export_parquet(store, "metrics.parquet", method="aperture")  # doctest: +SKIP
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'tessellar[parquet]'") from error
    path = Path(path)
    wanted = [int(tic) for tic in (store.tics(method) if tics is None else tics)]
    if light_curves:
        batches = _light_curve_batches(store, method, wanted)
    else:
        batches = _table_batches(store, method, wanted, skipped or {})
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            first = next(batches)
            with pq.ParquetWriter(draft, first.schema, compression="zstd") as writer:
                writer.write_table(first)
                for batch in batches:
                    writer.write_table(batch)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return path


def _table_batches(store: LightCurveStore, method: str, tics: list[int], skipped: Mapping[int, int]) -> Iterator[Any]:
    import pyarrow as pa

    rows = store.rows(method, tics)
    names = [name for name in store.table_names(method) if name != "record"]
    columns: dict[str, Any] = {"tic": np.array(tics, dtype=np.int64)}
    for name in names:
        values = store.values(method, name)[rows]
        if name in ("status", "reasons") and skipped:
            values = _with_skips(name, values, tics, skipped)
        unknown = values == np.iinfo(np.int64).min if values.dtype == np.int64 else np.zeros(len(values), dtype=bool)
        columns[name] = pa.array(values, mask=unknown)
    if "status" in names:
        columns["status_name"] = [STATUS_NAMES.get(one, "UNKNOWN") for one in columns["status"].to_pylist()]
    yield pa.table(columns)


def _with_skips(name: str, values: NDArray[Any], tics: list[int], skipped: Mapping[int, int]) -> NDArray[Any]:
    """Status or reasons of stars some of which are skipped."""
    made = values.astype(object) if name == "reasons" else values.copy()
    for at, tic in enumerate(tics):
        if tic in skipped and name == "status":
            made[at] = _SKIPPED
        elif tic in skipped:
            made[at] = "; ".join(filter(None, (made[at], _why_skipped(skipped[tic]))))
    return np.asarray(made)


def _light_curve_batches(store: LightCurveStore, method: str, tics: list[int]) -> Iterator[Any]:
    import pyarrow as pa

    length = len(store.time)
    size = max(_BATCH // length, 1)
    for begin in range(0, max(len(tics), 1), size):
        part = tics[begin : begin + size]
        stars = [store.star(tic, method) for tic in part]
        names = stars[0].keys() if stars else ()
        yield pa.table(
            {"tic": np.repeat(np.array(part, dtype=np.int64), length)}
            | {name: np.concatenate([star[name] for star in stars]) for name in names}
        )


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
