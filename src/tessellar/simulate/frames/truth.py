"""The truth beneath simulated frames: one HDF5 file, small, from which everything is exact.

Constant stars have no series: what they give in any frame follows from their flux and the
frame's movement. Smooth sky and cosmic rays are made anew by the formulas that drew them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, MissingInput
from tessellar.mission.ccd import ccd_plane
from tessellar.mission.tangent import Plane
from tessellar.pixels.response import MissionPRF
from tessellar.simulate.filing import whole_file
from tessellar.simulate.frames.exposing import NOISE_MODEL, Camera, exposure_of
from tessellar.simulate.frames.light import place_starlight
from tessellar.simulate.frames.motion import Motion
from tessellar.simulate.frames.orbit import directions, spacecraft
from tessellar.simulate.frames.passers import Asteroids
from tessellar.simulate.frames.plan import plan_frames
from tessellar.simulate.frames.population import Population
from tessellar.simulate.frames.responses import RESPONSE_FOLDER
from tessellar.simulate.frames.skylight import Skylight
from tessellar.simulate.frames.variables import Variables
from tessellar.simulate.stars import ZERO_POINT
from tessellar.simulate.truth import cadence_file
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.table import Table

FloatArray = NDArray[np.float64]

TRUTH_FILE = "truth.h5"
_PACKED = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
_STARS = ("tic", "ra", "dec", "pm_ra", "pm_dec", "tmag", "told", "column", "row")
_FRAMES = ("number", "start", "mid", "stop", "place", "barycorr", "quality", "glow")
_SKY = ("level", "slope", "scattered", "angle", "beam", "corner")


@dataclass(frozen=True)
class FrameTruth:
    """What is true of simulated frames.

    Attributes
    ----------
    directory : Path
        Where they lie.
    settings : dict
        What they were made with.
    field : Field
        Sector, camera, CCD.
    corner, shape : (int, int)
        CCD column and row (1-based) of the first science pixel; rows and columns.
    names, target_names : list of str
        File names of the frames, and of target pixel files and light curves.
    stars, frames, variables, asteroids : dict of arrays
        As in the groups of the file; `variables` has ``star`` (indices), ``kind``, ``parameters`` (JSON) and
        ``relative`` (m, n).
    motion : Motion
        Exact movement of each frame.
    skylight : Skylight
        Smooth light of each frame.
    """

    directory: Path
    settings: dict[str, Any]
    field: Field
    corner: tuple[int, int]
    shape: tuple[int, int]
    names: list[str]
    stars: dict[str, NDArray[Any]]
    frames: dict[str, NDArray[Any]]
    variables: dict[str, NDArray[Any]]
    asteroids: dict[str, NDArray[Any]]
    motion: Motion
    skylight: Skylight
    unresolved: float
    target_names: list[str]

    @classmethod
    def read(cls, directory: str | PathLike[str]) -> FrameTruth:
        """Read the truth of frames that `simulate_frames` made.

        Raises
        ------
        MissingInput
            If the folder holds none.
        Corrupt
            If the file is damaged.
        """
        import h5py

        path = Path(directory) / TRUTH_FILE
        if not path.is_file():
            raise MissingInput(f"{path}: no such file; make frames with `tessellar simulate {directory} --sector ...`")
        try:
            with h5py.File(path, "r") as file:
                return cls._from(Path(directory), file)
        except (OSError, KeyError) as error:
            raise Corrupt(f"{path}: is not the truth of simulated frames ({error})") from error

    @classmethod
    def _from(cls, directory: Path, file: Any) -> FrameTruth:
        groups = {
            name: {key: _value(file[name][key]) for key in file[name]}
            for name in ("stars", "frames", "variables", "asteroids", "motion", "sky")
        }
        settings = json.loads(file.attrs["settings"])
        field = Field(*(int(value) for value in file.attrs["field"]))
        return cls(
            directory, settings, field,
            corner=tuple(int(value) for value in file.attrs["corner"]),  # type: ignore[arg-type]
            shape=tuple(int(value) for value in file.attrs["shape"]),  # type: ignore[arg-type]
            names=[str(name) for name in groups["frames"].pop("name")],
            stars=groups["stars"], frames=groups["frames"], variables=groups["variables"],
            asteroids=groups["asteroids"], motion=Motion(**groups["motion"]),
            skylight=Skylight(field, **groups["sky"]), unresolved=float(file.attrs["unresolved"]),
            target_names=json.loads(file.attrs["targets"]),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<FrameTruth {self.field}, {len(self)} frames of {rows} x {columns} px, {len(self.stars['tic'])} stars>"

    @cached_property
    def paths(self) -> list[Path]:
        """The frames."""
        return [self.directory / name for name in self.names]

    @cached_property
    def target_paths(self) -> list[Path]:
        """Target pixel files and light curves cut from the same sky."""
        return [self.directory / name for name in self.target_names]

    def cadences(self, tic: int) -> Table:
        """What was true of a star in each 2-min cadence of its target pixel file; see `Truth.cadences`."""
        from astropy.table import Table

        path = self.directory / cadence_file(tic, self.field.sector)
        if not path.is_file():
            raise MissingInput(f"{path}: no such file; TIC {tic} has no 2-min target pixel file")
        return Table.read(path, hdu=1)

    @cached_property
    def btjd(self) -> FloatArray:
        """Barycentric mid-times of the frames at the CCD's middle."""
        result: FloatArray = self.frames["mid"] + self.frames["barycorr"]
        return result

    def times(self, star: int) -> FloatArray:
        """Barycentric mid-times (BTJD) of the frames for one star (by index)."""
        star_direction = directions(self.stars["ra"][star], self.stars["dec"][star])
        result: FloatArray = self.frames["mid"] + self.frames["place"] @ star_direction
        return result

    @cached_property
    def flux(self) -> FloatArray:
        """Light of each star when nothing happens, e-/s, all of it."""
        result: FloatArray = 10 ** (0.4 * (ZERO_POINT - self.stars["tmag"]))
        return result

    def index(self, tic: int) -> int:
        """Index of a star by its TIC id."""
        found = np.flatnonzero(self.stars["tic"] == int(tic))
        if not found.size or not int(tic):
            raise InputError(f"no TIC {int(tic)} among the simulated stars at {self.directory}")
        return int(found[0])

    def series(self, star: int) -> FloatArray:
        """Light of one star (by index) in each frame, e-/s, all of it; shape (n,)."""
        signal = np.ones(len(self))
        found = np.flatnonzero(self.variables["star"] == star)
        if found.size:
            signal = self.variables["relative"][found[0]]
        result: FloatArray = self.flux[star] * signal
        return result

    def places(self, frame: int) -> tuple[FloatArray, FloatArray]:
        """Columns and rows (1-based) of all stars in one frame."""
        return self.motion.places(frame, self.stars["column"], self.stars["row"])

    def track(self, star: int) -> FloatArray:
        """Column and row (1-based) of one star (by index) in each frame, shape (n, 2)."""
        return self.motion.track(float(self.stars["column"][star]), float(self.stars["row"][star]))

    def plane(self, frame: int) -> Plane:
        """The exact projection of one frame; the header's is off by ``motion.told`` px, as fitted ones are."""
        return self.motion.plane(frame, ccd_plane(self.field), told=False)

    def light(self, frame: int) -> NDArray[np.float32]:
        """All light of one frame without noise, bled, (rows, columns), e-/s: what the file has but for noise and rays.

        Needs the PRF files that the frames were drawn with, where they were. The first call draws all stars again.
        """
        return self._camera.light(frame)

    def rays(self, frame: int) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
        """Pixels of one frame that cosmic rays hit: CCD columns, rows (1-based), and what they add, e-/s."""
        row, column, hits = self._camera.rays(frame)
        return column + self.corner[0], row + self.corner[1], hits

    @cached_property
    def _camera(self) -> Camera:
        plan = plan_frames(self.field, self.settings["cadence"], len(self))
        folder = self.settings["prf"] or self.directory / RESPONSE_FOLDER
        camera, ccd, sector = self.field.camera, self.field.ccd, self.field.sector
        response = MissionPRF.open(folder, camera=camera, ccd=ccd, sector=sector)
        catalogued = int(np.count_nonzero(self.stars["tic"]))
        population = Population(**self.stars, catalogued=catalogued)
        variables = Variables(self.variables["star"], (), (), self.variables["relative"])
        found = self.asteroids
        asteroids = Asteroids(found["tmag"], found["start"], found["speed"], float(found["epoch"]))
        with ThreadPoolExecutor(1) as pool:
            starlight = place_starlight(population, variables, response, self.motion, self.corner, self.shape, pool)
        exposure = exposure_of(plan.cadence, self.settings["mitigation"])
        return Camera(plan, starlight, self.skylight, asteroids, exposure, self.settings["seed"])

    @cached_property
    def halos(self) -> NDArray[np.float32]:
        """Light of all stars beyond the pixel response's 13 x 13 pixels, e-/s/px, as it is without movement."""
        import h5py

        with h5py.File(self.directory / TRUTH_FILE, "r") as file:
            return np.asarray(file["halos"][...])

    def background(
        self, frame: int, *, unresolved: bool = True, halos: bool = True, straps: bool = True
    ) -> NDArray[np.float32]:
        """What lies beneath the catalogued stars in one frame, (rows, columns), e-/s/px.

        Parameters
        ----------
        frame : int
            Index.
        unresolved : bool
            With the mean light of stars that the catalogue lacks.
        halos : bool
            With the halos of all stars, beyond the pixel response.
        straps : bool
            With the brighter columns over straps.
        """
        image = self.skylight.image(frame, self.corner, self.shape, straps)
        if unresolved:
            image += np.float32(self.unresolved)
        if halos:
            image += self.halos
        return image


def write_truth(
    directory: Path,
    camera: Camera,
    names: list[str],
    targets: list[str],
    settings: Mapping[str, Any],
    unresolved: float,
) -> Path:
    """Write the truth of frames; whole or not at all.

    Parameters
    ----------
    directory : Path
        Where the frames lie.
    camera : Camera
        What makes them.
    names : list of str
        Their file names.
    targets : list of str
        File names of target pixel files and light curves.
    settings : mapping
        What was asked for.
    unresolved : float
        Mean light of stars that the catalogue lacks, without their halos, e-/s/px.
    """
    from io import BytesIO

    import h5py

    starlight, plan = camera.starlight, camera.plan
    population, variables = starlight.population, starlight.variables
    groups: dict[str, dict[str, Any]] = {
        "stars": {name: getattr(population, name) for name in _STARS},
        "frames": {
            "name": np.array(names, dtype="S"),
            **{name: getattr(plan, name) for name in _FRAMES},
            "spacecraft": spacecraft(plan.mid),
        },
        "variables": {
            "star": variables.star, "kind": np.array(variables.kind, dtype="S"),
            "parameters": np.array(variables.parameters(), dtype="S"), "relative": variables.relative,
        },
        "asteroids": {
            "tmag": camera.asteroids.tmag, "start": camera.asteroids.start, "speed": camera.asteroids.speed,
            "epoch": camera.asteroids.epoch, "track": camera.asteroids.places(plan.mid),
        },
        "motion": {name: getattr(starlight.motion, name) for name in ("affine", "blur", "told")},
        "sky": {name: getattr(camera.skylight, name) for name in _SKY},
    }  # fmt: skip
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs.update(
            {
                "content": "truth of simulated full-frame images", "settings": json.dumps(dict(settings)),
                "targets": json.dumps(targets),
                "field": [plan.field.sector, plan.field.camera, plan.field.ccd], "corner": starlight.corner,
                "shape": starlight.shape, "catalogued": population.catalogued, "unresolved": unresolved,
                "zero_point": ZERO_POINT, "noise": NOISE_MODEL, "noise_time": camera.exposure.noise_time,
            }
        )  # fmt: skip
        for name, arrays in groups.items():
            group = file.create_group(name)
            for key, values in arrays.items():
                packed = _PACKED if np.size(values) > 1000 else {}
                group.create_dataset(key, data=values, **packed)
        file.create_dataset("halos", data=starlight.halos, **_PACKED)
    with whole_file(directory / TRUTH_FILE) as stream:
        stream.write(buffer.getbuffer())
    return directory / TRUTH_FILE


def _value(dataset: Any) -> NDArray[Any]:
    values = dataset[...]
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else np.asarray(values)
