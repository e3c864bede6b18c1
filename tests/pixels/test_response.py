"""The mission's pixel response: README facts of the real files, and what an interpolation of it must keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tessellar import read
from tessellar.errors import InputError, MissingInput
from tessellar.pixels import MissionPRF, PixelResponse, add_stars
from tessellar.products import PRF
from tests.pixels.skyframes import mixture, write_prf


@pytest.fixture(scope="module")
def real(real_data: Path) -> MissionPRF:
    return MissionPRF.open(real_data, camera=4, ccd=1, sector=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MissionPRF:
    folder = tmp_path_factory.mktemp("prf")
    for row in (1, 1025):
        for column in (45, 1069):
            write_prf(folder, row, column)
    return MissionPRF.open(folder, camera=4, ccd=1)


def test_the_eight_real_files_hold_what_the_readme_says(real_data: Path) -> None:
    models = [read(path) for path in sorted(real_data.glob("s1-3_*prf*.fits"))]
    assert len(models) == 8
    sums, worst, areas, inner, ring = [], [], [], [], []
    for model in models:
        assert isinstance(model, PRF)
        phases = np.array([model.image[r::9, c::9] for r in range(9) for c in range(9)])
        sums.append(model.image.sum())
        worst.append(phases.sum(axis=(1, 2)).min())
        centre = model.phase(4, 4)
        areas.append(1 / (centre**2).sum())
        inner.append(centre[4:9, 4:9].sum())
        ring.append(centre.sum() - centre[1:-1, 1:-1].sum())
    assert sorted(sums)[0] == pytest.approx(80.977, abs=0.001)
    assert sorted(sums)[1] == pytest.approx(81, abs=0.01)
    assert min(worst) == pytest.approx(0.9974, abs=1e-4)
    assert 6.8 < min(areas) < max(areas) < 7.9
    assert 0.91 < min(inner) < max(inner) < 0.95
    assert 0.005 < min(ring) < max(ring) < 0.017


def test_at_its_own_place_and_phase_it_is_the_file(real: MissionPRF, real_data: Path) -> None:
    model = read(real_data / "s1-3_tess2018243163601-prf-4-1-row0513-col1580.fits")
    assert isinstance(model, PRF)
    box = real.boxes(1580.0, 513.0)[0, 0]
    np.testing.assert_allclose(box[2:-2, 2:-2], model.phase(4, 4)[1:-1, 1:-1], rtol=0.01, atol=3e-6)
    # A star 1/9 px to the right: its own pixel is one sample further to the left of it.
    box = real.boxes(1580.0 + 1 / 9, 513.0)[0, 0]
    np.testing.assert_allclose(box[2:-2, 2:-2], model.phase(3, 4)[1:-1, 1:-1], rtol=0.02, atol=1e-4)
    assert real.noise_area(1580.0, 513.0) == pytest.approx(1 / (model.phase(4, 4) ** 2).sum(), rel=0.01)


@given(st.floats(1500, 2092), st.floats(1, 600))
def test_all_light_falls_somewhere(real: MissionPRF, column: float, row: float) -> None:
    box = real.boxes(column, row)[0, 0]
    assert box.sum() == pytest.approx(1, abs=3e-4)
    assert box.min() > -2e-4


@given(st.floats(100, 1000), st.floats(100, 1000))
def test_a_known_response_is_recovered_between_samples_and_places(made: MissionPRF, column: float, row: float) -> None:
    box = made.boxes(column, row)[0, 0].astype("f8")
    truth = mixture(column, row, made.reach)
    share = truth[1:-1, 1:-1].sum()
    np.testing.assert_allclose(box[1:-1, 1:-1], truth[1:-1, 1:-1] / share, atol=1.5e-3)


def test_slopes_are_those_of_the_moving_image(real: MissionPRF) -> None:
    column, row, h = 1733.37, 240.81, 1e-2
    terms = real.boxes(column, row, derivatives=2)[0].astype("f8")
    assert terms.shape == (6, 15, 15)
    for dx, dy in ((h, 0), (0, h), (h, -h), (-2 * h, h)):
        moved = real.boxes(column + dx, row + dy)[0, 0]
        weights = np.array([1, dx, dy, dx * dx, dx * dy, dy * dy])
        np.testing.assert_allclose(np.tensordot(weights, terms, 1), moved, atol=2e-5)
        # Without the second derivatives it is clearly worse.
        first = np.abs(np.tensordot(weights[:3], terms[:3], 1) - moved).max()
        assert first > 2 * np.abs(np.tensordot(weights, terms, 1) - moved).max()


def test_a_star_that_crosses_a_pixels_border_does_not_jump(real: MissionPRF) -> None:
    left, right = real.boxes([1700.4999, 1700.5001], [200.0, 200.0])[:, 0]
    np.testing.assert_allclose(left[:, 1:], right[:, :-1], atol=1e-4)
    assert np.abs(left[:, 0]).max() < 1e-4


def test_the_image_follows_the_star(real: MissionPRF) -> None:
    places = 1700 + np.linspace(-0.45, 0.45, 10)
    boxes = real.boxes(places, np.full(10, 200.0))[:, 0]
    centroid = (boxes * (np.arange(15) - 7)).sum(axis=(1, 2))
    slope = np.polyfit(places, centroid, 1)[0]
    assert slope == pytest.approx(1, abs=0.05)


def test_stars_are_added_also_over_the_border(made: MissionPRF) -> None:
    response: PixelResponse = made
    image = np.zeros((30, 40))
    add_stars(image, (101, 201), np.array([101.0, 120.3]), np.array([201.0, 215.7]), np.array([100.0, 10.0]), response)
    expected = np.zeros((60, 60))
    for column, row, flux in ((101.0, 201.0, 100.0), (120.3, 215.7, 10.0)):
        c, r = int(np.floor(column + 0.5)) - 101 + 10 - 7, int(np.floor(row + 0.5)) - 201 + 10 - 7
        expected[r : r + 15, c : c + 15] += flux * made.boxes(column, row)[0, 0]
    np.testing.assert_allclose(image, expected[10:40, 10:50], atol=1e-4)
    assert 60 < image.sum() < 80  # most of what fell outside is lost


def test_files_that_make_no_response_are_refused(tmp_path: Path, real_data: Path) -> None:
    with pytest.raises(MissingInput, match="camera 1, CCD 1"):
        MissionPRF.open(real_data, camera=1, ccd=1)
    paths = sorted(real_data.glob("s1-3_*prf-4-1*.fits"))
    with pytest.raises(InputError, match="make no grid: none for row 513, column 2092"):
        MissionPRF.open(paths[:3], camera=4, ccd=1)
    assert MissionPRF.open(paths[:1], camera=4, ccd=1).boxes([50.0], [60.0]).sum() == pytest.approx(1, abs=1e-4)
    write_prf(tmp_path, 1, 45, issued="2019107181902")
    write_prf(tmp_path, 1, 45, issued="2018243163601")
    with pytest.raises(InputError, match="give the sector"):
        MissionPRF.open(tmp_path, camera=4, ccd=1)
    assert MissionPRF.open(tmp_path, camera=4, ccd=1, sector=3).issued == "2018243163601"
    assert MissionPRF.open(tmp_path, camera=4, ccd=1, sector=4).issued == "2019107181902"
    path = next(tmp_path.glob("*2018*"))
    with fits.open(path, mode="update") as hdus:
        hdus[0].data = hdus[0].data[:50, :50]
    with pytest.raises(InputError, match="not 117 x 117"):
        MissionPRF.open([path], camera=4, ccd=1)
