"""TIC and TOI ids that can be looked up in ExoFOP's table of TOIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tessellar import targets
from tessellar.errors import InputError, InvalidTICError, InvalidTOIError

if TYPE_CHECKING:
    from astropy.table import Table
    from pandas import DataFrame

    from tessellar.exofop.overview import Snapshot


class TIC(targets.TIC):
    """A star of the TESS Input Catalog; knows its TOI.

    Parameters
    ----------
    tic_id : str, int or TIC
        ``"TIC 254113311"``, ``"TIC_254113311"``, ``"254113311"``, or a number. Up to 10 digits.

    Raises
    ------
    InvalidTICError
        If it is none of these.

    Examples
    --------
    >>> from tessellar.exofop import TIC
    >>> tic = TIC(123456789)
    >>> tic.id
    '123456789'
    >>> TIC("231663901").to_toi()
    TOI(101)
    >>> TIC("123456789").exists()
    False
    >>> TIC("invalid_id")
    Traceback (most recent call last):
    tessellar.errors.InvalidTICError: Invalid TIC ID: `invalid_id`: write up to 10 digits, as in TIC 254113311
    """

    __slots__ = ()

    def __init__(self, tic_id: str | int | targets.TIC) -> None:
        try:
            super().__init__(tic_id)
        except InvalidTICError as error:
            raise InvalidTICError(f"Invalid TIC ID: `{tic_id}`: write up to 10 digits, as in TIC 254113311") from error

    def __str__(self) -> str:
        return f"TIC_{self.id}"

    def exists(self, overview_table: DataFrame | Table | None = None) -> bool:
        """Whether the star has a TOI in the overview table.

        Parameters
        ----------
        overview_table : DataFrame or Table, optional
            With columns ``TIC ID`` and ``TOI``; by default ExoFOP's (see `toi_table`).
        """
        return bool(self._rows(overview_table)[0])

    def lookup(self, overview_table: DataFrame | Table | None = None) -> DataFrame:
        """Return the star's rows of the overview table; none if it has no TOI.

        Raises
        ------
        TessellarError
            If pandas is not installed.
        """
        from tessellar.exofop.overview import frame_of

        return frame_of(*self._rows(overview_table))

    def to_toi(self, overview_table: DataFrame | Table | None = None) -> TOI:
        """Return the TOI of the star: the system, without a planet.

        Raises
        ------
        InputError
            If it has none.
        """
        from tessellar.exofop.overview import column_of

        rows, table = self._rows(overview_table)
        if not rows:
            raise InputError(f"{self} not found in overview table: it has no TOI")
        tois = column_of(table, "TOI")
        return TOI(min(TOI(tois[row]) for row in rows).system)

    def _rows(self, overview: DataFrame | Table | None) -> tuple[list[int], DataFrame | Table | Snapshot]:
        from tessellar.exofop.overview import rows_in

        return rows_in(overview, tic=int(self))


class TOI(targets.TOI):
    """A TESS Object of Interest, a system or one planet of it; knows its star.

    Parameters
    ----------
    toi_id : str, int, float or TOI
        ``"TOI-1130"``, ``"TOI1130.01"``, ``"1130"``, or a number.

    Raises
    ------
    InvalidTOIError
        If it is none of these; a name is never turned into digits.

    Examples
    --------
    >>> from tessellar.exofop import TOI
    >>> toi = TOI(1234)
    >>> toi.id
    'TOI1234'
    >>> TOI("1234").to_tic()
    TIC(90504905)
    >>> TOI("101").exists()
    True
    >>> TOI("invalid_id")
    Traceback (most recent call last):
    tessellar.errors.InvalidTOIError: Invalid TOI ID: `invalid_id`: write TOI-1130 or TOI-1130.01
    """

    __slots__ = ()

    def __init__(self, toi_id: str | int | float | targets.TOI) -> None:
        try:
            super().__init__(toi_id)
        except InvalidTOIError as error:
            what = "write TOI-1130 or TOI-1130.01"
            if "can mean" in str(error):
                what = "write two digits after the point, as in TOI-1130.01"
            raise InvalidTOIError(f"Invalid TOI ID: `{toi_id}`: {what}") from error

    def exists(self, overview_table: DataFrame | Table | None = None) -> bool:
        """Whether the TOI is in the overview table: its planet, where it names one.

        Parameters
        ----------
        overview_table : DataFrame or Table, optional
            With columns ``TIC ID`` and ``TOI``; by default ExoFOP's (see `toi_table`).
        """
        return bool(self._rows(overview_table)[0])

    def lookup(self, overview_table: DataFrame | Table | None = None) -> DataFrame:
        """Return the TOI's rows of the overview table: all planets of a system, or the one that is named.

        Raises
        ------
        TessellarError
            If pandas is not installed.
        """
        from tessellar.exofop.overview import frame_of

        return frame_of(*self._rows(overview_table))

    def to_tic(self, overview_table: DataFrame | Table | None = None) -> TIC:
        """Return the star of the TOI.

        Raises
        ------
        InputError
            If the overview table does not have the TOI.
        """
        from tessellar.exofop.overview import column_of

        rows, table = self._rows(overview_table)
        if not rows:
            raise InputError(f"{self} not found in overview table: no such TOI, or one newer than the table")
        return TIC(column_of(table, "TIC ID")[rows[0]])

    def _rows(self, overview: DataFrame | Table | None) -> tuple[list[int], DataFrame | Table | Snapshot]:
        from tessellar.exofop.overview import rows_in

        return rows_in(overview, toi=self._key())
