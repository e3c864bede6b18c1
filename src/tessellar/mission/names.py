"""The grammar of TESS file names, both ways: from a name to its parts, and from parts to a name.

The grammar is data: `tessellar.mission.families`. A name that none of its rows
reads is not a TESS name that tessellar knows, whatever is in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from string import Formatter
from typing import Any

from tessellar.errors import InputError, Unrecognised
from tessellar.mission.families import FAMILIES, Family
from tessellar.targets import TIC


@dataclass(frozen=True)
class ProductName:
    """What the name of a file tells.

    Attributes
    ----------
    filename : str
        The name itself.
    family : str
        The row of `FAMILIES` that read it; empty if the file was told by what is in it.
    kind : str
        ``lightcurve, tpf, ffi, dv, cbv, cube, cutout, tcestats, collateral`` or ``other``.
    product : str
        The ending that tells the product: ``lc, fast-lc, tp, dvt, dvr, ffic, llc`` ...
    author : str
        The pipeline: ``SPOC, TESS-SPOC, QLP, TGLC`` ...
    collection : str
        ``TESS``, or ``HLSP`` for what others made.
    tic : int or None
        TIC id.
    sector : int or None
        The sector, or the last one of a range.
    sector_range : tuple of int or None
        First and last sector, where the name has a range.
    camera, ccd : int or None
        1 to 4.
    cadence : float or None
        Exposure time in seconds, where the name tells.
    timestamp : str or None
        13 digits ``yyyydddhhmmss`` (UTC).
    scid : str or None
        Spacecraft configuration map.
    cr : str or None
        Cosmic-ray mitigation: ``x`` none, ``s`` on board, ``a`` on the ground, ``b`` both.
    pin : int or None
        Number of the pipeline run.
    planet : int or None
        Number of the planet candidate.
    version : str or None
        Of an HLSP.
    target : str or None
        What the name calls its target where that is no TIC id: a Gaia id, a position ...
    extension : str
        From the first dot of the ending: ``fits``, ``fits.gz``, ``pdf`` ...
    """

    filename: str
    family: str
    kind: str
    product: str
    author: str
    collection: str
    tic: int | None = None
    sector: int | None = None
    sector_range: tuple[int, int] | None = None
    camera: int | None = None
    ccd: int | None = None
    cadence: float | None = None
    timestamp: str | None = None
    scid: str | None = None
    cr: str | None = None
    pin: int | None = None
    planet: int | None = None
    version: str | None = None
    target: str | None = None
    extension: str = "fits"

    @property
    def parts(self) -> dict[str, Any]:
        """What the name is made of: `build_name` makes it of its family and these, or another one with some changed.

        Examples
        --------
        >>> from tessellar.mission import build_name, parse_name
        >>> name = parse_name("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")
        >>> build_name("spoc-tp", **name.parts)
        'tess2018206045859-s0001-0000000025155310-0120-s_tp.fits'
        """
        pattern = _PATTERNS.get(self.family)
        match = pattern.fullmatch(self.filename) if pattern else None
        return _values(match.groupdict()) if match else {}

    @property
    def obs_id(self) -> str:
        """The observation in MAST's CAOM that the file belongs to, as far as its name tells."""
        stem = self.filename.removesuffix(".gz").rsplit(".", 1)[0]
        if self.family == "tess-spoc":
            # MAST names the observation after its target pixel file, also where it has only a light curve.
            return stem.removesuffix(self.product) + "tp"
        tail = _BY_NAME[self.family].tail if self.family in _BY_NAME else ""
        return re.sub(tail, "", stem) if tail else stem

    @property
    def uri(self) -> str:
        """The file's name in MAST's archive; without folders where these are not known."""
        if self.collection == "TESS":
            return f"mast:TESS/product/{self.filename}"
        project = self.filename.split("_")[1] if self.filename.startswith("hlsp_") else self.author.lower()
        return f"mast:HLSP/{project}/{self._folder}{self.filename}"

    @property
    def _folder(self) -> str:
        template = _BY_NAME[self.family].folder if self.family in _BY_NAME else ""
        if not template:
            return ""
        first, last = self.sector_range or (self.sector, self.sector)
        tic, gaia = f"{self.tic or 0:016d}", re.sub(r"\D", "", self.target or "")
        return template.format(
            **self.parts,
            run="" if last is None else f"s{last:04d}" if first == last else f"s{first:04d}-s{last:04d}",
            tic4="/".join(tic[i : i + 4] for i in range(0, 16, 4)),
            # Of a Gaia id the last five digits are left out.
            gaia4="/".join(gaia[:-5].zfill(16)[i : i + 4] for i in range(0, 16, 4)),
        )

    @property
    def subgroup(self) -> str:
        """The name of the product as MAST's tables abbreviate it: ``LC``, ``FAST-TP``, ``DVT`` ..."""
        return self.product.upper()

    @property
    def description(self) -> str:
        """What MAST's tables call the product."""
        return _DESCRIPTIONS.get(self.product, self.extension.split(".")[0].upper())


_BY_NAME = {family.name: family for family in FAMILIES}
_PATTERNS = {family.name: re.compile(family.pattern, re.ASCII) for family in FAMILIES}
_WHOLE = frozenset({"tic", "sector", "first", "last", "camera", "ccd", "pin", "planet"})
_PLAIN = frozenset({"tic", "camera", "ccd", "timestamp", "scid", "cr", "pin", "planet", "version", "target"})
_ANY_DIGIT = str.maketrans("123456789", "000000000")
_FORMS: dict[str, _Form] = {}
_MOST_FORMS = 4096
# Families whose names tell more, or other things, by their digits.
_NO_FORMS = frozenset({"hlsp", "bulk-script", "bulk-script-runs", "tesscut", "ticacut"})
_UNTOLD = {field.name: field.default for field in fields(ProductName) if field.default is not MISSING}

_DESCRIPTIONS = {
    "lc": "Light curves",
    "fast-lc": "Fast light curves",
    "tp": "Target pixel files",
    "fast-tp": "Fast target pixel files",
    "dvt": "Data validation time series",
    "dvr": "full data validation report",
    "dvm": "Data validation mini report",
    "dvs": "TCE summary report",
    "ffic": "FFI CALIBRATED",
    "ffir": "FFI UNCALIBRATED",
    "cbv": "Cotrending basis vectors",
    "dvr-tcestats": "TCE statistics",
}

# What the target of an HLSP of which no row is known may be made of.
_TOKENS = {
    name: re.compile(rf"(?:^|-){token}(?=-|$)")
    for name, token in (
        ("tic", r"(?:tic-?(\d{1,16})|(0{6}\d{10}))"),  # TIC ids have 10 digits at most
        ("range", r"s(\d{4})-s(\d{4})"),
        ("sector", r"s(\d{4})"),
        ("camera", r"cam([1-4])"),
        ("ccd", r"ccd([1-4])"),
    )
}


def match_name(filename: str) -> ProductName | None:
    """Read a file name; None if it is not a TESS name that is known here.

    Examples
    --------
    >>> from tessellar.mission.names import match_name
    >>> name = match_name("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")
    >>> name.tic, name.sector, name.kind, name.cadence
    (25155310, 1, 'lightcurve', 120.0)
    >>> match_name("notes.txt") is None
    True
    """
    return _match(filename)


def parse_name(filename: str) -> ProductName:
    """Read a file name.

    Raises
    ------
    Unrecognised
        If it is not a TESS name that is known here.
    """
    name = _match(filename)
    if name is None:
        raise Unrecognised(f"{filename!r} does not follow the names of TESS files that are known here")
    return name


def build_name(family: str, **parts: Any) -> str:
    """Build a file name from its parts.

    Parameters
    ----------
    family : str
        The row of `FAMILIES`: ``spoc-lc``, ``spoc-tp``, ``qlp``, ``tessellar`` ...
    **parts
        What the family's template names; ``extension`` is ``fits`` unless given, others are left aside.

    Raises
    ------
    InputError
        If the family is not known, or a part is missing or impossible.

    Examples
    --------
    >>> from tessellar.mission.names import build_name
    >>> build_name("spoc-lc", timestamp="2018206045859", sector=1, tic=25155310, scid="0120", cr="s")
    'tess2018206045859-s0001-0000000025155310-0120-s_lc.fits'
    """
    if family not in _BY_NAME:
        raise InputError(f"no family of names is called {family!r}; there are {', '.join(_BY_NAME)}")
    template = _BY_NAME[family].template
    given: Mapping[str, Any] = {
        "extension": "fits",
        **{name: int(part) if isinstance(part, TIC) else part for name, part in parts.items()},
    }
    missing = [name for name in template_parts(family) if given.get(name) is None]
    if missing:
        raise InputError(f"a {family} name needs {', '.join(missing)}")
    try:
        name = template.format(**given)
    except (TypeError, ValueError) as error:
        raise InputError(f"a {family} name cannot be built from {parts}: {error}") from error
    read = _match(name)
    if read is None or read.family != family:
        raise InputError(f"{name!r}, built from {parts}, is no {family} name")
    return name


def template_parts(family: str) -> tuple[str, ...]:
    """Return the parts that a family's names are built from."""
    names = (name for _, name, _, _ in Formatter().parse(_BY_NAME[family].template) if name)
    return tuple(dict.fromkeys(names))


def match_names(filenames: Sequence[str]) -> Iterator[ProductName | None]:
    """Read many file names, one after the other, as `match_name` does; nothing of them is kept.

    Examples
    --------
    >>> from tessellar.mission.names import match_names
    >>> [name and name.kind for name in match_names(["tess2018206045859-s0001-0000000025155310-0120-s_lc.fits", ""])]
    ['lightcurve', None]
    """
    forms = "\n".join(filenames).translate(_ANY_DIGIT).split("\n")
    if len(forms) != len(filenames):  # a name with a line break in it, or no name at all
        forms = [filename.translate(_ANY_DIGIT) for filename in filenames]
    return map(_read, filenames, forms)


@lru_cache(maxsize=4096)
def _match(filename: str) -> ProductName | None:
    return _read(filename, filename.translate(_ANY_DIGIT))


def _read(filename: str, form: str) -> ProductName | None:
    known = _FORMS.get(form)
    named = known.read(filename) if known is not None else None
    if named is not None:
        return named
    for name, pattern in _PATTERNS.items():
        match = pattern.fullmatch(filename)
        if match is not None:
            named = _named(filename, _BY_NAME[name], match.groupdict())
            if name not in _NO_FORMS and len(_FORMS) < _MOST_FORMS:
                _FORMS[form] = _Form.of(named, match)
            return named
    return None


@dataclass(frozen=True)
class _Form:
    """Names that differ in their digits only, so that their parts stand in the same places.

    Attributes
    ----------
    constant : mapping
        The values of `ProductName` without the parts that have digits.
    parts : tuple
        Name of each part with digits, where it stands, and what makes a value of its text.
    numbered : tuple of str
        ``camera`` and ``ccd``, as far as the names tell them.
    """

    constant: Mapping[str, Any]
    parts: tuple[tuple[str, slice, Callable[[str], Any]], ...]
    numbered: tuple[str, ...] = ()

    @classmethod
    def of(cls, named: ProductName, match: re.Match[str]) -> _Form:
        """Return the form of a name that was read."""
        groups = {name: slice(*match.span(name)) for name, text in match.groupdict().items()
                  if text is not None and any(map(str.isdigit, text))}  # fmt: skip
        parts = tuple(
            (name, place, int if name in _WHOLE else float if name == "cadence" else str)
            for name, place in groups.items() if name in _UNTOLD or name in ("first", "last")
        )  # fmt: skip
        return cls({**named.__dict__}, parts, tuple(each for each in ("camera", "ccd") if each in groups))

    def read(self, filename: str) -> ProductName | None:
        """Read another name of the form; None if it cannot be one of the family."""
        values = {**self.constant, "filename": filename}
        for name, place, made in self.parts:
            values[name] = made(filename[place])
        for name in self.numbered:
            if not 1 <= values[name] <= 4:
                return None
        if "first" in values:
            first, last = values.pop("first"), values.pop("last")
            values |= {"sector": last, "sector_range": (first, last)}
        named = object.__new__(ProductName)
        named.__dict__.update(values)
        return named


def _values(found: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the parts of a name that are there, numbers as numbers."""
    values = {name: int(text) if name in _WHOLE else text for name, text in found.items() if text is not None}
    return {**values, "cadence": float(values["cadence"])} if "cadence" in values else values


def _named(filename: str, family: Family, found: Mapping[str, str | None]) -> ProductName:
    parts = _values(found)
    if family.name == "hlsp":
        parts = _tokens(parts["target"]) | parts
    product = parts.get("product", "")
    first, last = parts.get("first"), parts.get("last")
    named = object.__new__(ProductName)
    # What the class's own constructor would do, value by value: lists of products have thousands of names.
    named.__dict__.update(
        _UNTOLD,
        **{name: parts[name] for name in parts.keys() & _PLAIN},
        filename=filename,
        family=family.name,
        kind=family.kind or _kind_of(product),
        product=product,
        author=family.author or parts.get("project", "").upper(),
        collection=family.collection,
        sector=parts.get("sector") if last is None else last,
        sector_range=None if first is None or last is None else (first, last),
        cadence=parts.get("cadence", family.cadence),
        extension=parts.get("extension", ""),
    )
    return named


def _tokens(target: str) -> dict[str, int]:
    """Read a TIC id, sectors, camera and CCD from the target that an HLSP's name tells."""
    found = {name: match for name, token in _TOKENS.items() if (match := token.search(target))}
    values = {name: int(match[1] or match[2]) if name == "tic" else int(match[1]) for name, match in found.items()}
    if "range" in found:
        values["first"], values["last"] = (int(sector) for sector in found["range"].groups())
    return values


def _kind_of(product: str) -> str:
    """Tell the kind of an HLSP from the ending that its authors chose."""
    endings = {"lc": "lightcurve", "llc": "lightcurve", "tp": "tpf", "tpf": "tpf", "cbv": "cbv"}
    return endings.get(product.rsplit("-", 1)[-1], "other")
