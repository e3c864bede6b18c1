"""What all tables of follow-up observers have in common: a file, its name, columns found whatever their capitals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tessellar.products.followupnames import FollowupName, match_followup_name
from tessellar.products.followuptext import ObserversTable
from tessellar.targets import TIC, TOI

FloatArray = NDArray[np.float64]


class FollowupTable:
    """A read-only view on a table.

    Parameters
    ----------
    table : ObserversTable
        What the file says.
    """

    def __init__(self, table: ObserversTable) -> None:
        self._table = table
        self._lower = {name.lower(): name for name in reversed(table.columns)}
        #: Where the file lies.
        self.path: Path = table.path
        #: What its name tells, or None if it is not named as observers should.
        self.name: FollowupName | None = match_followup_name(self.path.name)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def tic(self) -> TIC | None:
        """The star's TIC id, where the file's name has it."""
        return self.name.tic if self.name else None

    @property
    def toi(self) -> TOI | None:
        """The TOI, where the file's name has it."""
        return self.name.toi if self.name else None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, as they are called in the file."""
        return self._table.columns

    def column(self, name: str) -> FloatArray:
        """One column of numbers, by the name that it has in the file (upper and lower case are alike).

        Raises
        ------
        KeyError
            If there is no such column.
        Corrupt
            If it holds something that is no number.
        """
        return self._table.numbers(self._lower[name.lower()])

    def _first(self, *names: str) -> str | None:
        """The first of these columns that the file has."""
        return next((self._lower[name] for name in names if name in self._lower), None)

    def _numbers(self, column: str | None) -> FloatArray:
        return self._table.numbers(column) if column else np.full(len(self), np.nan)
