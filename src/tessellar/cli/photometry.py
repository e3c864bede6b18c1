"""`tessellar photometry`: measure light curves from target pixel files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessellar.cli.main import DONE, ROWS_FAILED, THIS_MACHINE, Globals
from tessellar.cli.output import print_json
from tessellar.errors import InputError, MissingInput, PhotometryError, ProductError
from tessellar.targets import TIC

if TYPE_CHECKING:
    from tessellar.products import TargetPixelFile


@click.command("photometry")
@click.argument("where", type=click.Path(path_type=Path), metavar="DIR|FILE")
@click.option("--tic", metavar="N", help="Only this star.")
@click.option("--sector", type=int, metavar="N", help="Only this sector.")
@click.option("--cadence", type=float, metavar="S", help="Only this exposure time, in seconds.")
@click.option("--source", type=click.Choice(["tpf"]), default="tpf", show_default=True, help="What is measured.")
@click.option("--method", type=click.Choice(["aperture"]), default="aperture", show_default=True, help="How.")
@click.option(
    "--aperture",
    default="pipeline",
    show_default=True,
    metavar="pipeline|threshold|MASK.fits",
    help="The pipeline's own pixels, the bright pixels around the star, or a mask of yours.",
)
@click.option("--quality", default="default", show_default=True, metavar="MASK", help="none, default or hard.")
@click.option("--out", "-o", type=click.Path(path_type=Path), default=Path(), metavar="OUT", help="Folder to write to.")
@click.pass_obj
def command(
    settings: Globals,
    where: Path,
    tic: str | None,
    sector: int | None,
    cadence: float | None,
    source: str,
    method: str,
    aperture: str,
    quality: str,
    out: Path,
) -> int:
    """Measure the light curves of the target pixel files in DIR, and write them to OUT.

    Where DIR holds several files of the same star, sector and cadence, the one
    of the latest data release is measured, and the others are named.
    """
    from tessellar.products.discover import target_pixel_files
    from tessellar.store.store import check_folder

    star = int(TIC(tic)) if tic is not None else None
    models, broken = target_pixel_files(where, tic=star, sector=sector, cadence=cadence)
    if not models and len(broken) == 1:
        raise broken[0][1]
    if not models and not broken:
        of = f" of {TIC(tic)}" if tic is not None else ""
        raise MissingInput(f"{where}: no target pixel file{of} that fits what was asked; `find --kind tpf` lists them")
    check_folder(out)
    chosen = {"method": method, "aperture": aperture, "quality": quality}
    rows: list[dict[str, Any]] = []
    for row in chain((_broken_row(path, error, method) for path, error in broken), _measured(models, out, chosen)):
        if not settings.json:
            _show(row, settings.quiet)
        rows.append(row)
    if settings.json:
        print_json(rows)
    return _exit_code(rows, broken)


def _measured(models: Sequence[TargetPixelFile], out: Path, chosen: dict[str, str]) -> Iterator[dict[str, Any]]:
    from tessellar.products.discover import same_light

    written: dict[str, str] = {}
    for _, group in groupby(models, key=same_light):
        best, *others = sorted(group, key=_newest_first)
        row = _measure(best, out, chosen, alone=len(models) == 1, written=written)
        yield row
        for other in others:
            yield _row(other, chosen["method"], "SKIPPED", f"{best.path} has the same pixels, and was measured instead")


def _newest_first(model: TargetPixelFile) -> tuple[int, str]:
    return (-(model.data_release or 0), str(model.path))


def _measure(
    model: TargetPixelFile, out: Path, chosen: dict[str, Any], *, alone: bool, written: dict[str, str]
) -> dict[str, Any]:
    from tessellar.photometry import STATUS, measure
    from tessellar.store import Store

    row = _row(model, chosen["method"], "ERROR", "")
    try:
        result = measure(model, **chosen)
        row |= {"status": result.status.name, "reason": result.reason}
        row |= {name: value if math.isfinite(value) else None for name, value in result.metrics.items()}
        if result.status != STATUS.ERROR:
            store = Store.holding(model.path)
            digest = store.digest_of(model.path) if store else None
            row["path"] = str(result.write(_place(model, out, chosen["method"], written), digest=digest).absolute())
    except InputError as error:
        if alone:
            raise
        row |= {"status": "ERROR", "reason": str(error)}
    except (ProductError, PhotometryError) as error:
        row |= {"status": "ERROR", "reason": str(error)}
    return row


def _place(model: TargetPixelFile, out: Path, method: str, written: dict[str, str]) -> Path:
    """The folder, where the result names itself after its star; a cut-out has none, and gives its own name."""
    if model.tic is not None:
        return out
    stem = model.path.name.removesuffix(".gz").removesuffix(".fits")
    path = out / f"{stem}_{method}-lc.fits"
    if written.setdefault(str(path), str(model.path)) != str(model.path):
        raise PhotometryError(
            f"{path} is the light curve of {written[str(path)]} already: files of one name need an -o each"
        )
    return path


def _row(model: TargetPixelFile, method: str, status: str, reason: str) -> dict[str, Any]:
    return _blank(int(model.tic) if model.tic else None, status, method, reason, model.path)


def _broken_row(path: Path, error: ProductError, method: str) -> dict[str, Any]:
    return _blank(None, "ERROR", method, str(error), path)


def _blank(tic: int | None, status: str, method: str, reason: str, source: Path) -> dict[str, Any]:
    """A row that has every key, also those of the metrics."""
    from tessellar.photometry import METRICS

    row = {"tic": tic, "status": status, "method": method, "path": None, "reason": reason}
    return {**row, "input": str(source.absolute()), **dict.fromkeys(METRICS)}


def _show(row: dict[str, Any], quiet: bool) -> None:
    skipped = row["status"] == "SKIPPED" or not row["tic"]
    name = Path(row["input"]).name if skipped else f"TIC {row['tic']}"
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


def _exit_code(rows: list[dict[str, Any]], broken: Sequence[object]) -> int:
    failed = sum(row["status"] == "ERROR" for row in rows)
    if failed and failed == len(rows) == len(broken):
        return THIS_MACHINE
    return ROWS_FAILED if failed else DONE
