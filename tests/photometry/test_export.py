"""Results put into a store and exported from it are the files that would have been written at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tessellar.errors import InputError
from tessellar.photometry import STATUS, FieldScene, Settings, WeightMap, measure, measure_in
from tessellar.photometry.completing import ADDED, completed
from tessellar.photometry.merit.metrics import METRICS
from tessellar.photometry.output import images_of, record_of, table_cards
from tessellar.photometry.result import Result
from tessellar.photometry.stampimages import StampImages
from tessellar.products import LightCurveStore, export_fits, export_parquet, read_light_curve
from tessellar.products.lightcurveexport import ToldStar
from tessellar.products.lightcurvelayout import STATUS_NAMES
from tests.photometry.fieldsky import small_field

CARDS_OF_THE_DAY = re.compile(rb"(DATE|CREATED|CHECKSUM|DATASUM) *= [^/]*/")


def store_of(scene: FieldScene, path: Path) -> LightCurveStore:
    field = scene.prepared
    return LightCurveStore.create(
        path, field=field.field, cadence=field.cadence, time=field.time, timecorr=field.timecorr,
        cadenceno=field.cadenceno, quality=field.quality, position=field.spacecraft_place,
        meta={**scene.about, "source": "ffi"},
    )  # fmt: skip


def put(store: LightCurveStore, results: list[Result], *, record: bool = True) -> None:
    for result in results:
        target = result.target
        table = {name: [getattr(target, name)] for name in ("ra", "dec", "tmag", "column", "row")}
        table |= {"status": [int(result.status)], "reasons": [result.reason]}
        table |= {name: [float(value)] for name, value in result.metrics.items()}
        if record:
            table["record"] = [record_of(result)]
        known = ("TIME", "TIMECORR", "CADENCENO", "QUALITY")
        columns = {
            name: values[None] for name, values in {**result.columns, **result.extra}.items() if name not in known
        }
        store.append(result.method, [int(target.tic)], columns, table, cards=table_cards(), images=[images_of(result)],
                     settings=result.settings.as_record())  # fmt: skip


@pytest.fixture(scope="module")
def results() -> list[Result]:
    scene = FieldScene(small_field().field)
    stars = scene.stars
    order = np.argsort(stars.tmag)
    inside = [at for at in order if 610 < stars.column[at] < 718 and 710 < stars.row[at] < 818 and stars.tmag[at] > 8]
    return [measure_in(scene, int(stars.tic[at])) for at in inside[:4]]


def same_but_for_the_day(one: Path, other: Path) -> bool:
    return CARDS_OF_THE_DAY.sub(b"", one.read_bytes()) == CARDS_OF_THE_DAY.sub(b"", other.read_bytes())


def test_an_exported_file_is_the_one_written_at_once(results, tmp_path: Path):
    scene = FieldScene(small_field().field)
    store = store_of(scene, tmp_path / "a.lc.h5")
    put(store, results)
    exported = list(export_fits(store, tmp_path / "out"))
    assert len(exported) == len(results)
    for result, path in zip(results, exported, strict=True):
        direct = result.write(tmp_path / "direct")
        assert direct.name == path.name
        assert "_ffi_" in path.name
        assert same_but_for_the_day(direct, path)
    again = list(export_fits(store, tmp_path / "again", method=results[0].method, tics=[results[2].target.tic]))
    assert again[0].read_bytes() == exported[2].read_bytes()


def test_a_file_of_a_star_without_a_record_says_what_the_table_knows(results, tmp_path: Path):
    store = store_of(FieldScene(small_field().field), tmp_path / "a.lc.h5")
    put(store, results, record=False)
    (path,) = export_fits(store, tmp_path, tics=[results[1].target.tic], packed=True)
    assert path.name.endswith(".fits.gz")
    lc, direct = read_light_curve(path), read_light_curve(results[1].write(tmp_path / "direct"))
    for name in ("TIME", "TIMECORR", "FLUX", "FLUX_ERR", "MOM_CENTR1", "QUALITY", "POS_CORR2"):
        np.testing.assert_array_equal(lc.column(name), direct.column(name), err_msg=name)
    np.testing.assert_array_equal(lc.aperture, direct.aperture)
    assert lc.header["STATUS"] == results[1].status.name
    assert lc.header["RMSHOUR"] == direct.header["RMSHOUR"]
    assert (lc.tmag, lc.ra, lc.simulated) == (direct.tmag, direct.ra, True)
    assert lc.provenance.settings["aperture"] == results[1].settings.as_record()["aperture"]


def test_what_follows_from_a_light_curve_is_added_when_it_is_exported(results):
    result = results[1]
    known = {name: value for name, value in result.metrics.items() if name not in ADDED}
    told = ToldStar(method="aperture", cadence=600.0, row=known, columns=result.columns, headers={}, settings={})
    made = completed(told)
    for name in ADDED:
        value = result.metrics[name]
        assert (METRICS[name].keyword in made.headers) == np.isfinite(value)
        if np.isfinite(value):
            assert made.headers[METRICS[name].keyword][0] == pytest.approx(value)
    assert made.settings == result.settings.as_record()
    assert made.headers["ZEROPNT"][0] == result.settings.zero_point
    for name, values in result.extra.items():
        np.testing.assert_allclose(made.columns[name], values)
    lost = {name: values * np.nan for name, values in result.extra.items()}
    unknown = replace(told, row={**known, "crowdsap": np.nan}, columns={**result.columns, **lost})
    assert set(completed(unknown).columns) == set(result.columns)
    there = completed(replace(told, row={**result.metrics, "cdpp_1_0": 5.0}))
    assert "CDPP1_0" not in there.headers, "what the store has is its own"
    other = replace(told, method="halo")
    assert completed(other) is other


def test_images_cut_for_many_stars_are_those_of_each_stamp(results):
    field = small_field().field
    made = StampImages(field)
    for result in results:
        column, row = np.array(result.stamp.corner)
        (found,) = made.of(np.array([column]), np.array([row]), result.mask[None])
        column, row = (found.corner[axis] - result.stamp.corner[axis] for axis in (0, 1))
        part = slice(row, row + found.aperture.shape[0]), slice(column, column + found.aperture.shape[1])
        direct = images_of(result)
        np.testing.assert_array_equal(found.aperture, direct.aperture[part])
        np.testing.assert_array_equal(found.sumimage, field.mean_image[
            found.corner[1] - field.corner[1] :, found.corner[0] - field.corner[0] :
        ][: found.aperture.shape[0], : found.aperture.shape[1]])  # fmt: skip
        assert found.wcs == direct.wcs
        assert (found.aperture & 2 > 0).sum() == result.mask.sum()
        # The middles of the two stamps are a few pixels apart, over which the registration hardly changes.
        shift = np.array(direct.crpix) - (column, row)
        np.testing.assert_allclose(found.crpix, shift, atol=0.01)
    (edge,) = made.of(np.array([field.corner[0] - 3]), np.array([field.corner[1]]), np.ones((1, 3, 5), dtype=bool))
    assert edge.corner == field.corner
    assert edge.aperture.shape == (5, 4)


def test_stars_without_a_light_curve_are_left_out_or_told(results, tmp_path: Path):
    store = store_of(FieldScene(small_field().field), tmp_path / "a.lc.h5")
    put(store, results[:1])
    method = results[0].method
    store.append(method, [5], {}, {"status": [int(STATUS.ERROR)], "reasons": ["no flux above threshold"]})
    assert len(list(export_fits(store, tmp_path))) == 1
    with pytest.raises(InputError, match=r"TIC 5 has no light curve .* no flux above threshold"):
        list(export_fits(store, tmp_path, method=method, tics=[5]))
    with pytest.raises(InputError, match="TIC 6 has no light curve"):
        list(export_fits(store, tmp_path, method=method, tics=[6]))


def test_weight_maps_are_written_as_tasoc_has_them(results, tmp_path: Path):
    rows, cols = results[0].stamp.shape
    number = results[0].columns["CADENCENO"]
    maps = tuple(
        WeightMap(
            first_cadence=int(first),
            last_cadence=int(last),
            weights=np.full((rows, cols), 1 / (rows * cols)),
            saturated=3,
        )
        for first, last in ((number[0], number[59]), (number[60], number[-1]))
    )
    result = replace(results[0], weight_maps=maps, mask=None, method="halo")
    path = result.write(tmp_path / "halo.fits")
    with fits.open(path) as file:
        table = file["WEIGHTMAP"].data
        assert table.names == ["CADENCENO1", "CADENCENO2", "SAT_PIXELS", "WEIGHTMAP"]
        assert table["WEIGHTMAP"].shape == (2, rows, cols)
        assert (table["CADENCENO2"][0], table["SAT_PIXELS"][1]) == (number[59], 3)
    assert accepted(path)
    store = store_of(FieldScene(small_field().field), tmp_path / "a.lc.h5")
    put(store, [result])
    (exported,) = export_fits(store, tmp_path / "out")
    assert same_but_for_the_day(path, exported)


def accepted(path: Path) -> bool:
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    told = subprocess.run([program, "-e", str(path)], capture_output=True, text=True, check=False).stdout
    return "*** Error" not in told and "*** Warning" not in told and "0 warning(s) and 0 error(s)" in told


LIGHTKURVE = """
import sys, warnings
warnings.simplefilter("ignore")
import lightkurve, matplotlib
matplotlib.use("Agg")
lc = lightkurve.read(sys.argv[1])
lc.plot().figure.savefig(sys.argv[2])
print(type(lc).__name__, lc.label, float(abs(lc.flux.value).max()))
"""


@pytest.mark.heavy
def test_lightkurve_opens_and_plots_it_in_a_process_of_its_own(results, tmp_path: Path):
    pytest.importorskip("lightkurve")
    path, picture = results[0].write(tmp_path), tmp_path / "lc.png"
    done = subprocess.run(
        [sys.executable, "-c", LIGHTKURVE, path, picture], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kind, *label, brightest = done.stdout.split()
    assert (kind, " ".join(label)) == ("TessLightCurve", f"TIC {results[0].target.tic.id}")
    assert float(brightest) == pytest.approx(np.nanmax(results[0].columns["FLUX"]), rel=0.2)
    assert picture.stat().st_size > 5000


def test_headers_that_readers_and_the_archive_ask_for(results, tmp_path: Path):
    path = results[0].write(tmp_path)
    assert accepted(path)
    with fits.open(path) as file:
        primary, table = file[0].header, file["LIGHTCURVE"].header
        for key in ("HLSPID", "HLSPTARG", "HLSPVER", "LICENSE", "LICENURL", "DATE-BEG", "DATE-END", "RA_TARG",
                    "SIMULATD", "QUALMASK", "TIMESYS"):  # fmt: skip
            assert key in primary, key
        assert "EQUINOX" not in primary
        for key in ("RA_TARG", "DEC_TARG", "FILTER", "RADESYS", "DETECTOR", "APERTURE", "MJD-BEG", "XPOSURE", "DEADC"):
            assert key in table, key
        assert table["XPOSURE"] == pytest.approx(600 * 0.792)
        assert list(table["TTYPE*"].values())[:3] == ["TIME", "TIMECORR", "CADENCENO"]
        assert np.isnan(file["LIGHTCURVE"].data["FLUX_CORR"]).all()


def test_words_for_status_are_those_of_photometry():
    assert {int(one): one.name for one in STATUS} == STATUS_NAMES


def test_parquet_is_queried_with_duckdb(results, tmp_path: Path):
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    store = store_of(FieldScene(small_field().field), tmp_path / "a.lc.h5")
    put(store, results)
    method = results[0].method
    metrics = export_parquet(store, tmp_path / "metrics.parquet", method=method)
    curves = export_parquet(store, tmp_path / "curves.parquet", method=method, light_curves=True)
    database = duckdb.connect()
    best = f"select tic, rms_hour from '{metrics}' where status_name = 'OK' or status = 3 order by tmag limit 1"
    found = database.execute(best).fetchone()
    assert found == (int(results[0].target.tic), pytest.approx(results[0].metrics["rms_hour"]))
    query = f"select tic, count(*), median(FLUX) from '{curves}' group by tic order by 3 desc"
    found = database.execute(query).fetchall()
    assert len(found) == len(results)
    assert found[0][1] == len(store.time)
    with pytest.raises(InputError, match="TIC 7"):
        export_parquet(store, tmp_path / "none.parquet", method=method, tics=[7])


def test_a_target_pixel_files_result_is_exported_with_its_own_times(real_data: Path, tmp_path: Path):
    spoc_pixels = real_data / "tess25155310-s01-first-cadences.fits.gz"
    result = measure(spoc_pixels)
    columns = result.columns
    store = LightCurveStore.create(
        tmp_path / "a.lc.h5", field=result.stamp.field, cadence=120, time=columns["TIME"], timecorr=columns["TIMECORR"],
        cadenceno=columns["CADENCENO"], quality=columns["QUALITY"], meta={"source": "tpf"},
    )  # fmt: skip
    own = {name: each[None] for name, each in {**columns, **result.extra}.items() if name != "CADENCENO"}
    table = {"status": [int(result.status)], "record": [record_of(result)]}
    store.append(result.method, [int(result.target.tic)], own, table, images=[images_of(result)])
    (path,) = export_fits(store, tmp_path / "out")
    assert same_but_for_the_day(result.write(tmp_path), path)
    assert measure(spoc_pixels, quality=Settings().quality).status is result.status
