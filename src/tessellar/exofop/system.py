"""A stellar system as ExoFOP knows it: a star, and the TOI that it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tessellar import targets
from tessellar.errors import InputError
from tessellar.exofop.identifiers import TIC, TOI

if TYPE_CHECKING:
    from astropy.table import Table
    from pandas import DataFrame

_NUMBER = re.compile(r"\s*\d+(?:\.\d+)?\s*", re.ASCII)
_MARKED_TIC = re.compile(r"\s*tic[\s_-]*\d+\s*", re.IGNORECASE | re.ASCII)
_MARKED_TOI = re.compile(r"\s*toi[\s_-]*\d+(?:\.\d+)?\s*", re.IGNORECASE | re.ASCII)
# TOIs have up to 5 digits; a longer number can only be that of a star.
_LONGEST_TOI = 5


class System:
    """A stellar system, by TIC id, TOI, or any name that ExoFOP knows.

    Only a `name` that is neither ``TIC ...`` nor ``TOI ...``, and `complete`,
    ask ExoFOP while constructing.

    Parameters
    ----------
    name : str, optional
        An id with its prefix; a bare number, which is looked up among the
        TOIs, then among their stars; any other name, which ExoFOP resolves;
        or, where an id is given too, whatever you like to call it.
    tic, toi : optional
        Ids.
    complete : bool
        Look up the id that is missing.

    Attributes
    ----------
    name : str
        What it is called.
    tic : TIC or None
        The star.
    toi : TOI or None
        The TOI.

    Raises
    ------
    InputError
        If nothing is given, or nobody knows the name.

    Examples
    --------
    >>> from tessellar.exofop import System
    >>> System("TOI-1130")
    System(name=TOI-1130, tic=None toi=TOI1130)
    >>> System(name="1130")
    System(name=1130, tic=TIC_254113311 toi=TOI1130)
    >>> System(name="cool_system", tic="254113311", complete=True)
    System(name=cool_system, tic=TIC_254113311 toi=TOI1130)
    >>> System(toi="TOI-1130").target, System(tic="TIC_254113311").target
    ('TOI1130', '254113311')
    """

    def __init__(
        self,
        name: str | None = None,
        tic: str | int | targets.TIC | None = None,
        toi: str | int | float | targets.TOI | None = None,
        complete: bool = False,
    ) -> None:
        self.tic = None if tic is None else TIC(tic)
        self.toi = None if toi is None else TOI(toi)
        if self.tic is None and self.toi is None:
            if name is None or not str(name).strip():
                raise InputError("Either `tic` or `toi` must be provided, or a name that is one of them")
            self._infer(str(name))
        self.name = str(name) if name is not None else str(self.toi if self.toi is not None else self.tic)
        if complete and not self.autocomplete():
            raise InputError(f"{self.target} not found in overview table: the system cannot be completed")

    @property
    def target(self) -> str:
        """What ExoFOP's tables are asked for: the TOI if it is known, else the TIC id."""
        if self.toi is not None:
            return self.toi.id
        assert self.tic is not None
        return self.tic.id

    def get_tic(self) -> TIC:
        """Return the TIC id; it is looked up if it is not known.

        Raises
        ------
        InputError
            If the TOI is not in the overview table.
        """
        if self.tic is None:
            assert self.toi is not None
            self.tic = self.toi.to_tic()
        return self.tic

    def get_toi(self) -> TOI:
        """Return the TOI; it is looked up if it is not known.

        Raises
        ------
        InputError
            If the star has none.
        """
        if self.toi is None:
            assert self.tic is not None
            self.toi = self.tic.to_toi()
        return self.toi

    def autocomplete(self) -> bool:
        """Look up the id that is missing; return whether both are known then."""
        known = self.toi if self.tic is None else self.tic
        if not self.is_complete() and known is not None and known.exists():
            self.get_tic()
            self.get_toi()
        return self.is_complete()

    def exists(self, overview_table: DataFrame | Table | None = None) -> bool:
        """Whether the system is in the overview table."""
        return self._known().exists(overview_table)

    def lookup(self, overview_table: DataFrame | Table | None = None) -> DataFrame:
        """Return the system's rows of the overview table."""
        return self._known().lookup(overview_table)

    def is_complete(self) -> bool:
        """Whether both ids are known."""
        return self.tic is not None and self.toi is not None

    def is_consistent(self) -> bool:
        """Whether both ids mean the same star, and the planet, if one is named, is known; True if one is missing."""
        if self.tic is None or self.toi is None:
            return True
        return self.toi.exists() and self.toi.to_tic() == self.tic

    def __eq__(self, other: object) -> bool:
        return (self.tic, self.toi) == (other.tic, other.toi) if isinstance(other, System) else NotImplemented

    # Its ids can change.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"System(name={self.name}, tic={self.tic} toi={self.toi})"

    def _known(self) -> TIC | TOI:
        known = self.tic if self.tic is not None else self.toi
        assert known is not None
        return known

    def _infer(self, name: str) -> None:
        if _MARKED_TIC.fullmatch(name):
            self.tic = TIC(name)
        elif _MARKED_TOI.fullmatch(name):
            self.toi = TOI(name)
        elif _NUMBER.fullmatch(name):
            self._infer_from_number(name.strip())
        else:
            from tessellar.exofop.asking import Exofop

            self.tic = TIC(Exofop.open().tic_of(name.strip()))
            self.autocomplete()

    def _infer_from_number(self, number: str) -> None:
        digits = len(number.partition(".")[0])
        if digits <= _LONGEST_TOI and TOI(number).exists():
            self.toi = TOI(number)
        elif "." not in number and (TIC(number).exists() or digits > _LONGEST_TOI):
            self.tic = TIC(number)
        else:
            raise InputError(
                f"Could not convert `{number}` to either a TIC or TOI ID: no TOI has it, nor the star of one; "
                f"write TIC {number} or TOI {number}"
            )
        self.autocomplete()
