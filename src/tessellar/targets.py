"""What one can point at: a star of the TESS Input Catalog, a TESS Object of Interest, one CCD in one sector.

Values, not services: nothing here asks the network, so a name that is neither
a TIC nor a TOI id is refused, never turned into digits ("WASP-121" is not TOI 121).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from numbers import Integral, Real

from tessellar.errors import InputError, InvalidTICError, InvalidTOIError

_TIC = re.compile(r"\s*(?:tic(?:\s*|[_-]))?(\d{1,10})(?:\.0+)?\s*", re.ASCII | re.IGNORECASE)
_TOI = re.compile(r"\s*(?:toi(?:\s*|[_-]))?(\d{1,6})(?:\.(\d{1,2}))?\s*", re.ASCII | re.IGNORECASE)
_FIELD = re.compile(r"\s*s?0*(\d{1,4})-([1-4])-([1-4])\s*", re.ASCII | re.IGNORECASE)


@total_ordering
class TIC:
    """A star of the TESS Input Catalog.

    Parameters
    ----------
    tic_id : str, int, float or TIC
        ``"TIC 254113311"``, ``"TIC_254113311"``, ``"254113311"``, or a number
        (of numpy too; a float must be whole). Up to 10 digits.

    Raises
    ------
    InvalidTICError
        If it is none of these.

    Examples
    --------
    >>> from tessellar.targets import TIC
    >>> TIC("TIC_254113311")
    TIC(254113311)
    >>> TIC(254113311).id, str(TIC("254113311"))
    ('254113311', 'TIC 254113311')
    """

    __slots__ = ("_number",)
    _number: int

    def __init__(self, tic_id: str | int | float | TIC) -> None:
        object.__setattr__(self, "_number", _tic_number(tic_id))

    @property
    def id(self) -> str:
        """The id without prefix or padding, as MAST's ``target_name`` has it."""
        return str(self._number)

    def __int__(self) -> int:
        return self._number

    def __str__(self) -> str:
        return f"TIC {self._number}"

    def __repr__(self) -> str:
        return f"TIC({self._number})"

    def __eq__(self, other: object) -> bool:
        return self._number == other._number if isinstance(other, TIC) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._number < other._number if isinstance(other, TIC) else NotImplemented

    def __hash__(self) -> int:
        return hash(("TIC", self._number))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a TIC cannot be changed: {name}")

    def __reduce__(self) -> tuple[type[TIC], tuple[int]]:
        return type(self), (self._number,)


@total_ordering
class TOI:
    """A TESS Object of Interest: a system, or one candidate planet of it.

    Parameters
    ----------
    toi_id : str, int, float or TOI
        ``"TOI-1130"``, ``"TOI1130.01"``, ``"1130"``, or a number. A float is
        read as the tables of ExoFOP write it: ``1130.01`` is candidate 01,
        ``1130.1`` is candidate 10.

    Raises
    ------
    InvalidTOIError
        If it is none of these. A string with one digit after the point is
        refused, for it can mean candidate 01 or candidate 10.

    Examples
    --------
    >>> from tessellar.targets import TOI
    >>> TOI("TOI-1130.01")
    TOI(1130.01)
    >>> TOI("toi 1130").id, TOI(1130.01).system, TOI(1130.01).planet
    ('TOI1130', '1130', '01')
    """

    __slots__ = ("_number", "_planet")
    _number: int
    _planet: int

    def __init__(self, toi_id: str | int | float | TOI) -> None:
        number, planet = _toi_numbers(toi_id)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_planet", planet)

    @property
    def id(self) -> str:
        """``TOI1130`` or ``TOI1130.01``, as ExoFOP writes it."""
        return f"TOI{self._number}.{self._planet:02d}" if self._planet else f"TOI{self._number}"

    @property
    def system(self) -> str:
        """The number of the system, without the candidate."""
        return str(self._number)

    @property
    def planet(self) -> str:
        """The two digits of the candidate, or an empty string for the whole system."""
        return f"{self._planet:02d}" if self._planet else ""

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        text = self.id[3:]
        # 1130.10 as a float is 1130.1: quoted, it stays readable as candidate 10.
        return f"TOI({text!r})" if self._planet and self._planet % 10 == 0 else f"TOI({text})"

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, TOI) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._key() < other._key() if isinstance(other, TOI) else NotImplemented

    def __hash__(self) -> int:
        return hash(("TOI", self._number, self._planet))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a TOI cannot be changed: {name}")

    def __reduce__(self) -> tuple[type[TOI], tuple[str]]:
        return type(self), (self.id,)

    def _key(self) -> tuple[int, int]:
        return self._number, self._planet


@dataclass(frozen=True, order=True)
class Field:
    """One CCD of one camera in one sector.

    Parameters
    ----------
    sector : int
        From 1 upwards.
    camera, ccd : int
        1 to 4.

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    >>> from tessellar import Field
    >>> Field.parse("1-4-2")
    Field(sector=1, camera=4, ccd=2)
    >>> str(Field(1, 4, 2))
    's0001-4-2'
    """

    sector: int
    camera: int
    ccd: int

    def __post_init__(self) -> None:
        check_sector(self.sector)
        for name in ("camera", "ccd"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or not 1 <= int(value) <= 4:
                raise InputError(f"{name} {value!r} does not exist: TESS has {name}s 1 to 4")

    @classmethod
    def parse(cls, text: str) -> Field:
        """Read ``"1-4-2"`` or ``"s0001-4-2"``: sector, camera, CCD."""
        match = _FIELD.fullmatch(text)
        if match is None:
            raise InputError(f"{text!r} is not a field: write sector-camera-ccd, as in 1-4-2")
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"s{self.sector:04d}-{self.camera}-{self.ccd}"


def check_sector(sector: object) -> int:
    """Return `sector` as an int, or raise `InputError`: sectors are counted from 1 and have up to 4 digits."""
    if isinstance(sector, bool) or not isinstance(sector, Integral) or not 1 <= int(sector) <= 9999:
        raise InputError(f"sector {sector!r} does not exist: sectors are whole numbers from 1")
    return int(sector)


def parse_target(text: str | int | TIC | TOI) -> TIC | TOI:
    """Read an id as a user writes it; a bare number is a TIC id.

    Raises
    ------
    InputError
        If it is neither a TIC nor a TOI id; only an archive can resolve a name.

    Examples
    --------
    >>> from tessellar.targets import parse_target
    >>> parse_target("25155310"), parse_target("TOI-1130")
    (TIC(25155310), TOI(1130))
    """
    if isinstance(text, TIC | TOI):
        return text
    if isinstance(text, str):
        start = text.strip().lower()
        if start.startswith("toi"):
            return TOI(text)
        if not start.startswith("tic") and not start.isdigit():
            raise InputError(f"{text!r} is neither a TIC nor a TOI id: write TIC 25155310 or TOI-1130")
    return TIC(text)


def _tic_number(value: object) -> int:
    if isinstance(value, TIC):
        return int(value)
    number: int | None = None
    if isinstance(value, str):
        match = _TIC.fullmatch(value)
        number = int(match[1]) if match else None
    elif _is_number(value) and float(value).is_integer():  # type: ignore[arg-type]
        number = int(value)  # type: ignore[call-overload]
    if number is None or not 0 < number < 10**10:
        raise InvalidTICError(f"{value!r} is not a TIC id: write up to 10 digits, as in TIC 254113311")
    return number


def _toi_numbers(value: object) -> tuple[int, int]:
    if isinstance(value, TOI):
        return value._key()
    text = ""
    if isinstance(value, str):
        text = value
    elif _is_number(value):
        number = float(value)  # type: ignore[arg-type]
        text = f"{number:.2f}" if abs(round(number, 2) - number) < 1e-6 else ""
    match = _TOI.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise InvalidTOIError(f"{value!r} is not a TOI: write TOI-1130 or TOI-1130.01")
    planet = match[2] or "0"
    if len(planet) == 1 and planet != "0":
        raise InvalidTOIError(f"{value!r} can mean candidate 0{planet} or {planet}0: write two digits after the point")
    return int(match[1]), int(planet)


def _is_number(value: object) -> bool:
    """Whether it is a number, of numpy too; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)
