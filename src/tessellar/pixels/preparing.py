"""`prepare`: go through the frames of a field twice, and write down all that measuring needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError, ProductError
from tessellar.mission.flags import SPOCQuality
from tessellar.pixels.background import BOX, Sky, measure_jointly
from tessellar.pixels.backgrounds import BackgroundSeries, mean_of_frames, sample_of
from tessellar.pixels.badtimes import bad_times
from tessellar.pixels.checkpoints import Checkpoints
from tessellar.pixels.effective import EffectivePSF, estimate_response
from tessellar.pixels.jumps import jumps_in
from tessellar.pixels.movement import mapped
from tessellar.pixels.passes import Scene, SecondPass, Survey, first_pass
from tessellar.pixels.pointing import Pointing, PointingMeter, pointing_of_headers
from tessellar.pixels.prepared import PreparedField
from tessellar.pixels.preparedfile import Findings, PreparedFile
from tessellar.pixels.quality import excluded_by_hand, transfer_flags, whole_frames
from tessellar.pixels.response import GriddedResponse
from tessellar.pixels.segments import segments_of
from tessellar.pixels.smoothing import smoothed
from tessellar.pixels.stack import FrameStack
from tessellar.pixels.starmodel import StarModel
from tessellar.pixels.stars import StarField
from tessellar.pixels.timing import corrected, known_offsets, spacecraft_of
from tessellar.products.provenance import InputFile, Provenance
from tessellar.progress import Event, Listener, ignore

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.products.series import TimeSeries
    from tessellar.targets import Field

    Catalog: TypeAlias = Table | Mapping[str, ArrayLike]

# Frames about the reference of which the mean image is made that a response is first estimated from.
_ABOUT = 9
# What the result depends on beside inputs and settings: raised when the method changes.
_METHOD = 1


def prepare(
    frames: FrameStack | str | PathLike[str] | Iterable[str | PathLike[str]],
    stars: StarField | Catalog | None = None,
    prf: GriddedResponse | None = None,
    *,
    out: str | PathLike[str],
    field: Field | str | None = None,
    targets: Sequence[TimeSeries] = (),
    limit: float = np.inf,
    correct_times: bool = False,
    box: int = BOX,
    workers: int = 2,
    unpack: str | PathLike[str] | None = None,
    listener: Listener = ignore,
) -> PreparedField:
    """Prepare the full-frame images of one field for photometry.

    The frames are gone through twice, in bounded memory. What was done is kept beside `out` until all is done: a run
    that was killed goes on, and its result is the same. Where `out` has been made of the same inputs, it is returned.

    Parameters
    ----------
    frames : FrameStack, or path-like, or iterable of path-like
        The frames; a folder is searched with all below it. Damaged ones are left out, and named by an event.
    stars : StarField, or table, optional
        Catalogue (columns as in MAST's TIC, see `StarField.place`). Without it the background is the mode of the
        pixels, and pointing that of the headers.
    prf : MissionPRF or other GriddedResponse, optional
        The pixel response; without it one is estimated from the frames, by region and by orbit.
    out : path-like
        The file to write (HDF5).
    field : Field or str, optional
        Sector, camera and CCD, where the folder holds frames of several.
    targets : sequence of LightCurve or TargetPixelFile
        Of the same sector: their flags are taken over, and their barycentric corrections tell where the spacecraft was.
    limit : float
        Faintest magnitude of stars.
    correct_times : bool
        Take known errors off the times. They are told in any case, in the provenance (``time_offset``).
    box : int
        Side of the background's tiles, px.
    workers : int
        Threads.
    unpack : path-like, optional
        Folder into which packed frames are unpacked.
    listener : callable
        Told about progress.

    Returns
    -------
    PreparedField

    Raises
    ------
    InputError
        If the frames do not belong together, or the catalogue is empty or of another field.
    MissingInput, Corrupt
        If there are no frames, or one changes while it is worked on.
    NoSpace, NoPermission, StoreError
        If `out` cannot be written, or another process is writing it.

    Examples
    --------
    >>> from tessellar.pixels import MissionPRF, prepare
    >>> prf = MissionPRF.open("prf", camera=1, ccd=1, sector=27)  # doctest: +SKIP
    >>> field = prepare("frames", catalog, prf, out="s0027-1-1-c0600.h5", field="27-1-1")  # doctest: +SKIP
    """
    if workers < 1:
        raise InputError(f"workers={workers}: frames are worked on by one thread at least")
    stack = frames if isinstance(frames, FrameStack) else FrameStack.open(
        frames, field=field, skip_damaged=True, unpack=unpack
    )  # fmt: skip
    for path, why in stack.damaged.items():
        listener(Event("frames", note=f"{path.name} is left out: {why}"))
    placed = stars if isinstance(stars, StarField) or stars is None else StarField.of(stack, stars, limit=limit)
    path = Path(out)
    work = _Work(stack, placed, prf, tuple(targets), correct_times, box, workers, listener)
    if _is_of(path, work.key):
        return PreparedField(path)
    with Checkpoints(path.with_name(f"{path.name}.work"), work.key) as kept:
        work.run(kept).write(path)
        kept.remove()
    return PreparedField(path)


def _is_of(path: Path, key: str) -> bool:
    try:
        return path.exists() and PreparedFile(path).key == key
    except ProductError:
        return False


@dataclass(frozen=True, eq=False)
class _Work:
    """One field to be prepared."""

    stack: FrameStack
    stars: StarField | None
    prf: GriddedResponse | None
    targets: tuple[TimeSeries, ...]
    correct_times: bool
    box: int
    workers: int
    listener: Listener

    @property
    def key(self) -> str:
        """Tells this work from any other: a digest of what goes in."""
        digest = hashlib.sha256(
            f"{_METHOD} {self.box} {self.correct_times} {self.stack.shape} {self.stack.corner}".encode()
        )
        for path in [*(frame.path for frame in self.stack.frames), *(each.path for each in self.targets)]:
            told = path.stat()
            digest.update(f"{path.absolute()} {told.st_size} {told.st_mtime_ns}\n".encode())
        if self.stars is not None:
            for each in fields(self.stars):
                digest.update(np.ascontiguousarray(getattr(self.stars, each.name)).tobytes())
        if self.prf is not None:
            digest.update(self.prf.coefficients.tobytes())
        return digest.hexdigest()

    def run(self, kept: Checkpoints) -> Findings:
        """Do it all."""
        stack = self.stack
        sky = Sky(stack.field, stack.corner, stack.shape, box=self.box)
        excluded = excluded_by_hand(stack.field, stack.time)
        segments = segments_of(stack.time)
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                pointing, stars = self._point(sky, kept, pool)
                kernels = pointing.filled_kernels()
                scenes = _Scenes(self, sky, stars, segments, kernels, kept)
                survey = SecondPass(
                    stack=stack,
                    sky=sky,
                    scene_of=scenes.of,
                    segments=segments,
                    kernels=kernels,
                    excluded=excluded,
                    kept=kept,
                    pool=pool,
                    listener=self.listener,
                ).run()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        responses, fluxes = scenes.found()
        quality = stack.quality | transfer_flags(stack, self.targets)
        quality[whole_frames(excluded, stack.corner, stack.shape)] |= int(SPOCQuality.ManualExclude)
        background = _series(sky, survey, segments)
        return Findings(
            field=stack.field,
            frames=corrected(stack.frames, known_offsets(stack)) if self.correct_times else stack.frames,
            corner=stack.corner,
            shape=stack.shape,
            planes=stack.planes,
            repaired=stack.repaired,
            reference=stack.reference,
            quality=quality,
            segments=segments,
            pointing=replace(pointing, kernels=kernels),
            background=background,
            mean_image=survey.mean_image,
            stars=stars,
            fluxes=fluxes,
            responses=responses,
            bad_times=_calendar(stack, quality, background, pointing),
            spacecraft=spacecraft_of(stack, stack.planes[stack.reference], self.targets),
            provenance=self._provenance(),
            left_out={str(path): why for path, why in stack.damaged.items()},
            key=self.key,
        )

    def _point(self, sky: Sky, kept: Checkpoints, pool: ThreadPoolExecutor) -> tuple[Pointing, StarField | None]:
        """Measure the pointing; place the stars where they are."""
        response = self._first_response(sky, kept)
        if self.stars is None or response is None:
            return pointing_of_headers(self.stack), self.stars
        try:
            meter = PointingMeter(self.stack, self.stars, response)
            pointing = meter.solve(first_pass(self.stack, meter, kept, pool, self.listener))
        except InputError as error:
            self._note(f"pointing is that of the headers: {error}")
            return pointing_of_headers(self.stack), self.stars
        if self.prf is None:
            # The response was estimated at the stars' places: these are its origin, and not to be corrected by it.
            pointing = replace(pointing, offset=np.zeros(2), registration=np.array([1.0, 0, 0, 0, 1, 0]))
        column, row = mapped(pointing.registration, self.stars.column, self.stars.row)
        return pointing, replace(self.stars, column=column, row=row)

    def _first_response(self, sky: Sky, kept: Checkpoints) -> GriddedResponse | None:
        if self.prf is not None or self.stars is None:
            return self.prf
        known = kept.load("response")
        if known is not None:
            return EffectivePSF(**known) if known else None
        good = sample_of(self.stack, np.argsort(np.abs(np.arange(len(self.stack)) - self.stack.reference))[:_ABOUT])
        try:
            response = estimate_response(mean_of_frames(self.stack, sky, good), sky, self.stars)
        except InputError as error:
            self._note(f"stars are not taken off: {error}")
            kept.save("response", {})
            return None
        kept.save("response", {name: getattr(response, name) for name in ("columns", "rows", "coefficients")})
        return response

    def _offset(self) -> dict[str, Any] | None:
        known = known_offsets(self.stack)["mid"]
        return None if known is None else {**vars(known), "corrected": self.correct_times}

    def _note(self, text: str) -> None:
        self.listener(Event("frames", note=text))

    def _provenance(self) -> Provenance:
        inputs = [frame.path for frame in self.stack.frames] + [each.path for each in self.targets]
        settings: dict[str, Any] = {
            "field": str(self.stack.field),
            "box": self.box,
            "stars": 0 if self.stars is None else len(self.stars),
            "time_offset": self._offset(),
            "response": repr(self.prf) if self.prf is not None else "estimated from the frames",
        }
        # Hashing a sector's frames would take as long as preparing them.
        return Provenance(tuple(InputFile(path.name, path.stat().st_size) for path in inputs), settings)


class _Scenes:
    """The parts of the sector, each looked at when its first frame is."""

    def __init__(
        self,
        work: _Work,
        sky: Sky,
        stars: StarField | None,
        segments: NDArray[np.int64],
        kernels: NDArray[np.float64],
        kept: Checkpoints,
    ) -> None:
        self._work, self._sky, self._stars = work, sky, stars
        self._segments, self._kernels, self._kept = segments, kernels, kept

    def of(self, segment: int) -> Scene:
        """The scene of one part: its response and stars are fitted, unless that is done and kept."""
        part = self._part(segment)
        kernel, starlight = part["kernel"], part["starlight"]
        if "fluxes" not in part or self._stars is None:
            return Scene(None, kernel, starlight, starlight > 200.0)
        stars = self._moved(kernel)
        response = self._response(part)
        nothing = np.zeros(self._work.stack.shape, np.float32)
        # Drawn anew from the kept fluxes also where they were just fitted: a run that goes on sees the same stars.
        model = StarModel.fit(nothing, self._sky.corner, stars, response, start=part["fluxes"], sweeps=0)
        return Scene(model, kernel, starlight, model.masked)

    def found(self) -> tuple[list[GriddedResponse], NDArray[np.float64] | None]:
        """Responses of all parts (one, where it was given), and mean fluxes of the stars."""
        parts = [self._part(segment) for segment in np.unique(self._segments).tolist()]
        fluxes = [part["fluxes"] for part in parts if "fluxes" in part]
        if not fluxes:
            return [self._work.prf] if self._work.prf is not None else [], None
        responses = [self._work.prf] if self._work.prf is not None else [self._response(part) for part in parts]
        return responses, np.mean(fluxes, axis=0)

    def _part(self, segment: int) -> dict[str, NDArray[Any]]:
        name = f"scene-{segment}"
        part = self._kept.load(name)
        if part is None:
            self._work.listener(Event("stars", segment, int(self._segments.max()) + 1, "orbits"))
            part = self._measured(segment)
            self._kept.save(name, part)
            done = segment + 1
            total = int(self._segments.max()) + 1
            self._work.listener(Event("stars", done, total, "orbits", finished=done == total))
        return part

    def _measured(self, segment: int) -> dict[str, NDArray[Any]]:
        work, sky = self._work, self._sky
        sample = sample_of(work.stack, np.flatnonzero(self._segments == segment))
        mean = mean_of_frames(work.stack, sky, sample)
        kernel = self._kernels[sample].mean(axis=0)
        first = work._first_response(sky, self._kept)
        if self._stars is None or first is None:
            return {"kernel": kernel, "starlight": mean - sky.measure(mean).image()}
        stars = self._moved(kernel)
        part: dict[str, NDArray[Any]] = {"kernel": kernel}
        response = first
        if work.prf is None:
            response = estimate_response(mean, sky, stars, start=first, rounds=2)
            part |= {name: getattr(response, name) for name in ("columns", "rows", "coefficients")}
        background, model = measure_jointly(sky, mean, stars, response, rounds=2, moves=False)
        return part | {"fluxes": model.fluxes, "starlight": mean - background.image()}

    def _moved(self, kernel: NDArray[np.float64]) -> StarField:
        assert self._stars is not None
        column, row = mapped(kernel, self._stars.column, self._stars.row)
        return replace(self._stars, column=column, row=row)

    def _response(self, part: Mapping[str, NDArray[Any]]) -> GriddedResponse:
        if self._work.prf is not None:
            return self._work.prf
        return EffectivePSF(part["columns"], part["rows"], part["coefficients"])


def _series(sky: Sky, survey: Survey, segments: NDArray[np.int64]) -> BackgroundSeries:
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(survey.nodes).all(axis=(1, 2)))
    nodes, errors, windows = smoothed(survey.nodes, survey.node_errors, segments)
    return BackgroundSeries(
        sky=sky,
        nodes=nodes,
        node_errors=errors,
        glow=survey.glow,
        used=survey.used,
        jumps=jumps_in(survey.residuals, usable),
        model=None,
        windows=windows,
    )


def _calendar(
    stack: FrameStack, quality: NDArray[np.int32], background: BackgroundSeries, pointing: Pointing
) -> list[Any]:
    nodes = background.nodes.reshape(len(stack), -1).astype(np.float64)
    return bad_times(
        stack,
        quality,
        level=np.median(nodes, axis=1),
        peak=nodes.max(axis=1),
        shifts=pointing.shifts,
        jumped=background.jumps.mean(axis=(1, 2)),
    )
