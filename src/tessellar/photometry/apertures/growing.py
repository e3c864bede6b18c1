"""The steps by which optimal masks grow: kernels for many stars at once, and the same in plain NumPy.

All take, of every star's box: ``terms`` (n, 5, side, side) with variance, others' light, the two slopes of all light,
and the star's share; ``free`` (n, side, side), the pixels that may be taken; ``weights`` (3,), of which the second and
third multiply the squares of others' light and of slopes; ``minimum`` pixels; and ``masks`` (n, side, side), which they
fill. `tessellar.photometry.apertures.optimal` says what J is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Growing goes on for so many pixels after the best mask, in case a better one comes.
_PATIENCE = 10
# Pixels taken in or left out at the most, once a mask has grown.
_CHANGES = 40

_OUT, _EDGE, _IN, _NEVER = 0, 1, 2, 3


@cache
def kernels() -> tuple[Any, Any]:
    """`_grow` and `_improve`, compiled."""
    from numba import njit

    jit = njit(cache=True, nogil=True)
    return jit(_grow), jit(_improve)


def _grow(terms, free, weights, minimum, masks):  # type: ignore[no-untyped-def]
    """Grow the mask of every star. Compiled by numba; `grow_in_numpy` takes the same steps."""
    side = free.shape[1]
    pixels = side * side
    state = np.empty(pixels, np.int8)
    edge, order = np.empty(pixels, np.int64), np.empty(pixels, np.int64)
    for star in range(len(terms)):
        variance, others, share = terms[star, 0].ravel(), terms[star, 1].ravel(), terms[star, 4].ravel()
        usable = free[star].ravel()
        first = -1
        for at in range(pixels):
            state[at] = 0 if usable[at] else 3
            if usable[at] and (first < 0 or share[at] > share[first]):
                first = at
        if first < 0:
            continue
        edge[0], edges = first, 1
        state[first] = 1
        noise, foreign, held = 0.0, 0.0, 0.0
        size, best_size, best = 0, 0, np.inf
        while edges > 0:
            pick, least = 0, np.inf
            for number in range(edges):
                at = edge[number]
                inside, stray = max(held + share[at], 1e-12), foreign + others[at]
                value = (noise + variance[at] + weights[1] * (stray * stray)) / (inside * inside)
                if value < least or (value == least and at < edge[pick]):
                    pick, least = number, value
            at = edge[pick]
            edges -= 1
            edge[pick] = edge[edges]
            state[at] = 2
            order[size] = at
            size += 1
            noise, foreign, held = noise + variance[at], foreign + others[at], held + share[at]
            if size <= minimum or least < best:
                best, best_size = least, size
            elif size - best_size >= _PATIENCE:
                break
            for step in range(4):
                near = at + (-side if step == 0 else side if step == 1 else -1 if step == 2 else 1)
                if near < 0 or near >= pixels or (step > 1 and near // side != at // side):
                    continue
                if state[near] == 0:
                    state[near] = 1
                    edge[edges] = near
                    edges += 1
        for number in range(best_size):
            masks[star, order[number] // side, order[number] % side] = True


def _improve(terms, free, weights, minimum, masks):  # type: ignore[no-untyped-def]
    """Take pixels in and leave them out while J gets smaller. Compiled by numba; twin: `improve_in_numpy`."""
    side = free.shape[1]
    high, wide = side - 1, side - 1
    tried, reached = np.empty((side, side), np.bool_), np.empty((side, side), np.bool_)
    stack = np.empty((side * side, 2), np.int64)
    for star in range(len(terms)):
        mask, term = masks[star], terms[star]
        sums = np.zeros(5)
        size = 0
        for j in range(side):
            for k in range(side):
                if mask[j, k]:
                    size += 1
                    for number in range(5):
                        sums[number] += term[number, j, k]
        inside = max(sums[4], 1e-12)
        best = sums[0] + weights[1] * (sums[1] * sums[1]) + weights[2] * (sums[2] * sums[2] + sums[3] * sums[3])
        best = best / (inside * inside)
        for _ in range(_CHANGES if size > 0 else 0):
            tried[:] = False
            while True:
                at_row, at_col, least = -1, -1, best * (1 - 1e-9)
                for j in range(side):
                    for k in range(side):
                        taken = mask[j, k]
                        if not free[star, j, k] or tried[j, k] or (taken and size <= minimum):
                            continue
                        if not taken and not (
                            (j > 0 and mask[j - 1, k]) or (j < high and mask[j + 1, k])
                            or (k > 0 and mask[j, k - 1]) or (k < wide and mask[j, k + 1])
                        ):  # fmt: skip
                            continue
                        sign = -1.0 if taken else 1.0
                        inside = max(sums[4] + sign * term[4, j, k], 1e-12)
                        stray = sums[1] + sign * term[1, j, k]
                        dx, dy = sums[2] + sign * term[2, j, k], sums[3] + sign * term[3, j, k]
                        value = sums[0] + sign * term[0, j, k] + weights[1] * (stray * stray)
                        value = (value + weights[2] * (dx * dx + dy * dy)) / (inside * inside)
                        if value < least:
                            at_row, at_col, least = j, k, value
                if at_row < 0 or not mask[at_row, at_col]:
                    break
                # Is what is left without it one piece?
                mask[at_row, at_col] = False
                reached[:] = False
                left, count = 0, 0
                for j in range(side):
                    for k in range(side):
                        if left == 0 and count == 0 and mask[j, k]:
                            reached[j, k] = True
                            stack[0, 0], stack[0, 1], left = j, k, 1
                while left > 0:
                    left -= 1
                    count += 1
                    j, k = stack[left]
                    for step in range(4):
                        row = j + (-1 if step == 0 else 1 if step == 1 else 0)
                        col = k + (-1 if step == 2 else 1 if step == 3 else 0)
                        if 0 <= row < side and 0 <= col < side and mask[row, col] and not reached[row, col]:
                            reached[row, col] = True
                            stack[left, 0], stack[left, 1] = row, col
                            left += 1
                mask[at_row, at_col] = True
                if count == size - 1:
                    break
                tried[at_row, at_col] = True
            if at_row < 0:
                break
            sign = -1.0 if mask[at_row, at_col] else 1.0
            for number in range(5):
                sums[number] += sign * term[number, at_row, at_col]
            size += 1 if sign > 0 else -1
            mask[at_row, at_col] = sign > 0
            best = least


def _criterion(summed: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    noise, stray, dx, dy, held = summed
    value = noise + weights[1] * (stray * stray) + weights[2] * (dx * dx + dy * dy)
    held = np.maximum(held, 1e-12)
    return np.asarray(value / (held * held))


def grow_in_numpy(
    terms: NDArray[np.float64],
    free: NDArray[np.bool_],
    weights: NDArray[np.float64],
    minimum: int,
    masks: NDArray[np.bool_],
) -> None:
    """Grow the mask of every star, as `_grow` does."""
    still = np.array([weights[0], weights[1], 0.0])
    for star in np.flatnonzero(free.any(axis=(1, 2))):
        state = np.where(free[star], _OUT, _NEVER)
        state.flat[int(np.argmax(np.where(free[star], terms[star, 4], -np.inf)))] = _EDGE
        summed = np.zeros(5)
        order: list[tuple[int, int]] = []
        best, best_size = np.inf, 0
        while (state == _EDGE).any():
            value = np.where(state == _EDGE, _criterion(summed[:, None, None] + terms[star], still), np.inf)
            row, col = divmod(int(np.argmin(value)), state.shape[1])
            order.append((row, col))
            summed = summed + terms[star, :, row, col]
            state[row, col] = _IN
            if len(order) <= minimum or value[row, col] < best:
                best, best_size = float(value[row, col]), len(order)
            elif len(order) - best_size >= _PATIENCE:
                break
            for near in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
                if 0 <= near[0] < state.shape[0] and 0 <= near[1] < state.shape[1] and state[near] == _OUT:
                    state[near] = _EDGE
        for row, col in order[:best_size]:
            masks[star, row, col] = True


def improve_in_numpy(
    terms: NDArray[np.float64],
    free: NDArray[np.bool_],
    weights: NDArray[np.float64],
    minimum: int,
    masks: NDArray[np.bool_],
) -> None:
    """Take pixels in and leave them out while J gets smaller, as `_improve` does."""
    from scipy.ndimage import binary_dilation, label

    for star in np.flatnonzero(masks.any(axis=(1, 2))):
        mask = masks[star]
        summed = np.zeros(5)
        for row, col in np.argwhere(mask):
            summed = summed + terms[star, :, row, col]
        best = float(_criterion(summed, weights))
        for _ in range(_CHANGES):
            allowed = free[star] & binary_dilation(mask) & ((mask.sum() > minimum) | ~mask)
            sign = np.where(mask, -1.0, 1.0)
            value = np.where(allowed, _criterion(summed[:, None, None] + sign * terms[star], weights), np.inf)
            least = best * (1 - 1e-9)
            for at in np.argsort(value, axis=None, kind="stable"):
                row, col = divmod(int(at), mask.shape[1])
                changed = mask.copy()
                changed[row, col] ^= True
                if value[row, col] >= least or not mask[row, col] or label(changed)[1] == 1:
                    break
            if value[row, col] >= least:
                break
            summed = summed + sign[row, col] * terms[star, :, row, col]
            mask[:] = changed
            best = float(value[row, col])
