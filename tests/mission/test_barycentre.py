"""The barycentric correction of a star, from the Earth alone and from what the mission wrote of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tessellar import Field, read
from tessellar.errors import InputError
from tessellar.mission.barycentre import SpacecraftPosition, WrittenCorrection, earth, unit_vector
from tessellar.mission.ccd import ccd_plane

TIME = np.arange(1325.3, 1352.0, 0.05)


def orbit(time: np.ndarray) -> np.ndarray:
    """A spacecraft on an ellipse of 13.7 days about the Earth, 17 to 59 Earth radii: light-seconds from it."""
    anomaly = mean = 2 * np.pi * time / 13.7
    for _ in range(50):
        anomaly = mean + 0.55 * np.sin(anomaly)
    away = np.stack([np.cos(anomaly) - 0.55, np.sqrt(1 - 0.55**2) * np.sin(anomaly)], axis=1) * 38 * 6.378e6 / 2.998e8
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0][:, :2]
    return away @ axes.T


def truth(ra: float, dec: float) -> np.ndarray:
    """The true correction, days."""
    return (earth(TIME) + orbit(TIME)) @ unit_vector(ra, dec) / 86400


def written(ra: float, dec: float, sigma: float = 0.003, seed: int = 0) -> WrittenCorrection:
    wrong = np.random.default_rng(seed).normal(0, sigma) / 86400
    return WrittenCorrection(ra, dec, TIME, truth(ra, dec) + wrong, sigma)


def place(camera: int, ccd: int, column: float = 1068, row: float = 1024) -> tuple[float, float]:
    ra, dec = ccd_plane(Field(1, camera, ccd)).to_sky(column, row)
    return float(ra), float(dec)


def off(spacecraft: SpacecraftPosition, ra: float, dec: float) -> np.ndarray:
    return (spacecraft.correction(TIME, ra, dec)[0] - truth(ra, dec)) * 86400


@pytest.mark.parametrize("ccd", [(1, 1), (2, 3), (4, 4)])
def test_within_a_ccd_the_earth_and_its_own_middle_are_enough(ccd: tuple[int, int]) -> None:
    spacecraft = SpacecraftPosition.solve(TIME, [written(*place(*ccd), sigma=0.01)])
    for column, row in ((45, 1), (2092, 1), (45, 2048), (2092, 2048), (600, 1500)):
        star = place(*ccd, column, row)
        assert np.abs(off(spacecraft, *star)).max() < 0.25
        assert np.std(off(spacecraft, *star)) < 2 * spacecraft.correction(TIME, *star)[1].mean()


def test_three_stars_in_different_cameras_tell_all_others() -> None:
    stars = [place(1, 2, 300, 400), place(2, 3, 1800, 1700), place(4, 1, 900, 300)]
    spacecraft = SpacecraftPosition.solve(TIME, [written(*star, sigma=0.001, seed=n) for n, star in enumerate(stars)])
    for camera in (1, 2, 3, 4):
        for ccd in (1, 2, 3, 4):
            star = place(camera, ccd)
            error = spacecraft.correction(TIME, *star)[1].mean()
            assert np.abs(off(spacecraft, *star)).max() < max(0.01, 4 * error)
            if error < 0.003:
                assert np.abs(off(spacecraft, *star)).max() < 0.01
    more = [*stars, place(3, 1), place(1, 4), place(4, 3, 200, 1900)]
    spacecraft = SpacecraftPosition.solve(TIME, [written(*star, sigma=0.001, seed=n) for n, star in enumerate(more)])
    for camera in (1, 2, 3, 4):
        for ccd in (1, 2, 3, 4):
            assert np.abs(off(spacecraft, *place(camera, ccd))).max() < 0.01


def test_the_earth_alone_is_off_by_up_to_the_orbit_and_says_so() -> None:
    spacecraft = SpacecraftPosition.solve(TIME)
    star = place(2, 2)
    errors = off(spacecraft, *star)
    assert 0.1 < np.abs(errors).max() < 1.4
    assert errors.std() < 1.5 * spacecraft.correction(TIME, *star)[1].max()


def test_gaps_are_bridged_by_what_else_there_is() -> None:
    whole, part = written(*place(1, 1)), written(*place(4, 1))
    correction = np.where(np.arange(200) % 50 < 10, np.nan, part.correction[:200])
    holed = WrittenCorrection(part.ra, part.dec, TIME[:200], correction)
    spacecraft = SpacecraftPosition.solve(TIME, [whole, holed])
    error = spacecraft.correction(TIME, *place(4, 2))[1]
    assert error[20] < 0.2
    assert error[300] > error[20]
    assert error[5] > error[20], "cadences without a correction do not count"
    with pytest.raises(InputError, match="not finite"):
        SpacecraftPosition.solve([np.nan])


@pytest.mark.heavy
def test_on_two_real_stars_and_a_frame(real_data: Path) -> None:
    models = [read(real_data / f"tess2018206045859-s0001-{tic:016d}-0120-s_lc.fits") for tic in (25155310, 117544915)]
    frame = read(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits")
    stars = []
    for model in models:
        correction = model.timecorr.astype(np.float64)
        stars.append(WrittenCorrection(model.ra, model.dec, model.btjd - correction, correction))
    for one in stars:
        known = np.isfinite(one.time)
        alone = SpacecraftPosition.solve(one.time[known]).correction(one.time[known], one.ra, one.dec)[0]
        rest = (one.correction[known] - alone) * 86400
        assert 0.3 < np.abs(rest).max() < 1.0, "the Earth is not where the spacecraft is"
    when = np.array([frame.btjd - frame.timecorr])
    ra, dec = frame.wcs.all_pix2world([1068.0], [1024.0], 1)
    middle = WrittenCorrection(float(ra[0]), float(dec[0]), when, np.array([frame.timecorr]), 0.01)
    for known, other in (stars, stars[::-1]):
        finite = np.isfinite(other.time)
        true = np.interp(when, other.time[finite], other.correction[finite])

        def wrong(*written: WrittenCorrection, other=other, true=true) -> tuple[float, float]:
            days, error = SpacecraftPosition.solve(when, written).correction(when, other.ra, other.dec)
            return abs(float(days[0] - true[0])) * 86400, float(error[0])

        (alone, before), (solved, after) = wrong(), wrong(known, middle)
        assert solved < alone
        assert after < 0.5 * before
        assert solved < 3 * after
