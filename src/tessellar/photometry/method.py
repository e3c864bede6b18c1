"""What a photometry method is, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.photometry.target import ZERO_POINT

if TYPE_CHECKING:
    from tessellar.photometry.result import Result
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp, Surroundings


APERTURES: Mapping[str, str] = {
    "default": "pipeline where the stamp has it for this star, else watershed where it saturates, else optimal",
    "pipeline": "the mission's own, bit 2 of APERTURE",
    "threshold": "bright connected pixels at the star (`threshold_mask`)",
    "watershed": "bright pixels of the mean image, grouped and divided between the stars (`find_regions`)",
    "optimal": "the pixels with the least noise, from response, neighbours and sky (`choose_apertures`)",
}
"""Kinds of apertures, by the names that `Settings.aperture` takes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """What a user can choose; it goes into the provenance of every light curve.

    Parameters
    ----------
    aperture : {"default", "pipeline", "threshold", "watershed", "optimal"} or array (rows, cols)
        Which pixels to add up; anything but 0 in an array is added. See `APERTURES` for what the words mean.
    quality : str
        Name of a mask of `tessellar.mission.flags`: cadences with one of its flags stay in the light curve, but
        neither metrics nor the mean image use them.
    sigma : float
        For the threshold aperture: how far above the median of the mean image, in robust standard deviations.
    missing : {"nan", "partial"}
        Flux of a cadence that lacks pixels of the mask: NaN, or the sum of the others. PIXEL_QUALITY tells either way.
    zero_point : float
        TESS magnitude of a star that gives 1 e-/s.
    aperture_name : str
        What to call a given mask in headers, for example its file name.

    Raises
    ------
    InputError
        If a value is impossible.
    """

    aperture: str | NDArray[Any] = "default"
    quality: str = "default"
    sigma: float = 3.0
    missing: str = "nan"
    zero_point: float = ZERO_POINT
    aperture_name: str = ""

    def __post_init__(self) -> None:
        from tessellar.mission.flags import MASKS

        if isinstance(self.aperture, str) and self.aperture not in APERTURES:
            raise InputError(
                f"no aperture is called {self.aperture!r}: choose one of {', '.join(APERTURES)}, or give a mask"
            )
        if self.quality not in MASKS:
            raise InputError(f"no quality mask is called {self.quality!r}: choose one of {', '.join(MASKS)}")
        if self.missing not in ("nan", "partial"):
            raise InputError(f"missing={self.missing!r} is not known: choose nan or partial")
        if not self.sigma > 0:
            raise InputError(f"sigma is {self.sigma!r}: it must be above 0")

    @property
    def aperture_kind(self) -> str:
        """A name of `APERTURES`, or ``mask``."""
        return self.aperture if isinstance(self.aperture, str) else "mask"

    def as_record(self) -> dict[str, str | float]:
        """The settings as plain values, for provenance; those that the aperture does not use are left out."""
        record: dict[str, str | float] = {
            "aperture": self.aperture_kind,
            "quality": self.quality,
            "missing": self.missing,
            "zero_point": self.zero_point,
        }
        if self.aperture_kind == "threshold":
            record["sigma"] = self.sigma
        if self.aperture_kind == "mask":
            record["aperture_name"] = self.aperture_name or "array"
        return record


@runtime_checkable
class PhotometryMethod(Protocol):
    """A way to measure how bright a star is. Any object with these two members is one.

    A method reads no file, draws nothing and keeps nothing between stars.
    """

    @property
    def name(self) -> str:
        """Lower-case name, as in file names and the METHOD keyword."""

    def run(self, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings) -> Result:
        """Measure `target` in `stamp`.

        Parameters
        ----------
        stamp : Stamp
        target : Target
        stars : Surroundings, optional
            Stars on and about the stamp, their movement, and the pixel response.
        settings : Settings

        Returns
        -------
        Result
            Also where no light curve can be had: its status is then ERROR, and it has a reason. A method that needs
            more pixels says so in `Result.grow`, and is run again on a larger stamp where there is one.
        """


METHODS: dict[str, Callable[[], PhotometryMethod]] = {}
"""Makers of the known methods by name. Add your own: ``METHODS["mine"] = MyMethod``."""


def get_method(method: str | PhotometryMethod) -> PhotometryMethod:
    """The method of that name, or the object itself if it is one.

    Parameters
    ----------
    method : str or PhotometryMethod
        A name out of `METHODS`, such as "aperture"; or anything with a name and `run`.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> from tessellar.photometry import get_method
    >>> get_method("linpsf").name
    'linpsf'
    """
    if isinstance(method, str):
        if method not in METHODS:
            raise InputError(f"no photometry method is called {method!r}: choose one of {', '.join(METHODS)}")
        return METHODS[method]()
    if not isinstance(method, PhotometryMethod):
        raise InputError(f"{method!r} is not a photometry method: it needs a name and run(stamp, target, ...)")
    return method
