"""What a data-validation run is: its key, its files, its inputs, and how it stands to other runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tessellar.products.validation import TCE
from tessellar.targets import TIC


class RunKey(NamedTuple):
    """What tells a run from every other.

    Attributes
    ----------
    target : TIC
        The star.
    pipeline : str
        ``SPOC`` or ``TESS-SPOC``.
    sector_range : tuple of int
        First and last sector of the run's name.
    run_id : int or None
        Number of the pipeline's run; names of TESS-SPOC have none.
    timestamp : str or None
        As the run's file names have it: when its first sector began, not when it was processed.
    """

    target: TIC
    pipeline: str
    sector_range: tuple[int, int]
    run_id: int | None
    timestamp: str | None

    def __str__(self) -> str:
        first, last = self.sector_range
        run = f" (run {self.run_id})" if self.run_id is not None else ""
        return f"{self.pipeline} s{first:04d}-s{last:04d}{run}"


@dataclass(frozen=True)
class RunFile:
    """A file of a run.

    Attributes
    ----------
    filename : str
        Its name.
    product : str
        ``dvt`` (time series), ``dvr`` (report), ``dvm`` (mini report) or ``dvs`` (summary of one planet).
    planet : int or None
        Of a summary.
    uri, obs_id : str
        Its name in the archive, and the observation that lists it.
    size : int or None
        Bytes, as the archive tells.
    path : Path or None
        Where it is, if it is here.
    """

    filename: str
    product: str
    planet: int | None
    uri: str
    obs_id: str = ""
    size: int | None = None
    path: Path | None = None


@dataclass(frozen=True)
class RunInput:
    """A light curve or target pixel file that a run was made from.

    Attributes
    ----------
    filename, obs_id, uri : str
        The file, its observation, its name in the archive.
    kind : str
        ``lightcurve`` or ``tpf``.
    sector : int
        Its sector.
    newer : bool or None
        Whether it was made again after the run; None where the dates of one of them are not known.
    path : Path or None
        Where it is, if it is here.
    """

    filename: str
    obs_id: str
    uri: str
    kind: str
    sector: int
    newer: bool | None = None
    path: Path | None = None


@dataclass(frozen=True, repr=False)
class DVRun:
    """One data-validation run on one star.

    Attributes
    ----------
    target, pipeline, sector_range, run_id, timestamp
        As in `RunKey`.
    sectors : tuple of int or None
        The sectors in which the star was observed, from the report; None when only the range of the name is known.
    time : float or None
        When it was processed (MJD), from the header of its time series, where that is here.
    released : float or None
        When the archive released the observation that lists it (MJD).
    tces : tuple of TCE
        What it found. Without a report they have numbers only, from the names of their summaries.
    tces_known : bool
        Whether anything tells what it found.
    files : tuple of RunFile
        Its files.
    inputs : tuple of RunInput
        What it was made from: of `sectors`, or of all of the range if only that is known.
    superseded_by : RunKey or None
        The run that makes it obsolete.
    covered_by : RunKey or None
        A run over more sectors that is not known to be later.
    reason : str or None
        Why it is superseded: ``extended-by`` more sectors, or a ``rerun-of`` the same.
    lacking : tuple of TCE
        Events of this run that the superseding one lacks.
    """

    target: TIC
    pipeline: str
    sector_range: tuple[int, int]
    run_id: int | None = None
    timestamp: str | None = None
    sectors: tuple[int, ...] | None = None
    time: float | None = None
    released: float | None = None
    tces: tuple[TCE, ...] = ()
    tces_known: bool = False
    files: tuple[RunFile, ...] = ()
    inputs: tuple[RunInput, ...] = ()
    superseded_by: RunKey | None = None
    covered_by: RunKey | None = None
    reason: str | None = None
    lacking: tuple[TCE, ...] = ()

    @property
    def key(self) -> RunKey:
        """What tells it from every other run."""
        return RunKey(self.target, self.pipeline, self.sector_range, self.run_id, self.timestamp)

    @property
    def inputs_known(self) -> str:
        """``exact`` if the report tells the observed sectors, ``hull`` if only the range is known."""
        return "hull" if self.sectors is None else "exact"

    def __str__(self) -> str:
        return str(self.key)

    def __repr__(self) -> str:
        observed = "unknown" if self.sectors is None else ", ".join(map(str, self.sectors))
        fate = f", superseded by {self.superseded_by}" if self.superseded_by is not None else ""
        return f"<DVRun {self.target}, {self.key}, sectors {observed}, {len(self.tces)} TCEs{fate}>"
