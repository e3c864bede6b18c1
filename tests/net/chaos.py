"""A server that spoils every third request, each time in another way, and files for it that can prove themselves."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections import defaultdict
from collections.abc import Callable
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from tests.webserver import FileServer, Misbehaviour

HTML = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"

Make = Callable[[random.Random, int], Misbehaviour]


def status(code: int, **headers: str) -> Make:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda rng, size: Misbehaviour(status=code, headers=named, body=b"trouble")


def how(**what: Any) -> Make:
    """Give what is callable the random numbers and the size of the file."""
    return lambda rng, size: Misbehaviour(
        **{name: value(rng, size) if callable(value) else value for name, value in what.items()}
    )


def some(rng: random.Random, size: int) -> int:
    return rng.randrange(size)


# Trouble that passes: after it, the same request can succeed.
PASSING: dict[str, Make] = {
    "refused": how(reset=True),
    "dropped": how(drop=True),
    "reset": how(reset=True, cut_after=some),
    "stalled": how(stall=1.0, cut_after=some),
    "dripping": how(drip=0.02, cut_after=some),
    "cut": how(cut_after=some),
    "cut, no validator": how(cut_after=some, no_validator=True),
    "too much": how(too_much=lambda rng, size: rng.randrange(1, 999)),
    "announced too much": how(length=lambda rng, size: rng.randrange(1, 999)),
    "announced too little": how(length=lambda rng, size: -rng.randrange(1, size)),
    "no length": how(no_length=True),
    "no length, cut": how(no_length=True, cut_after=some),
    "chunked": how(chunked=True),
    "chunked, cut": how(chunked=True, cut_after=some),
    "ignores range": how(ignore_range=True),
    "ignores range, cut": how(ignore_range=True, cut_after=some),
    "wrong range": how(wrong_range=True),
    "another version, cut": how(other_bytes=True, cut_after=some),
    "another etag": how(other_etag=True),
    "html with 200": lambda rng, size: Misbehaviour(status=200, headers={"Content-Type": "text/html"}, body=HTML),
    "html as data": lambda rng, size: Misbehaviour(
        status=200, headers={"Content-Type": "application/octet-stream"}, body=HTML
    ),
    "nothing with 200": lambda rng, size: Misbehaviour(status=200),
    "packed": how(gzip=True),
    "flipped bit": how(flip=some),
    "408": status(408),
    "416": status(416),
    "425": status(425),
    "429": status(429),
    "429, come back": status(429, Retry_After="0"),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "503, come back": status(503, Retry_After=formatdate(0, usegmt=True)),
    "503, nonsense": status(503, Retry_After="soon"),
    "504": status(504),
}  # fmt: skip

# Trouble that does not pass: it is reported, not tried again.
FINAL: dict[str, Make] = {
    "400": status(400),
    "401": status(401),
    "403": status(403),
    "404": status(404),
    "410": status(410),
    "no content": status(204),
    "redirected for ever": lambda rng, size: Misbehaviour(status=302, headers={"Location": "/loop"}),
}


class ChaosServer(FileServer):
    """Spoils every third request, by a seed; remembers what was done to which path."""

    def __init__(self, files: dict[str, bytes], seed: int, kinds: dict[str, Make], every: int = 3) -> None:
        super().__init__()
        self.files = files
        self.done: dict[str, list[str]] = defaultdict(list)
        self._random = random.Random(seed)
        self._kinds = kinds
        self._every = every
        self._count = 0

    def answer(self, path: str) -> Misbehaviour | None:
        if path == "/loop":
            return Misbehaviour(status=302, headers={"Location": "/loop"})
        self._count += 1
        if self._count % self._every:
            return None
        name = self._random.choice(list(self._kinds))
        if name in ("flipped bit", "announced too little") and not path.endswith((".fits", ".gz", ".zip")):
            return None  # nothing could find it
        self.done[path].append(name)
        return self._kinds[name](self._random, len(self.files[path]))


def archive_files(number: int, seed: int) -> dict[str, bytes]:
    """Files of the kinds that an archive holds, most of them FITS with sums: path to bytes."""
    pool = _pool(seed)
    files = {}
    for index in range(number):
        suffix, content = pool[index % len(pool)]
        files[f"/product{index:04d}{suffix}"] = content
    return files


@cache
def _pool(seed: int) -> list[tuple[str, bytes]]:
    rng = random.Random(seed)
    makers = [_fits] * 4 + [_gzip, _zip, _xml, _pdf, _csv]
    return [maker(rng) for maker in makers * 3]


def _fits(rng: random.Random) -> tuple[str, bytes]:
    data = np.frombuffer(rng.randbytes(4 * rng.randrange(2_000, 20_000)), ">f4")
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.nan_to_num(data))]).writeto(out, checksum=True)
    return "_lc.fits", out.getvalue()


def _gzip(rng: random.Random) -> tuple[str, bytes]:
    return ".fits.gz", gzip.compress(_fits(rng)[1], 1)


def _zip(rng: random.Random) -> tuple[str, bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.fits", _fits(rng)[1])
    return ".zip", out.getvalue()


def _xml(rng: random.Random) -> tuple[str, bytes]:
    return "_dvr.xml", b"<dv>" + b"".join(b"<p>%d</p>" % rng.randrange(10**9) for _ in range(2000)) + b"</dv>"


def _pdf(rng: random.Random) -> tuple[str, bytes]:
    return "_dvr.pdf", b"%PDF-1.5\n" + rng.randbytes(30_000) + b"\nstartxref\n9\n%%EOF\n"


def _csv(rng: random.Random) -> tuple[str, bytes]:
    return "_stats.csv", b"\n".join(b"%d,%d" % (row, rng.randrange(10**9)) for row in range(3000))


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.part"))
