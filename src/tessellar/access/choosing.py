"""Which light curve? All of a star's in one table, with what the headers of those that are here tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tessellar import config
from tessellar.access.searching import list_products, search
from tessellar.archives import Archive
from tessellar.errors import ProductError
from tessellar.mission.names import match_name
from tessellar.mission.offsets import time_offset
from tessellar.products import LightCurve, read
from tessellar.products.choosing import LightCurveChoice, choice_row
from tessellar.products.tables import ProductTable
from tessellar.progress import Event, Listener, ignore
from tessellar.targets import TIC


def which_light_curve(
    target: str | int | TIC | ProductTable,
    folder: str | os.PathLike[str] | None = None,
    *,
    archive: str | Archive | None = None,
    listener: Listener = ignore,
) -> LightCurveChoice:
    """List all light curves of a star, with what tells them apart.

    Author, sector and cadence come from the archive. Exposure, data release,
    aperture, CROWDSAP, FLFRCSAP and noise come from the headers of files that are
    here; they are missing for others: `tessellar.fetch` them first.

    Parameters
    ----------
    target : str, int, TIC or ProductTable
        The star; or its files, as `list_products` gives them.
    folder : path-like, optional
        Where fetched files lie: by default the setting ``data_dir``, or the working folder.
    archive : str or Archive, optional
        By default the setting.
    listener : callable, optional
        Told of files that cannot be read.

    Returns
    -------
    LightCurveChoice
        One row a light curve, by sector, author and cadence.
    """
    if isinstance(target, ProductTable):
        files = target
    else:
        files = list_products(search(target, kind="lightcurve", archive=archive, listener=listener), listener=listener)
    root = Path(folder or config.load().data_dir or ".").expanduser().absolute()
    rows = []
    for product in files.rows():
        if product["kind"] != "lightcurve":
            continue
        known = _from_archive(product)
        path = next((path for path in _places(root, product) if path.is_file()), None)
        rows.append(known if path is None else {**known, **_from_header(path, listener)})
    rows.sort(key=lambda row: (row["sector"] or 0, str(row["author"]), row["cadence"] or 0.0, row["filename"]))
    return LightCurveChoice.from_rows(rows, list(LightCurveChoice.known_columns))


def _from_archive(product: dict[str, Any]) -> dict[str, Any]:
    name = match_name(str(product["productFilename"]))
    version = name.version if name is not None else None
    sector, author = product.get("sector"), product.get("author")
    offset = time_offset(author, sector, version=version) if author and sector and version else None
    return {
        "sector": sector,
        "author": author,
        "cadence": product.get("cadence"),
        "version": version,
        "time_offset": None if offset is None else offset.seconds,
        "time_error": None if offset is None else offset.uncertainty,
        "filename": product["productFilename"],
    }


def _from_header(path: Path, listener: Listener) -> dict[str, Any]:
    """Return what a file that is here tells; nothing if it is damaged."""
    try:
        curve = read(path)
    except ProductError as error:
        listener(Event("read headers", note=f"{path.name} is left out: {error}"))
        return {}
    if not isinstance(curve, LightCurve):
        return {}
    return {name: value for name, value in choice_row(curve).items() if value is not None}


def _places(root: Path, product: dict[str, Any]) -> Iterator[Path]:
    """Give the places where a fetched file may lie."""
    filename = str(product["productFilename"])
    folders: Sequence[str] = (str(product.get("obs_collection") or ""), str(product.get("obs_id") or ""))
    yield root.joinpath("mastDownload", *folders, filename)
    yield root / filename
