"""Quick looks: what is drawn, that it can be read, and that nothing leaks into pyplot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from tessellar.errors import InputError
from tessellar.plots import page, plot_light_curve, plot_stamp, robust_limits
from tessellar.products import read


def flux(count: int = 2000, seed: int = 2) -> np.ndarray:
    return 1000.0 + np.random.default_rng(seed).normal(0, 1, count)


def png_size(figure: Figure, path: Path) -> int:
    figure.savefig(path, dpi=60)
    return path.stat().st_size


def test_a_light_curve_has_labels_with_units_and_every_point() -> None:
    time = np.linspace(1325, 1353, 2000)
    ax = plot_light_curve((time, flux()))
    assert isinstance(ax, Axes)
    assert "BTJD" in ax.get_xlabel()
    assert "days" in ax.get_xlabel()
    assert "e$^-$" in ax.get_ylabel()
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), time)
    mine = Figure().subplots()
    assert plot_light_curve((time, flux()), mine) is mine


def test_flagged_cadences_are_crosses_and_counted() -> None:
    values = flux()
    good = np.ones(2000, dtype=bool)
    good[100:130] = False
    values[100:130] = 1e9
    ax = plot_light_curve((np.arange(2000.0), values), good=good)
    assert len(ax.lines) == 2
    assert ax.lines[1].get_marker() == "x"
    assert len(ax.lines[1].get_xdata()) == 30
    _, high = ax.get_ylim()
    assert high < 1020  # flagged cadences do not set the scale ...
    assert (np.asarray(ax.lines[1].get_ydata()) < high).all()  # ... but are not out of sight either
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["flagged: 30"]


def test_eclipses_stay_in_view_and_a_spike_does_not_flatten_them() -> None:
    values = flux(20000)
    values[5000:5060] *= 0.6
    values[9000] = 1e7
    limits = robust_limits(values)
    assert limits is not None
    assert limits[0] < 600
    assert limits[1] < 1200
    ax = plot_light_curve((np.arange(20000.0), values))
    assert any("1 good outside" in text.get_text() for text in ax.texts)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_limits_are_always_a_range_that_holds_the_middle(values: list[float]) -> None:
    limits = robust_limits(np.array(values))
    assert limits is not None
    assert limits[0] < limits[1]
    assert limits[0] <= np.median(values) <= limits[1]


def test_there_are_no_limits_of_nothing() -> None:
    assert robust_limits(np.array([np.nan, np.inf])) is None


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ((np.arange(3.0), np.full(3, np.nan)), "no cadence has a finite time and a finite value"),
        ((np.full(3, np.nan), np.arange(3.0)), "no cadence has a finite time and a finite value"),
        ((np.arange(3.0), np.arange(4.0)), "which must be one and the same"),
        ("a name", "give a light curve, or"),
    ],
)
def test_what_cannot_be_plotted_is_told(what: object, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        plot_light_curve(what)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_stamp_is_placed_on_the_ccd_with_its_aperture_outlined() -> None:
    image = np.random.default_rng(1).normal(10, 1, (7, 9))
    image[3, 4] = 5000
    image[0, 0] = np.nan
    aperture = np.zeros((7, 9), dtype=int)
    aperture[3, 3:6] = 2
    ax = plot_stamp(image, aperture, corner=(1619, 389), target=(1623.2, 392.1))
    assert ax.images[0].get_extent() == [1618.5, 1627.5, 388.5, 395.5]
    outline = next(each for each in ax.collections if isinstance(each, LineCollection))
    segments = outline.get_segments()
    assert len(segments) == 8  # the edges around three pixels in a row
    points = np.concatenate(segments)
    assert (points.min(axis=0) == [1621.5, 391.5]).all()
    assert (points.max(axis=0) == [1624.5, 392.5]).all()
    assert "column" in ax.get_xlabel()
    scale = ax.figure.axes[1]
    assert "e$^-$" in scale.get_ylabel()
    ticks = [float(text.get_text()) for text in scale.get_yticklabels()]
    assert len(ticks) >= 3
    assert ticks == sorted(ticks)


def test_an_aperture_reaching_the_border_is_outlined_there_too() -> None:
    ax = plot_stamp(np.arange(12.0).reshape(3, 4), np.ones((3, 4)))
    outline = next(each for each in ax.collections if isinstance(each, LineCollection))
    assert len(outline.get_segments()) == 14


@pytest.mark.parametrize(
    ("image", "aperture", "says"),
    [
        (np.full((3, 3), np.nan), None, "no pixel has a finite value"),
        (np.ones(3), None, r"give an image \(rows, cols\)"),
        (np.ones((3, 3)), np.ones((3, 4)), "must be alike"),
    ],
)
def test_what_is_no_image_is_told(image: np.ndarray, aperture: np.ndarray | None, says: str) -> None:
    with pytest.raises(InputError, match=says):
        plot_stamp(image, aperture)


def test_a_flat_image_can_be_shown(tmp_path: Path) -> None:
    assert png_size(plot_stamp(np.ones((5, 5))).figure, tmp_path / "flat.png") > 2000  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits", 3),
        ("hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits", 3),
        ("hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits", 3),
        ("c2de12_hlsp_tglc_tess_ffi_gaiaid-6399196263939178880-s0001-cam2-ccd1_tess_v1_llc.fits", 2),
        ("test-lc-tess-pimen-100-cadences.fits", 3),
        ("test-lc-tess-pimen_s1_eleanor_lite-100-cadences.fits", 3),
        ("tess25155310-s01-first-cadences.fits.gz", 5),
        ("tess25155310-s01-first-cadences_no_target_position.fits.gz", 5),
        ("tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits", 5),
        ("asteroid_test.fits", 5),
        ("test-tpf-tesscut_1x1.fits", 5),
    ],
)
@pytest.mark.filterwarnings("error::UserWarning:matplotlib")
def test_real_files_have_a_page(real_data: Path, name: str, panels: int, tmp_path: Path) -> None:
    model = read(real_data / name)
    figure = page(model)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == panels
    assert png_size(figure, tmp_path / "page.png") > 8000
    words = " ".join(text.get_text() for text in figure.texts)
    assert f"sector {model.sector}" in words  # type: ignore[union-attr]


def test_the_page_of_pixels_sums_the_pipelines_aperture(real_data: Path) -> None:
    figure = page(read(real_data / "tess25155310-s01-first-cadences.fits.gz"))
    curve = next(ax for ax in figure.axes if "pipeline aperture" in ax.get_title(loc="left"))
    np.testing.assert_allclose(np.median(curve.lines[0].get_ydata()), 8042.296, rtol=1e-6)
    assert any(isinstance(each, LineCollection) for each in figure.axes[0].collections)


def test_the_page_of_a_frame_shows_the_pixels_that_see_the_sky(real_data: Path, tmp_path: Path) -> None:
    figure = page(read(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits"))
    axes = figure.axes[0]
    assert axes.images[0].get_array().shape == (128, 129)
    assert axes.get_xlim() == (44.5, 173.5)
    texts = [text.get_text() for text in figure.texts]
    assert texts[0] == "s0001-1-4"
    assert "frame 4697" in texts[1]
    assert png_size(figure, tmp_path / "frame.png") > 20_000
    # Of a whole CCD means of neighbouring pixels are drawn, at their places, with a scale bar of their size.
    wide = plot_stamp(np.random.default_rng(1).normal(100, 1, (60, 60)), corner=(45, 1), step=30)
    assert wide.get_xlim() == (44.5, 1844.5)
    assert {text.get_text() for text in wide.texts} == {"1°"}


def test_other_products_have_no_page(real_data: Path) -> None:
    cbv = read(real_data / "tess2019085135100-s0010-2-4-0140-s_cbv.fits")
    with pytest.raises(InputError, match="no page is drawn for a CBV"):
        page(cbv)


def test_pyplot_and_backends_are_left_alone() -> None:
    code = (
        "import sys, numpy as np\n"
        "import tessellar.plots as plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "ax = plots.plot_stamp(np.eye(5), np.eye(5))\n"
        "ax.figure.savefig(__import__('io').BytesIO())\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
