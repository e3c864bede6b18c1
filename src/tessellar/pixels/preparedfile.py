"""The file of a prepared field: HDF5, any reader's; what is in it and how it is written and read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, MissingInput, TessellarError, Unrecognised
from tessellar.mission.barycentre import SpacecraftPosition
from tessellar.mission.tangent import Plane
from tessellar.pixels.badtimes import BadTime
from tessellar.pixels.checkpoints import translated
from tessellar.pixels.frames import Frame
from tessellar.pixels.response import GriddedResponse
from tessellar.products.images import PixelLayout
from tessellar.products.newhdf5 import new_hdf5
from tessellar.products.provenance import InputFile, Provenance
from tessellar.targets import Field

if TYPE_CHECKING:
    from tessellar.pixels.backgrounds import BackgroundSeries
    from tessellar.pixels.pointing import Pointing
    from tessellar.pixels.stars import StarField

FORMAT = "tessellar prepared field"
VERSION = 1
_PLANE = ("crval", "crpix", "cd", "sip_crpix", "a", "b")


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """All that is found out about the frames of a field; `write` makes a file of it."""

    field: Field
    frames: Sequence[Frame]
    corner: tuple[int, int]
    shape: tuple[int, int]
    planes: Sequence[Plane]
    repaired: NDArray[np.bool_]
    reference: int
    quality: NDArray[np.int32]
    segments: NDArray[np.int64]
    pointing: Pointing
    background: BackgroundSeries
    mean_image: NDArray[np.float32]
    stars: StarField | None
    fluxes: NDArray[np.float64] | None
    responses: Sequence[GriddedResponse]
    bad_times: Sequence[BadTime]
    spacecraft: SpacecraftPosition
    provenance: Provenance
    left_out: Mapping[str, str]
    key: str

    def write(self, path: Path) -> None:
        """Write the file: it appears whole, or not at all.

        Raises
        ------
        NoSpace, NoPermission
            If it cannot be written.
        """
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with translated(path, "what was done is kept; free some and run again"):
                with new_hdf5(partial) as file:
                    self._fill(file)
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def _fill(self, file: Any) -> None:
        head = {
            "format": FORMAT,
            "format_version": VERSION,
            "sector": self.field.sector,
            "camera": self.field.camera,
            "ccd": self.field.ccd,
            "corner": self.corner,
            "shape": self.shape,
            "reference": self.reference,
            "key": self.key,
            "provenance": json.dumps(asdict(self.provenance), default=str),
            "left_out": json.dumps(dict(self.left_out)),
        }
        file.attrs.update(head)
        self._fill_frames(file)
        for name in ("kernels", "shifts", "errors", "stars", "offset", "registration"):
            _put(file, f"pointing/{name}", getattr(self.pointing, name))
        sky = self.background
        for name in ("nodes", "node_errors", "glow", "used", "windows"):
            _put(file, f"background/{name}", getattr(sky, name))
        _put(file, "background/jumps", np.packbits(sky.jumps, axis=-1))
        file["background"].attrs.update({"box": sky.sky.mesh.box, "blocks": sky.jumps.shape[-1], "unit": "e-/s"})
        _put(file, "mean_image", self.mean_image)
        if self.stars is not None:
            for each in fields(self.stars):
                _put(file, f"stars/{each.name}", getattr(self.stars, each.name))
        if self.fluxes is not None:
            _put(file, "stars/flux", self.fluxes)
        for number, response in enumerate(self.responses):
            for name in ("columns", "rows", "coefficients"):
                _put(file, f"responses/{number}/{name}", getattr(response, name))
            file[f"responses/{number}"].attrs["kind"] = type(response).__name__
        for each in fields(SpacecraftPosition):
            _put(file, f"spacecraft/{each.name}", getattr(self.spacecraft, each.name))
        for each in fields(BadTime):
            values = [getattr(bad, each.name) for bad in self.bad_times]
            text = each.name == "reason"
            _put(file, f"bad_times/{each.name}", np.array(values, dtype=h5_text() if text else None))

    def _fill_frames(self, file: Any) -> None:
        root = Path(os.path.commonpath([frame.path.absolute().parent for frame in self.frames]))
        names = [frame.path.absolute().relative_to(root).as_posix() for frame in self.frames]
        file.require_group("frames").attrs["folder"] = str(root)
        _put(file, "frames/path", np.array(names, dtype=h5_text()))
        for name in ("start", "mid", "stop", "timecorr"):
            _put(file, f"frames/{name}", np.array([getattr(frame, name) for frame in self.frames], dtype=np.float64))
        numbers = [-1 if frame.cadenceno is None else frame.cadenceno for frame in self.frames]
        _put(file, "frames/cadenceno", np.array(numbers, dtype=np.int32))
        _put(file, "frames/header_quality", np.array([frame.quality for frame in self.frames], dtype=np.int32))
        _put(file, "frames/quality", self.quality)
        _put(file, "frames/segment", self.segments)
        _put(file, "frames/wcs_repaired", self.repaired)
        _put(file, "frames/timed_at", np.array([frame.timed_at for frame in self.frames]))
        for name in ("pixels", "errors"):
            layouts = [getattr(frame, name) for frame in self.frames]
            rows = [
                [-1] * 6 if one is None else [one.offset, *one.shape, one.dtype.itemsize, *one.corner]
                for one in layouts
            ]
            _put(file, f"frames/{name}", np.array(rows, dtype=np.int64))
        order = max(plane.a.shape[0] for plane in self.planes)
        for name in _PLANE:
            values = [np.asarray(getattr(plane, name), dtype=np.float64) for plane in self.planes]
            if name in ("a", "b"):
                values = [np.pad(value, (0, order - len(value))) for value in values]
            _put(file, f"wcs/{name}", np.stack(values))


class PreparedFile:
    """A file that `Findings.write` wrote, read on request."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise MissingInput(f"{path}: no such file")
        with self._reading() as file:
            if file.attrs.get("format") != FORMAT:
                raise Unrecognised(f"{path}: HDF5, but not a prepared field of tessellar")
            if file.attrs["format_version"] > VERSION:
                raise Unrecognised(f"{path}: written by a newer tessellar; update this one, or prepare again")
            self._head = dict(file.attrs)
        self.field = Field(*(int(self._head[name]) for name in ("sector", "camera", "ccd")))
        self.corner: tuple[int, int] = _pair(self._head["corner"])
        self.shape: tuple[int, int] = _pair(self._head["shape"])
        self.reference = int(self._head["reference"])
        self.key = str(self._head["key"])

    @property
    def left_out(self) -> dict[str, str]:
        """Files that were left out, and why."""
        return dict(json.loads(self._head["left_out"]))

    @property
    def provenance(self) -> Provenance:
        """Inputs, settings, version."""
        record = json.loads(self._head["provenance"])
        record["inputs"] = tuple(InputFile(**one) for one in record["inputs"])
        return Provenance(**record)

    def array(self, name: str) -> NDArray[Any]:
        """One array of the file, read-only; `InputError` where the field was prepared without it."""
        with self._reading() as file:
            if name not in file:
                raise InputError(f"{self.path.name} has no {name}: it was prepared without")
            values: NDArray[Any] = file[name].asstr()[()] if _is_text(file[name]) else file[name][()]
        values.flags.writeable = False
        return values

    def arrays(self, group: str) -> dict[str, NDArray[Any]]:
        """All arrays of a group, by name; none where there is no such group."""
        with self._reading() as file:
            names = [name for name in file[group] if hasattr(file[group][name], "shape")] if group in file else []
        return {name: self.array(f"{group}/{name}") for name in names}

    def attribute(self, group: str, name: str) -> Any:
        """One attribute of a group."""
        with self._reading() as file:
            return file[group].attrs[name]

    def frames(self, folder: Path | None = None) -> list[Frame]:
        """The frames, as a stack has them, without their projections."""
        table = self.arrays("frames")
        root = folder or Path(str(self.attribute("frames", "folder")))
        made = []
        for index in range(len(table["mid"])):
            path = root / str(table["path"][index])
            if folder is not None and not path.exists():
                path = folder / path.name
            number = int(table["cadenceno"][index])
            made.append(
                Frame(
                    path=path,
                    field=self.field,
                    pixels=_layout(table["pixels"][index]) or PixelLayout(0, (0, 0), np.dtype(">f4"), (1, 1)),
                    errors=_layout(table["errors"][index]),
                    start=float(table["start"][index]),
                    mid=float(table["mid"][index]),
                    stop=float(table["stop"][index]),
                    timecorr=float(table["timecorr"][index]),
                    cadenceno=None if number < 0 else number,
                    quality=int(table["header_quality"][index]),
                    plane=None,
                    timed_at=(float(table["timed_at"][index][0]), float(table["timed_at"][index][1])),
                )
            )
        return made

    def plane(self, index: int) -> Plane:
        """Projection of one frame."""
        with self._reading() as file:
            parts = {name: file[f"wcs/{name}"][index] for name in _PLANE}
        pairs = {name: (float(parts[name][0]), float(parts[name][1])) for name in ("crval", "crpix", "sip_crpix")}
        return Plane(cd=parts["cd"], a=parts["a"], b=parts["b"], **pairs)

    def has(self, name: str) -> bool:
        """Whether the file has an array or group of that name."""
        with self._reading() as file:
            return name in file

    def responses(self) -> tuple[GriddedResponse, ...]:
        """The pixel responses of all parts of the sector, in order: none, one for all, or one each."""
        return tuple(GriddedResponse(**self.arrays(f"responses/{number}")) for number in self._known_responses())

    def _known_responses(self) -> list[str]:
        with self._reading() as file:
            return sorted(file["responses"], key=int) if "responses" in file else []

    def response(self, segment: int) -> GriddedResponse:
        """The pixel response of one part of the sector."""
        known = self._known_responses()
        if not known:
            raise InputError(f"{self.path.name} was prepared without a pixel response: give prf, or more stars")
        # One response for all parts is kept once.
        number = known[0] if len(known) == 1 else str(segment)
        if number not in known:
            raise InputError(f"{self.path.name} has parts 0 to {len(known) - 1} of the sector, not {segment}")
        return GriddedResponse(**self.arrays(f"responses/{number}"))

    def spacecraft(self) -> SpacecraftPosition:
        """Where the spacecraft was."""
        return SpacecraftPosition(**self.arrays("spacecraft"))

    def bad_times(self) -> list[BadTime]:
        """The calendar."""
        table = self.arrays("bad_times")
        columns = [table[each.name].tolist() for each in fields(BadTime)] if table else []
        return [BadTime(*row) for row in zip(*columns, strict=True)]

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """Open the file; `Corrupt`, with its name, where HDF5 cannot make out what is in it."""
        import h5py

        try:
            file = h5py.File(self.path, "r")
        except OSError as error:
            raise Corrupt(f"{self.path}: cannot be read as HDF5 ({error}); prepare again") from error
        with file:
            try:
                yield file
            except TessellarError:
                raise
            # h5py raises any of these, by where in the file the damage is.
            except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
                raise Corrupt(f"{self.path}: damaged ({error}); prepare again") from error


def h5_text() -> Any:
    """Type of an array of strings."""
    import h5py

    return h5py.string_dtype()


def _is_text(dataset: Any) -> bool:
    import h5py

    return h5py.check_string_dtype(dataset.dtype) is not None


def _put(file: Any, name: str, values: Any) -> None:
    array = np.asarray(values)
    # gzip with shuffle is read by every HDF5 library, without plug-ins.
    packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True} if array.nbytes > 4096 else {}
    if array.dtype == object:
        packed = {}
    file.create_dataset(name, data=array, dtype=h5_text() if array.dtype == object else None, **packed)


def _layout(row: NDArray[np.int64]) -> PixelLayout | None:
    offset, high, wide, size, column, line = (int(value) for value in row)
    return None if offset < 0 else PixelLayout(offset, (high, wide), np.dtype(f">f{size}"), (column, line))


def _pair(values: Any) -> tuple[int, int]:
    return int(values[0]), int(values[1])
