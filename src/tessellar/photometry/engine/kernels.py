"""The sums that all time goes into: arrays in, arrays out, compiled by numba, each with a twin in plain NumPy.

Pixels are laid by time, ``(pixels, n)``: the inner loop of every kernel runs over
consecutive frames of one pixel, which is what processors do best. Frames are taken in
pieces so short that what is summed stays in the first cache. A kernel works on the stars
``first`` to ``last`` and frees the interpreter's lock, so that threads share the stars.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
#: Frames that a kernel takes at a time: of apertures, so that its seven sums stay in the first cache; and of fits,
#: which have more in hand.
SWEEP, PIECE = 512, 256
#: Rows of what `mask_sums` gives.
SUMS = ("flux", "variance", "light", "column", "row", "missing", "peak")


@cache
def compiled(name: str) -> Any:
    """Give one of the kernels of this module, compiled."""
    from numba import njit

    # NaN marks a missing pixel, so that only those liberties are taken that leave NaN alone.
    return njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})(globals()[name])


def weighted_sums(pixels, indptr, indices, weights, first, last, out):  # type: ignore[no-untyped-def]
    """Sum of each star's pixels with weights: one aperture, of any shape.

    Parameters
    ----------
    pixels : float32 array (pixels, n)
    indptr, indices : int64 arrays (stars + 1,), (entries,)
        Star s has the pixels ``indices[indptr[s]:indptr[s + 1]]``.
    weights : float32 array (entries,)
    first, last : int
        Stars to do, the last not included.
    out : float32 array (stars, n)
    """
    count = pixels.shape[1]
    for star in range(first, last):
        begin, end = indptr[star], indptr[star + 1]
        for start in range(0, count, SWEEP):
            stop = min(start + SWEEP, count)
            out[star, start:stop] = 0.0
            at = begin
            while at + 4 <= end:
                w0, w1, w2, w3 = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
                p0, p1, p2, p3 = indices[at], indices[at + 1], indices[at + 2], indices[at + 3]
                for t in range(start, stop):
                    out[star, t] += (w0 * pixels[p0, t] + w1 * pixels[p1, t]) + (
                        w2 * pixels[p2, t] + w3 * pixels[p3, t]
                    )
                at += 4
            while at < end:
                w0, p0 = weights[at], indices[at]
                for t in range(start, stop):
                    out[star, t] += w0 * pixels[p0, t]
                at += 1


def weighted_sums_plain(
    pixels: Float, indptr: NDArray[np.int64], indices: NDArray[np.int64], weights: Float, first: int, last: int,
    out: Float,
) -> None:  # fmt: skip
    """Sum as `weighted_sums` does."""
    for star in range(first, last):
        part = slice(indptr[star], indptr[star + 1])
        out[star] = weights[part].astype(np.float64) @ pixels[indices[part]]


def mask_sums(pixels, indptr, indices, across, along, sky, read, time, first, last, out):  # type: ignore[no-untyped-def]
    """All that a light curve takes from a mask of pixels, in one sweep.

    Parameters
    ----------
    pixels : float32 array (pixels, n)
        NaN where one is missing.
    indptr, indices : int64 arrays (stars + 1,), (entries,)
        Pixels of each star's mask.
    across, along : float32 arrays (entries,)
        Columns and rows from the star's own pixel to each of them.
    sky : float32 array (stars, n)
        Background that was taken off the mask, e-/s.
    read : float32 array (stars,)
        What reading adds to the noise of the mask, as light, e-/s.
    time : float
        Seconds by which light is divided to be variance.
    first, last : int
        Stars to do, the last not included.
    out : float32 array (7, stars, n)
        See `SUMS`: sum of the pixels; its variance; then of the pixels that are not missing the sum of
        those above 0, and that times column and row; the number that is missing; the brightest, one
        that is missing being 0. Where one is missing,
        flux and variance are NaN.
    """
    count = pixels.shape[1]
    per_time = np.float32(1.0 / time)
    for star in range(first, last):
        begin, end = indptr[star], indptr[star + 1]
        for start in range(0, count, SWEEP):
            stop = min(start + SWEEP, count)
            size = stop - start
            flux, variance, light = out[0, star, start:stop], out[1, star, start:stop], out[2, star, start:stop]
            columns, rows = out[3, star, start:stop], out[4, star, start:stop]
            missing, peak = out[5, star, start:stop], out[6, star, start:stop]
            for t in range(size):
                flux[t] = light[t] = columns[t] = rows[t] = missing[t] = np.float32(0.0)
                peak[t] = np.float32(-np.inf)
            for at in range(begin, end):
                x, y = across[at], along[at]
                pixel = pixels[indices[at], start:stop]
                for t in range(size):
                    value = pixel[t]
                    absent = value != value
                    there = np.float32(0.0) if absent else value
                    positive = max(there, np.float32(0.0))
                    flux[t] += there
                    light[t] += positive
                    columns[t] += positive * x
                    rows[t] += positive * y
                    missing[t] += np.float32(1.0) if absent else np.float32(0.0)
                    peak[t] = max(peak[t], there)
            for t in range(size):
                if missing[t] > 0:
                    flux[t] = np.nan
                variance[t] = (max(flux[t] + sky[star, start + t], np.float32(0.0)) + read[star]) * per_time
                if missing[t] > 0:
                    variance[t] = np.nan


def mask_sums_plain(
    pixels: Float, indptr: NDArray[np.int64], indices: NDArray[np.int64], across: Float, along: Float, sky: Float,
    read: Float, time: float, first: int, last: int, out: Float,
) -> None:  # fmt: skip
    """Sum as `mask_sums` does."""
    for star in range(first, last):
        part = slice(indptr[star], indptr[star + 1])
        values = pixels[indices[part]].astype(np.float64)
        missing = np.isnan(values).sum(axis=0)
        flux = values.sum(axis=0)
        there = np.nan_to_num(values)
        light = np.maximum(there, 0.0)
        variance = (np.maximum(flux + sky[star], 0.0) + read[star]) / time
        out[:6, star] = flux, variance, light.sum(0), across[part] @ light, along[part] @ light, missing
        out[6, star] = there.max(axis=0) if len(there) else -np.inf


def projections(pixels, begin, wide, boxes, bottoms, lefts, reaches, offsets, motion, first, last, out):  # type: ignore[no-untyped-def]
    """Project the pixels on each star's response, moved to first order with the star: right-hand sides.

    Parameters
    ----------
    pixels : float32 array (rows * wide, all frames)
    begin : int
        First frame to take.
    wide : int
        Columns of the image.
    boxes : float32 array (stars, 3, side, side)
        Response and its slopes along columns and rows, weighted; 0 where a pixel does not count or is outside.
    bottoms, lefts : int64 array (stars,)
        Row and column of each box's first pixel in the image.
    reaches : int64 array (stars,)
        Pixels about the middle of its box that are used.
    offsets : float32 array (stars, 2)
        Place of each star from where the motion is told, px.
    motion : float32 array (6, n)
        Movement in columns and rows there, then its slopes: of the first along columns and rows, of the second.
    first, last : int
        Stars to do, the last not included.
    out : float32 array (stars, n)
    """
    count = out.shape[1]
    high = pixels.shape[0] // wide
    middle = boxes.shape[2] // 2
    dx, dy, total = np.empty(PIECE, np.float32), np.empty(PIECE, np.float32), np.empty(PIECE, np.float32)
    for star in range(first, last):
        reach, box = reaches[star], boxes[star]
        j0, j1 = max(middle - reach, -bottoms[star]), min(middle + reach + 1, high - bottoms[star])
        k0, k1 = max(middle - reach, -lefts[star]), min(middle + reach + 1, wide - lefts[star])
        x, y = offsets[star, 0], offsets[star, 1]
        for start in range(0, count, PIECE):
            size = min(PIECE, count - start)
            for t in range(size):
                u = start + t
                dx[t] = motion[0, u] + motion[2, u] * x + motion[3, u] * y
                dy[t] = motion[1, u] + motion[4, u] * x + motion[5, u] * y
                total[t] = 0.0
            early, late = begin + start, begin + start + size
            for j in range(j0, j1):
                base = (bottoms[star] + j) * wide + lefts[star]
                k = k0
                while k + 3 <= k1:
                    a0, a1, a2 = box[0, j, k], box[0, j, k + 1], box[0, j, k + 2]
                    b0, b1, b2 = box[1, j, k], box[1, j, k + 1], box[1, j, k + 2]
                    c0, c1, c2 = box[2, j, k], box[2, j, k + 1], box[2, j, k + 2]
                    p0, p1 = pixels[base + k, early:late], pixels[base + k + 1, early:late]
                    p2 = pixels[base + k + 2, early:late]
                    for t in range(size):
                        u, v = dx[t], dy[t]
                        w0, w1, w2 = a0 + u * b0 + v * c0, a1 + u * b1 + v * c1, a2 + u * b2 + v * c2
                        total[t] += w0 * p0[t] + w1 * p1[t] + w2 * p2[t]
                    k += 3
                while k < k1:
                    a0, b0, c0 = box[0, j, k], box[1, j, k], box[2, j, k]
                    p0 = pixels[base + k, early:late]
                    for t in range(size):
                        total[t] += (a0 + dx[t] * b0 + dy[t] * c0) * p0[t]
                    k += 1
            for t in range(size):
                out[star, start + t] = total[t]


def projections_plain(
    pixels: Float, begin: int, wide: int, boxes: Float, bottoms: NDArray[np.int64], lefts: NDArray[np.int64],
    reaches: NDArray[np.int64], offsets: Float, motion: Float, first: int, last: int, out: Float,
) -> None:  # fmt: skip
    """Project as `projections` does."""
    cube = pixels.reshape(-1, wide, pixels.shape[1])[:, :, begin : begin + out.shape[1]]
    middle = boxes.shape[2] // 2
    for star in range(first, last):
        low, top = middle - reaches[star], middle + reaches[star] + 1
        j0, j1 = max(low, -bottoms[star]), min(top, len(cube) - bottoms[star])
        k0, k1 = max(low, -lefts[star]), min(top, wide - lefts[star])
        part = cube[bottoms[star] + j0 : bottoms[star] + j1, lefts[star] + k0 : lefts[star] + k1]
        sums = np.einsum("ajk,jkt->at", boxes[star, :, j0:j1, k0:k1].astype(np.float64), part)
        dx, dy = moved(motion, offsets[star])
        out[star] = sums[0] + dx * sums[1] + dy * sums[2]


def moved(motion: Float, offset: Float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Movement of one star, columns and rows, of `projections`' motion and offsets."""
    m, (x, y) = motion.astype(np.float64), offset.astype(np.float64)
    return m[0] + m[2] * x + m[3] * y, m[1] + m[4] * x + m[5] * y


def products(fluxes, indptr, indices, matrix, offsets, motion, first, last, out):  # type: ignore[no-untyped-def]
    """Take from each star what all stars' light projects on its response: ``out -= N(t) fluxes``.

    The normal matrix changes with the motion: to third order in the star's own movement, and to first order in what
    its neighbour moves otherwise.

    Parameters
    ----------
    fluxes : float32 array (stars, n)
    indptr, indices : int64 arrays (stars + 1,), (entries,)
        Neighbours of each star, itself among them.
    matrix : float32 array (entries, 12)
        Of each pair: the product of the responses, its slopes with dx and dy, its terms in dx^2, dx dy and dy^2, and
        its slopes with the neighbour's own dx and dy, and its terms in dx^3, dx^2 dy, dx dy^2, dy^3.
    offsets, motion
        As for `projections`.
    first, last : int
        Stars to do, the last not included.
    out : float32 array (stars, n)
    """
    count = fluxes.shape[1]
    dx, dy, taken = np.empty(PIECE, np.float32), np.empty(PIECE, np.float32), np.empty(PIECE, np.float32)
    for star in range(first, last):
        x, y = offsets[star, 0], offsets[star, 1]
        for start in range(0, count, PIECE):
            size = min(PIECE, count - start)
            mxx, mxy = motion[2, start : start + size], motion[3, start : start + size]
            myx, myy = motion[4, start : start + size], motion[5, start : start + size]
            for t in range(size):
                dx[t] = motion[0, start + t] + mxx[t] * x + mxy[t] * y
                dy[t] = motion[1, start + t] + myx[t] * x + myy[t] * y
                taken[t] = 0.0
            for at in range(indptr[star], indptr[star + 1]):
                other = indices[at]
                light = fluxes[other, start : start + size]
                u, v = offsets[other, 0] - x, offsets[other, 1] - y
                m0, m1, m2 = matrix[at, 0], matrix[at, 1], matrix[at, 2]
                m3, m4, m5 = matrix[at, 3], matrix[at, 4], matrix[at, 5]
                c0, c1, c2, c3 = matrix[at, 8], matrix[at, 9], matrix[at, 10], matrix[at, 11]
                xx, xy, yx, yy = matrix[at, 6] * u, matrix[at, 6] * v, matrix[at, 7] * u, matrix[at, 7] * v
                for t in range(size):
                    a, b = dx[t], dy[t]
                    near = m0 + a * (m1 + a * (m3 + a * c0 + b * c1) + b * m4) + b * (m2 + b * (m5 + a * c2 + b * c3))
                    apart = (xx * mxx[t] + xy * mxy[t]) + (yx * myx[t] + yy * myy[t])
                    taken[t] += light[t] * (near + apart)
            for t in range(size):
                out[star, start + t] -= taken[t]


def products_plain(
    fluxes: Float, indptr: NDArray[np.int64], indices: NDArray[np.int64], matrix: Float, offsets: Float,
    motion: Float, first: int, last: int, out: Float,
) -> None:  # fmt: skip
    """Subtract as `products` does."""
    for star in range(first, last):
        dx, dy = moved(motion, offsets[star])
        for at in range(indptr[star], indptr[star + 1]):
            own_x, own_y = moved(motion, offsets[indices[at]])
            terms = np.stack([np.ones_like(dx), dx, dy, dx * dx, dx * dy, dy * dy, own_x - dx, own_y - dy,
                              dx**3, dx**2 * dy, dx * dy**2, dy**3])  # fmt: skip
            out[star] -= fluxes[indices[at]] * (matrix[at].astype(np.float64) @ terms)


def tile_steps(residuals, members, inverse, stars, fluxes):  # type: ignore[no-untyped-def]
    """Add to the fluxes of a tile's stars what its inverse makes of the residuals: ``fluxes += inverse residuals``.

    Parameters
    ----------
    residuals : float32 array (stars, n)
    members : int64 array (m,)
        Stars of the tile and its halo.
    inverse : float32 array (c, m)
    stars : int64 array (c,)
        Stars of the tile: the rows of `inverse`.
    fluxes : float32 array (stars, n)
    """
    count = residuals.shape[1]
    size = len(members)
    near = np.empty((size, 64), np.float32)
    step = np.empty(64, np.float32)
    for start in range(0, count, 64):
        width = min(64, count - start)
        for at in range(size):
            for t in range(width):
                near[at, t] = residuals[members[at], start + t]
        for row in range(len(stars)):
            step[:] = 0.0
            at = 0
            while at + 6 <= size:
                w0, w1, w2 = inverse[row, at], inverse[row, at + 1], inverse[row, at + 2]
                w3, w4, w5 = inverse[row, at + 3], inverse[row, at + 4], inverse[row, at + 5]
                for t in range(64):
                    step[t] += (w0 * near[at, t] + w1 * near[at + 1, t] + w2 * near[at + 2, t]) + (
                        w3 * near[at + 3, t] + w4 * near[at + 4, t] + w5 * near[at + 5, t]
                    )
                at += 6
            while at < size:
                w0 = inverse[row, at]
                for t in range(64):
                    step[t] += w0 * near[at, t]
                at += 1
            for t in range(width):
                fluxes[stars[row], start + t] += step[t]


def tile_steps_plain(
    residuals: Float, members: NDArray[np.int64], inverse: Float, stars: NDArray[np.int64], fluxes: Float
) -> None:
    """Add as `tile_steps` does."""
    fluxes[stars] += inverse.astype(np.float64) @ residuals[members]


def time_sums(pixels, frames, total, number):  # type: ignore[no-untyped-def]
    """Add up some frames of each pixel, and count those in which it is not missing.

    Parameters
    ----------
    pixels : float32 array (pixels, n)
    frames : int64 array
    total, number : float64, int32 array (pixels,)
        To add to.
    """
    for at in range(len(pixels)):
        light, there = 0.0, 0
        for frame in frames:
            value = pixels[at, frame]
            if value == value:
                light += value
                there += 1
        total[at] += light
        number[at] += there


def time_sums_plain(
    pixels: Float, frames: NDArray[np.int64], total: NDArray[np.float64], number: NDArray[np.int32]
) -> None:
    """Add up as `time_sums` does."""
    total += np.nansum(pixels[:, frames], axis=1, dtype=np.float64)
    number += np.isfinite(pixels[:, frames]).sum(axis=1, dtype=np.int32)


def count_gaps(pixels, frames, counts):  # type: ignore[no-untyped-def]
    """Count the frames, of some, in which each pixel is missing; nothing is copied.

    Parameters
    ----------
    pixels : float32 array (pixels, n)
    frames : int64 array
    counts : int32 array (pixels,)
        To be filled.
    """
    for at in range(len(pixels)):
        missing = 0
        for frame in frames:
            if pixels[at, frame] != pixels[at, frame]:
                missing += 1
        counts[at] = missing


def count_gaps_plain(pixels: Float, frames: NDArray[np.int64], counts: NDArray[np.int32]) -> None:
    """Count as `count_gaps` does."""
    counts[:] = np.isnan(pixels[:, frames]).sum(axis=1)


def fill_gaps(pixels, first, last):  # type: ignore[no-untyped-def]
    """Set what is missing to 0, in pixels ``first`` to ``last``, in place."""
    for at in range(first, last):
        for frame in range(pixels.shape[1]):
            value = pixels[at, frame]
            pixels[at, frame] = np.float32(0.0) if value != value else value


def fill_gaps_plain(pixels: Float, first: int, last: int) -> None:
    """Fill as `fill_gaps` does."""
    np.nan_to_num(pixels[first:last], copy=False)
