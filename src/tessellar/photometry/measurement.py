"""From a target pixel file to a result, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.masks import load_mask
from tessellar.photometry.method import PhotometryMethod, Settings, get_method
from tessellar.photometry.target import ZERO_POINT, Target
from tessellar.pixels import TargetPixelSource

if TYPE_CHECKING:
    from tessellar.photometry.result import Result
    from tessellar.pixels import Surroundings
    from tessellar.products import TargetPixelFile


def measure(
    tpf: TargetPixelFile | str | Path,
    *,
    method: str | PhotometryMethod = "aperture",
    aperture: str | Path | NDArray[Any] = "pipeline",
    quality: str = "default",
    sigma: float = 3.0,
    missing: str = "nan",
    zero_point: float = ZERO_POINT,
    stars: Surroundings | None = None,
) -> Result:
    """Measure the star of a target pixel file or cut-out.

    Parameters
    ----------
    tpf : TargetPixelFile or path
    method : str or PhotometryMethod
        A name of `METHODS`, or an object of your own.
    aperture : {"pipeline", "threshold"}, path, or array (rows, cols)
        The pipeline's aperture (bit 2 of APERTURE), the bright connected pixels at the target (see `threshold_mask`),
        or a mask: a FITS image, or an array, of the stamp's shape; anything but 0 is added up.
    quality : str
        Named mask of `tessellar.mission.flags`. All cadences stay in the light curve; metrics and the mean image use
        the good ones only.
    sigma : float
        For the threshold aperture.
    missing : {"nan", "partial"}
        Flux of a cadence that lacks pixels of the mask.
    zero_point : float
        TESS magnitude of a star that gives 1 e-/s.
    stars : Surroundings, optional
        Stars on and about the stamp; the contamination is then theirs.

    Returns
    -------
    Result
        Its ``status`` is ERROR where no light curve can be had, with the reason; a wrong *request* raises instead.

    Raises
    ------
    InputError
        If a setting is impossible or the mask does not fit.
    ProductError
        If a file is missing, damaged, or no target pixel file.

    Examples
    --------
    >>> from tessellar.photometry import measure
    >>> result = measure("tess2018206045859-s0001-0000000025155310-0120-s_tp.fits")  # doctest: +SKIP
    >>> result.status, result.write(".")  # doctest: +SKIP
    """
    from tessellar.products import read_target_pixels

    mask: str | NDArray[Any]
    name = ""
    inputs: list[Path] = []
    if isinstance(aperture, Path) or (isinstance(aperture, str) and _looks_like_a_path(aperture)):
        mask, name = load_mask(aperture), Path(aperture).name
        inputs = [Path(aperture)]
    else:
        mask = aperture
    settings = Settings(
        aperture=mask, quality=quality, sigma=sigma, missing=missing, zero_point=zero_point, aperture_name=name
    )
    chosen = get_method(method)
    model = read_target_pixels(tpf) if isinstance(tpf, str | Path) else tpf
    result = chosen.run(TargetPixelSource(model).window(), target_of(model), stars, settings)
    return result.with_inputs(model.path, *inputs, about=_about(model))


def _looks_like_a_path(text: str) -> bool:
    """Whether `text` is a file and not a misspelt word: words have neither a dot nor a slash."""
    return "." in text or "/" in text or Path(text).is_file()


def target_of(tpf: TargetPixelFile) -> Target:
    """What the headers of a target pixel file tell of its star."""
    crowdsap = tpf.table_keys.get("CROWDSAP")
    return Target(
        tic=tpf.tic,
        tmag=_known(tpf.tmag),
        ra=_known(tpf.ra),
        dec=_known(tpf.dec),
        crowdsap=_known(crowdsap) if isinstance(crowdsap, int | float) else None,
    )


def _about(tpf: TargetPixelFile) -> dict[str, Any]:
    frames = tpf.table_keys.get("NUM_FRM")
    return {
        "data_release": tpf.data_release,
        "simulated": tpf.simulated,
        "num_frm": frames if isinstance(frames, int) else None,
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
