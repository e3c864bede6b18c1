"""The FITS checksum (FITS 4.0, section 4.4.2.7 and appendix J): a ones'-complement sum of 32-bit words."""

from __future__ import annotations

import numpy as np

WHOLE = 0xFFFFFFFF

# Punctuation between the digits and letters of ASCII that the encoding avoids.
_AVOIDED = frozenset((*range(0x3A, 0x41), *range(0x5B, 0x61)))


def ones_sum(data: bytes | memoryview, total: int = 0) -> int:
    """Add the 32-bit words of `data` to `total`, carries wrapped round.

    Parameters
    ----------
    data : bytes
        A multiple of 4 bytes: pieces of FITS blocks are.
    total : int
        The sum so far.

    Examples
    --------
    >>> hex(ones_sum(bytes.fromhex("ffffffff00000002")))
    '0x2'
    """
    return fold(total + int(np.frombuffer(data, ">u4").sum(dtype=np.uint64)))


def fold(total: int) -> int:
    """Wrap the carries of a sum back into 32 bits."""
    while total >> 32:
        total = (total & WHOLE) + (total >> 32)
    return total


def encode(total: int) -> str:
    """Write the complement of a sum as the 16 characters of a CHECKSUM card.

    Examples
    --------
    >>> encode(868229149)
    'hcHjjc9ghcEghc9g'
    """
    columns = []
    for byte in (WHOLE - total).to_bytes(4, "big"):
        quotient, remainder = divmod(byte, 4)
        letters = [0x30 + quotient + remainder, *[0x30 + quotient] * 3]
        while any(letter in _AVOIDED for letter in letters):
            for first in (0, 2):
                if letters[first] in _AVOIDED or letters[first + 1] in _AVOIDED:
                    letters[first] += 1
                    letters[first + 1] -= 1
        columns.append(letters)
    text = "".join(chr(columns[byte][place]) for place in range(4) for byte in range(4))
    return text[-1] + text[:-1]
