"""`tessellar photometry`: measure light curves from full-frame images or target pixel files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessellar.cli.main import DONE, INTERRUPTED, ROWS_FAILED, THIS_MACHINE, Globals
from tessellar.cli.measuring import (
    Job,
    Wanted,
    Where,
    file_jobs,
    frame_jobs,
    read_list,
    read_region,
    secondary_jobs,
)
from tessellar.cli.output import print_json
from tessellar.errors import ArchiveError, InputError, PhotometryError, ProductError
from tessellar.targets import TIC, Field

if TYPE_CHECKING:
    from tessellar.photometry import Result, Scene, Settings

# Methods that add up no pixels of a mask that is chosen beforehand.
_WITHOUT_APERTURE = ("linpsf", "psf", "halo")


@click.command("photometry")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR|FILE")
@click.option("--tic", "tics", metavar="N", multiple=True, help="This star; may be given several times.")
@click.option("--list", "listed", type=click.Path(path_type=Path), metavar="FILE", help="The stars of a text file.")
@click.option("--region", metavar="'RA DEC RADIUS'", help="Stars in a circle (degrees), or in a footprint.")
@click.option("--all", "every", is_flag=True, help="All stars of the catalogue, or all target pixel files.")
@click.option("--limit", type=float, metavar="T", help="Of a region or all: only stars this bright.")
@click.option(
    "--source",
    default="tpf",
    show_default=True,
    metavar="ffi|tpf|tpf:N",
    help="Prepared full-frame images; target pixel files and cut-outs; the file of star N.",
)
@click.option(
    "--method",
    default="aperture",
    show_default=True,
    metavar="METHOD",
    help="aperture, psf, linpsf, halo, or auto, which chooses.",
)
@click.option(
    "--aperture",
    default="default",
    show_default=True,
    metavar="KIND|MASK.fits",
    help="default, pipeline, threshold, watershed, optimal, or a mask of yours.",
)
@click.option("--sector", type=int, metavar="N", help="Only this sector.")
@click.option("--camera", type=click.IntRange(1, 4), help="Only this camera.")
@click.option("--ccd", type=click.IntRange(1, 4), help="Only this CCD.")
@click.option("--cadence", type=float, metavar="S", help="Only this exposure time, in seconds.")
@click.option("--quality", default="default", show_default=True, metavar="MASK", help="none, default or hard.")
@click.option("--plot", is_flag=True, help="A page beside each light curve, as PNG.")
@click.option("--out", "-o", type=click.Path(path_type=Path), default=Path(), metavar="OUT", help="Folder to write to.")
@click.pass_obj
def command(settings: Globals, /, folder: Path, **options: Any) -> int:
    """Measure the light curves of stars in DIR, and write them to OUT.

    With --source ffi, DIR holds a field that `tessellar prepare` made, and the
    stars are those of its catalogue. With --source tpf, each target pixel file
    is measured for its own star; of several of the same star, sector and
    cadence, that of the latest data release.
    """
    from tessellar.photometry import get_method
    from tessellar.progress import Event
    from tessellar.store.store import check_folder

    wanted = _wanted(options)
    where = Where(**{name: options[name] for name in ("sector", "camera", "ccd", "cadence")})
    jobs = _jobs(folder, options["source"], where, wanted)
    get_method(options["method"])
    if options["method"] in _WITHOUT_APERTURE and options["aperture"] != "default":
        raise InputError(
            f"--aperture {options['aperture']}: {options['method']} takes none; leave it out, or take --method aperture"
        )
    chosen, mask = _chosen(options["aperture"], options["quality"])
    check_folder(options["out"])
    batch = _Batch(options["method"], chosen, mask, options["out"], options["plot"], wanted.named, len(jobs) == 1)
    rows: list[dict[str, Any]] = []
    interrupted = False
    with settings.progress() as listener:
        try:
            for job, row in zip(jobs, batch.rows(jobs), strict=True):
                rows.append(row)
                if len(jobs) > 1:
                    listener(Event("stars", len(rows), len(jobs), "stars", finished=len(rows) == len(jobs)))
                if not settings.json:
                    _show(row, settings.quiet, by_file=bool(job.why_not))
        except KeyboardInterrupt:
            interrupted = True
    if settings.json:
        print_json(rows)
    if interrupted:
        _say_kept(rows, jobs, options["out"])
        return INTERRUPTED
    return _exit_code(rows, jobs)


def _say_kept(rows: list[dict[str, Any]], jobs: list[Job], out: Path) -> None:
    written = sum(row["path"] is not None for row in rows)
    kept = f"their {written} light curve{'s' * (written != 1)} stay in {out}" if written else "nothing was written"
    click.echo(f"tessellar: interrupted after {len(rows)} of {len(jobs)} stars; {kept}", err=True)


def _wanted(options: dict[str, Any]) -> Wanted:
    given = [name for name in ("tics", "listed", "region", "every") if options[name]]
    if len(given) > 1:
        raise InputError("of --tic, --list, --region and --all give one")
    if not given and options["source"] != "tpf":
        raise InputError("which stars? Give --tic N, --list FILE, --region 'RA DEC RADIUS' or --all")
    if options["limit"] is not None and not math.isfinite(options["limit"]):
        raise InputError(f"--limit {options['limit']}: give a TESS magnitude")
    tics = tuple(dict.fromkeys(int(TIC(each)) for each in options["tics"]))
    if options["listed"] is not None:
        tics = read_list(options["listed"])
    region = read_region(options["region"]) if options["region"] is not None else None
    return Wanted(tics=tics, region=region, limit=options["limit"])


def _jobs(folder: Path, source: str, where: Where, wanted: Wanted) -> list[Job]:
    if source == "ffi":
        return frame_jobs(folder, where, wanted)
    if source == "tpf":
        return file_jobs(folder, where, wanted)
    return secondary_jobs(folder, source, where, wanted)


def _chosen(aperture: str, quality: str) -> tuple[Settings, Path | None]:
    """Settings, and the file of the mask where one was given."""
    from tessellar.photometry import Settings, load_mask

    # Kinds of apertures have neither a dot nor a slash.
    if "." in aperture or "/" in aperture or Path(aperture).is_file():
        path = Path(aperture)
        return Settings(aperture=load_mask(path), quality=quality, aperture_name=path.name), path
    return Settings(aperture=aperture, quality=quality), None


@dataclass
class _Batch:
    """Measures one star after the other; what goes wrong with one is a row, and the next one follows."""

    method: str
    settings: Settings
    mask: Path | None
    out: Path
    plot: bool
    named: bool
    alone: bool
    written: dict[str, str] = field(default_factory=dict)
    digests: dict[Path, str] = field(default_factory=dict)
    held: dict[int, int | None] = field(default_factory=dict)

    def rows(self, jobs: list[Job]) -> Iterator[dict[str, Any]]:
        """One row a job, as it is done."""
        for job in jobs:
            row = _blank(job, self.method)
            holder = self.held.get(job.tic) if job.tic is not None else None
            if job.error is not None:
                row |= {"status": "ERROR", "reason": str(job.error)}
                if self.alone:
                    raise job.error
            elif job.why_not:
                row |= {"status": "SKIPPED", "reason": job.why_not}
            elif holder is not None and not self.named:
                row |= {"status": "SKIPPED", "reason": f"its light is in that of TIC {holder}, which is brighter"}
            else:
                self._measure(job, row)
            yield row

    def _measure(self, job: Job, row: dict[str, Any]) -> None:
        from tessellar.photometry import measure_in

        row["status"] = "ERROR"
        try:
            assert job.scene is not None
            scene = job.scene()
            row |= _where(scene.field, scene.cadence)
            result = measure_in(scene, job.tic, self.method, self.settings)
            row |= {"status": result.status.name, "reason": result.reason, "method": result.method}
            row |= {name: value if math.isfinite(value) else None for name, value in result.metrics.items()}
            if result.status.has_light_curve:
                self.held |= {tic: job.tic for tic in result.skip if tic not in self.held}
                if self.mask is not None:
                    result = result.with_inputs(*result.inputs, self.mask, about=result.about)
                path = self._write(job, result)
                row["path"] = str(path.absolute())
                if self.plot:
                    row["picture"] = str(_draw(path, result, scene).absolute())
        except InputError as error:
            if self.alone:
                raise
            row |= {"status": "ERROR", "reason": str(error)}
        except (ProductError, PhotometryError, ArchiveError) as error:
            row |= {"status": "ERROR", "reason": str(error)}

    def _write(self, job: Job, result: Result) -> Path:
        digest = self._digest(result.inputs[0]) if len(result.inputs) == 1 else None
        return result.write(self._place(job, result), digest=digest)

    def _digest(self, path: Path) -> str:
        """SHA-256 of an input: of many stars of one field it is worked out once."""
        from tessellar.products import InputFile
        from tessellar.store import Store

        if path not in self.digests:
            store = Store.holding(path)
            known = store.digest_of(path) if store else None
            self.digests[path] = known or InputFile.of(path).sha256
        return self.digests[path]

    def _place(self, job: Job, result: Result) -> Path:
        """The folder, where the result names itself after its star; a cut-out has none, and gives its own name."""
        if result.target.tic is not None:
            return self.out
        stem = job.input.name.removesuffix(".gz").removesuffix(".fits")
        path = self.out / f"{stem}_{result.method}-lc.fits"
        if self.written.setdefault(str(path), str(job.input)) != str(job.input):
            raise PhotometryError(
                f"{path} is the light curve of {self.written[str(path)]} already: files of one name need an -o each"
            )
        return path


def _draw(path: Path, result: Result, scene: Scene) -> Path:
    """Draw the page of a light curve that was just written, with the stars that the scene knows."""
    from tessellar.errors import StoreError
    from tessellar.plots import measured_page
    from tessellar.products import LightCurve, read

    model = read(path)
    assert isinstance(model, LightCurve)
    around = scene.surroundings(result.stamp)
    stars = None if around is None else (around.column, around.row, around.tmag)
    picture = path.with_name(path.name.removesuffix(".gz").removesuffix(".fits") + ".png")
    try:
        measured_page(model, stars=stars).savefig(picture, dpi=110)
    except OSError as error:
        raise StoreError(f"{picture}: cannot be written ({error.strerror})") from error
    return picture


def _where(field: Field | None, cadence: float | None) -> dict[str, Any]:
    names = ("sector", "camera", "ccd")
    return {name: None if field is None else getattr(field, name) for name in names} | {"cadence": cadence}


def _blank(job: Job, method: str) -> dict[str, Any]:
    """A row that has every key, also those of the metrics."""
    from tessellar.photometry import METRICS

    row = {"tic": job.tic, "status": "", "method": method, "path": None, "picture": None, "reason": ""}
    row |= {"input": str(job.input.absolute())} | _where(job.field, job.cadence)
    return {**row, **dict.fromkeys(METRICS)}


def _show(row: dict[str, Any], quiet: bool, *, by_file: bool) -> None:
    name = Path(row["input"]).name if by_file or not row["tic"] else f"TIC {row['tic']}"
    reason = f"  ({row['reason']})" if row["reason"] else ""
    if row["path"] is None:
        click.echo(f"{row['status']:<8} {name}{reason}")
        return
    path = Path(row["path"])
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    click.echo(f"{row['status']:<8} {name}  {shown}{reason}")
    if not quiet and row.get("mean_flux"):
        noise = f", 1-h rms {row['rms_hour'] * 1e6:.0f} ppm" if row.get("rms_hour") else ""
        click.echo(
            f"         median flux {row['mean_flux']:.1f} e-/s in {row['mask_size']:.0f} pixels{noise}", err=True
        )


def _exit_code(rows: list[dict[str, Any]], jobs: list[Job]) -> int:
    failed = sum(row["status"] == "ERROR" for row in rows)
    damaged = sum(isinstance(job.error, ProductError) and job.tic is None for job in jobs)
    if failed and failed == len(rows) == damaged:
        return THIS_MACHINE
    return ROWS_FAILED if failed else DONE
