"""The page of a measured light curve, and the noise on it."""

from __future__ import annotations

import numpy as np
import pytest

import tessellar
from tessellar.errors import InputError
from tessellar.plots import measured_page, noise_by_scale, page, plot_noise, plot_stamp, plot_stars
from tessellar.products import write_light_curve


def _written(path, *, with_image=True, count=600):
    rng = np.random.default_rng(1)
    image = 10 + 500 * np.exp(-0.5 * ((np.arange(11) - 5) ** 2 + (np.arange(11)[:, None] - 5) ** 2))
    flux = 1000 + rng.normal(0, 1, count)
    columns = {
        "TIME": 1325 + np.arange(count) / 144, "FLUX": flux, "FLUX_ERR": np.ones(count),
        "FLUX_BKG": np.full(count, 80.0), "QUALITY": np.where(np.arange(count) % 97 == 0, 128, 0),
        "MOM_CENTR1": 605 + 0.01 * flux, "MOM_CENTR2": np.full(count, 706.0),
    }  # fmt: skip
    headers = {"NOISEEXP": (400.0, ""), "STATUS": ("WARNING", ""), "REASON1": ("something is odd", "")}
    meta = {"tic": 77, "sector": 27, "camera": 1, "ccd": 1, "cadence": 600, "tmag": 9.0, "corner": (601, 701),
            "method": "aperture", "headers": headers}  # fmt: skip
    aperture = np.where(image > 100, 3, 1)
    return tessellar.read(write_light_curve(path, columns, meta=meta, aperture=aperture,
                                            sumimage=image if with_image else None))  # fmt: skip


def _texts(figure):
    found = [text.get_text() for text in figure.texts]
    for ax in figure.axes:
        found += [text.get_text() for text in ax.texts] + [ax.get_title(loc="left"), ax.get_ylabel(), ax.get_xlabel()]
        legend = ax.get_legend()
        found += [text.get_text() for text in legend.get_texts()] if legend else []
    return found


def test_a_page_shows_pixels_stars_noise_and_what_is_doubtful(tmp_path):
    model = _written(tmp_path / "lc.fits")
    stars = np.array([606.0, 603.2, 900.0]), np.array([706.0, 709.0, 706.0]), np.array([9.0, 12.5, 8.0])
    figure = measured_page(model, stars=stars)
    figure.savefig(tmp_path / "page.png")
    texts = _texts(figure)
    for told in ("9.0", "12.5", "errors of the file", "photons and reading", "flagged: 7", "Averaged over (h)",
                 "TIC 77  ·  aperture"):  # fmt: skip
        assert told in texts
    assert "8.0" not in texts  # a star that is not on the stamp
    assert any("WARNING: something is odd" in text for text in texts)
    assert any(text.startswith(f"Mean image, {np.count_nonzero(model.aperture & 2)} pixels") for text in texts)
    image_axes = figure.axes[0]
    assert image_axes.get_xlim() == (600.5, 611.5)  # 1-based CCD columns


def test_a_light_curve_without_pixels_has_the_plain_page(tmp_path):
    model = _written(tmp_path / "lc.fits", with_image=False)
    with pytest.raises(InputError, match="no mean image"):
        measured_page(model)
    assert len(page(model).axes) == 3
    assert len(page(_written(tmp_path / "with.fits")).axes) > 3


def test_weights_are_shown_span_by_span(tmp_path):
    from astropy.io import fits

    path = tmp_path / "lc.fits"
    _written(path)
    weights = np.zeros((2, 11, 11), dtype=np.float32)
    weights[:, 2:5, 2:9] = 1 / 21
    with fits.open(path) as hdus:
        table = fits.BinTableHDU.from_columns(
            [fits.Column("CADENCENO1", "J", array=[10, 300]), fits.Column("CADENCENO2", "J", array=[299, 600]),
             fits.Column("SAT_PIXELS", "J", array=[0, 0]),
             fits.Column("WEIGHTMAP", "121E", dim="(11,11)", array=weights.reshape(2, -1))], name="WEIGHTMAP",
        )  # fmt: skip
        fits.HDUList([*(each.copy() for each in hdus), table]).writeto(tmp_path / "map.fits")
    model = tessellar.read(tmp_path / "map.fits")
    first, second = model.weight_maps
    assert (first.first_cadence, second.last_cadence) == (10, 600)
    assert first.weights.sum() == pytest.approx(1)
    assert model.corner == (601, 701)
    assert "weights from cadence 300 on" in _texts(measured_page(model))


def test_white_noise_falls_with_the_root_of_time():
    rng = np.random.default_rng(3)
    time = np.arange(4000) / 144
    hours, scatter = noise_by_scale(time, 5000 * (1 + 3e-4 * rng.standard_normal(4000)), 600.0)
    assert scatter[0] == pytest.approx(300, rel=0.05)
    assert scatter * np.sqrt(hours * 6) == pytest.approx(np.full(len(hours), 300.0), rel=0.25)


def test_what_is_slower_than_a_day_is_no_noise():
    time = np.arange(4000) / 144
    slow = 1 + 0.003 * np.sin(2 * np.pi * time / 20)
    flux = 5000 * slow * (1 + 1e-4 * np.random.default_rng(3).standard_normal(4000))
    _, scatter = noise_by_scale(time, flux, 600.0)
    assert scatter[0] == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize("count", [0, 3])
def test_a_few_cadences_make_no_noise_but_a_panel(count):
    ax = plot_noise(np.arange(count), np.ones(count), np.ones(count), np.ones(count, bool), 600.0)
    assert "too few cadences" in [text.get_text() for text in ax.texts]


def test_crowded_names_do_not_lie_on_each_other():
    ax = plot_stamp(np.random.default_rng(0).uniform(1, 2, (20, 20)))
    place = np.linspace(5, 15, 60)
    plot_stars(ax, place, np.full(60, 10.0), np.linspace(8, 13, 60))
    named = [text for text in ax.texts if "arcmin" not in text.get_text()]
    assert 1 < len(named) <= 8
    plot_stars(ax, np.array([np.nan]), np.array([1.0]), np.array([9.0]))
    assert ax.get_xlim() == (0.5, 20.5)
