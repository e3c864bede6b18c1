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
    stars, terms, size = len(bottoms), len(held), high * wide
    side = boxes.shape[2]
    # First and last column of each star's light, and pixels of its rows, one row after the other, in which loops are
    # long and fast; a constant is everywhere.
    first, last = np.zeros(terms, np.int64), np.full(terms, size)
    left, past = np.zeros(terms, np.int64), np.full(terms, wide)
    planes = np.zeros((stars, 6, size))
    for a in range(stars):
        low, above = max(0, bottoms[a]), max(min(high, bottoms[a] + side), max(0, bottoms[a]))
        left[a], past[a] = max(0, lefts[a]), max(min(wide, lefts[a] + side), max(0, lefts[a]))
        first[a], last[a] = low * wide, above * wide
        for term in range(6):
            for j in range(low, above):
                for k in range(left[a], past[a]):
                    planes[a, term, j * wide + k] = boxes[a, term, j - bottoms[a], k - lefts[a]]
    light, pulled = np.ones((terms, size)), np.zeros((terms, size))
    now, data = np.zeros(size), np.zeros(size)
    normal, right, unit = np.zeros((terms, terms)), np.zeros(terms), np.zeros(terms)
    for frame in range(frames):
        image, noise = images[frame].reshape(size), variances[frame].reshape(size)
        weight = weights.reshape(size)
        for k in range(size):
            known = np.isfinite(image[k])
            now[k] = weight[k] if known else 0.0
            data[k] = image[k] if known else 0.0
        for a in range(terms):
            start, stop = first[a], last[a]
            own, heavy = light[a, start:stop], pulled[a, start:stop]
            if a < stars:
                x, y = shifts[frame, a, 0], shifts[frame, a, 1]
                xx, xy, yy = x * x, x * y, y * y
                p, px, py = planes[a, 0, start:stop], planes[a, 1, start:stop], planes[a, 2, start:stop]
                pxx, pxy, pyy = planes[a, 3, start:stop], planes[a, 4, start:stop], planes[a, 5, start:stop]
                for k in range(len(own)):
                    own[k] = p[k] + x * px[k] + y * py[k] + xx * pxx[k] + xy * pxy[k] + yy * pyy[k]
            here, there = now[start:stop], data[start:stop]
            total = 0.0
            for k in range(len(own)):
                heavy[k] = here[k] * own[k]
                total += heavy[k] * there[k]
            right[a] = total + held[a] * centre[a]
            for b in range(a + 1):
                total = 0.0
                if left[a] < past[b] and left[b] < past[a]:
                    start, stop = max(first[a], first[b]), min(last[a], last[b])
                    if start < stop:
                        mine, other = pulled[a, start:stop], light[b, start:stop]
                        for k in range(len(mine)):
                            total += mine[k] * other[k]
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
                much, heavy, there = unit[a], pulled[a, first[a] : last[a]], data[first[a] : last[a]]
                for k in range(len(heavy)):
                    there[k] += much * heavy[k]
            total = 0.0
            for k in range(size):
                if now[k] > 0.0:
                    total += data[k] * data[k] * noise[k]
            variance[frame, number] = total
