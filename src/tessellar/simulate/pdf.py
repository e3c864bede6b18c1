"""Pages of text and plots as PDF: just enough of the format, and the same bytes every time.

The base fonts of every PDF reader are used, so nothing is embedded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.simulate.filing import DATE

#: US letter, in points; (0, 0) is the lower left corner.
WIDTH, HEIGHT = 612, 792
_DOT = 1.2


@dataclass
class Page:
    """One page, drawn from the lower left corner in points."""

    commands: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, line: str, *, size: float = 9, bold: bool = False) -> None:
        """Write a line of text (Latin-1; other characters become question marks)."""
        font = "F2" if bold else "F1"
        self.commands.append(f"BT /{font} {size:g} Tf {x:.2f} {y:.2f} Td ({_escaped(line)}) Tj ET")

    def lines(self, x: float, y: float, lines: Iterable[str], *, size: float = 9) -> float:
        """Write lines of text downwards; return where the next one would be."""
        for line in lines:
            self.text(x, y, line, size=size)
            y -= 1.35 * size
        return y

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """Draw a rectangle."""
        self.commands.append(f"0.6 w 0 G {x:.2f} {y:.2f} {width:.2f} {height:.2f} re S")

    def dots(self, x: ArrayLike, y: ArrayLike) -> None:
        """Draw small squares."""
        places = np.column_stack([np.asarray(x), np.asarray(y)]) - _DOT / 2
        squares = " ".join(f"{a:.1f} {b:.1f} {_DOT} {_DOT} re" for a, b in places.tolist())
        self.commands.append(f"0.35 g {squares} f 0 g")

    def curve(self, x: ArrayLike, y: ArrayLike) -> None:
        """Draw a red line through points."""
        points = np.column_stack([np.asarray(x), np.asarray(y)]).tolist()
        path = " ".join(f"{a:.1f} {b:.1f} {'l' if index else 'm'}" for index, (a, b) in enumerate(points))
        self.commands.append(f"0.9 w 0.8 0.1 0.1 RG {path} S 0 G")


@dataclass(frozen=True)
class Axes:
    """A plot on a page: a frame and two scales."""

    page: Page
    box: tuple[float, float, float, float]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    @classmethod
    def on(
        cls,
        page: Page,
        box: tuple[float, float, float, float],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        *,
        labels: tuple[str, str] = ("", ""),
    ) -> Axes:
        """Draw an empty plot: `box` is left, bottom, width and height in points."""
        left, bottom, width, height = box
        page.frame(*box)
        low, high = x_range
        for value, place in ((low, left), (high, left + width - 30)):
            page.text(place, bottom - 10, f"{value:.5g}", size=7)
        for value, level in ((y_range[0], bottom), (y_range[1], bottom + height - 7)):
            page.text(left - 40, level, f"{value:.4g}", size=7)
        page.text(left + width / 2 - 2 * len(labels[0]), bottom - 20, labels[0], size=8)
        page.text(left, bottom + height + 4, labels[1], size=8)
        return cls(page, box, x_range, y_range)

    def dots(self, x: ArrayLike, y: ArrayLike) -> None:
        """Draw points that lie in the frame."""
        places, inside = self._placed(x, y)
        self.page.dots(*places[:, inside])

    def curve(self, x: ArrayLike, y: ArrayLike) -> None:
        """Draw a line, as far as it lies in the frame."""
        places, inside = self._placed(x, y)
        if inside.sum() > 1:
            self.page.curve(*places[:, inside])

    def _placed(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        shares = [
            (np.asarray(values, dtype=np.float64) - low) / (high - low)
            for values, (low, high) in ((x, self.x_range), (y, self.y_range))
        ]
        inside = np.logical_and.reduce([np.isfinite(share) & (share >= 0) & (share <= 1) for share in shares])
        left, bottom, width, height = self.box
        return np.array([left + width * shares[0], bottom + height * shares[1]]), inside


def pdf_bytes(pages: Sequence[Page], title: str) -> bytes:
    r"""Make a PDF file of some pages.

    Examples
    --------
    >>> page = Page()
    >>> page.text(72, 720, "Hello")
    >>> content = pdf_bytes([page], "An example")
    >>> content[:8], content[-6:]
    (b'%PDF-1.4', b'%%EOF\n')
    """
    first = 6
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(pages)))
    stamp = DATE.replace("-", "")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({_escaped(title)}) /Producer (tessellar simulation) /CreationDate (D:{stamp}) >>".encode(
            "latin-1"
        ),
    ]
    for number, page in enumerate(pages):
        content = "\n".join(page.commands).encode("latin-1", "replace")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {first + 2 * number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    whole = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(whole))
        whole += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(whole)
    whole += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    whole += b"".join(b"%010d 00000 n \n" % place for place in places)
    whole += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\n" % (len(objects) + 1)
    whole += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(whole)


def _escaped(line: str) -> str:
    text = line.encode("latin-1", "replace").decode("latin-1")
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
