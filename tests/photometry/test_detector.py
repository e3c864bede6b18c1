"""Where the detector divides or ends: between two outputs, and in the gap beside a CCD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tessellar import Field
from tessellar.mission import ccd
from tessellar.photometry import STATUS, BasePhotometry, FieldScene, measure_in
from tessellar.pixels import PreparedField, prepare
from tessellar.pixels.inputs import find_catalog, find_response, read_catalog
from tessellar.simulate import simulate_frames

FIELD = Field(27, 1, 1)
STAR = 9_700_000_001


def field_with(
    folder: Path, window: tuple[tuple[int, int], tuple[int, int]], *places: tuple[float, float]
) -> FieldScene:
    """A prepared field with stars of T = 10 at some places, and fainter ones elsewhere."""
    (left, right), (bottom, top) = window
    rng = np.random.default_rng(4)
    column, row = rng.uniform(left, right, 60), rng.uniform(bottom, top, 60)
    far = np.min([np.hypot(column - x, row - y) for x, y in places], axis=0) > 10
    listed = np.vstack([places, np.column_stack([column, row])[far]])
    ra, dec = ccd.ccd_plane(FIELD).to_sky(*listed.T)
    tmag = np.append(np.full(len(places), 10.0), rng.uniform(10.5, 14.5, far.sum()))
    catalog = {"ID": STAR + np.arange(len(ra)), "ra": ra, "dec": dec, "Tmag": tmag}
    truth = simulate_frames(folder, FIELD, window=window, cadence=600, n_frames=20, seed=3, catalog=catalog)
    stars, response = read_catalog(find_catalog(folder)), find_response(folder, FIELD)
    return FieldScene(PreparedField(prepare(truth.paths, stars, response, out=folder / "x.h5", field=FIELD).path))


@pytest.fixture(scope="module")
def astride(tmp_path_factory: pytest.TempPathFactory) -> FieldScene:
    # Output A reads columns 45 to 556, output B 557 to 1068.
    return field_with(tmp_path_factory.mktemp("astride"), ((530, 585), (700, 755)), (556.5, 727.3))


@pytest.mark.parametrize("method", ["aperture", pytest.param("linpsf", marks=pytest.mark.heavy)])
def test_between_two_outputs_there_is_no_gap(astride: FieldScene, method: str) -> None:
    result = measure_in(astride, STAR, method)
    assert result.status is STATUS.OK, result.reason
    assert np.nanmedian(result.columns["FLUX"]) == pytest.approx(10 ** (-0.4 * (10 - 20.44)), rel=0.2)


def test_each_pixel_tells_its_output(astride: FieldScene, tmp_path: Path) -> None:
    with BasePhotometry(STAR, astride, tmp_path) as pho:
        columns, _ = pho.get_pixel_grid()
        outputs = pho.aperture & (32 | 64 | 128 | 256)
        np.testing.assert_array_equal(outputs, np.where(columns <= 556, 32, 64))
        assert set(np.unique(outputs)) == {32, 64}


@pytest.mark.heavy
def test_in_the_gap_beside_a_ccd_a_star_has_no_pixels(tmp_path: Path) -> None:
    # The first science column is 45.
    scene = field_with(tmp_path, ((45, 94), (1, 50)), (43.2, 12.3), (45.3, 36.6))
    for method in ("aperture", "linpsf"):
        gap, first = (measure_in(scene, STAR + star, method) for star in (0, 1))
        assert gap.status is STATUS.ERROR
        assert "off the pixels" in gap.reason
        assert first.status is STATUS.WARNING, first.reason
        assert first.reason
        assert "\n" not in gap.reason + first.reason
