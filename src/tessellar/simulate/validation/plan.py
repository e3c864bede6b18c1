"""Which validation runs there are: of single sectors, of several, and some made again.

The order of processing is that of the run numbers. The first runs of single sectors are older than
the light curves as they are now (`DATE` of the files), all others younger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tessellar.mission.names import build_name
from tessellar.simulate.fields import name_stamp, sector_span

#: Sectors that are searched together: those of one year, from the first seen to the last.
YEAR = 13
# Times in the names of the mission's runs, where known; those of other sectors are half a day after their beginning.
_STAMPS = {1: "2018206190142", 2: "2018235142541", 5: "2018319112539", 8: "2019033200935", 9: "2019059170935"}
_FIRST_RUN = 101
# A run over several sectors is named after the sectors that were searched, not after those in which the star was seen.
_SEARCHED_BEYOND = 4


@dataclass(frozen=True)
class Run:
    """One validation run.

    Attributes
    ----------
    first, last : int
        Sectors of its name.
    sectors : tuple of int
        Those that were observed at all; of a star, those of them that see it.
    number : int
        Of the pipeline's run.
    date : str
        When it was processed, as its time series says.
    """

    first: int
    last: int
    sectors: tuple[int, ...]
    number: int
    date: str

    @property
    def timestamp(self) -> str:
        """As its file names have it."""
        return _STAMPS.get(self.first) or name_stamp(sector_span(self.first)[0] + 0.5)

    def file_name(self, product: str, extension: str, tic: int, planet: int | None = None) -> str:
        """Name one of its files: ``dvt``, ``dvr``, ``dvm``, or ``dvs`` of a planet."""
        return build_name(
            "spoc-dv" if planet is None else "spoc-dvs",
            timestamp=self.timestamp, first=self.first, last=self.last, tic=tic, pin=self.number,
            planet=planet, product=product, extension=extension,
        )  # fmt: skip

    @property
    def list_name(self) -> str:
        """Name of its list of events."""
        return build_name(
            "spoc-tcestats", timestamp=self.timestamp, first=self.first, last=self.last,
            product="dvr-tcestats", extension="csv",
        )  # fmt: skip

    def names(self, tic: int, count: int = 1) -> Iterator[str]:
        """Name all its files on a star with so many events."""
        yield from (self.file_name(product, extension, tic) for product, extension in _PRODUCTS)
        yield from (self.file_name("dvs", "pdf", tic, planet) for planet in range(1, count + 1))


_PRODUCTS = (("dvt", "fits"), ("dvr", "xml"), ("dvr", "pdf"), ("dvm", "pdf"))


def plan_runs(sectors: Sequence[int]) -> tuple[Run, ...]:
    """List the runs over some sectors, in the order of processing.

    Every sector has a run of its own. Several sectors of a year have one over their range, which a
    wider one replaces that found no more sectors in its range. The first sector is done once more
    at the end.

    Examples
    --------
    >>> [(run.first, run.last, run.sectors, run.number) for run in plan_runs([1, 2])]
    [(1, 1, (1,), 101), (2, 2, (2,), 102), (1, 2, (1, 2), 103), (1, 6, (1, 2), 104), (1, 1, (1,), 105)]
    """
    ordered = sorted(set(sectors))
    planned: list[tuple[int, int, tuple[int, ...], str]] = [
        (sector, sector, (sector,), "2019-10-01") for sector in ordered
    ]
    for year in _years(ordered):
        if len(year) > 1:
            planned.append((year[0], year[-1], year, "2020-02-01"))
            planned.append((year[0], year[-1] + _SEARCHED_BEYOND, year, "2020-03-01"))
    planned.append((ordered[0], ordered[0], (ordered[0],), "2020-04-01"))
    return tuple(
        Run(first, last, seen, number, date) for number, (first, last, seen, date) in enumerate(planned, _FIRST_RUN)
    )


def _years(sectors: Sequence[int]) -> list[tuple[int, ...]]:
    years: list[list[int]] = []
    for sector in sectors:
        if years and sector - years[-1][0] < YEAR:
            years[-1].append(sector)
        else:
            years.append([sector])
    return [tuple(year) for year in years]
