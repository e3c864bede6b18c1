"""The loop of the linear fit that all time goes into, compiled by numba; `fit_frames_plainly` is its twin in NumPy."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np


@cache
def frame_solver() -> Any:
    """The compiled loop over frames."""
    from numba import njit

    # NaN is looked for, so that not all of fast mathematics is allowed.
    return njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})(_solve_frames)


def _solve_frames(images, variances, boxes, bottoms, lefts, shifts, weights, held, centre, wanted, flux, variance):  # type: ignore[no-untyped-def]
    """Draw, add up, solve, frame by frame. Compiled by numba."""
    frames, high, wide = images.shape
    stars, terms = len(bottoms), len(held)
    side = boxes.shape[2]
    # First and last row and column of each star's light; a constant is everywhere.
    span = np.zeros((terms, 4), np.int64)
    for a in range(terms):
        span[a, 1], span[a, 3] = high, wide
        if a < stars:
            span[a, 0], span[a, 1] = max(0, bottoms[a]), max(min(high, bottoms[a] + side), max(0, bottoms[a]))
            span[a, 2], span[a, 3] = max(0, lefts[a]), max(min(wide, lefts[a] + side), max(0, lefts[a]))
    light, pulled = np.ones((terms, high, wide)), np.zeros((terms, high, wide))
    now, data = np.zeros((high, wide)), np.zeros((high, wide))
    normal, right, unit = np.zeros((terms, terms)), np.zeros(terms), np.zeros(terms)
    for frame in range(frames):
        for j in range(high):
            for k in range(wide):
                known = np.isfinite(images[frame, j, k])
                now[j, k] = weights[j, k] if known else 0.0
                data[j, k] = images[frame, j, k] if known else 0.0
        for a in range(terms):
            if a < stars:
                x, y = shifts[frame, a, 0], shifts[frame, a, 1]
                xx, xy, yy = x * x, x * y, y * y
                for j in range(span[a, 0], span[a, 1]):
                    p = j - bottoms[a]
                    for k in range(span[a, 2], span[a, 3]):
                        q = k - lefts[a]
                        light[a, j, k] = (
                            boxes[a, 0, p, q]
                            + x * boxes[a, 1, p, q]
                            + y * boxes[a, 2, p, q]
                            + xx * boxes[a, 3, p, q]
                            + xy * boxes[a, 4, p, q]
                            + yy * boxes[a, 5, p, q]
                        )
            total = 0.0
            for j in range(span[a, 0], span[a, 1]):
                for k in range(span[a, 2], span[a, 3]):
                    pulled[a, j, k] = now[j, k] * light[a, j, k]
                    total += pulled[a, j, k] * data[j, k]
            right[a] = total + held[a] * centre[a]
            for b in range(a + 1):
                total = 0.0
                for j in range(max(span[a, 0], span[b, 0]), min(span[a, 1], span[b, 1])):
                    for k in range(max(span[a, 2], span[b, 2]), min(span[a, 3], span[b, 3])):
                        total += pulled[a, j, k] * light[b, j, k]
                normal[a, b] = total
            normal[a, a] += held[a]
        # Cholesky, in the lower half.
        solvable = True
        for a in range(terms):
            most = normal[a, a]
            for b in range(a + 1):
                total = normal[a, b]
                for c in range(b):
                    total -= normal[a, c] * normal[b, c]
                if a == b:
                    if not total > 1.0e-13 * most:
                        solvable = False
                        break
                    normal[a, a] = np.sqrt(total)
                else:
                    normal[a, b] = total / normal[b, b]
            if not solvable:
                break
        if not solvable:
            flux[frame] = np.nan
            variance[frame] = np.nan
            continue
        for number in range(-1, len(wanted)):
            if number < 0:
                unit[:] = right
            else:
                unit[:] = 0.0
                unit[wanted[number]] = 1.0
            for a in range(terms):
                total = unit[a]
                for b in range(a):
                    total -= normal[a, b] * unit[b]
                unit[a] = total / normal[a, a]
            for a in range(terms - 1, -1, -1):
                total = unit[a]
                for b in range(a + 1, terms):
                    total -= normal[b, a] * unit[b]
                unit[a] = total / normal[a, a]
            if number < 0:
                flux[frame] = unit
                continue
            # What each pixel counts for in this flux; `data` is not needed any more.
            data[:] = 0.0
            for a in range(terms):
                for j in range(span[a, 0], span[a, 1]):
                    for k in range(span[a, 2], span[a, 3]):
                        data[j, k] += unit[a] * pulled[a, j, k]
            total = 0.0
            for j in range(high):
                for k in range(wide):
                    if now[j, k] > 0.0:
                        total += data[j, k] * data[j, k] * variances[frame, j, k]
            variance[frame, number] = total
