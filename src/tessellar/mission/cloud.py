"""Where MAST's public files lie in the cloud: the bucket ``stpubdata``, open to all without an account.

The folders follow from the names. Sources: the keys that MAST's path service
answers with, and addresses in public use; a family whose folder is not known
has none here, and its files have no address.
"""

from __future__ import annotations

from tessellar.mission.names import ProductName, match_name

BUCKET = "stpubdata"
REGION = "us-east-1"

# By family, or by kind: where its files lie. A run's validation files lie with its last sector.
_TARGET = "tess/public/tid/s{sector:04d}/{tic4}/"
_FRAME = "tess/public/ffi/s{sector:04d}/{year}/{day}/{camera}-{ccd}/"
_FOLDERS = {
    "spoc-lc": _TARGET,
    "spoc-fast-lc": _TARGET,
    "spoc-tp": _TARGET,
    "spoc-fast-tp": _TARGET,
    "spoc-dv": _TARGET,
    "spoc-dvs": _TARGET,
    "spoc-ffi": _FRAME,
    "spoc-cbv": _FRAME,
    "spoc-collateral": _FRAME,
    "cube": "tess/public/mast/",
    "tica-cube": "tess/public/mast/tica/",
}
_HLSP = "mast:HLSP/"


def s3_uri(uri_or_filename: str) -> str | None:
    """Return the address of a file in MAST's cloud bucket; None where it is not known to have one.

    That a file has an address does not say that it is there: what is new
    arrives in the cloud later than in the archive.

    Parameters
    ----------
    uri_or_filename : str
        As in the column ``dataURI``, or the name of a file alone. High-level
        science products lie in the folder of their archive name.

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
    name = match_name(uri_or_filename.rsplit("/", 1)[-1])
    if name is None:
        return None
    if name.family in _FOLDERS:
        return f"s3://{BUCKET}/{_folder(name)}{name.filename}"
    # Without a folder, the archive name of a high-level science product is only half of it.
    known = name.uri.startswith(_HLSP) and name.uri.count("/") > 2
    return s3_uri(name.uri) if known else None


def _folder(name: ProductName) -> str:
    tic, when = f"{name.tic or 0:016d}", name.timestamp or ""
    return _FOLDERS[name.family].format(
        sector=name.sector,
        camera=name.camera,
        ccd=name.ccd,
        tic4="/".join(tic[i : i + 4] for i in range(0, 16, 4)),
        year=when[:4],
        day=when[4:7],
    )
