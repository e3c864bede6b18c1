"""TESScut: cut-outs of the full-frame images, made to order.

Which sectors a position was observed in is asked with a form; a cut-out is a
file behind a URL that says all about it, so that it is fetched like any other.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from tessellar import config
from tessellar.archives.answers import Answers
from tessellar.errors import InputError, UnexpectedReply
from tessellar.net import Remote, Reply, Transport, run
from tessellar.net.retry import retrying
from tessellar.targets import Field

COLLECTION = "TESScut"
MOST_PIXELS = 10_000  # more than the service makes in one cut-out


class CutoutService:
    """TESScut of one archive.

    Parameters
    ----------
    base : str
        URL of the archive without a path.
    settings : Settings, optional
        By default those that hold now.
    """

    def __init__(self, base: str, settings: config.Settings | None = None) -> None:
        self._url = f"{base.rstrip('/')}/tesscut/api/v0.1"
        self._settings = settings or config.load()

    def fields(self, ra: float, dec: float, radius: float = 0.0) -> list[Field]:
        """Return the CCDs on which a position (ICRS, degrees), or a circle around it, was observed, by sector.

        Raises
        ------
        ArchiveError
            If the service cannot be reached or answers nonsense.
        """
        return run(self._ask_fields({"ra": repr(ra), "dec": repr(dec), "radius": repr(radius)}))

    def cutout(self, ra: float, dec: float, sector: int, rows: int, columns: int) -> Remote:
        """Say where the cut-out around a position is: a zip file; asks nobody.

        Parameters
        ----------
        ra, dec : float
            Centre, ICRS, degrees.
        sector : int
            A position near an edge can be on two CCDs of a sector: the zip file has both.
        rows, columns : int
            Pixels.

        Raises
        ------
        InputError
            If the service makes none of this size.
        """
        if rows < 1 or columns < 1 or rows * columns >= MOST_PIXELS:
            raise InputError(
                f"a cut-out of {columns} x {rows} pixels cannot be had: TESScut makes less than {MOST_PIXELS} pixels"
            )
        asked = {"x": columns, "y": rows, "units": "px", "sector": sector, "ra": repr(ra), "dec": repr(dec)}
        place = f"{ra:.6f}_{dec:.6f}_{columns}x{rows}"
        return Remote(
            uri=f"tesscut:s{sector:04d}_{place}",
            url=f"{self._url}/astrocut?{urlencode(asked)}",
            filename=f"tess-s{sector:04d}_{place}_astrocut.zip",
            collection=COLLECTION,
            obs_id=place,
        )

    async def _ask_fields(self, form: dict[str, str]) -> list[Field]:
        url, answers = f"{self._url}/sector", Answers(self._settings)
        asked = {"archive": url, **form}
        kept = answers.recall(asked)
        if kept is None:
            async with Transport(self._settings) as transport:
                reply: Reply = await retrying(self._settings)(transport.post_form, url, form)
            kept = answers.keep(asked, _read_fields(reply))
        return sorted({Field(*each) for each in kept.value})


def _read_fields(reply: Reply) -> list[tuple[int, int, int]]:
    """Read the answer of the service, whose numbers are texts."""
    try:
        answer: dict[str, Any] = json.loads(reply.body)
        results = answer["results"]
        return [(int(each["sector"]), int(each["camera"]), int(each["ccd"])) for each in results]
    except (ValueError, KeyError, TypeError) as error:
        told = reply.body[:80].decode("utf-8", "replace").strip().replace("\n", " ")
        raise UnexpectedReply(f"{reply.url} did not answer as TESScut does, but {told!r}", url=reply.url) from error
