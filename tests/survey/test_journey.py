"""A survey from the plan to the pages and files, with the real measurements."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

import tessellar
from tessellar.photometry import measure_in, open_scene
from tessellar.survey import (
    Choices,
    Ledger,
    Subset,
    SurveyFolder,
    export,
    not_exported,
    not_stored,
    plan,
    run,
    summaries,
    write_page,
)
from tessellar.survey.running import decide_skips
from tessellar.survey.summary import grouped_reasons, noise_of
from tests.photometry.fieldsky import small_field
from tests.survey.conftest import contents


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stars to T = 12.5 of a small field, and two target pixel files, measured."""
    folder = tmp_path_factory.mktemp("journey") / "sky"
    folder.mkdir()
    sky = small_field()
    shutil.copy(sky.field.path, folder)
    for path in sorted(sky.folder.glob("*_tp.fits"))[:2]:
        (folder / path.name).symlink_to(path)
    ledger = plan(folder, choices=Choices(limit=12.5, bright=8.0))
    assert [(each.kind, each.cadence) for each in ledger.fields()] == [("tpf", 120), ("ffi", 600)]
    ledger.close()
    finished = run(folder, workers=1)
    assert finished.aside == {}
    assert finished.stars["OK"] > 0.8 * sum(finished.stars.values())
    return folder


def test_each_star_is_measured_as_it_would_be_alone(surveyed: Path) -> None:
    from tessellar.products import LightCurveStore

    place = SurveyFolder(surveyed)
    ledger = Ledger(place.ledger)
    stores = {each.kind: LightCurveStore(place.store(each)) for each in ledger.fields()}
    bright = ledger.select("SELECT tic, method FROM result WHERE source = 'ffi' AND tmag < 8")
    single = ledger.select("SELECT tic, source, method, path FROM result WHERE source LIKE 'tpf%' LIMIT 3")
    ledger.close()
    scene = open_scene(small_field().field.path)
    for tic, method in bright:
        alone = measure_in(scene, tic, "auto")
        assert alone.method == method
        kept = stores["ffi"].star(tic, method)
        np.testing.assert_allclose(kept["FLUX"], alone.columns["FLUX"], rtol=1e-6)
        np.testing.assert_allclose(kept["TIME"], alone.columns["TIME"], rtol=0, atol=1e-9)
    for tic, _, method, path in single:
        kept = stores["tpf"].star(tic, method)
        own = tessellar.read(surveyed / path)
        assert np.array_equal(kept["CADENCENO"], own.cadenceno)
        assert np.array_equal(kept["QUALITY"], own.quality)
        np.testing.assert_allclose(kept["TIME"], own.btjd, rtol=0, atol=1e-9)
    for store in stores.values():
        store.close()


# Told of a stamp, of a moment, or of all the stars that were fitted together, which are others in a band.
OF_STAMP = {"NAXIS1", "NAXIS2", "CRPIX1", "CRPIX2", "CRVAL1P", "CRVAL2P"}
OF_DAY = {"DATE", "CREATED", "CHECKSUM", "DATASUM"}
OF_FIT = {"PSFNSTAR", "PSFNPRI", "PSFNSAT"}


@pytest.mark.parametrize(("method", "within"), [("aperture", 2e-3), ("linpsf", 0.1)])
def test_a_file_of_a_star_of_a_band_is_that_of_the_star_alone(
    surveyed: Path, tmp_path: Path, method: str, within: float
) -> None:
    field = small_field().field
    tics = inner_stars(surveyed, method)[:2]
    scene = open_scene(field.path)
    exported = {tessellar.read(path).tic: path for path in export(surveyed, tmp_path, subset=Subset(methods=(method,)))}
    for tic in tics:
        direct = measure_in(scene, tic, method).write(tmp_path / "direct")
        path = next(path for star, path in exported.items() if int(star) == tic)
        assert path.name == direct.name
        with fits.open(direct) as alone, fits.open(path) as of_band:
            assert [each.name for each in of_band] == [each.name for each in alone]
            for one, other in zip(alone, of_band, strict=True):
                left_out = OF_DAY | (OF_STAMP if one.name in ("SUMIMAGE", "APERTURE") else OF_FIT)
                assert set(one.header) - OF_FIT == set(other.header) - OF_FIT, one.name
                for key in set(one.header) - left_out - {""}:
                    value = one.header[key]
                    close = pytest.approx(value, rel=within, abs=1e-9) if isinstance(value, float) else value
                    assert other.header[key] == close, key
                    assert other.header.comments[key] == one.header.comments[key]
            table, same = of_band["LIGHTCURVE"].data, alone["LIGHTCURVE"].data
            assert table.names == same.names
            for name in same.names:
                value, other = (each[name].astype(float) for each in (same, table))
                limit = 0.3 * same["FLUX_ERR"] if name.startswith("FLUX") else np.full(len(value), 2e-6)
                assert np.array_equal(np.isnan(value), np.isnan(other))
                assert (np.abs(other - value) <= limit)[np.isfinite(value)].all(), name
            assert of_band["PROVENANCE"].data["value"].tolist() == alone["PROVENANCE"].data["value"].tolist()
            assert (of_band["APERTURE"].data & 2).sum() == (alone["APERTURE"].data & 2).sum()


def inner_stars(folder: Path, method: str) -> list[int]:
    """Stars of bands that are well inside the frames, the brightest first."""
    ledger = Ledger(SurveyFolder(folder).ledger)
    query = (
        "SELECT tic FROM outcome JOIN target USING (priority) WHERE outcome.method = ? AND outcome.status = 1 "
        "AND source = 'ffi' AND tmag > 8 ORDER BY tmag"
    )
    found = [tic for (tic,) in ledger.select(query, method)]
    ledger.close()
    stars = small_field().field.stars
    assert stars is not None
    at = np.array([stars.index(tic) for tic in found])
    inside = (np.abs(stars.column[at] - 663.5) < 50) & (np.abs(stars.row[at] - 763.5) < 50)
    return np.array(found)[inside].tolist()


def test_no_star_is_missing(surveyed: Path) -> None:
    ledger = Ledger(SurveyFolder(surveyed).ledger)
    targets = ledger.select("SELECT count(*) FROM target")[0][0]
    ended = ledger.select("SELECT count(*) FROM result WHERE status IN (1, 3) OR reason != ''")[0][0]
    ledger.close()
    assert targets == ended > 5


def test_planning_again_changes_nothing_and_other_choices_need_to_be_meant(surveyed: Path) -> None:
    plan(surveyed, choices=Choices(limit=12.5, bright=8.0)).close()
    assert run(surveyed).done == 0
    with pytest.raises(tessellar.errors.InputError, match="--overwrite"):
        plan(surveyed, choices=Choices(limit=11.0))


def test_the_page_is_complete_in_itself(surveyed: Path) -> None:
    place = SurveyFolder(surveyed)
    ledger = Ledger(place.ledger)
    _, frames = summaries(ledger)
    page = write_page(place, frames, ledger)
    text = page.read_text()
    ledger.close()
    assert text.count('<img alt="') == 4
    assert 'src="data:image/png;base64,' in text
    assert "http" not in text
    assert "Sector 27, camera 1, CCD 1" in text
    assert " 600 s, " in text
    assert " by aperture. " in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = QTable.read(page.with_suffix(".ecsv"))
    assert len(table) == len(frames.table)
    assert all(table[name].info.description for name in table.colnames)
    assert table["noise_expected"].unit == 1e-6
    assert table["mean_flux"].unit == "electron / s"
    table = Table.read(page.with_suffix(".ecsv"))
    assert all(table[name].dtype.kind == "i" for name in ("tic", "status", "n_good", "mask_size", "skipped_by"))
    measured, expected = noise_of(table)
    assert np.isfinite(measured * expected).sum() > 0.8 * len(table)


def test_the_command_line_tells_all_of_it(surveyed: Path, tmp_path: Path) -> None:
    def ask(*words: str) -> Any:
        done = subprocess.run(["tessellar", "--json", "survey", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    told = ask("status", str(surveyed))
    assert told["tasks"].keys() == {"stored"}
    frames = next(each for each in told["fields"] if each["kind"] == "ffi")
    assert frames["status"]["OK"] > 5
    assert frames["noise"]
    paths = ask("export", str(surveyed), "-o", str(tmp_path), "--brightest", "9", "--faintest", "12")
    curves = [tessellar.read(path) for path in paths]
    assert curves
    assert all(9 <= curve.tmag <= 12 and np.isfinite(curve.flux).mean() > 0.8 for curve in curves)
    (metrics,) = ask("export", str(surveyed), "-o", str(tmp_path), "--form", "metrics", "--method", "linpsf")[-1:]
    assert metrics.endswith("s0027-1-1-c0600-ffi-linpsf-metrics.parquet")


def test_stars_that_are_not_exported_are_named(surveyed: Path, tmp_path: Path) -> None:
    ledger = Ledger(SurveyFolder(surveyed).ledger)
    (known,) = ledger.select("SELECT tic FROM result WHERE source = 'ffi' AND status = 1 LIMIT 1")[0]
    ledger.close()

    def export(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["tessellar", "survey", "export", str(surveyed), "-o", str(tmp_path), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    mixed = export("--tic", str(known), "--tic", "12345")
    assert (mixed.returncode, mixed.stdout) == (1, "")
    assert f" in {tmp_path}\n" in mixed.stderr
    assert "tessellar: TIC 12345 is not exported: not in the plan\n" in mixed.stderr
    faint = not_exported(surveyed, Subset(tics=(known,), faintest=1.0))
    assert faint[known].startswith("what is asked for does not fit: OK by ")
    unknown = export("--method", "foo")
    assert unknown.returncode == 2
    assert "no photometry method is called 'foo': choose one of aperture, " in unknown.stderr
    unused = export("--method", "psf")
    assert unused.returncode == 2
    assert "no light curve fits" in unused.stderr


def test_files_of_a_star_that_is_skipped_say_so_and_for_whom(surveyed: Path, tmp_path: Path) -> None:
    ledger = Ledger(SurveyFolder(surveyed).ledger)
    query = "SELECT priority, tic FROM result WHERE source = 'ffi' AND status = 1 AND method = 'aperture' LIMIT 2"
    (keeper, brighter), (star, tic) = ledger.select(query)
    ledger.skip({star: keeper})
    kinds = grouped_reasons(summaries(ledger)[1].table)
    wanted = Subset(tics=(tic,), status=("SKIPPED",))
    try:
        (path,) = export(surveyed, tmp_path, subset=wanted)
        (metrics,) = export(surveyed, tmp_path, subset=wanted, form="metrics")
        (fit,) = export(surveyed, tmp_path, subset=Subset(tics=(tic,), methods=("linpsf",)))
    finally:
        decide_skips(ledger)
        ledger.close()
    header, own = fits.getheader(path), fits.getheader(fit)
    assert (header["STATUS"], header["SKIPBY"]) == ("SKIPPED", brighter)
    assert header["REASON1"] == f"its light is in the mask of TIC {brighter}, which is brighter"
    assert all(isinstance(header[name], int) for name in ("NGOOD", "MASKSIZE"))
    assert own["STATUS"] in ("OK", "WARNING"), "a fit separates the light of both"
    assert "SKIPBY" not in own
    row = pyarrow.parquet.read_table(metrics).to_pylist()[0]
    assert (row["status"], row["status_name"], row["reasons"]) == (5, "SKIPPED", header["REASON1"])
    assert {
        "status": "SKIPPED",
        "reason": "its light is in the mask of a brighter star",
        "stars": 1,
        "example": tic,
    } in kinds


@pytest.mark.parametrize(
    ("status", "said"), [("ERROR", "stars that ended as ERROR"), ("SKIPPED", "no light curve fits")]
)
def test_what_cannot_be_exported_is_told(surveyed: Path, tmp_path: Path, status: str, said: str) -> None:
    with pytest.raises(tessellar.errors.InputError, match=said):
        list(export(surveyed, tmp_path, subset=Subset(status=(status,))))


def test_light_curves_that_a_store_lacks_are_told(surveyed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sky"
    shutil.copytree(surveyed, folder, symlinks=True)
    ledger = Ledger(SurveyFolder(folder).ledger)
    _, frames = ledger.fields()
    count = ledger.select("SELECT count(*) FROM result WHERE source = 'ffi' AND status IN (1, 3)")[0][0]
    (tic,) = ledger.select("SELECT tic FROM outcome JOIN target USING (priority) WHERE outcome.method = 'linpsf'")[0]
    ledger.close()
    store = SurveyFolder(folder).store(frames)
    command = ["tessellar", "survey", "export", str(folder), "-o", str(tmp_path / "out"), "--form", "metrics"]
    whole = store.read_bytes()
    store.write_bytes(whole[: len(whole) // 2])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.endswith(f"remove it, and `tessellar survey run {folder}` measures its stars again\n")
    store.unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        f"tessellar: {count} light curves are not in {store.name}: `tessellar survey run {folder}` goes on"
        in done.stderr
    )
    assert not_exported(folder, Subset(tics=(tic,), methods=("linpsf",))) == {
        tic: "its light curve is not in the store"
    }
    assert not_stored(surveyed, Subset()) == {}


def test_a_star_that_is_named_twice_is_exported_once(surveyed: Path, tmp_path: Path) -> None:
    ledger = Ledger(SurveyFolder(surveyed).ledger)
    (tic,) = ledger.select("SELECT tic FROM result WHERE source = 'ffi' AND status = 1 AND tmag > 8 LIMIT 1")[0]
    ledger.close()
    both = Subset(tics=(tic, tic), methods=("linpsf", "aperture", "linpsf"))
    paths = [path for path in export(surveyed, tmp_path, subset=both) if "-ffi" in str(path.parent)]
    assert sorted(path.name.split("_")[-1] for path in paths) == ["aperture-lc.fits", "linpsf-lc.fits"]


@pytest.mark.parametrize("words", [("run",), ("status",), ("export", "-o", "out")])
def test_a_folder_without_a_survey_is_named_as_it_was_given(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, told in (
        ("nosuch", "no such folder\n"),
        ("empty", "no survey is planned here; `tessellar survey plan"),
    ):
        done = subprocess.run(
            ["tessellar", "survey", *words, folder], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 2
        assert done.stderr.startswith(f"tessellar: {folder}: {told}")
        assert str(tmp_path) not in done.stderr


def test_failures_of_the_command_line_are_one_line(tmp_path: Path) -> None:
    for words, code in ((("run", "."), 2), (("status", "."), 2), (("plan", "nowhere"), 2), (("plan", "."), 2)):
        done = subprocess.run(
            ["tessellar", "survey", *words], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == code
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("tessellar: ")


@pytest.mark.heavy
def test_the_page_in_a_browser(surveyed: Path, tmp_path: Path) -> None:
    browser: Callable[[str], str | None] = shutil.which
    chromium = browser("chromium") or browser("chromium-browser") or browser("google-chrome")
    if chromium is None:
        pytest.skip("no browser is here")
    place = SurveyFolder(surveyed)
    ledger = Ledger(place.ledger)
    pages = [write_page(place, each, ledger) for each in summaries(ledger)]
    ledger.close()
    look = (
        "<script>onload = () => { const images = [...document.images];"
        "document.title = [images.length, images.filter(i => i.complete && i.naturalWidth > 300).length,"
        "document.documentElement.scrollWidth <= innerWidth, document.querySelectorAll('table').length].join(' ') }"
        "</script></body>"
    )
    for page in pages:
        probe = tmp_path / page.name
        probe.write_text(page.read_text().replace("</body>", look))
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
                 "--window-size=900,1200", "--dump-dom")  # fmt: skip
        shown = subprocess.run(
            [chromium, *flags, probe.as_uri()], capture_output=True, text=True, timeout=60, check=True
        )
        images, drawn, fits, tables = shown.stdout.split("<title>")[1].split("</title>")[0].split()
        assert (images, drawn, fits) == ("4", "4", "true")
        assert int(tables) >= 1


@pytest.mark.heavy
def test_a_frame_that_is_damaged_is_named_and_mended_the_light_curves_are_the_same(tmp_path: Path) -> None:
    import h5py

    sky, frames, folder = small_field(), tmp_path / "frames", tmp_path / "sky"
    frames.mkdir()
    folder.mkdir()
    for path in sky.truth.paths:
        shutil.copy2(path, frames)
    prepared = Path(shutil.copy(sky.field.path, folder))
    with h5py.File(prepared, "r+") as file:
        file["frames"].attrs["folder"] = str(frames)
    plan(folder, choices=Choices(limit=11.0, bright=8.0, sources=("ffi",))).close()
    broken = sorted(frames.iterdir())[60]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40_000])
    finished = run(folder, workers=1)
    assert len(finished.aside) == 3
    assert all(broken.name in reason for reason in finished.aside.values())
    assert set(finished.stars) == {"ERROR"}
    broken.write_bytes(whole)
    assert run(folder, workers=1, again=True).aside == {}
    mended = contents(folder, ordered=False)
    plan(folder, choices=Choices(limit=11.0, bright=8.0, sources=("ffi",), rows=64), overwrite=True).close()
    run(folder, workers=2)
    assert contents(folder, ordered=False) == mended
