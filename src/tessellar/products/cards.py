"""Writing FITS headers: cards of 80 bytes, blocks of 2880, sums that seal them."""

from __future__ import annotations

from collections.abc import Iterable

from tessellar.products.checksum import encode, ones_sum
from tessellar.products.keywords import BLOCK, CARD

_LONGEST_STRING = CARD - 12
_NO_SUM = "0" * 16


def card(key: str, value: str | int | float | bool, comment: str = "") -> bytes:
    """Write one card, value in fixed format, the comment cut where the card ends.

    Parameters
    ----------
    key : str
        Up to 8 characters: A-Z, 0-9, ``-``, ``_``.
    value : str, int, float or bool
        Strings are ASCII (what is not is written ``?``) and up to 68 characters (the rest is cut).
        Floats must be finite.

    Examples
    --------
    >>> card("SECTOR", 24, "observing sector").decode().rstrip()
    'SECTOR  =                   24 / observing sector'
    """
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        plain = value.encode("ascii", "replace").decode().replace("'", "''")[:_LONGEST_STRING]
        # A cut between the two halves of a doubled quote would leave the string open.
        if (len(plain) - len(plain.rstrip("'"))) % 2 and len(plain) == _LONGEST_STRING:
            plain = plain[:-1]
        text = f"'{plain:<8}'".ljust(20)
    elif isinstance(value, int):
        text = f"{value:>20}"
    else:
        text = f"{repr(float(value)).upper():>20}"
    line = f"{key:<8}= {text}"
    if comment:
        line += f" / {comment}"
    return line[:CARD].ljust(CARD).encode("ascii", "replace")


def header_block(cards: Iterable[bytes]) -> bytes:
    """Join cards, add END and pad to whole blocks."""
    joined = b"".join(cards) + b"END".ljust(CARD)
    return joined.ljust(-(-len(joined) // BLOCK) * BLOCK)


def pad(data: bytes) -> bytes:
    """Fill a data unit with zero bytes to whole blocks."""
    return bytes(-len(data) % BLOCK)


def sealed(cards: Iterable[bytes], data: bytes = b"") -> list[bytes]:
    """Make one part of a file: its header with CHECKSUM and DATASUM, its data, its padding.

    Parameters
    ----------
    cards : iterable of bytes
        The header, without the two sums and END.
    data : bytes
        The data unit.

    Returns
    -------
    list of bytes
        Pieces to be written one after the other.
    """
    filling = pad(data)
    whole = len(data) // 4 * 4
    data_sum = ones_sum(memoryview(data)[:whole])
    data_sum = ones_sum(bytes(data[whole:]) + filling, data_sum) if filling else data_sum
    told = (*cards, card("DATASUM", str(data_sum), "sum of the data unit"))
    draft = header_block((*told, _checksum_card(_NO_SUM)))
    total = ones_sum(draft, data_sum)
    return [draft.replace(_checksum_card(_NO_SUM), _checksum_card(encode(total))), data, filling]


def _checksum_card(checksum: str) -> bytes:
    return card("CHECKSUM", checksum, "sum of the whole part")
