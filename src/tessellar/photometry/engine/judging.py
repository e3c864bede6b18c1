"""Status of many stars at once, and the reasons: those of `photometry.merit.sanity`, in arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.merit.sanity import BRIGHT_TMAG, FLUX_FACTOR
from tessellar.photometry.status import STATUS
from tessellar.photometry.target import ZERO_POINT


def judge(
    table: Mapping[str, NDArray[Any]], doubts: Mapping[str, NDArray[np.bool_]]
) -> tuple[NDArray[np.int8], NDArray[np.object_]]:
    """Judge light curves by their metrics.

    Parameters
    ----------
    table : mapping of str to array (stars,)
        With ``n_good``, ``mean_flux`` and ``tmag``.
    doubts : mapping of str to boolean array (stars,)
        Further reasons for a warning, and the stars that have them.

    Returns
    -------
    (int8 array, object array)
        Of `STATUS`, and the reasons in one line each, "" if all is well.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.engine.judging import judge
    >>> table = {"n_good": np.array([9, 0]), "mean_flux": np.array([150.0, np.nan]), "tmag": np.array([15.0, 15.0])}
    >>> status, reasons = judge(table, {})
    >>> status.tolist(), reasons.tolist()
    ([1, 2], ['', 'no good cadence'])
    """
    flux, tmag = np.asarray(table["mean_flux"], dtype=np.float64), np.asarray(table["tmag"], dtype=np.float64)
    empty = np.asarray(table["n_good"]) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        dark = ~empty & ~(flux > 0)
        ratio = flux / 10 ** (-0.4 * (tmag - ZERO_POINT))
        odd = (flux > 0) & ~((ratio >= 1 / FLUX_FACTOR) & (ratio <= FLUX_FACTOR)) & np.isfinite(tmag)
    wrong = {"no good cadence": empty, "the median flux of a bright star is not positive": dark & (tmag < BRIGHT_TMAG)}
    doubtful = {
        "the median flux is not positive": dark & ~(tmag < BRIGHT_TMAG),
        "the median flux is more than 10 times off what the magnitude promises": odd,
        **{reason: found & ~empty for reason, found in doubts.items()},
    }
    status = np.full(len(flux), STATUS.OK, dtype=np.int8)
    reasons = np.full(len(flux), "", dtype=object)
    for outcome, found in ((STATUS.WARNING, doubtful), (STATUS.ERROR, wrong)):
        for reason, which in found.items():
            status[which] = outcome
            reasons[which] = [f"{before}; {reason}" if before else reason for before in reasons[which]]
    return status, reasons
