"""FITS headers as plain values: enough to find, size and describe the parts of a file.

astropy's `Header` is the face that users see; this is the quick look beneath it,
for a folder of thousands of files is indexed by what their headers say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

BLOCK = 2880
CARD = 80

#: A header longer than this has lost its END card; the longest TESS ones have ~100 kB.
LONGEST_HEADER = 4096 * BLOCK

Value = str | int | float | bool | None
Keys = Mapping[str, Value]

_END = b"END".ljust(CARD)
_STRING = re.compile(r"\s*'((?:[^']|'')*)'")
_INTEGER = re.compile(r"[+-]?\d+")


def extensions_told(primary: Keys) -> int | None:
    """Return how many extensions a primary header promises; None if it does not tell.

    That of a validation time series counts the primary part too in NEXTEND. It has a table an event, and one
    of statistics.

    Examples
    --------
    >>> extensions_told({"NEXTEND": 2}), extensions_told({"NEXTEND": 5, "NUMTCES": 3}), extensions_told({})
    (2, 4, None)
    """
    told, events = primary.get("NEXTEND"), primary.get("NUMTCES")
    if isinstance(events, int) and not isinstance(events, bool):
        return events + 1
    return told if isinstance(told, int) else None


def has_end(block: bytes) -> bool:
    """Tell whether one header block of 2880 bytes holds the END card."""
    at = block.find(_END)
    while at >= 0:
        if at % CARD == 0:
            return True
        at = block.find(_END, at + 1)
    return False


def parse_header(header: bytes) -> dict[str, Value]:
    """Turn the bytes of a header into keyword → value.

    Parameters
    ----------
    header : bytes
        Whole cards of 80 bytes.

    Returns
    -------
    dict
        Values as str, int, float, bool, or None where a keyword has none. Of a
        repeated keyword the first counts, as in astropy. Commentary is left out.

    Examples
    --------
    >>> parse_header(b"SECTOR  =                   24 / observing sector".ljust(80))
    {'SECTOR': 24}
    """
    keys: dict[str, Value] = {}
    continued = ""
    for card in _cards(header):
        if continued and card.startswith("CONTINUE"):
            keys[continued], continued = _continue(keys[continued], card[10:], continued)
            continue
        continued = ""
        if card[8:10] != "= ":
            continue
        name = card[:8].rstrip()
        if name in keys:
            continue
        value = _value(card[10:])
        keys[name] = value
        if isinstance(value, str) and value.endswith("&"):
            continued = name
    return keys


def data_size(keys: Keys) -> int:
    """Bytes of the data unit that a header announces, without its padding.

    Raises
    ------
    ValueError
        If BITPIX or a length of an axis is missing or not a whole number.
    """
    axes = _whole(keys, "NAXIS")
    if axes == 0:
        return 0
    elements = 1
    for axis in range(1, axes + 1):
        elements *= _whole(keys, f"NAXIS{axis}")
    extra = _whole(keys, "PCOUNT", 0)
    return abs(_whole(keys, "BITPIX")) // 8 * _whole(keys, "GCOUNT", 1) * (extra + elements)


def padded(size: int) -> int:
    """Round `size` up to whole FITS blocks."""
    return -(-size // BLOCK) * BLOCK


def _cards(header: bytes) -> Iterator[str]:
    text = header.decode("latin-1")
    for at in range(0, len(text), CARD):
        yield text[at : at + CARD]


def _value(text: str) -> Value:
    match = _STRING.match(text)
    if match:
        return match[1].replace("''", "'").rstrip()
    word = text.partition("/")[0].strip()
    if not word:
        return None
    if word in ("T", "F"):
        return word == "T"
    if _INTEGER.fullmatch(word):
        return int(word)
    try:
        return float(word.replace("D", "E").replace("d", "e"))
    except ValueError:
        return word


def _continue(head: Value, text: str, name: str) -> tuple[str, str]:
    match = _STRING.match(text)
    tail = match[1].replace("''", "'").rstrip() if match else ""
    return str(head).removesuffix("&") + tail, name if tail.endswith("&") else ""


def _whole(keys: Keys, name: str, default: int | None = None) -> int:
    value = keys.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or (value < 0 and name != "BITPIX"):
        raise ValueError(f"{name} is {value!r}")
    return value
