"""Where MAST's public files lie in the cloud: the bucket ``stpubdata``, open to all without an account.

The folders follow from the names. Sources: the keys that MAST's path service
answers with, and addresses in public use; a family whose folder is not known
has none here, and its files have no address.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from tessellar.mission.names import ProductName, match_name

BUCKET = "stpubdata"
REGION = "us-east-1"


def _target(name: ProductName) -> str:
    """Return the folder of a target's files; a run's validation files lie with its last sector."""
    return _of_star(name.tic or 0, name.sector or 0)


@lru_cache(maxsize=256)
def _of_star(number: int, sector: int) -> str:
    """Return the folder of a star: its files come one after the other."""
    tic = f"{number:016d}"
    return f"tess/public/tid/s{sector:04d}/{tic[:4]}/{tic[4:8]}/{tic[8:12]}/{tic[12:]}/"


def _frame(name: ProductName) -> str:
    when = name.timestamp or ""
    return f"tess/public/ffi/s{name.sector or 0:04d}/{when[:4]}/{when[4:7]}/{name.camera}-{name.ccd}/"


# By family: where its files lie.
_FOLDERS: dict[str, Callable[[ProductName], str]] = {
    "spoc-lc": _target,
    "spoc-fast-lc": _target,
    "spoc-tp": _target,
    "spoc-fast-tp": _target,
    "spoc-dv": _target,
    "spoc-dvs": _target,
    "spoc-ffi": _frame,
    "spoc-cbv": _frame,
    "spoc-collateral": _frame,
    "cube": lambda _: "tess/public/mast/",
    "tica-cube": lambda _: "tess/public/mast/tica/",
}
_HLSP = "mast:HLSP/"


def s3_uri(uri_or_filename: str, name: ProductName | None = None) -> str | None:
    """Return the address of a file in MAST's cloud bucket; None where it is not known to have one.

    That a file has an address does not say that it is there: what is new
    arrives in the cloud later than in the archive.

    Parameters
    ----------
    uri_or_filename : str
        As in the column ``dataURI``, or the name of a file alone. High-level
        science products lie in the folder of their archive name.
    name : ProductName, optional
        What the file's name tells, where that is read already.

    Examples
    --------
    >>> from tessellar.mission.cloud import s3_uri
    >>> s3_uri("tess2019199202929-s0014-2-3-0150-s_ffic.fits")
    's3://stpubdata/tess/public/ffi/s0014/2019/199/2-3/tess2019199202929-s0014-2-3-0150-s_ffic.fits'
    >>> s3_uri("mast:HLSP/qlp/s0037/0000/0002/7221/3425/x.fits")
    's3://stpubdata/mast/hlsp/qlp/s0037/0000/0002/7221/3425/x.fits'
    >>> s3_uri("notes.txt") is None
    True
    """
    if uri_or_filename.startswith(_HLSP):
        return f"s3://{BUCKET}/mast/hlsp/{uri_or_filename.removeprefix(_HLSP)}"
    name = match_name(uri_or_filename.rsplit("/", 1)[-1]) if name is None else name
    if name is None:
        return None
    folder = _FOLDERS.get(name.family)
    if folder is not None:
        return f"s3://{BUCKET}/{folder(name)}{name.filename}"
    # Without a folder, the archive name of a high-level science product is only half of it.
    known = name.uri.startswith(_HLSP) and name.uri.count("/") > 2
    return s3_uri(name.uri) if known else None
