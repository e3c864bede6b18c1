"""The background of frames: smooth sky plus the mean light of stars that are not in the catalogue.

It is kept as nodes, not as images: the levels of tiles, joined by a cubic spline, and
a profile of the corner glow in the distance from the camera's axis. Where the stars
and the response of the pixels are known, their light is taken off first, and the
stars are fitted again on the image without sky: crowding then does not bias it.
Light that a star throws further than its response reaches belongs to the background.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.pixels.nodes import Mesh, fill, levels
from tessellar.pixels.starmodel import StarModel
from tessellar.targets import Field

BOX = 64
#: Pixels above this, e-/s, are never used.
CUTOFF = 8.0e4
# Where the camera's axis meets the plane of each CCD: 1-based column and row, means of the four cameras in
# sector 1 (scatter 10 px). The glow of the corners begins 2400 px from it.
_AXES = {1: (2155.0, 2095.0), 2: (-10.0, 2096.0), 3: (2148.0, 2107.0), 4: (-16.0, 2107.0)}
_GLOW_FROM, _GLOW_STEP = 2400.0, 25.0
# Neighbouring pixels see the same faint stars: this many, the area of the response, count as one.
_CORRELATED = 7.0

# Pixels with glow: flat indices, the knot below each, the share of the next one.
_Lit = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
_NOWHERE: _Lit = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True, eq=False)
class Background:
    """The background of one frame.

    Attributes
    ----------
    nodes, node_errors : float32 array (node rows, node columns)
        Levels and their 1-sigma errors, e-/s; NaN where the whole frame could not be used.
    glow : float32 array (knots,)
        Corner glow at the knots of `Sky.knots`, e-/s; empty where the frame does not reach that far.
    used : boolean array (rows, columns) or None
        Pixels that it was made from.
    sky : Sky
        How it is spread over the pixels.
    """

    nodes: NDArray[np.float32]
    node_errors: NDArray[np.float32]
    glow: NDArray[np.float32]
    sky: Sky
    used: NDArray[np.bool_] | None = None

    @property
    def usable(self) -> bool:
        """Whether the frame had pixels to measure it on."""
        return bool(np.isfinite(self.nodes).all())

    def image(self, rows: slice = slice(None), cols: slice = slice(None)) -> NDArray[np.float32]:
        """Background in some rows and columns of the frame (0-based slices), e-/s."""
        return self.sky.image(self.nodes, self.glow, rows, cols)

    def error(self, rows: slice = slice(None), cols: slice = slice(None)) -> NDArray[np.float32]:
        """1-sigma error of `image`, e-/s; that of pixels in one tile is common to all of them."""
        return self.sky.mesh.errors(self.node_errors, rows, cols)


class Sky:
    """Measures the background of frames of one field.

    Parameters
    ----------
    field : Field
        Its CCD tells where the camera's axis is.
    corner : (int, int)
        CCD column and row of the first pixel, 1-based.
    shape : (int, int)
        Rows and columns of the frames.
    box : int
        Side of a tile, px.
    glow : bool
        Whether the corner glow is measured where the frame reaches further than 2400 px from the camera's axis.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar import Field
    >>> from tessellar.pixels import Sky
    >>> frame = np.random.default_rng(1).normal(120, 1, (256, 256)).astype("f4")
    >>> background = Sky(Field(1, 4, 1), (1000, 1000), frame.shape).measure(frame)
    >>> background.nodes.shape, bool(abs(background.image() - 120).max() < 0.5)
    ((4, 4), True)
    """

    def __init__(
        self, field: Field, corner: tuple[int, int], shape: tuple[int, int], *, box: int = BOX, glow: bool = True
    ) -> None:
        if min(shape) < 2 or box < 8:
            raise InputError(f"a background of {shape[0]} x {shape[1]} pixels in tiles of {box}: too small")
        self.field, self.corner, self.shape = field, corner, shape
        self.mesh = Mesh(shape, box)
        column, row = _AXES[field.ccd]
        x = np.arange(shape[1]) + corner[0] - column
        y = np.arange(shape[0]) + corner[1] - row
        self._square = (x**2, y**2)
        furthest = float(np.sqrt((x**2).max() + (y**2).max()))
        number = int(np.ceil((furthest - _GLOW_FROM) / _GLOW_STEP)) if glow else 0
        #: Distances from the camera's axis, px, at which the glow is known.
        self.knots = _GLOW_FROM + _GLOW_STEP * (np.arange(max(number, 0)) + 0.5)

    def measure(
        self,
        image: NDArray[Any],
        *,
        starlight: NDArray[np.float32] | None = None,
        masked: NDArray[np.bool_] | None = None,
        faintest: float = 60.0,
        rounds: int = 2,
        keep_used: bool = False,
    ) -> Background:
        """Measure the background of a frame.

        Parameters
        ----------
        image : array (rows, columns)
            In e-/s; NaN where missing.
        starlight : array (rows, columns), optional
            Light of the known stars, as `StarModel.image` gives it. Without it the mode of the pixels is taken, which
            a crowded field pulls up.
        masked : boolean array (rows, columns), optional
            Pixels not to use.
        faintest : float
            Flux of the faintest stars in `starlight`, e-/s. The light of fainter ones is background, so that pixels
            which hold half of it are averaged in; what stands out more is left out.
        rounds : int
            Times that tiles and glow are measured, each on what the other leaves.
        keep_used : bool
            Whether to tell which pixels were used.

        Returns
        -------
        Background
            Not `usable` where the frame is all NaN or all zero.

        Raises
        ------
        InputError
            If shapes disagree.
        """
        for name, array in (("image", image), ("starlight", starlight), ("masked", masked)):
            if array is not None and np.shape(array) != self.shape:
                raise InputError(f"{name} has shape {np.shape(array)}, the frames of this field {self.shape}")
        work, usable = _prepared(np.asarray(image), starlight, masked)
        reach = None if starlight is None else 0.5 * faintest
        glow = np.zeros(len(self.knots), dtype=np.float32)
        far = self._far
        for turn in range(rounds if far is not None else 1):
            level, scatter, count = levels(work, usable, self.mesh, reach)
            nodes = fill(level)
            if far is not None and np.isfinite(nodes).all():
                more = self._profile(work, usable, nodes, reach)
                glow = glow + more
                if turn + 1 < rounds:
                    _add_glow(work, -more, self._lit())
        errors = fill(np.asarray(scatter / np.sqrt(np.maximum(count / _CORRELATED, 1)), dtype=np.float32))
        return Background(nodes, errors, glow, self, usable if keep_used else None)

    def image(
        self,
        nodes: NDArray[Any],
        glow: NDArray[Any],
        rows: slice = slice(None),
        cols: slice = slice(None),
    ) -> NDArray[np.float32]:
        """Pixels of a background, e-/s, from its nodes and glow; rows and columns as 0-based slices.

        Of many frames at once, where nodes and glow have an axis of frames before their own.
        """
        surface = self.mesh.surface(nodes, rows, cols)
        images = surface.reshape(-1, *surface.shape[-2:])
        glows = np.broadcast_to(glow, (len(images), np.shape(glow)[-1]))
        bright = np.flatnonzero(np.any(glows, axis=1)) if glows.size else ()
        if len(bright):
            lit = self._lit(rows, cols)
            for index in bright:
                _add_glow(images[index], glows[index], lit)
        return surface

    @cached_property
    def _far(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]] | None:
        """Pixels where the glow is (flat indices, by annulus), where each annulus begins, knot below, share above."""
        if not len(self.knots):
            return None
        across, along = self._square
        distance = np.sqrt(along[:, None] + across[None, :])
        index = np.flatnonzero(distance > _GLOW_FROM)
        ring = ((distance.ravel()[index] - _GLOW_FROM) / _GLOW_STEP).astype(np.int64)
        index = index[np.argsort(ring, kind="stable")]
        bounds = np.concatenate([[0], np.cumsum(np.bincount(ring, minlength=len(self.knots)))])
        below, share = self._knot(distance.ravel()[index])
        return index, bounds, below, share

    def _knot(self, distance: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Of distances from the axis: the knot below, counted with one at 2400 px, and the share of the next one."""
        places = np.concatenate([[_GLOW_FROM], self.knots, [self.knots[-1] + _GLOW_STEP]])
        below = np.clip(np.searchsorted(places, distance, side="right") - 1, 0, len(self.knots))
        share = (distance - places[below]) / (places[below + 1] - places[below])
        return below, np.clip(share, 0.0, 1.0).astype(np.float32)

    def glow_of(self, rows: slice, cols: slice = slice(None)) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Between which knots of the glow pixels lie, 0-based slices: the knot below, -1 where there is no glow.

        Counted with one knot at 2400 px, where the glow is 0, and one beyond the last, where it is as in the last;
        and the share of the next knot.
        """
        across, along = self._square
        distance = np.sqrt(along[rows][:, None] + across[cols][None, :])
        below, share = self._knot(distance)
        return np.where(distance > _GLOW_FROM, below, -1), share

    def _profile(
        self, work: NDArray[np.float32], usable: NDArray[np.bool_], nodes: NDArray[np.float32], reach: float | None
    ) -> NDArray[np.float32]:
        """Level of each annulus over the surface through the nodes."""
        assert self._far is not None
        index, bounds, _, _ = self._far
        rest = work.ravel()[index] - self.mesh.surface(nodes).ravel()[index]
        good = usable.ravel()[index]
        profile = np.zeros(len(self.knots), dtype=np.float32)
        for knot, (begin, end) in enumerate(pairwise(bounds)):
            # An annulus is a tile of one row.
            line = Mesh((1, int(end - begin)), int(end - begin)) if end - begin >= 200 else None
            if line is None:
                continue
            found, _, _ = levels(rest[None, begin:end], good[None, begin:end], line, reach)
            profile[knot] = found[0, 0] if np.isfinite(found[0, 0]) else 0.0
        return profile

    def _lit(self, rows: slice = slice(None), cols: slice = slice(None)) -> _Lit:
        """Pixels with glow (flat indices), the knot below each, the share of the next one."""
        if rows == cols == slice(None):
            if self._far is None:
                return _NOWHERE
            index, _, below, share = self._far
            return index, below, share
        below, share = self.glow_of(rows, cols)
        index = np.flatnonzero(below >= 0)
        return index, below.ravel()[index], share.ravel()[index]


def _add_glow(image: NDArray[np.float32], glow: NDArray[Any], lit: _Lit) -> None:
    index, below, share = lit
    padded = np.concatenate([[0.0], glow, glow[-1:]]).astype(np.float32)
    image.reshape(-1)[index] += padded[below] * (1 - share) + padded[below + 1] * share


def _prepared(
    image: NDArray[Any], starlight: NDArray[np.float32] | None, masked: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A copy of a frame without its starlight, and which of its pixels can be used: none of a dark frame."""
    pixels, usable = np.empty(image.shape, dtype=np.float32), np.empty(image.shape, dtype=bool)
    native = image if image.dtype == np.float32 and image.dtype.isnative else image.astype(np.float32)
    light = np.zeros((0, 0), np.float32) if starlight is None else np.asarray(starlight, np.float32)
    hidden = np.zeros((0, 0), bool) if masked is None else masked
    if not _cleaner()(native, light, hidden, CUTOFF, pixels, usable):
        usable[:] = False
    return pixels, usable


@cache
def _cleaner() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_clean)


def _clean(image, light, hidden, cutoff, pixels, usable):  # type: ignore[no-untyped-def]
    """Copy, subtract, and judge each pixel; tell whether any of the usable ones has light. Compiled by numba."""
    lit = False
    for j in range(image.shape[0]):
        for k in range(image.shape[1]):
            value = image[j, k]
            fine = value < cutoff
            if hidden.size:
                fine = fine and not hidden[j, k]
            usable[j, k] = fine
            if fine and value != 0:
                lit = True
            pixels[j, k] = value - light[j, k] if light.size else value
    return lit


def measure_jointly(
    sky: Sky, image: NDArray[Any], stars: Any, response: Any, *, rounds: int = 3, moves: bool = True
) -> tuple[Background, StarModel]:
    """Measure the background and the stars of one image together.

    The mode of the pixels comes first; the stars are fitted to what is left; the sky is measured again on the image
    without their light; and so on.

    Parameters
    ----------
    sky : Sky
    image : array (rows, columns)
        A frame, or a mean of frames, e-/s.
    stars : StarField
    response : PixelResponse
    rounds : int
        Times that stars and sky are measured.
    moves : bool
        Whether the model of the stars can be moved.

    Returns
    -------
    Background, StarModel

    Raises
    ------
    InputError
        If `rounds` is below 1, or the image is not as large as the sky's frames.
    """
    if rounds < 1:
        raise InputError(f"{rounds} rounds: stars and sky are measured at least once")
    background = sky.measure(image)
    fluxes = None
    for left in reversed(range(rounds)):
        level = float(np.nanmedian(background.nodes)) if background.usable else 0.0
        light = np.asarray(image, dtype=np.float32) - background.image()
        # Later rounds begin where the one before ended.
        settings: dict[str, Any] = {"start": fluxes, "sweeps": 12 if fluxes is None else 6, "moves": moves and not left}
        model = StarModel.fit(light, sky.corner, stars, response, sky=max(level, 1.0), **settings)
        fluxes = model.fluxes
        background = sky.measure(image, starlight=model.image(), masked=model.masked, faintest=model.faintest)
    return background, model
