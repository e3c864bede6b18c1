"""From files to observations: which files belong together, and what the archive's tables say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tessellar.server.facts import Facts
from tessellar.server.regions import circle

_MISSION = ("SPOC", "TESScut")

# Which file is an observation's main one: dataURL points to it.
_MAIN_KINDS = ("lightcurve", "tpf", "ffi", "dv")
_MAIN_PRODUCTS = ("dvt", "dvr", "ffic")
_RECOMMENDED = ("lightcurve", "tpf")
_INFO = ("dvr", "dvm", "dvs", "dvp", "dvr-tcestats")

_PRODUCT_TYPES = {"ffi": "image", "cube": "cube", "other": "image", "collateral": "image", "tcestats": "catalog"}
_TARGETS = {
    "ffi": "TESS FFI", "cbv": "TESS CBV", "cube": "TESS FFI CUBE", "cutout": "TESScut", "tcestats": "TESS TCE",
    "collateral": "TESS COLLATERAL",
}  # fmt: skip

# From whose header a star's catalogue values are taken, best first; TGLC's positions are Gaia's.
_STAR_SOURCES = ("SPOC", "TESS-SPOC", "QLP", "TASOC", "tessellar")

#: Start and end (MJD) of a sector and the cadence of its full-frame images (s), or None where that is not known.
SectorDates = Callable[[int], tuple[float, float, float] | None]


@dataclass
class Rows:
    """Rows of the archive's tables, each a mapping of column name to value."""

    observations: list[dict[str, Any]] = field(default_factory=list)
    products: list[dict[str, Any]] = field(default_factory=list)
    stars: list[dict[str, Any]] = field(default_factory=list)
    names: list[dict[str, Any]] = field(default_factory=list)


def grouped(files: Iterable[tuple[int, Facts]], row_number: Callable[[str], int], dates: SectorDates) -> Rows:
    """Make the rows of the files of one group.

    Parameters
    ----------
    files : iterable of (key of the file, Facts)
        All files of one `Facts.group`.
    row_number : callable
        Gives the archive's row number (obsid) for ``collection/obs_id``.
    dates : callable
        Gives the dates of a sector.
    """
    rows = Rows()
    listed = sorted(files, key=lambda item: (item[1].filename, item[0]))
    for obs_id, members in _observations(listed).items():
        members.sort(key=lambda item: (_place(item[1]), item[1].filename))
        main = members[0][1]
        obsid = row_number(f"{main.collection}/{obs_id}")
        observation = _observation(obs_id, obsid, [facts for _, facts in members], main, dates)
        rows.observations.append(observation)
        rows.products += [
            {**_product(facts, observation), "file": file, "place": place}
            for place, (file, facts) in enumerate(members)
        ]
    for _, facts in listed:
        if facts.tic and facts.ra is not None and facts.dec is not None:
            rows.stars.append(_star(facts))
            rows.names += _names(facts)
    return rows


def name_key(name: str) -> str:
    """Return the form in which names are compared: without regard to case, spaces, hyphens and underscores.

    Examples
    --------
    >>> name_key("TOI-175") == name_key("toi 175")
    True
    """
    return "".join(name.lower().split()).replace("-", "").replace("_", "")


def _observations(files: list[tuple[int, Facts]]) -> dict[str, list[tuple[int, Facts]]]:
    """Give each file to an observation.

    Light curves and pixels go by their names. A single-sector validation report, and a
    file that only its headers tell about, join them; without any, they make one up.
    """
    own = [item for item in files if item[1].obs_id and item[1].kind != "dv"]
    others = [item for item in files if item not in own]
    observations: dict[str, list[tuple[int, Facts]]] = {}
    for file, facts in own:
        observations.setdefault(str(facts.obs_id), []).append((file, facts))
    home = next(iter(sorted(observations)), None)
    if home is None:
        home = next((_made_up(facts) for _, facts in others if not facts.obs_id), None)
    for file, facts in others:
        observations.setdefault(home or str(facts.obs_id), []).append((file, facts))
    return observations


def _made_up(facts: Facts) -> str:
    if not facts.tic or facts.sector is None:
        return facts.filename.removesuffix(".gz").rsplit(".", 1)[0]
    prefix = "tess" if facts.author in _MISSION else facts.author.lower()
    return f"{prefix}-s{facts.sector:04d}-{facts.tic:016d}-c{facts.cadence or 0:04.0f}"


def _place(facts: Facts) -> tuple[int, int, int]:
    """Return where a file stands among those of its observation; the main one stands first."""
    kind = _MAIN_KINDS.index(facts.kind) if facts.kind in _MAIN_KINDS else len(_MAIN_KINDS)
    product = _MAIN_PRODUCTS.index(facts.product) if facts.product in _MAIN_PRODUCTS else len(_MAIN_PRODUCTS)
    return kind, product, 0 if facts.obs_id else 1


def _observation(obs_id: str, obsid: int, members: list[Facts], main: Facts, dates: SectorDates) -> dict[str, Any]:
    def known(*names: str) -> Any:
        for facts in (main, *members):
            for name in names:
                if (value := getattr(facts, name)) is not None:
                    return value
        return None

    start, end, ffi_cadence = _dates(known("sector_first", "sector"), known("sector"), dates)
    ra, dec, region = known("ra"), known("dec"), known("region")
    if region is None and ra is not None and dec is not None:
        region = circle(ra, dec)
    exposure = known("exposure") or known("cadence")
    if exposure is None and main.kind in ("lightcurve", "tpf", "cutout", "ffi"):
        exposure = ffi_cadence
    if main.kind == "dv" and main.author not in _MISSION and _several(main):
        exposure = None  # such a run joins sectors of different cadences; MAST tells none
    tic = known("tic")
    mission = main.author in _MISSION
    return {
        "dataproduct_type": _PRODUCT_TYPES.get(main.kind, "timeseries"),
        "calib_level": 3 if mission else 4,
        "obs_collection": main.collection,
        "obs_id": obs_id,
        "target_name": str(tic) if tic else _TARGETS.get(main.kind) or main.target or "TESS",
        "s_ra": ra,
        "s_dec": dec,
        "t_min": known("t_min") or start,
        "t_max": known("t_max") or end,
        "t_exptime": exposure,
        "wavelength_region": "Optical",
        "filters": "TESS",
        "em_min": 600.0,
        "em_max": 1000.0,
        "t_obs_release": known("released"),
        "instrument_name": "Photometer",
        "proposal_pi": "Ricker, George" if mission else None,
        "proposal_id": "N/A",
        "project": "TESS",
        "sequence_number": known("sector"),
        "provenance_name": main.author,
        "s_region": region,
        "dataURL": main.uri,
        "dataRights": "PUBLIC",
        "mtFlag": 0,
        "intentType": "calibration" if main.kind in ("cbv", "collateral", "other") else "science",
        "obsid": obsid,
        "objID": obsid + 1,
        "camera": known("camera") if not _several(main) else None,
        "ccd": known("ccd") if not _several(main) else None,
    }


def _dates(first: int | None, last: int | None, dates: SectorDates) -> tuple[float | None, float | None, float | None]:
    """Return when the sectors began and ended (MJD), and the cadence of the last one's images (s)."""
    begins = dates(first) if first else None
    ends = dates(last) if last else None
    return begins[0] if begins else None, ends[1] if ends else None, ends[2] if ends else None


def _product(facts: Facts, observation: Mapping[str, Any]) -> dict[str, Any]:
    auxiliary = facts.kind in ("cbv", "collateral", "other")
    return {
        "obsID": observation["obsid"],
        "obs_collection": facts.collection,
        "dataproduct_type": observation["dataproduct_type"],
        "obs_id": observation["obs_id"],
        "description": facts.description,
        "type": "C" if _several(facts) else "S",
        "dataURI": facts.uri,
        "productType": "INFO" if facts.product in _INFO else "AUXILIARY" if auxiliary else "SCIENCE",
        "productGroupDescription": "Minimum Recommended Products" if facts.kind in _RECOMMENDED else None,
        "productSubGroupDescription": facts.subgroup,
        "project": facts.author,
        "prvversion": facts.version or None,
        "proposal_id": observation["proposal_id"],
        "productFilename": facts.filename,
        "size": facts.size,
        "parent_obsid": observation["obsid"],
        "dataRights": "PUBLIC",
        "calib_level": observation["calib_level"],
        "filters": "TESS",
    }


def _several(facts: Facts) -> bool:
    return facts.sector_first is not None and facts.sector_first != facts.sector


def _star(facts: Facts) -> dict[str, Any]:
    source = _STAR_SOURCES.index(facts.author) if facts.author in _STAR_SOURCES else len(_STAR_SOURCES)
    # 0 is the rank of a catalogue.
    # A report tells less of the star than a light curve or target pixel file does.
    rank = 1 + 2 * source + (facts.kind not in ("lightcurve", "tpf"))
    fixed = {"ID": facts.tic, "ra": facts.ra, "dec": facts.dec, "objType": "STAR", "objID": facts.tic}
    return {**facts.star, **fixed, "rank": rank}


def _names(facts: Facts) -> list[dict[str, Any]]:
    return [{"key": name_key(alias), "name": alias, "tic": facts.tic} for alias in facts.aliases]
