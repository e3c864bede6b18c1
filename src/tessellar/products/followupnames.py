"""Names of follow-up files, as observers give them (TFOP SG1 guidelines) and as ExoFOP makes them.

::

    TIC23863105-01_20230428_LCO-McD-1m0_gp_15px_measurements.tbl   star, candidate, night, where, filter, aperture, …
    TOI5671.01L-jd20220630_MuSCAT3_g_measurements.csv              candidate, L(ight curve), initials, night, where, …
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from tessellar.errors import InvalidTICError, InvalidTOIError, Unrecognised
from tessellar.targets import TIC, TOI

#: Filters as observers abbreviate them; anything else in their place is taken for a part of the observatory.
FILTERS = frozenset(
    {
        "U", "B", "V", "R", "I", "Uc", "Rc", "Ic", "Rj", "up", "gp", "rp", "ip", "zp", "zs", "zps", "u", "g", "r", "i",
        "z", "w", "wp", "Y", "y", "yp", "J", "H", "K", "Ks", "Kp", "C", "CBB", "CR", "CV", "L", "Lum", "clear", "Clear",
        "none", "open", "NIR", "red", "Red", "blue", "Blue", "green", "Green", "GG495", "TESS", "TG", "TB", "TR", "Na",
        "I+z", "Iz", "Vis", "vis", "Hcont", "Kcont", "Brgamma", "BrG", "Bp", "Rp", "G", "rs", "gs", "is", "us",
    }
)  # fmt: skip

_KINDS = {"L": "light curve", "I": "image", "S": "spectrum", "F": "finding chart", "O": "other", "P": "plot"}
_GIVEN = re.compile(
    r"(?P<target>(?:(?:TIC|TOI|EPIC)_)?[^_]+?)[-_.](?P<planet>\d{1,2})_(?P<night>\d{8})(?=[_.])(?P<rest>.*)", re.ASCII
)
_MADE = re.compile(
    r"(?P<target>(?:TIC|TOI)\d+)(?:\.(?P<planet>\d{2}))?(?P<kind>[A-Z])-(?P<observer>[a-z]{2,3})(?P<night>\d{8})"
    r"(?=[-_.])(?P<rest>.*)",
    re.ASCII,
)
_APERTURE = re.compile(r"(\d+(?:\.\d+)?)[-_ ]?(?:px|pix|pixels?)", re.IGNORECASE | re.ASCII)
_UNIT = re.compile(r"(?<=\d)_(?=(?:px|pix|pixels?)(?:_|$))", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class FollowupName:
    """What the name of a follow-up file tells.

    Attributes
    ----------
    target : str
        The star or candidate as it stands there, as ``TIC23863105``.
    planet : int or None
        The candidate of that star.
    night : date
        The UT date of the observation.
    observatory : str
        Where, as ``LCO-McD-1m0``; empty if it does not tell.
    filter : str
        As ``gp``; empty if it does not tell.
    aperture : float or None
        Radius of the photometric aperture, pixels.
    content : str
        What is in it, as ``measurements``; empty if it does not tell.
    extension : str
        After the last full stop.
    observer : str
        The initials that ExoFOP puts there; empty in names that observers give.
    kind : str
        The letter that ExoFOP puts there, as ``L`` for a light curve; empty in names that observers give.
    """

    target: str
    planet: int | None
    night: date
    observatory: str = ""
    filter: str = ""
    aperture: float | None = None
    content: str = ""
    extension: str = ""
    observer: str = ""
    kind: str = ""

    @property
    def tic(self) -> TIC | None:
        """The star's TIC id, where the name has it."""
        try:
            return TIC(self.target) if self.target.upper().startswith("TIC") else None
        except InvalidTICError:
            return None

    @property
    def toi(self) -> TOI | None:
        """The TOI, where the name has it."""
        if not self.target.upper().startswith("TOI"):
            return None
        try:
            return TOI(self.target if self.planet is None else f"{self.target}.{self.planet:02d}")
        except InvalidTOIError:
            return None

    @property
    def is_measurements(self) -> bool:
        """Whether it should be a table of measurements."""
        return self.content.lower().startswith("measurements") or self.kind == "L"

    @property
    def filename(self) -> str:
        """The name, written as it should be."""
        parts = [
            self.observatory,
            self.filter,
            f"{self.aperture:g}px" if self.aperture is not None else "",
            self.content,
        ]
        rest = "".join(f"_{part}" for part in parts if part)
        night, ending = f"{self.night:%Y%m%d}", f".{self.extension}" if self.extension else ""
        if self.kind:
            planet = "" if self.planet is None else f".{self.planet:02d}"
            return f"{self.target}{planet}{self.kind}-{self.observer}{night}{rest}{ending}"
        return f"{self.target}-{self.planet or 0:02d}_{night}{rest}{ending}"

    def __str__(self) -> str:
        told = [self.target + (f".{self.planet:02d}" if self.planet is not None else ""), self.night.isoformat()]
        return ", ".join(part for part in (*told, self.observatory, self.filter, self.content) if part)


def parse_followup_name(filename: str) -> FollowupName:
    """Read the name of a follow-up file.

    Raises
    ------
    Unrecognised
        If it does not begin with a star or candidate and a night.

    Examples
    --------
    >>> name = parse_followup_name("TIC23863105-11_20220621_LCO-HAL-0m4_zs_measurements.tbl")
    >>> name.tic, name.planet, str(name.night), name.observatory, name.filter
    (TIC(23863105), 11, '2022-06-21', 'LCO-HAL-0m4', 'zs')
    >>> parse_followup_name("TOI5671.01L-jd20220630_MuSCAT3_g_measurements.csv").toi
    TOI(5671.01)
    """
    match = _MADE.fullmatch(filename) or _GIVEN.fullmatch(filename)
    if match is None:
        raise Unrecognised(
            f"{filename}: not named like a follow-up file, as in TIC23863105-01_20230428_LCO_gp_notes.txt"
        )
    found = match.groupdict()
    digits = found["night"]
    try:
        night = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as error:
        raise Unrecognised(f"{filename}: {digits} in it is no date ({error})") from error
    rest, stop, extension = found["rest"].rpartition(".")
    if not stop or not extension.isalnum():
        rest, extension = found["rest"], ""
    observatory, used_filter, aperture, content = _described(rest.lstrip("_-"))
    planet = found["planet"]
    return FollowupName(
        found["target"],
        int(planet) if planet else None,
        night,
        observatory,
        used_filter,
        aperture,
        content,
        extension,
        found.get("observer") or "",
        found.get("kind") or "",
    )


def match_followup_name(filename: str) -> FollowupName | None:
    """Read the name of a follow-up file, or return None if it is none. See `parse_followup_name`."""
    try:
        return parse_followup_name(filename)
    except Unrecognised:
        return None


def _described(rest: str) -> tuple[str, str, float | None, str]:
    """Take apart what follows the night: observatory, filter, aperture, content."""
    parts = _UNIT.sub("", rest).split("_") if rest else []
    filters = [_filter(part) for part in parts]
    place = next((number for number, name in enumerate(filters) if name), None)
    # Without a filter that is known, the first part is the observatory and the rest what it is about.
    before, used_filter = (parts[:place], filters[place]) if place is not None else (parts[:1], "")
    after = parts[len(before) + (place is not None) :]
    if place is None and len(parts) == 1:
        before, after = [], parts
    aperture = None
    for number, part in enumerate(after):
        if match := _APERTURE.fullmatch(part):
            aperture = float(match[1])
            after = after[:number] + after[number + 1 :]
            break
    return "_".join(before), used_filter, aperture, "_".join(after)


def _filter(part: str) -> str:
    name = re.sub(r"[- ]?(?:filter|band)$", "", part, flags=re.IGNORECASE)
    return name if name in FILTERS else ""
