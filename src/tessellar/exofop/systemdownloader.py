"""All that ExoFOP has of one system: its tables, and the files of the tags in them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Self

import numpy as np

from tessellar.errors import InputError
from tessellar.exofop.authenticator import ExoFOPAuthenticator
from tessellar.exofop.downloader import AsyncDownloader, DownloadStatus, TagCounter
from tessellar.exofop.system import System
from tessellar.exofop.tables import ExofopTable, OverviewTableAccessor, TargetTables
from tessellar.exofop.tagdownloader import FILES_FOLDER, ZIP_FOLDER, TagDownloader, tag_list
from tessellar.store.store import check_folder

_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


class SystemDownloader(TagDownloader):
    """Downloads data related to an individual stellar system from ExoFOP.

    Parameters
    ----------
    system : System
        The system identifier for the given system; a name will do as well.
    data_dir : str
        The directory where downloaded and extracted files will be stored, in a folder named after the system.
    target_dir : str, optional
        The target directory itself, in place of one in `data_dir`.
    add_exofop_subdir : bool
        Whether to add a subdirectory for ExoFOP data.
    authenticator : ExoFOPAuthenticator, optional
        For authentication to ExoFOP: of tables as well as of downloads.
    downloader : AsyncDownloader, optional
        How files are downloaded, in place of the following.
    max_concurrent_downloads : int
        The maximum number of concurrent downloads.
    timeout : float
        Seconds to wait for a connection, and for the next bytes of each download.
    max_retries : int
        The maximum number of retries for each download.

    Attributes
    ----------
    time_series, spectroscopy, imaging, stellar_parameters, nearby_target, stellar_companions : OverviewTableAccessor
        The tables that ExoFOP's users know.
    planet_parameters, magnitudes, files, notes, uploads : OverviewTableAccessor
        The others that ExoFOP has.

    Examples
    --------
    >>> import tempfile
    >>> from tessellar.exofop import System, SystemDownloader
    >>> system_loader = SystemDownloader(
    ...     data_dir=tempfile.mkdtemp(),
    ...     system=System('TIC_254113311'),
    ...     max_retries=0
    ... )
    >>> tab = system_loader.time_series.table
    >>> tags = system_loader.time_series.tags
    >>> counts = system_loader.download(tags[[1, 2]])
    """

    def __init__(
        self,
        system: System,
        data_dir: str = ".",
        target_dir: str | None = None,
        add_exofop_subdir: bool = False,
        authenticator: ExoFOPAuthenticator | None = None,
        downloader: AsyncDownloader | None = None,
        max_concurrent_downloads: int = 2,
        timeout: float = 5,
        max_retries: int = 1,
    ) -> None:
        system = system if isinstance(system, System) else System(system)
        folder = Path(target_dir) if target_dir is not None else Path(data_dir) / _folder_name(system.name)
        if add_exofop_subdir:
            folder = folder / "exofop"
        folder = folder.expanduser()
        check_folder(folder)
        super().__init__(
            target_dir=str(folder),
            authenticator=authenticator,
            downloader=downloader,
            max_concurrent_downloads=max_concurrent_downloads,
            timeout=timeout,
            max_retries=max_retries,
        )
        self.system = system
        self.tables = TargetTables(system, authenticator)
        self.time_series = self._accessor("time_series")
        self.spectroscopy = self._accessor("spectroscopy")
        self.imaging = self._accessor("imaging")
        self.stellar_parameters = self._accessor("stellar_parameters")
        self.nearby_target = self._accessor("nearby_targets")
        self.stellar_companions = self._accessor("stellar_companions")
        self.planet_parameters = self._accessor("planet_parameters")
        self.magnitudes = self._accessor("magnitudes")
        self.files = self._accessor("files")
        self.notes = self._accessor("notes")
        self.uploads = self._accessor("uploads")

    @classmethod
    def from_username(
        cls,
        username: str,
        system: System,
        data_dir: str = ".",
        target_dir: str | None = None,
        add_exofop_subdir: bool = False,
        downloader: AsyncDownloader | None = None,
        max_concurrent_downloads: int = 5,
        timeout: float = 100,
    ) -> Self:
        """Make a downloader that logs in as a user; see `ExoFOPAuthenticator`."""
        return cls(
            system=system,
            data_dir=data_dir,
            target_dir=target_dir,
            add_exofop_subdir=add_exofop_subdir,
            authenticator=ExoFOPAuthenticator(username=username),
            downloader=downloader,
            max_concurrent_downloads=max_concurrent_downloads,
            timeout=timeout,
        )

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, system={self.system!r})"

    @property
    def light_curve(self) -> OverviewTableAccessor:
        """The light curve table for the given system. Alternative name for `time_series`."""
        return self.time_series

    def download(
        self, tags: np.ndarray[Any, Any] | list[Any] | str | int, output_dir: str | None = None, unzip: bool = True
    ) -> TagCounter:
        """Download all files specified by the given tags.

        Works in scripts, in notebooks, and under asyncio, where it holds up the loop; `download_async` does not.

        Parameters
        ----------
        tags : list of str
            The list of tags for the files to be downloaded.
        output_dir : str, optional
            The directory where the downloaded files should be stored: the zips in its folder ``zip``, what is in
            them in a folder per tag. By default the target directory.
        unzip : bool
            Whether to unzip the downloaded files.

        Returns
        -------
        TagCounter
            A ``Counter[DownloadStatus]``, whose `outcomes` tell what became of each tag.
        """
        target = Path(output_dir if output_dir is not None else self.target_dir)
        outcomes = self._download(tag_list(tags), target / ZIP_FOLDER)
        if unzip:
            outcomes = [
                self._unpack(outcome, target) if outcome.status is DownloadStatus.OK else outcome
                for outcome in outcomes
            ]
        return TagCounter(outcomes)

    async def download_async(
        self, tags: np.ndarray[Any, Any] | list[Any] | str | int, output_dir: str | None = None, unzip: bool = True
    ) -> TagCounter:
        """Download tags without holding up the event loop; see `download`."""
        return await asyncio.to_thread(self.download, tags, output_dir, unzip)

    def download_time_series(self, output_dir: str | None = None, unzip: bool = True) -> TagCounter:
        """Download the files of all time series observations of the system; see `download`."""
        return self.download(self.time_series.tags, output_dir, unzip)

    def download_spectroscopy(self, output_dir: str | None = None, unzip: bool = True) -> TagCounter:
        """Download the files of all spectroscopic observations of the system; see `download`."""
        return self.download(self.spectroscopy.tags, output_dir, unzip)

    def download_imaging(self, output_dir: str | None = None, unzip: bool = True) -> TagCounter:
        """Download the files of all imaging observations of the system; see `download`."""
        return self.download(self.imaging.tags, output_dir, unzip)

    def download_files(self, file_ids: Any = None, output_dir: str | None = None) -> TagCounter:
        """Download single files of the system, whatever their tags.

        Parameters
        ----------
        file_ids : list of int, optional
            As the table `files` has them; by default all files.
        output_dir : str, optional
            By default the folder ``files`` in the target directory.

        Returns
        -------
        TagCounter
            One outcome per file, by its id.

        Raises
        ------
        InputError
            If the table does not have a file.
        """
        table = self.files.table
        names = {str(row["File ID"]): str(row["File Name"]) for row in table}
        wanted = list(names) if file_ids is None else tag_list(file_ids)
        unknown = [each for each in wanted if each not in names]
        if unknown:
            raise InputError(f"{self.system.target} has no file {', '.join(unknown)}; see the table of its files")
        # Two files of one name are told by their ids.
        often = {name for name in names.values() if list(names.values()).count(name) > 1}
        files = {
            each: ("get_file.php", "id", each, f"{each}_{names[each]}" if names[each] in often else names[each])
            for each in wanted
        }
        folder = Path(output_dir) if output_dir is not None else Path(self.target_dir) / FILES_FOLDER
        return TagCounter(self._fetch(files, folder))

    def unzip_downloaded_files(self, output_dir: str | None = None) -> None:
        """Unzip all downloaded files for the given system, into the output path.

        Parameters
        ----------
        output_dir : str, optional
            By default the target directory.
        """
        super().unzip_downloaded_files(output_dir)

    def _accessor(self, kind: str) -> OverviewTableAccessor:
        return OverviewTableAccessor(ExofopTable(kind, self.authenticator), self.tables, self.target_dir)


def _folder_name(name: str) -> str:
    """Return a name as that of one folder."""
    found = _UNSAFE.sub("_", name).strip().lstrip(".~")
    if not found:
        raise InputError(f"a system called {name!r} cannot have a folder; give target_dir")
    return found
