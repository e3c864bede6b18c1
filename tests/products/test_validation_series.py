"""Time series of validation runs, as the simulated sky has them: what was searched, folded, and its statistics."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from tessellar.errors import Corrupt, InputError, Unrecognised
from tessellar.products import LightCurve, ValidationTimeSeries, read
from tessellar.simulate import simulate
from tessellar.simulate.stars import FIRST_TIC

STAR = FIRST_TIC + 8


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("sky"), days=1.1, kinds=["quick"], sectors=[1, 2])


@pytest.fixture(scope="module")
def series(sky) -> ValidationTimeSeries:
    (path,) = sky.directory.glob("*s0001-s0006*_dvt.fits")
    return read(path)


def test_it_tells_the_run_and_the_events_as_the_report_does(sky, series):
    assert repr(series) == f"<ValidationTimeSeries TIC {STAR}, sectors 1, 2, {len(series)} cadences, 1 TCEs>"
    assert (series.sectors, series.sector_range, series.pipeline, series.simulated) == ((1, 2), (1, 6), "SPOC", True)
    (path,) = sky.directory.glob("*s0001-s0006*_dvr.xml")
    report = read(path)
    assert series.run_id == report.run_id
    (told,), (tce,) = report.tces, series.tces
    for name in ("period", "epoch", "depth", "duration", "snr", "mes"):
        assert getattr(tce, name) == pytest.approx(getattr(told, name)), name
    assert (tce.source, tce.transits) == (told.source, told.transits)


def test_its_tables_have_units_and_the_flux_of_the_light_curves(sky, series):
    event = series.event(1)
    assert (event["TIME"].unit, event["PHASE"].unit, event["LC_INIT"].unit) == (u.day, u.day, None)
    assert event.meta["planet"] == 1
    statistics = series.statistics
    assert statistics["PDCSAP_FLUX"].unit == u.electron / u.s
    np.testing.assert_array_equal(event["CADENCENO"], statistics["CADENCENO"])
    np.testing.assert_array_equal(series.btjd, event["TIME"])
    assert series.time.scale == "tdb"
    np.testing.assert_array_equal(series.time.mask, np.isnan(series.btjd))
    for sector in (1, 2):
        lc = read(sky.directory / sky.of(STAR, sector)["light_curve"])
        assert isinstance(lc, LightCurve)
        rows = np.searchsorted(statistics["CADENCENO"], lc.cadenceno)
        np.testing.assert_array_equal(np.asarray(statistics["PDCSAP_FLUX"])[rows], lc.flux)


def test_folded_it_shows_the_event(series):
    (tce,) = series.tces
    phase, flux = series.column("phase"), series.column("LC_DETREND")
    dark = np.isfinite(flux) & (np.abs(phase) < tce.duration / 24 / 10)
    assert 1e6 * -flux[dark].mean() == pytest.approx(tce.depth, rel=0.04)


def test_a_run_of_one_sector_has_that_sector(sky):
    for path in sky.directory.glob("*s0002-s0002*_dvt.fits"):
        assert read(path).sectors == (2,)


def test_what_is_not_there_is_said(series, tmp_path):
    with pytest.raises(InputError, match="no event 2: it has 1"):
        series.event(2)
    with pytest.raises(InputError, match="no column 'FLUX': it has TIME"):
        series.column("FLUX")
    with fits.open(series.path) as hdus:
        for hdu in hdus:
            hdu.header.pop("TICID", None)
            hdu.header.pop("OBJECT", None)
        hdus.writeto(tmp_path / "nameless.fits")
    with pytest.raises(Unrecognised, match="of no star"):
        read(tmp_path / "nameless.fits")
    cut = tmp_path / series.path.name
    cut.write_bytes(series.path.read_bytes()[:-2880])
    with pytest.raises(Corrupt, match="cut short"):
        read(cut)


def test_look_draws_a_page_of_it(series):
    from tessellar.plots import page

    figure = page(series)
    top, folded = figure.axes
    (tce,) = series.tces
    assert (
        folded.get_title(loc="left") == f"TCE 1: P {tce.period:.6g} d, depth {tce.depth:.0f} ppm, {tce.duration:.2f} h"
    )
    means, model = folded.lines[1].get_ydata(), folded.lines[2].get_ydata()
    assert -1.3 * tce.depth < means.min() < -0.9 * tce.depth
    assert model.min() == pytest.approx(-tce.depth, rel=0.03)
    assert np.nanmedian(top.lines[0].get_ydata()) == pytest.approx(0, abs=100)
