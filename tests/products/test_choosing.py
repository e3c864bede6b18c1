"""What tells the light curves of a star apart; joining those that were not made alike warns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tessellar
from tessellar.errors import InputError
from tessellar.products import LightCurveChoice, MixedLightCurvesWarning, join_light_curves, write_light_curve
from tessellar.products.choosing import choice_row

SPOC = "tess2020106103520-s0024-0000000188589164-0180-s_lc.fits"
TESS_SPOC = "hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits"
QLP = "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits"


@pytest.fixture
def three(real_data):
    return [tessellar.read(real_data / name) for name in (SPOC, TESS_SPOC, QLP)]


def test_the_headers_of_one_star_by_three_authors(three):
    table = LightCurveChoice.from_rows([choice_row(curve) for curve in three], list(LightCurveChoice.known_columns))
    assert table["author"].tolist() == ["SPOC", "TESS-SPOC", "QLP"]
    assert table["cadence"].tolist() == [120.0, 1800.0, 1800.0]
    assert table["exposure"].tolist() == [pytest.approx(95.04), pytest.approx(1425.6), None]
    assert table["release"].tolist() == [35, 35, None]
    assert table["aperture"].tolist() == [16, 16, None]
    assert table["crowdsap"].tolist()[:2] == pytest.approx([0.99961472, 0.99822408])
    assert table["flfrcsap"].tolist()[:2] == pytest.approx([0.90299988, 0.90299833])
    assert table["cdpp_1h"].tolist() == [pytest.approx(302.61593628), None, None]
    assert table["cdpp_2h"].tolist() == [pytest.approx(230.13322449), pytest.approx(198.00073242), None]


def test_the_offsets_bring_the_times_of_the_authors_together(three):
    """The QLP file is 1.98 s later than TESS-SPOC's at the same cadence."""
    _, tess_spoc, qlp = three
    late = choice_row(tess_spoc)["time_offset"] - choice_row(qlp)["time_offset"]
    assert late == pytest.approx(1.98, abs=0.05)
    shared, at, at_qlp = np.intersect1d(tess_spoc.cadenceno, qlp.cadenceno, return_indices=True)
    assert len(shared) > 1000
    measured = np.nanmedian(qlp.btjd[at_qlp] - tess_spoc.btjd[at]) * 86400
    assert measured == pytest.approx(late, abs=0.05)


def test_joining_what_was_not_made_alike_warns(three):
    with pytest.warns(MixedLightCurvesWarning, match=r"authors QLP, SPOC, TESS-SPOC; .*cadences \(s\) 120, 1800.*"):
        table = join_light_curves(three)
    assert np.all(np.diff(table["btjd"]) >= 0)
    assert float(np.median(table["flux"])) == pytest.approx(1, abs=1e-3)
    assert table.meta["tic"] == 188589164


def written(folder, sector, tic=25155310, pixels=4, cadence=120):
    aperture = np.zeros((5, 5), np.int32)
    aperture.ravel()[:pixels] = 3
    start = 1325 + 27 * sector
    columns = {"TIME": [start, start + 0.1], "FLUX": [100.0 * sector, 101.0 * sector], "FLUX_ERR": [1.5, 1.5]}
    meta = {"tic": tic, "sector": sector, "cadence": cadence}
    return tessellar.read(write_light_curve(folder / f"{sector}-{pixels}-{tic}.fits", columns, meta=meta,
                                            aperture=aperture))  # fmt: skip


def test_light_curves_that_were_made_alike_join_quietly(tmp_path):
    curves = [written(tmp_path, sector) for sector in (3, 1, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = join_light_curves(curves)
    assert table["sector"].tolist() == [1, 1, 2, 2, 3, 3]
    assert table["flux"].tolist() == pytest.approx([100 / 100.5, 101 / 100.5] * 3)


def test_apertures_and_sectors_that_overlap_are_told(tmp_path):
    with pytest.warns(MixedLightCurvesWarning, match=r"apertures \(px\) 4, 6; sector 1 more than once"):
        join_light_curves([written(tmp_path, 1), written(tmp_path, 1, pixels=6)])


def test_light_curves_of_two_stars_are_not_joined(tmp_path):
    with pytest.raises(InputError, match="2 stars"):
        join_light_curves([written(tmp_path, 1), written(tmp_path, 2, tic=117544915)])
    with pytest.raises(InputError, match="nothing"):
        join_light_curves([])
