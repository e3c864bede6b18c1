"""How a measurement ended, and what is known of each cadence of it."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class STATUS(IntEnum):
    """Outcome of the photometry of one star.

    Examples
    --------
    >>> from tessellar.photometry import STATUS
    >>> STATUS.WARNING.has_light_curve, STATUS.ERROR.has_light_curve
    (True, False)
    """

    UNKNOWN = 0
    """Not started."""
    OK = 1
    """Everything went well."""
    ERROR = 2
    """No light curve can be had; the reason says why."""
    WARNING = 3
    """There is a light curve, but look at the reason before trusting it."""
    ABORT = 4
    """Stopped before it was done."""
    SKIPPED = 5
    """Not measured on purpose, for example because a brighter star's light curve holds this star."""
    STARTED = 6
    """Running."""

    @property
    def has_light_curve(self) -> bool:
        """Whether a light curve comes with this status."""
        return self in (STATUS.OK, STATUS.WARNING)


class PixelQuality(IntFlag):
    """Bits of the PIXEL_QUALITY column: what was missing inside the mask in one cadence. 0 is good."""

    MISSING_PIXEL = 1
    """A pixel of the mask has no value."""
    MISSING_ERROR = 2
    """A pixel of the mask has no uncertainty, so FLUX_ERR is NaN."""
    MISSING_BACKGROUND = 4
    """The background of the mask is not known, so FLUX_BKG is NaN."""
    MISSING_CENTROID = 8
    """No pixel of the mask has positive flux, so MOM_CENTR1 and MOM_CENTR2 are NaN."""
    ALL_MISSING = 16
    """No pixel of the mask has a value."""
    BACKGROUND_JUMP = 32
    """The background jumped in a pixel of the mask (`tessellar.pixels.PixelFlag`); the flux may have a step."""
    EXCLUDED = 64
    """A pixel of the mask is one that the mission's table of exclusions names."""
