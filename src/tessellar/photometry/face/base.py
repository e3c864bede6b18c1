"""`BasePhotometry`: one star, its stamp, and a light curve to be filled: what own photometry methods inherit from."""

from __future__ import annotations

from collections.abc import Iterable
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, PhotometryError
from tessellar.photometry.face.judging import judge
from tessellar.photometry.face.lightcurvetable import check_shape, columns_of, empty_table, table_of
from tessellar.photometry.face.pictures import draw_result
from tessellar.photometry.face.starstamp import StarStamp
from tessellar.photometry.limits import StampLimits
from tessellar.photometry.measurement import flagged, measure_in, where_off
from tessellar.photometry.method import PhotometryMethod, Settings
from tessellar.photometry.result import Result
from tessellar.photometry.status import STATUS
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.photometry.scene import Scene


class BasePhotometry(StarStamp):
    """One star to be measured: its pixels, its neighbours, and a table for its light curve.

    A subclass brings `do_photometry`, fills `lightcurve` and `final_phot_mask`, and returns a `STATUS`; `photometry`
    runs it, looks at what came out and computes the metrics; `save_lightcurve` writes the file. Objects share nothing:
    each can live in a thread or process of its own.

    Parameters
    ----------
    starid : int
        TIC id of the star.
    input_folder : str
        Folder with the files: a prepared field (`tessellar prepare`), target pixel files or cut-outs, a catalogue
        ``tic*`` and the mission's PRF files where there are any. Or one file: a prepared field, a target pixel file. Or
        a `Scene` that is open already, for many stars of one field.
    output_folder : str
        Folder for light curves; made when one is saved.
    datasource : str
        ``ffi``, ``tpf``, or ``tpf:STARID``: the star is measured in the target pixel file of another one.
    sector, camera, ccd : int, optional
        All three are needed for ``ffi``.
    cadence : int, optional
        Seconds, where files of several are there.
    plot : bool
        Make pictures of stamp and light curve in `plot_folder`.
    cache : {"basic", "none", "full"}
        ``none``: pixels are read again whenever they are asked for. ``basic``: those of the present stamp are kept.
        ``full``: those of larger stamps before, too.
    version : int or None
        Version of the light curve, for its header and file name.

    Attributes
    ----------
    starid, input_folder, output_folder, datasource, sector, camera, ccd, cadence, plot, version
        As above; `datasource` is ``tpf`` also for another star's file.
    plot_folder : str
        ``plots/<starid, 11 digits>`` in the output folder.
    method : str
        Name of the method: the class's name in small letters, without ``photometry``, unless the class names another.
    data_rel : int or None
        Data release.
    n_readout : int
        2-s exposures that one cadence is the sum of.
    header : dict
        Keywords of the target pixel file, or of one of the frames.
    target : dict
        The star: see `tessellar.photometry.face.facts.target_facts`.
    target_pos_column, target_pos_row : float
        Its place on the CCD in the reference frame, 0-based: CCD row 1 of headers is 0. NaN where not known.
    target_pos_column_stamp, target_pos_row_stamp : float
        Its place in the stamp, 0-based.
    wcs : astropy.wcs.WCS or None
        Sky to pixel (0-based): of the CCD for frames, of the file's stamp for target pixel files.
    lightcurve : astropy.table.Table
        One row a cadence; times, numbers and flags are filled in, flux and centroids are NaN until they are measured.
    final_phot_mask, final_position_mask : boolean array (rows, cols) or None
        Pixels that flux, and positions, were measured from.
    additional_headers : dict
        Keyword to (value, comment), for the light curve's header.
    details : dict
        What `report_details` was told and what `photometry` found out.

    Raises
    ------
    InputError
        It is a ValueError: on an invalid datasource or cache; if sector, camera and CCD are not given for ``ffi``; if
        the star is not in the catalogue.
    MissingInput
        It is a FileNotFoundError: if there is no such folder, prepared field, catalogue or target pixel file, or more
        than one.

    Examples
    --------
    >>> from tessellar.photometry import STATUS, BasePhotometry
    >>> class BrightestPixel(BasePhotometry):
    ...     def do_photometry(self):
    ...         row, column = np.unravel_index(np.nanargmax(self.sumimage), self.sumimage.shape)
    ...         self.lightcurve["flux"] = self.images_cube[row, column]
    ...         self.lightcurve["flux_err"] = self.images_err_cube[row, column]
    ...         self.final_phot_mask = np.zeros(self.sumimage.shape, dtype=bool)
    ...         self.final_phot_mask[row, column] = True
    ...         return STATUS.OK
    >>> with BrightestPixel(25155310, "frames", "out", sector=27, camera=1, ccd=1) as pho:  # doctest: +SKIP
    ...     pho.photometry()
    ...     path = pho.save_lightcurve()
    """

    #: Name of the method, if it is not to be made from the class's name.
    method: str = ""

    def __init__(
        self,
        starid: int,
        input_folder: str | Path | Scene,
        output_folder: str | Path,
        datasource: str = "ffi",
        sector: int | None = None,
        camera: int | None = None,
        ccd: int | None = None,
        cadence: int | None = None,
        plot: bool = False,
        cache: str = "basic",
        version: int | None = 6,
    ) -> None:
        super().__init__(starid, input_folder, datasource, sector, camera, ccd, cadence, cache)
        self.output_folder = str(output_folder)
        self.plot, self.version = plot, version
        self.plot_folder = str(Path(output_folder) / "plots" / f"{self.starid:011d}")
        if not self.method:
            self.method = _named_after(type(self))
        self._settings = load_settings()
        self.lightcurve: Table = empty_table(self._pixels.stamp)
        self.final_phot_mask: NDArray[np.bool_] | None = None
        self.final_position_mask: NDArray[np.bool_] | None = None
        self.additional_headers: dict[str, tuple[str | float | int, str]] = {}
        self.details: dict[str, Any] = {"errors": [], "skip_targets": [], "stamp_resizes": 0, "stamp": self.stamp}
        self._status = STATUS.UNKNOWN
        self._metrics: dict[str, float] = {}
        self._measured: Result | None = None

    def __repr__(self) -> str:
        field = Field(self.sector, self.camera, self.ccd)
        return f"<{type(self).__name__} TIC {self.starid}, {field}, {self.datasource}: {self._status.name}>"

    @property
    def status(self) -> STATUS:
        """How it went, or that it did not begin."""
        return self._status

    @property
    def settings(self) -> ConfigParser:
        """Settings and constants, this object's own copy: see `load_settings`."""
        return self._settings

    @property
    def Ntimes(self) -> int:  # noqa: N802
        """Number of cadences."""
        return len(self.lightcurve)

    @property
    def sumimage(self) -> NDArray[np.float64]:
        """Mean of the good cadences, e-/s, (rows, cols); NaN where a pixel has no value in any."""
        return self._open_pixels.mean_image(self._chosen.quality)

    def _take(self, limits: StampLimits) -> bool:
        changed = super()._take(limits)
        self.details["stamp"] = limits
        self.details["stamp_resizes"] += int(changed)
        return changed

    def do_photometry(self, *args: Any, **kwargs: Any) -> STATUS:
        """Measure the star: fill `lightcurve`, set the masks, and return how it went.

        Raises
        ------
        NotImplementedError
            Here; a subclass brings its own.
        """
        raise NotImplementedError(f"{type(self).__name__} has no do_photometry of its own")

    def measure_with(self, method: str | PhotometryMethod = "aperture", settings: Settings | None = None) -> STATUS:
        """Measure with one of the methods of `METHODS`, from the present stamp on, and take over what it gives.

        For a subclass that begins with one of these, or falls back to it.
        """
        result = measure_in(self._here, self.starid, method, settings or self._chosen, limits=self._limits)
        self._take(StampLimits.of(result.stamp.corner, result.stamp.shape))
        self._measured = result
        if result.columns:
            self.lightcurve = table_of(result)
        self.final_phot_mask, self.final_position_mask = result.mask, result.position_mask
        self.additional_headers |= result.cards
        for reason in result.reasons:
            self.report_details(reason)
        self.report_details(skip_targets=result.skip)
        return result.status

    def photometry(self, *args: Any, **kwargs: Any) -> STATUS:
        """Run `do_photometry` with these arguments, look at what it gives, and compute the metrics.

        Where it raises a `PhotometryError`, or the star is on none of the pixels, the status is ERROR and the reason
        in `details`. Other exceptions are noted there too, and passed on.

        Returns
        -------
        STATUS
            What `do_photometry` returned, or worse: see `tessellar.photometry.merit.sanity.findings`.

        Raises
        ------
        InputError
            If `do_photometry` returned no status.
        """
        self._status, self._metrics = STATUS.STARTED, {}
        try:
            off = where_off(self._here, self._target)
            self._status = self._failed(off) if off else _as_status(self.do_photometry(*args, **kwargs))
        except PhotometryError as error:
            self._status = self._failed(str(error))
        except KeyboardInterrupt:
            self._status = STATUS.ABORT
            raise
        except BaseException as error:
            self._status = self._failed(f"{type(error).__name__}: {error}")
            raise
        if self._status.has_light_curve:
            self._judge()
        if self.plot and self._status.has_light_curve:
            draw_result(self.result, Path(self.plot_folder))
        return self._status

    @property
    def result(self) -> Result:
        """The light curve as a `Result`, made from what the object holds now."""
        stamp, mask = self._open_pixels.stamp, self.final_phot_mask
        base = self._measured or Result.failed(stamp, self._target, self._own_settings(mask), self.method, "")
        columns, extra = columns_of(self.lightcurve, len(stamp))
        made = replace(
            base,
            status=self._status,
            reasons=tuple(self.details["errors"]),
            method=self.method,
            stamp=stamp,
            columns=MappingProxyType(columns),
            extra=MappingProxyType(extra),
            mask=check_shape(mask, stamp.shape, "final_phot_mask"),
            position_mask=None
            if self.final_position_mask is None
            else check_shape(self.final_position_mask, stamp.shape, "final_position_mask"),
            mean_image=self.sumimage,
            metrics=MappingProxyType({**base.metrics, **self._metrics}),
            cards=MappingProxyType(dict(self.additional_headers)),
            skip=tuple(self.details["skip_targets"]),
        )
        return flagged(made).with_inputs(*self._here.paths, about=self._here.about)

    def report_details(self, error: str | None = None, skip_targets: Iterable[int] | None = None) -> None:
        """Note an error or a doubt, and stars that need not be measured any more, for whoever runs this."""
        if error is not None:
            self.details["errors"].append(str(error))
        known = self.details["skip_targets"]
        known.extend(int(tic) for tic in skip_targets or () if int(tic) not in known)

    def save_lightcurve(self, output_folder: str | Path | None = None, version: int | None = None) -> str:
        """Write the light curve to a FITS file.

        Parameters
        ----------
        output_folder : path-like, optional
            `output_folder` of the object if not given; made if it is not there.
        version : int, optional
            `version` of the object if not given.

        Returns
        -------
        str
            The file.

        Raises
        ------
        PhotometryError
            If there is no light curve.
        InputError
            If no version is known.
        StoreError
            If the file cannot be written.
        """
        number = self.version if version is None else version
        if number is None:
            raise InputError("VERSION has not been set: give a version")
        result = self.result
        cards = {**result.cards, "VERSION": (int(number), "version of the light curve")}
        written = replace(result, cards=MappingProxyType(cards)).write(Path(output_folder or self.output_folder))
        self.details["filepath_lightcurve"] = str(written)
        return str(written)

    def delete_plots(self) -> None:
        """Delete all files in `plot_folder`, if pictures are made at all; else nothing is done."""
        folder = Path(self.plot_folder)
        if self.plot and folder.is_dir():
            for path in folder.iterdir():
                if path.is_file() or path.is_symlink():
                    path.unlink()

    # What is behind it.

    @property
    def _chosen(self) -> Settings:
        section = self._settings["photometry"]
        return Settings(quality=section["quality"], zero_point=float(section["zero_point"]))

    def _own_settings(self, mask: NDArray[Any] | None) -> Settings:
        """Settings that say that a method of one's own chose the pixels."""
        chosen = self._chosen
        own = mask is not None and np.any(mask)
        return replace(chosen, aperture=np.asarray(mask), aperture_name=self.method) if own else chosen

    def _failed(self, reason: str) -> STATUS:
        self.report_details(reason)
        return STATUS.ERROR

    def _judge(self) -> None:
        judged = judge(self.result, self.surroundings)
        for reason in judged.reasons[len(self.details["errors"]) :]:
            self.report_details(reason)
        self._status, self._metrics = judged.status, dict(judged.metrics)
        self.details |= self._metrics


def load_settings() -> ConfigParser:
    """Make the settings that a `BasePhotometry` begins with; change them before measuring.

    Section ``photometry``: ``quality``, the named mask of `tessellar.mission.flags` by which a cadence is good, and
    ``zero_point``, the TESS magnitude of a star that gives 1 e-/s.

    Examples
    --------
    >>> from tessellar.photometry import load_settings
    >>> load_settings()["photometry"]["quality"]
    'default'
    """
    settings, defaults = ConfigParser(), Settings()
    settings["photometry"] = {"quality": defaults.quality, "zero_point": str(defaults.zero_point)}
    return settings


def _named_after(kind: type) -> str:
    name = "".join(letter for letter in kind.__name__.lower() if letter.isascii() and letter.isalnum())
    return name.removesuffix("photometry") or name


def _as_status(value: object) -> STATUS:
    if not isinstance(value, int) or STATUS(value) in (STATUS.UNKNOWN, STATUS.STARTED):
        raise InputError(f"STATUS was not set by do_photometry: it returned {value!r}")
    return STATUS(value)
