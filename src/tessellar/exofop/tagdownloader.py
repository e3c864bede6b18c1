"""Downloads by tag: one zip a tag, kept in ``zip/``, unpacked into a folder with the tag's name."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from tessellar.errors import ArchiveError, AuthError, InputError, NotFound, ProductError, StoreError, TessellarError
from tessellar.exofop.asking import Exofop, page_error
from tessellar.exofop.downloader import AsyncDownloader, DownloadStatus, TagCounter, TagOutcome, failed, told
from tessellar.exofop.unpacking import unpack
from tessellar.net import Outcome, Remote
from tessellar.products.structure import error_page

if TYPE_CHECKING:
    from tessellar.exofop.authenticator import ExoFOPAuthenticator

_log = logging.getLogger(__name__)

ZIP_FOLDER = "zip"
FILES_FOLDER = "files"
_PAGE = "download_tag_files_zip.php"
# How ExoFOP answers for what is not for those who ask: it need not say that it exists.
_HIDDEN = (DownloadStatus.DENIED, DownloadStatus.NOT_FOUND)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


class TagDownloader:
    """Downloads files associated with a list of ExoFOP tags.

    Tags that are here and whole are not downloaded again; one that was cut off goes on where it stopped.

    Parameters
    ----------
    target_dir : str
        The target directory where downloaded and extracted files will be stored. Default is the current directory.
    authenticator : ExoFOPAuthenticator, optional
        For authentication to ExoFOP.
    downloader : AsyncDownloader, optional
        How files are downloaded, in place of the following.
    max_concurrent_downloads : int
        The maximum number of concurrent downloads.
    timeout : float
        Seconds to wait for a connection, and for the next bytes of each download.
    max_retries : int
        The maximum number of retries for each download.

    Examples
    --------
    >>> import tempfile
    >>> from tessellar.exofop import TagDownloader
    >>> downloader = TagDownloader(target_dir=tempfile.mkdtemp())
    >>> counts = downloader.download_tags(tags=["5734", "5903"])
    >>> counts.of(5903).status
    <DownloadStatus.OK: 1>
    >>> downloader.unzip_downloaded_files()

    Notes
    -----
    After downloading the tags 5734 and 5903, the directory structure looks as follows::

        target_dir/
        ├── 5734/
        ├── 5903/
        ├── zip/
        │   ├── 5734.zip
        │   ├── 5903.zip
    """

    BASE_URL = "https://exofop.ipac.caltech.edu"

    def __init__(
        self,
        target_dir: str = ".",
        authenticator: ExoFOPAuthenticator | None = None,
        downloader: AsyncDownloader | None = None,
        max_concurrent_downloads: int = 2,
        timeout: float = 5,
        max_retries: int = 1,
    ) -> None:
        self.target_dir = str(target_dir)
        self.authenticator = authenticator
        self.downloader = downloader or AsyncDownloader(
            max_concurrent_downloads=max_concurrent_downloads, timeout=timeout, max_retries=max_retries
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(target_dir={self.target_dir!r}, authenticator={self.authenticator!r}, "
            f"downloader={self.downloader!r})"
        )

    @property
    def zip_dir(self) -> str:
        """The folder of the zips."""
        return str(Path(self.target_dir) / ZIP_FOLDER)

    @property
    def client_kwargs(self) -> dict[str, Any]:
        """Return the client kwargs for the downloader: a set of cookies if an authenticator is provided."""
        return {} if self.authenticator is None else {"cookies": self.authenticator.cookies}

    def download_tags(
        self, tags: np.ndarray[Any, Any] | list[Any] | str | int, download_directory: str | None = None
    ) -> TagCounter:
        """Download the zip of each tag.

        Parameters
        ----------
        tags : array, list, str or int
            Tags; each is downloaded once, however often it stands there.
        download_directory : str, optional
            By default the folder ``zip``.

        Returns
        -------
        TagCounter
            A ``Counter[DownloadStatus]``, whose `outcomes` tell what became of each tag.

        Raises
        ------
        StoreError
            If nothing can be kept there.
        AuthError
            If there is an authenticator that cannot log in.
        """
        folder = Path(download_directory if download_directory is not None else self.zip_dir)
        return TagCounter(self._download(tag_list(tags), folder))

    async def download_tags_async(
        self, tags: np.ndarray[Any, Any] | list[Any] | str | int, download_directory: str | None = None
    ) -> TagCounter:
        """Download tags without holding up the event loop; see `download_tags`."""
        return await asyncio.to_thread(self.download_tags, tags, download_directory)

    def unzip_downloaded_files(self, output_dir: str | None = None) -> None:
        """Unpack every zip that was downloaded, each into a folder with its name.

        Files that are there and whole stay as they are.

        Parameters
        ----------
        output_dir : str, optional
            Where these folders are made; by default the target directory.

        Raises
        ------
        ProductError
            If one of them is damaged or hostile; the others are unpacked all the same.
        """
        target = Path(output_dir if output_dir is not None else self.target_dir)
        zips = sorted(path for path in Path(self.zip_dir).glob("*.zip") if path.is_file())
        outcomes = [self._unpack(TagOutcome(path.stem, DownloadStatus.OK, path), target) for path in zips]
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise type(errors[0])(f"{errors[0]}{more}") from errors[0]

    def delete_zip_folder(self) -> None:
        """Delete the .zip folder and all files inside it.

        Raises
        ------
        StoreError
            If that is not possible.
        """
        try:
            shutil.rmtree(self.zip_dir)
        except FileNotFoundError:
            _log.info("%s: nothing to delete", self.zip_dir)
        except OSError as error:
            raise StoreError(f"{self.zip_dir}: cannot be deleted ({error.strerror})") from error

    def download_file(self, file_id: str | int, file_name: str, output_dir: str | None = None) -> TagOutcome:
        """Download a single file by its id, as the table of files has it.

        Parameters
        ----------
        file_id : str or int
            The ``File ID``.
        file_name : str
            Its name.
        output_dir : str, optional
            By default the folder ``files`` in the target directory.
        """
        folder = Path(output_dir) if output_dir is not None else Path(self.target_dir) / FILES_FOLDER
        return self._fetch({str(file_id): ("get_file.php", "id", str(file_id), file_name)}, folder)[0]

    # --------------------------------------------------------------------------------------------

    def _download(self, tags: list[str], folder: Path) -> list[TagOutcome]:
        return self._fetch({tag: (_PAGE, "tag", tag, f"{tag}.zip") for tag in tags}, folder)

    def _fetch(self, wanted: dict[str, tuple[str, str, str, str]], folder: Path) -> list[TagOutcome]:
        """Fetch pages (page, parameter, value, file name) by what they are called; return outcomes in that order."""
        found: dict[str, TagOutcome] = {}
        good = {}
        for tag, what in wanted.items():
            try:
                check_name(tag, what[3])
            except InputError as error:
                found[tag] = failed(tag, error)
            else:
                good[tag] = what
        for tag, outcome in self._transferred(good, folder).items():
            found[tag] = told(tag, outcome) if outcome.kept is not None else self._explained(tag, outcome, good[tag])
        found |= self._again({tag: good[tag] for tag in good if found[tag].status in _HIDDEN}, folder)
        return [found[tag] for tag in wanted]

    def _again(self, refused: dict[str, tuple[str, str, str, str]], folder: Path) -> dict[str, TagOutcome]:
        """Ask again for what was refused, where that was because the session had ended in the meantime."""
        if not refused or self.authenticator is None:
            return {}
        try:
            renewed = self.authenticator.confirm()
        except AuthError as error:
            return {tag: failed(tag, error) for tag in refused}
        except ArchiveError as error:
            _log.info("%s", error)
            return {}
        if not renewed:
            return {}
        return {
            tag: told(tag, outcome) if outcome.kept is not None else self._explained(tag, outcome, refused[tag])
            for tag, outcome in self._transferred(refused, folder).items()
        }

    def _transferred(self, wanted: dict[str, tuple[str, str, str, str]], folder: Path) -> dict[str, Outcome]:
        base = Exofop.open(self.authenticator).base
        remotes = {}
        for tag, (page, term, value, name) in wanted.items():
            url = f"{base}{page}?{term}={quote(value, safe='')}"
            private = self.authenticator.private_headers(url) if self.authenticator is not None else {}
            who = f"#{self.authenticator.username}" if self.authenticator is not None else ""
            remotes[tag] = Remote(f"exofop:{page}/{value}{who}", url, name, "ExoFOP", value, private=private)
        outcomes = self.downloader.fetch(list(remotes.values()), folder) if remotes else []
        by_uri = {outcome.remote.uri: outcome for outcome in outcomes}
        return {tag: by_uri[remote.uri] for tag, remote in remotes.items()}

    def _explained(self, tag: str, outcome: Outcome, what: tuple[str, str, str, str]) -> TagOutcome:
        """Tell why a file did not come; where a page came in its place, by what that page says."""
        error = outcome.error
        assert error is not None
        if "HTML" in str(error) or "text/html" in str(error):
            page, term, value, _ = what
            try:
                said = _beginning(Exofop.open(self.authenticator).hasty(), page, {term: value})
            except ArchiveError as told_error:
                said = told_error
            if isinstance(said, NotFound | AuthError):
                error = type(said)(f"{term} {tag}: {said}", url=said.url)
        elif isinstance(error, NotFound):
            error = NotFound(f"{what[1]} {tag}: ExoFOP has no such files, or does not show them to you", url=error.url)
        return failed(tag, error, outcome.attempts)

    def _unpack(self, outcome: TagOutcome, target: Path) -> TagOutcome:
        """Unpack the zip of a tag that is here; return what became of it."""
        assert outcome.path is not None
        folder = target / outcome.tag
        try:
            check_name(outcome.tag, outcome.path.name)
            unpack(outcome.path, folder)
        except (ProductError, StoreError, InputError) as error:
            return failed(outcome.tag, error, outcome.attempts, outcome.path)
        return replace(outcome, path=folder)


def tag_list(tags: Any) -> list[str]:
    """Return tags as text, each once, in their order.

    Raises
    ------
    InputError
        If they are no tags.

    Examples
    --------
    >>> from tessellar.exofop.tagdownloader import tag_list
    >>> tag_list([5903, "5734", 5903])
    ['5903', '5734']
    """
    if isinstance(tags, str | int | np.integer) and not isinstance(tags, bool):
        tags = [tags]
    if isinstance(tags, bytes | dict | bool | float) or not isinstance(tags, Iterable):
        raise InputError(f"tags must be a list of tags, or one tag, not {type(tags).__name__}")
    found: dict[str, None] = {}
    for tag in tags.tolist() if hasattr(tags, "tolist") else tags:
        if tag is None:
            continue
        if isinstance(tag, float) and tag.is_integer():
            tag = int(tag)
        if isinstance(tag, bool) or not isinstance(tag, str | int | np.integer) or not str(tag).strip():
            raise InputError(f"{tag!r} is no tag: a tag is a number or a name")
        found[str(tag).strip()] = None
    return list(found)


def check_name(tag: str, file_name: str) -> None:
    """Refuse a tag that cannot be the name of a folder, or a file that cannot have its name."""
    for name in (tag, file_name):
        if _UNSAFE.search(name) or name.startswith((".", "~")) or len(name) > 200:
            raise InputError(f"tag {tag!r}: cannot be the name of a file or folder; it is not downloaded")
    if tag.lower() in (ZIP_FOLDER, FILES_FOLDER):
        raise InputError(f"tag {tag!r}: its folder would be that of the {tag}s; it is not downloaded")


def _beginning(exofop: Exofop, page: str, params: dict[str, str]) -> ArchiveError | None:
    """Ask for the beginning of a file; return the error that it is, if it is a page for people."""
    reply = exofop.reply(page, params, headers={"Range": "bytes=0-65535"})
    if error_page(reply.body[:512]):
        return page_error(reply.body.decode("utf-8", "replace"), reply.url)
    return None


def worst(outcomes: Iterable[TagOutcome]) -> TessellarError | None:
    """Return the first error of some outcomes, one of this machine before the others."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    return next((error for error in errors if isinstance(error, StoreError)), errors[0] if errors else None)
