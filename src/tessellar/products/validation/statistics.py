"""The mission's lists of threshold-crossing events, one file a sector or run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from tessellar.errors import Corrupt, Unrecognised
from tessellar.products.validation.elements import number
from tessellar.products.validation.planets import TCE
from tessellar.products.validation.report import observed_sectors

if TYPE_CHECKING:
    from astropy.table import Table

# The archive cuts the list's string of sectors after this many, so that later ones are not told.
_LAST_TOLD = 79


class TCEStatistics:
    """A sector's (or run's) list of threshold-crossing events, one row an event.

    Attributes
    ----------
    path : Path
        Where the file lies.
    rows : tuple of dict
        The values as the file writes them, by column.
    about : dict
        What its head says: Mission, Sectors, Created Date.
    sector_range : tuple of int or None
        First and last sector, as its name says.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        from tessellar.mission.names import match_name

        self.path = path
        lines = content.decode("utf-8", "replace").splitlines()
        self.about: dict[str, str] = {}
        body = [line for line in lines if not line.startswith("#")]
        for line in lines:
            key, found, value = line.lstrip("#").partition("=")
            if line.startswith("#") and found:
                self.about[key.strip()] = value.strip()
        if not body or not {"ticid", "tce_plnt_num"} <= set(body[0].split(",")):
            raise Unrecognised(f"{path}: not a list of threshold-crossing events")
        header = body[0].split(",")
        self.rows = tuple(csv.DictReader(body[1:], fieldnames=header))
        cut = next((row for row in self.rows if None in row.values() or None in row), None)
        if cut is not None:
            raise Corrupt(f"{path}: a row has not the {len(header)} values of the others; fetch it again")
        name = match_name(path.name)
        single = (name.sector, name.sector) if name and name.sector else None
        self.sector_range = (name.sector_range or single) if name else None

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<TCEStatistics {self.about.get('Sectors', self.path.name)}, {len(self)} TCEs>"

    def tces(self, tic: int) -> tuple[TCE, ...]:
        """Return the events of a star, in the order of their numbers; the list does not tell where they were imaged."""
        return tuple(sorted((_tce(row) for row in self._of(tic)), key=lambda tce: tce.planet))

    def sectors(self, tic: int) -> tuple[int, ...]:
        """Return the sectors that a star was observed in; empty if the list does not tell."""
        if self.sector_range is not None and self.sector_range[1] > _LAST_TOLD:
            return ()
        return next((observed_sectors(row.get("tce_sectors", "")) for row in self._of(tic)), ())

    def to_table(self) -> Table:
        """Give the rows as an astropy Table, numbers as numbers."""
        from astropy.table import Table

        table = Table(list(self.rows), meta=dict(self.about))
        for name in table.colnames:
            for kind in (int, float):
                try:
                    table[name] = [kind(value) for value in table[name]]
                    break
                except ValueError:
                    continue
        return table

    def _of(self, tic: int) -> list[dict[str, str]]:
        return [row for row in self.rows if row["ticid"].isdecimal() and int(row["ticid"]) == tic]


def _tce(row: dict[str, str]) -> TCE:
    fitted = row.get("tce_full_conv", "").lower() == "true"
    start = "tce_" if fitted else "tcet_"
    return TCE(
        planet=int(row["tce_plnt_num"]),
        period=number(row.get(f"{start}period")),
        epoch=number(row.get(f"{start}time0bt")),
        depth=number(row.get(f"{start}depth")),
        duration=number(row.get(f"{start}duration")),
        snr=number(row.get("tce_model_snr"), unset=-1) if fitted else number(None),
        mes=number(row.get("tce_max_mult_ev"), unset=-1),
        source="transit fit" if fitted else "trapezoid fit",
    )
