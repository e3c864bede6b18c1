"""Resolve: what an archive knows of a target, and in which sectors it was observed."""

from __future__ import annotations

from dataclasses import dataclass

from tessellar.access.searching import archive_of, star_of
from tessellar.archives import Archive, Criteria
from tessellar.progress import Listener, ignore
from tessellar.targets import TIC


@dataclass(frozen=True)
class Resolved:
    """A target with its place on the sky.

    Attributes
    ----------
    tic : TIC
        Its id.
    ra, dec : float
        ICRS, degrees, epoch 2000, as the TIC has them.
    tmag : float or None
        TESS magnitude.
    other_ids : dict of str to str
        Its names in other catalogues, as the TIC has them.
    sectors : tuple of int
        Sectors in which the archive holds a light curve or target pixel file of it.
    """

    tic: TIC
    ra: float
    dec: float
    tmag: float | None
    other_ids: dict[str, str]
    sectors: tuple[int, ...]


def resolve(target: str | int | TIC, *, archive: str | Archive | None = None, listener: Listener = ignore) -> Resolved:
    """Look a star up in the TESS Input Catalog, and the sectors in which it was observed.

    Parameters
    ----------
    target : str, int or TIC
        A TIC id.
    archive : str or Archive, optional
        ``"mast"``, the URL of a tessellar server, or an opened archive; by default the setting.
    listener : callable, optional
        Told of progress.

    Raises
    ------
    InputError
        If it is not a TIC id, or the catalogue has no such star.
    """
    opened = archive_of(archive)
    tic = star_of(target)
    row = opened.target_position(tic)
    observations = opened.search(Criteria(target=tic), listener)
    sectors = {
        int(first)
        for first, last in zip(observations["sector_first"], observations["sector_last"], strict=True)
        if first == last and first
    }
    names = {"GAIA": "Gaia DR2", "TWOMASS": "2MASS", "HIP": "HIP"}
    others = {label: str(row[key]) for key, label in names.items() if row.get(key) not in (None, "", -999)}
    tmag = row.get("Tmag")
    return Resolved(
        tic,
        float(row["ra"]),
        float(row["dec"]),
        float(tmag) if tmag is not None else None,
        others,
        tuple(sorted(sectors)),
    )
