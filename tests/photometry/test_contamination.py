"""Whose light is in an aperture, by everybody's conventions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tessellar.errors import InputError
from tessellar.photometry.apertures import contamination as of
from tessellar.photometry.apertures.optimal import choose_apertures
from tessellar.pixels import MissionPRF
from tessellar.products import read_light_curve
from tests.photometry.fieldsky import surroundings

NAMES = (
    "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits",
    "tess2018206045859-s0001-0000000117544915-0120-s_lc.fits",
    "tess2020106103520-s0024-0000000188589164-0180-s_lc.fits",
)


@pytest.fixture(scope="module")
def prf(real_data: Path) -> MissionPRF:
    return MissionPRF.open(sorted(real_data.glob("*prf-4-1*.fits")), camera=4, ccd=1)


@pytest.mark.parametrize("name", NAMES)
def test_the_missions_own_keywords_give_its_own_corrected_flux(real_data: Path, name: str) -> None:
    curve = read_light_curve(real_data / name)
    keys = curve.table_keys
    sap, error = (np.asarray(curve.column(each), dtype=float) for each in ("SAP_FLUX", "SAP_FLUX_ERR"))
    corrected, errors = of.corrected_flux(sap, error, keys["CROWDSAP"], keys["FLFRCSAP"], curve.good())
    pdcsap = np.asarray(curve.column("PDCSAP_FLUX"), dtype=float)
    good = curve.good() & np.isfinite(pdcsap)
    assert np.median(corrected[good]) == pytest.approx(np.median(pdcsap[good]), rel=2e-3)
    assert 20.44 - 2.5 * np.log10(np.median(corrected[good])) == pytest.approx(curve.tmag, abs=0.1)
    np.testing.assert_allclose(errors, error / keys["FLFRCSAP"])


def test_one_star_and_many_have_the_same_shares(prf: MissionPRF) -> None:
    rng = np.random.default_rng(8)
    tmag, column, row = rng.uniform(9, 16, 80), rng.uniform(1695, 1735, 80), rng.uniform(95, 135, 80)
    stars = surroundings(tmag, column=column, row=row, response=prf)
    batch = choose_apertures(column, row, stars.flux, prf, corner=(1700, 100), shape=(30, 30))
    for star in np.flatnonzero((np.abs(column - 1715) < 7) & (np.abs(row - 115) < 7)):
        mask = batch.on(int(star), (1700, 100), (30, 30))
        crowdsap, flfrcsap = of.crowding(mask, (1700, 100), stars, int(star))
        assert crowdsap == pytest.approx(batch.crowdsap[star], rel=1e-6)
        assert flfrcsap == pytest.approx(batch.flfrcsap[star], rel=1e-5)


def test_a_star_alone_in_all_its_pixels_is_all_there_is(prf: MissionPRF) -> None:
    star = surroundings([10.0], column=[1715.2], row=[115.3], response=prf)
    everything = np.ones((30, 30), dtype=bool)
    assert of.crowding(everything, (1700, 100), star, 0) == pytest.approx((1.0, 1.0), abs=1e-5)
    half = everything.copy()
    half[:, 16:] = False
    crowdsap, flfrcsap = of.crowding(half, (1700, 100), star, 0)
    assert crowdsap == pytest.approx(1.0)
    assert 0.5 < flfrcsap < 0.9
    twins = surroundings([10.0, 10.0], column=[1715.2, 1715.2], row=[115.3, 115.3], response=prf)
    assert of.crowding(half, (1700, 100), twins, 1).crowdsap == pytest.approx(0.5, abs=1e-6)
    without = surroundings([10.0], column=[1715.2], row=[115.3])
    assert np.isnan(of.crowding(half, (1700, 100), without, 0)).all()


def test_conventions_are_of_the_same_light() -> None:
    assert of.ap_cont(10.0, [10.0, 12.5]) == pytest.approx(1 - 1 / 1.1)
    assert of.ap_cont(10.0, [10.0]) == 0.0
    assert of.ap_cont(10.0, [9.0]) == pytest.approx(1 - 10**-0.4)
    assert of.ap_cont(10.0, [11.0]) == 0.0  # the target's pixel is not in the mask, and it would come out below 0
    assert np.isnan(of.ap_cont(10.0, []))
    for ratio in (0.0, 0.1, 3.0):
        share = of.crowdsap_from_contratio(ratio)
        assert of.contratio_from_crowdsap(share) == pytest.approx(ratio)
        assert of.crowdsap_from_ap_cont(of.ap_cont_from_crowdsap(share)) == pytest.approx(share)
    assert of.contratio_from_crowdsap(0.0) == np.inf
    for wrong in (of.crowdsap_from_ap_cont, of.ap_cont_from_crowdsap, of.contratio_from_crowdsap):
        with pytest.raises(InputError, match="must be from 0 to 1"):
            wrong(1.2)
    with pytest.raises(InputError, match="below 0"):
        of.crowdsap_from_contratio(-0.1)


def test_what_is_not_known_is_not_corrected() -> None:
    for crowdsap, flfrcsap in ((np.nan, 0.9), (0.9, np.nan), (0.9, 0.0)):
        flux, error = of.corrected_flux([1.0, 2.0], [0.1, 0.1], crowdsap, flfrcsap)
        assert np.isnan(flux).all()
        assert np.isnan(error).all()
