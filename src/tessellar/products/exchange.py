"""Light curves as other packages hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import lightkurve

    from tessellar.products.lightcurve import LightCurve

# lightkurve's names of what it expects on every light curve.
_CENTROIDS = (
    ("centroid_col", ("MOM_CENTR1", "X_CENTROID", "SAP_X")),
    ("centroid_row", ("MOM_CENTR2", "Y_CENTROID", "SAP_Y")),
)


def to_lightkurve(lc: LightCurve, flux_column: str | None = None) -> lightkurve.TessLightCurve:
    """Make a lightkurve light curve of every cadence that has a time; nothing is dropped for its quality.

    Its author is the true one: `lightkurve.read` calls SPOC whatever is laid out like SPOC's.
    """
    import lightkurve
    from astropy import units as u
    from astropy.time import Time

    timed = np.isfinite(lc.btjd)
    name = flux_column or lc.flux_column
    own = name.upper() == lc.flux_column
    present = {column.upper() for column in lc.columns}
    errors = lc.flux_err if own else lc.column(f"{name}_ERR") if f"{name}_ERR".upper() in present else None
    relative = lc.normalised if own else lc.units.get(name, "") == ""
    unit = u.dimensionless_unscaled if relative else u.electron / u.s
    data: dict[str, Any] = {"quality": lc.quality[timed], "cadenceno": lc.cadenceno[timed]}
    for ours, theirs in _CENTROIDS:
        column = next((candidate for candidate in theirs if candidate in present), None)
        if column is not None:
            data[ours] = lc.column(column)[timed] * u.pix
    if "FLUX_BKG" in present or "SAP_BKG" in present:
        data["flux_bkg"] = lc.column("FLUX_BKG" if "FLUX_BKG" in present else "SAP_BKG")[timed]
    curve = lightkurve.TessLightCurve(
        time=Time(lc.btjd[timed], format="btjd", scale="tdb"),
        flux=np.asarray(lc.column(name)[timed]) * unit,
        flux_err=None if errors is None else np.asarray(errors[timed]) * unit,
    )
    for key, values in data.items():
        curve[key] = values
    curve.meta.update(_meta(lc, name, relative))
    return curve


def _meta(lc: LightCurve, flux_column: str, relative: bool) -> dict[str, Any]:
    number = int(lc.tic) if lc.tic else None
    return {
        "MISSION": "TESS",
        "AUTHOR": lc.author,
        "TARGETID": number,
        "TICID": number,
        "OBJECT": str(lc.tic) if lc.tic else None,
        "LABEL": str(lc.tic) if lc.tic else lc.path.name,
        "SECTOR": lc.sector,
        "CAMERA": lc.camera,
        "CCD": lc.ccd,
        "RA": lc.ra,
        "DEC": lc.dec,
        "TESSMAG": lc.tmag,
        "FLUX_ORIGIN": flux_column.lower(),
        "NORMALIZED": relative,
        "FILENAME": str(lc.path),
    }
