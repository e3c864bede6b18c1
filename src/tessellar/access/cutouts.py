"""Cut-outs of the full-frame images from TESScut: around a target or a position, in any sector."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessellar import config
from tessellar.access.fetching import fetch_remotes
from tessellar.access.opening import archive_of
from tessellar.access.resolving import place_of
from tessellar.archives import Archive
from tessellar.archives.tesscut import CutoutService
from tessellar.errors import InputError, ProductError
from tessellar.mission.names import match_name
from tessellar.progress import Listener, ignore
from tessellar.store import Manifest
from tessellar.store.store import check_folder
from tessellar.store.unpacking import unpack
from tessellar.targets import TIC, Field, check_sector

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord


@dataclass(frozen=True)
class Cutouts:
    """Cut-outs that were fetched.

    Attributes
    ----------
    manifest : Manifest
        One row a sector, whatever became of it.
    paths : tuple of Path
        The target pixel files, by sector; two of one sector where the position is on two CCDs.
    failures : tuple of (Path, ProductError)
        Zip files of which something could not be unpacked.
    """

    manifest: Manifest
    paths: tuple[Path, ...]
    failures: tuple[tuple[Path, ProductError], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all that was asked for is here."""
        return self.manifest.ok and not self.failures


def cutout_fields(
    where: str | int | TIC | tuple[float, float] | SkyCoord,
    *,
    radius: float = 0.0,
    archive: str | Archive | None = None,
) -> list[Field]:
    """Return the CCDs of which TESScut makes cut-outs around a target or a position.

    Parameters
    ----------
    where : str, int, TIC, tuple or SkyCoord
        A TIC id, a name, or a position (ICRS, degrees).
    radius : float
        Degrees around it that count as well.
    archive : str or Archive, optional
        By default the setting.
    """
    if not 0 <= radius <= 180:
        raise InputError(f"radius {radius:g} deg cannot be: give 0 to 180")
    opened = archive_of(archive)
    return CutoutService(opened.name).fields(*place_of(where, opened), radius)


def fetch_cutouts(
    where: str | int | TIC | tuple[float, float] | SkyCoord,
    folder: str | os.PathLike[str] | None = None,
    *,
    size: int | tuple[int, int] = 11,
    sectors: int | Iterable[int] | None = None,
    archive: str | Archive | None = None,
    deadline: float | None = None,
    listener: Listener = ignore,
) -> Cutouts:
    """Fetch cut-outs around a target or a position, as target pixel files.

    Their flux is *not* background-subtracted, and no pixel is in an aperture:
    `tessellar.read` gives a `TargetPixelFile` that says so. Each sector is a
    question of its own. What is here already is not fetched again.

    Parameters
    ----------
    where : str, int, TIC, tuple or SkyCoord
        A TIC id, a name, or a position (ICRS, degrees). A target's position is that of epoch 2000.
    folder : path-like, optional
        By default the setting ``data_dir``, or the working folder. The files lie
        in ``mastDownload/TESScut/<position and size>``.
    size : int or (int, int)
        Pixels a side, or rows and columns.
    sectors : int or iterable of int, optional
        By default all that the service has.
    archive : str or Archive, optional
        By default the setting.
    deadline : float, optional
        Seconds after which what is not whole is given up.
    listener : callable, optional
        Told of bytes as they arrive.

    Returns
    -------
    Cutouts
        The manifest and the files; none where the position was never observed.

    Raises
    ------
    InputError
        If the position, size or sectors make no sense.
    ArchiveError
        If the service cannot be asked for sectors.

    Examples
    --------
    >>> from tessellar.access import fetch_cutouts
    >>> cutouts = fetch_cutouts("TIC 261136679", size=15, sectors=[1, 4])  # doctest: +SKIP
    >>> [path.name for path in cutouts.paths]  # doctest: +SKIP
    ['tess-s0001-4-2_84.291188_-80.469119_15x15_astrocut.fits', ...]
    """
    opened = archive_of(archive)
    rows, columns = _sides(size)
    wanted = _sectors(sectors)
    service = CutoutService(opened.name)
    service.cutout(0.0, 0.0, 1, rows, columns)  # refuses the size before anything is asked
    target = Path(folder or config.load().data_dir or ".").expanduser().absolute()
    check_folder(target)
    ra, dec = place_of(where, opened)
    if wanted is None:
        wanted = sorted({field.sector for field in service.fields(ra, dec)})
    remotes = [service.cutout(ra, dec, sector, rows, columns) for sector in wanted]
    manifest = fetch_remotes(remotes, target, deadline=deadline, listener=listener)
    paths: list[Path] = []
    failures: list[tuple[Path, ProductError]] = []
    for path in manifest.paths:
        try:
            paths += unpack(path, _is_cutout)
        except ProductError as error:
            failures.append((path, error))
    return Cutouts(manifest, tuple(paths), tuple(failures))


def _is_cutout(filename: str) -> bool:
    name = match_name(filename)
    return name is not None and name.kind == "cutout"


def _sides(size: Any) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int) for side in sides):
        raise InputError(f"size {size!r} cannot be read: give pixels a side, or (rows, columns)")
    return sides[0], sides[1]


def _sectors(sectors: int | Iterable[int] | None) -> list[int] | None:
    if sectors is None:
        return None
    return sorted({check_sector(sector) for sector in ([sectors] if isinstance(sectors, int) else sectors)})
