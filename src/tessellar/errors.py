"""Every error that tessellar raises on purpose.

::

    TessellarError
    ├── InputError (ValueError)          the caller asked for something that cannot be
    │   ├── InvalidTICError
    │   ├── InvalidTOIError
    │   ├── NoStarError
    │   ├── QueryError
    │   └── ConfigError
    ├── ArchiveError                     the archive did not give what was asked
    │   ├── Unavailable *
    │   │   └── TimedOut *
    │   ├── RateLimited *
    │   ├── AuthError
    │   ├── NotFound
    │   ├── ResultTruncated
    │   └── UnexpectedReply
    ├── TransferError                    bytes did not arrive
    │   ├── Interrupted *
    │   └── IntegrityError *
    │       └── ChangedUpstream          not the bytes that were asked for, and they will not be
    ├── StoreError                       this machine cannot keep the bytes
    │   ├── NoSpace
    │   └── NoPermission
    ├── ProductError                     a file is not what was expected
    │   ├── Unrecognised                 whole, but not a TESS file that we know
    │   ├── Corrupt                      broken: cut short, or contradicting itself
    │   └── MissingInput (FileNotFoundError)
    └── PhotometryError                  pixels from which no light curve can be had

``*`` is worth retrying (`TessellarError.retryable`). A message names what was
found, where, and what to do, in one line.
"""

from __future__ import annotations

from typing import ClassVar


class TessellarError(Exception):
    """Base of every error that tessellar raises on purpose."""

    retryable: ClassVar[bool] = False


class InputError(TessellarError, ValueError):
    """The caller asked for something that cannot be."""


class NoStarError(InputError):
    """No star of the catalogue lies at a position."""


class InvalidTICError(InputError):
    """Not a TESS Input Catalog id."""


class InvalidTOIError(InputError):
    """Not a TESS Object of Interest id."""


class QueryError(InputError):
    """A criterion that no archive could answer, or that this archive refused."""


class ConfigError(InputError):
    """A setting with an unknown name or an impossible value."""


class ArchiveError(TessellarError):
    """The archive did not give what was asked.

    Parameters
    ----------
    message : str
        One line: what was found, where, what to do.
    url : str, optional
        What was asked.
    status : int, optional
        The HTTP status of the answer, where there was one.
    retry_after : float, optional
        Seconds to wait before asking again, where the archive said so.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.url = url
        self.status = status
        self.retry_after = retry_after


class Unavailable(ArchiveError):
    """The archive cannot be reached, or says that it cannot answer now."""

    retryable = True


class TimedOut(Unavailable):
    """The archive did not finish in time: a smaller question may do."""


class RateLimited(ArchiveError):
    """The archive asked us to come back later."""

    retryable = True


class AuthError(ArchiveError):
    """The archive wants a login, or refused the one given."""


class NotFound(ArchiveError):
    """The archive does not hold what was asked for."""


class ResultTruncated(ArchiveError):
    """A limit of the archive cut the answer short."""


class UnexpectedReply(ArchiveError):
    """The archive answered something that its protocol does not allow."""


class TransferError(TessellarError):
    """Bytes did not arrive."""


class Interrupted(TransferError):
    """The connection ended before the last byte."""

    retryable = True


class IntegrityError(TransferError):
    """The bytes that arrived are not the file that was promised."""

    retryable = True


class ChangedUpstream(IntegrityError):
    """The archive holds other bytes than those that were asked for by their digest."""

    retryable = False


class StoreError(TessellarError):
    """The local machine cannot keep the bytes."""


class NoSpace(StoreError):
    """The disk, or the user's share of it, is full."""


class NoPermission(StoreError):
    """A folder or file may not be written or read."""


class ProductError(TessellarError):
    """A file is not what was expected."""


class Unrecognised(ProductError):
    """A whole file, but not one of the TESS products that tessellar knows."""


class Corrupt(ProductError):
    """A broken file: cut short, or contradicting itself."""


class MissingInput(ProductError, FileNotFoundError):
    """A file that is needed is not there."""


class PhotometryError(TessellarError):
    """Pixels from which no light curve can be had."""
