"""MAST's public bucket in the cloud: where a file is in it, what it has, pieces of what it has.

Whole files are fetched over HTTPS like any other, and need nothing more. Lists
and pieces need the package `obstore` (``pip install 'tessellar[cloud]'``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tessellar import config
from tessellar.errors import ArchiveError, AuthError, InputError, NotFound, Unavailable
from tessellar.mission.cloud import BUCKET, REGION, s3_uri

__all__ = ["Bucket", "CloudFile", "cloud_url"]

_PAGE = 1000


@dataclass(frozen=True)
class CloudFile:
    """One object in the bucket.

    Attributes
    ----------
    key : str
        Its path in the bucket.
    size : int
        Bytes.
    etag : str or None
        The bucket's name for this version.
    """

    key: str
    size: int
    etag: str | None


def cloud_url(uri: str, settings: config.Settings | None = None) -> str | None:
    """Return where a file can be fetched from the public bucket; None where it has no place there.

    Parameters
    ----------
    uri : str
        Its name in the archive, or its file name.
    settings : Settings, optional
        By default those that hold now.

    Examples
    --------
    >>> from tessellar.archives.cloud import cloud_url
    >>> cloud_url("mast:TESS/product/tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")[:60]
    'https://stpubdata.s3.us-east-1.amazonaws.com/tess/public/tid'
    """
    address = s3_uri(uri)
    if address is None:
        return None
    service = (settings or config.load()).cloud.rstrip("/")
    root = f"{service}/{BUCKET}" if service else f"https://{BUCKET}.s3.{REGION}.amazonaws.com"
    return f"{root}/{quote(address.removeprefix(f's3://{BUCKET}/'))}"


class Bucket:
    """The public bucket, read without an account.

    Parameters
    ----------
    settings : Settings, optional
        By default those that hold now; `cloud` says which service.

    Raises
    ------
    InputError
        If obstore is not installed.

    Examples
    --------
    >>> from tessellar.archives.cloud import Bucket
    >>> bucket = Bucket()  # doctest: +SKIP
    >>> files = list(bucket.list("tess/public/ffi/s0001/2018/206/1-1/"))  # doctest: +SKIP
    """

    def __init__(self, settings: config.Settings | None = None) -> None:
        settings = settings or config.load()
        if settings.offline:
            raise ArchiveError("offline: the network is not used, for the setting offline is on")
        try:
            from obstore.store import S3Store
        except ImportError as error:
            raise InputError("obstore is not installed: pip install 'tessellar[cloud]'") from error
        options: dict[str, Any] = {"endpoint": settings.cloud} if settings.cloud else {}
        self._store = S3Store(
            BUCKET,
            region=REGION,
            skip_signature=True,
            client_options={
                "allow_http": True,
                "connect_timeout": f"{settings.connect_timeout:g}s",
                "timeout": f"{settings.idle_timeout:g}s",
            },
            retry_config={"max_retries": settings.attempts - 1},
            **options,
        )

    def list(self, prefix: str) -> Iterator[CloudFile]:
        """Give the files below a folder of the bucket, in order of their keys, past all pages.

        Parameters
        ----------
        prefix : str
            A folder, as in ``tess/public/ffi/s0001/2018/206/1-1/``.
        """
        import obstore

        with _translated(prefix):
            for page in obstore.list(self._store, prefix=prefix, chunk_size=_PAGE):
                for found in page:
                    yield CloudFile(found["path"], found["size"], found["e_tag"])

    def describe(self, key: str) -> CloudFile:
        """Return size and version of one file.

        Raises
        ------
        NotFound
            If it is not there.
        """
        import obstore

        with _translated(key):
            found = obstore.head(self._store, key)
        return CloudFile(found["path"], found["size"], found["e_tag"])

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return a piece of a file.

        Parameters
        ----------
        key : str
            Its path in the bucket.
        start : int
            The first byte.
        length : int, optional
            How many; by default to the end.

        Raises
        ------
        InputError
            If there can be no such piece.
        NotFound
            If the file is not there.
        """
        import obstore

        if start < 0 or (length is not None and length < 1):
            raise InputError(f"{key}: no {length} bytes can be read from byte {start} on")
        with _translated(key):
            if length is None:
                return bytes(obstore.get(self._store, key, options={"range": {"offset": start}}).bytes())
            return bytes(obstore.get_range(self._store, key, start=start, length=length))


@contextmanager
def _translated(what: str) -> Iterator[None]:
    from obstore import exceptions

    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{what}: not in the bucket {BUCKET}") from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise AuthError(f"{what}: the bucket {BUCKET} refuses it without an account") from error
    except exceptions.BaseError as error:
        told = " ".join(str(error).split())
        raise Unavailable(f"{what}: the bucket {BUCKET} does not answer ({told[:200]})") from error
