"""BasePhotometry against the page that describes it: each name on it is there, and does what is said of it."""

from __future__ import annotations

import configparser
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS

from tessellar.photometry import STATUS, BasePhotometry
from tests.conftest import SHARED
from tests.photometry.fieldsky import FIELD, small_field

PAGE = SHARED / "mission" / "base-photometry.txt"
WHERE = {"sector": FIELD.sector, "camera": FIELD.camera, "ccd": FIELD.ccd}
_CALL = re.compile(r"^(?P<name>\w+)\((?P<arguments>[^)]*)\)\[source\]$")
_PROPERTY = re.compile(r"^property (?P<name>\w+)$")
_MEMBER = re.compile(r"^(?P<name>[A-Z]+) = (?P<value>\d+)$")
_RAISED = re.compile(r"^(?:• )?(?P<kind>\w+Error|Exception)(?: – (?P<when>.+))?$")


@dataclass(frozen=True)
class Page:
    """What the page lists."""

    attributes: dict[str, str]
    methods: dict[str, str]
    properties: tuple[str, ...]
    raised: tuple[tuple[str, str], ...]
    statuses: dict[str, int]

    @classmethod
    def read(cls, text: str) -> Page:
        lines = [line.strip().lstrip("•").strip() for line in text.splitlines()]
        head = lines[: next(index for index, line in enumerate(lines) if line.startswith("__init__("))]
        # An attribute is a name, what it is, and its type.
        names = [index for index, line in enumerate(head) if line == "Type:"]
        attributes = {}
        for index in names:
            told = [line for line in head[:index] if line]
            attributes[told[-2]] = next(line for line in head[index + 1 :] if line)
        calls = [match for line in lines if (match := _CALL.match(line))]
        return cls(
            attributes=attributes,
            methods={match["name"]: match["arguments"] for match in calls},
            properties=tuple(match["name"] for line in lines if (match := _PROPERTY.match(line))),
            raised=tuple((m["kind"], m["when"] or "") for line in lines if (m := _RAISED.match(line))),
            statuses={m["name"]: int(m["value"]) for line in lines if (m := _MEMBER.match(line))},
        )


@pytest.fixture(scope="module")
def page() -> Page:
    if not PAGE.is_file():
        pytest.skip("the page of BasePhotometry is not beside this checkout")
    return Page.read(PAGE.read_text())


class Measured(BasePhotometry):
    """Adds up the whole stamp but its border."""

    def do_photometry(self, *args: Any, **kwargs: Any) -> STATUS:
        assert self.status is STATUS.STARTED
        self.arguments = args, kwargs
        mask = np.zeros(self.sumimage.shape, dtype=bool)
        mask[4:-4, 4:-4] = True
        self.lightcurve["flux"] = self.images_cube[mask].sum(axis=0)
        self.lightcurve["flux_err"] = np.sqrt((self.images_err_cube[mask] ** 2).sum(axis=0))
        self.final_phot_mask = self.final_position_mask = mask
        return STATUS.OK


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return _new(tmp_path_factory.mktemp("page"))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Measured]:
    with _new(tmp_path, plot=True) as pho:
        yield pho


def _new(out: Path, **more: Any) -> Measured:
    owners = sorted(int(path.name.split("-")[2]) for path in small_field().folder.glob("*_tp.fits"))
    return Measured(owners[0], small_field().folder, out, **WHERE, **more)


Check = Callable[[Measured], object]

# Of each attribute: is it what the page says it is?
ATTRIBUTES: dict[str, Check] = {
    "starid": lambda pho: isinstance(pho.starid, int),
    "input_folder": lambda pho: pho.input_folder == str(small_field().folder),
    "output_folder": lambda pho: Path(pho.output_folder).is_dir(),
    "plot": lambda pho: pho.plot is False,
    "plot_folder": lambda pho: isinstance(pho.plot_folder, str) and pho.plot_folder.startswith(pho.output_folder),
    "method": lambda pho: pho.method == "measured",
    "sector": lambda pho: pho.sector == FIELD.sector,
    "camera": lambda pho: pho.camera == FIELD.camera,
    "ccd": lambda pho: pho.ccd == FIELD.ccd,
    "data_rel": lambda pho: pho.data_rel == 9999,
    "n_readout": lambda pho: pho.n_readout == 240,
    "header": lambda pho: pho.header["TELESCOP"] == "TESS" and pho.header["CAMERA"] == FIELD.camera,
    "target": lambda pho: pho.target["starid"] == pho.starid and {"tmag", "ra", "decl"} <= set(pho.target),
    "target_pos_column": lambda pho: pho.stamp[2] <= pho.target_pos_column < pho.stamp[3],
    "target_pos_row": lambda pho: pho.stamp[0] <= pho.target_pos_row < pho.stamp[1],
    "target_pos_column_stamp": lambda pho: pho.target_pos_column_stamp == pho.target_pos_column - pho.stamp[2],
    "target_pos_row_stamp": lambda pho: pho.target_pos_row_stamp == pho.target_pos_row - pho.stamp[0],
    "wcs": lambda pho: isinstance(pho.wcs, WCS),
    "lightcurve": lambda pho: isinstance(pho.lightcurve, Table) and {
        "time", "timecorr", "cadenceno", "quality", "flux", "flux_err", "flux_background", "pos_centroid", "pos_corr",
    } <= set(pho.lightcurve.colnames),
    "final_phot_mask": lambda pho: pho.final_phot_mask is None,
    "final_position_mask": lambda pho: pho.final_position_mask is None,
    "additional_headers": lambda pho: pho.additional_headers == {},
}  # fmt: skip

# Of each property: what the page promises of its value.
PROPERTIES: dict[str, Check] = {
    "MovementKernel": lambda pho: np.isfinite(
        pho.MovementKernel.interpolate(pho.lightcurve["time"][3], [[1.0, 2.0]])
    ).all(),
    "aperture": lambda pho: pho.aperture.shape == pho.sumimage.shape and pho.aperture.dtype.kind == "i",
    "backgrounds": lambda pho: next(iter(pho.backgrounds)).shape == pho.sumimage.shape,
    "backgrounds_cube": lambda pho: pho.backgrounds_cube.shape == (*pho.sumimage.shape, pho.Ntimes),
    "catalog": lambda pho: set(pho.catalog.colnames) == {
        "starid", "tmag", "ra", "dec", "row", "column", "row_stamp", "column_stamp",
    } and len(pho.catalog["starid", "tmag", "row", "column"]) > 0,
    "images": lambda pho: sum(image.shape == pho.sumimage.shape for image in pho.images) == pho.Ntimes,
    "images_cube": lambda pho: pho.images_cube.shape == (*pho.sumimage.shape, pho.Ntimes),
    "images_err": lambda pho: (next(iter(pho.images_err)) > 0).all(),
    "images_err_cube": lambda pho: (pho.images_err_cube > 0).all(),
    "pixelflags": lambda pho: next(iter(pho.pixelflags)).shape == pho.sumimage.shape,
    "pixelflags_cube": lambda pho: pho.pixelflags_cube.shape == (*pho.sumimage.shape, len(small_field().field)),
    "psf": lambda pho: pho.psf.integrate_to_image([[5.0, 5.0, 1.0]]).argmax() == 5 * pho.sumimage.shape[1] + 5,
    "settings": lambda pho: isinstance(pho.settings, configparser.ConfigParser) and pho.settings.sections(),
    "stamp": lambda pho: isinstance(pho.stamp, tuple) and len(pho.stamp) == 4,
    "status": lambda pho: pho.status is STATUS.UNKNOWN,
    "sumimage": lambda pho: pho.sumimage.ndim == 2 and np.isfinite(pho.sumimage).all(),
}  # fmt: skip


def _catalog_attime(pho: Measured) -> bool:
    table = pho.catalog_attime(float(pho.lightcurve["time"][9] - pho.lightcurve["timecorr"][9]))
    same = all((table[name] == pho.catalog[name]).all() for name in ("starid", "tmag", "ra", "dec"))
    return same and (table["column"] != pho.catalog["column"]).all() and table.colnames == pho.catalog.colnames


def _clear_cache(pho: Measured) -> bool:
    before = np.array(pho.images_cube)
    kept = pho.images_cube
    pho.clear_cache()
    return pho.images_cube is not kept and np.array_equal(pho.images_cube, before)


def _close(pho: Measured) -> bool:
    pho.close()
    with pytest.raises(Exception, match="closed"):
        pho.images_cube  # noqa: B018
    return True


def _delete_plots(pho: Measured) -> bool:
    pho.photometry()
    some = list(Path(pho.plot_folder).iterdir())
    pho.delete_plots()
    return bool(some) and not list(Path(pho.plot_folder).iterdir())


def _do_photometry(pho: Measured) -> bool:
    with pytest.raises(NotImplementedError):
        BasePhotometry.do_photometry(pho)
    return True


def _default_stamp(pho: Measured) -> bool:
    rows, columns = pho.default_stamp()
    return (rows, columns) == pho.sumimage.shape


def _get_pixel_grid(pho: Measured) -> bool:
    cols, rows = pho.get_pixel_grid()
    return cols.shape == rows.shape == pho.sumimage.shape and (cols[0, 0], rows[0, 0]) == (
        pho.stamp[2] + 1, pho.stamp[0] + 1,
    )  # fmt: skip


def _photometry(pho: Measured) -> bool:
    pho.photometry(1, two=2)
    return pho.arguments == ((1,), {"two": 2}) and pho.status is STATUS.OK and pho.details["mean_flux"] > 0


def _report_details(pho: Measured) -> bool:
    pho.report_details(error="odd", skip_targets=[12])
    return pho.details["errors"] == ["odd"] and pho.details["skip_targets"] == [12]


def _resize_stamp(pho: Measured) -> bool:
    bottom, top, left, right = pho.stamp
    return (
        pho.resize_stamp(down=1, up=2, left=3, right=4)
        and pho.stamp == (bottom - 1, top + 2, left - 3, right + 4)
        and pho.resize_stamp(left=50, width=9)
        and pho.sumimage.shape == (top - bottom + 3, 9)
        and not pho.resize_stamp(width=9)
    )


def _save_lightcurve(pho: Measured) -> bool:
    pho.photometry()
    paths = pho.save_lightcurve(), pho.save_lightcurve(output_folder=pho.output_folder + "/x", version=3)
    return all(isinstance(path, str) and Path(path).is_file() for path in paths) and (
        Path(paths[0]).parent == Path(pho.output_folder) and Path(paths[1]).parent == Path(pho.output_folder, "x")
    )


# Of each method: does it do what the page says?
METHODS: dict[str, Check] = {
    "catalog_attime": _catalog_attime,
    "clear_cache": _clear_cache,
    "close": _close,
    "default_stamp": _default_stamp,
    "delete_plots": _delete_plots,
    "do_photometry": _do_photometry,
    "get_pixel_grid": _get_pixel_grid,
    "photometry": _photometry,
    "report_details": _report_details,
    "resize_stamp": _resize_stamp,
    "save_lightcurve": _save_lightcurve,
}


def test_the_page_was_understood(page: Page) -> None:
    assert len(page.attributes) == 22
    assert len(page.properties) == 16
    assert set(page.methods) == {"__init__", *METHODS}
    assert len(page.raised) == 5


def test_every_attribute_is_there_and_is_what_it_should_be(page: Page, made: Measured) -> None:
    assert set(ATTRIBUTES) == set(page.attributes)
    wrong = [name for name in page.attributes if not ATTRIBUTES[name](made)]
    assert not wrong
    plain = {"int": int, "str": str, "bool": bool, "float": float, "dict": dict}
    for name, kind in page.attributes.items():
        if kind in plain:
            assert isinstance(getattr(made, name), plain[kind]), name


def test_every_property_is_there_and_gives_what_it_should(page: Page, made: Measured) -> None:
    assert set(PROPERTIES) == set(page.properties)
    wrong = []
    for name in page.properties:
        assert isinstance(inspect.getattr_static(BasePhotometry, name), property), name
        if not PROPERTIES[name](made):
            wrong.append(name)
    assert not wrong


@pytest.mark.parametrize("name", METHODS)
def test_every_method_does_what_it_should(name: str, page: Page, fresh: Measured) -> None:
    assert name in page.methods
    assert METHODS[name](fresh)


def test_signatures_are_those_of_the_page(page: Page) -> None:
    for name, told in page.methods.items():
        ours = list(inspect.signature(getattr(BasePhotometry, name)).parameters.values())[1:]
        theirs = [part.strip() for part in told.split(",") if part.strip()]
        for mine, text in zip(ours, theirs, strict=name != "do_photometry"):
            word, _, default = text.removeprefix("self").partition("=")
            if word.startswith("*"):
                assert mine.kind in (mine.VAR_POSITIONAL, mine.VAR_KEYWORD), name
                continue
            assert mine.name == word, name
            expected = mine.empty if not default else eval(default, {})
            assert mine.default == expected or (mine.default is mine.empty and not default), (name, word)


def test_errors_are_raised_when_the_page_says_so(page: Page, tmp_path: Path) -> None:
    folder = small_field().folder
    star = _new(tmp_path).starid
    asked: dict[tuple[str, str], Callable[[], object]] = {
        ("Exception", "starid could not be found"): lambda: BasePhotometry(5, folder, tmp_path, **WHERE),
        ("FileNotFoundError", "input file"): lambda: BasePhotometry(star, folder, tmp_path, **{**WHERE, "ccd": 4}),
        ("ValueError", "invalid datasource"): lambda: BasePhotometry(star, folder, tmp_path, "other"),
        ("ValueError", "camera and ccd is not provided"): lambda: BasePhotometry(star, folder, tmp_path, sector=27),
        ("NotImplementedError", ""): lambda: BasePhotometry(star, folder, tmp_path, **WHERE).do_photometry(),
    }
    kinds = {"Exception": Exception, "FileNotFoundError": FileNotFoundError, "ValueError": ValueError,
             "NotImplementedError": NotImplementedError}  # fmt: skip
    for kind, when in page.raised:
        word, make = next((word, make) for (of, word), make in asked.items() if of == kind and word in when)
        with pytest.raises(kinds[kind]) as told:
            make()
        assert "\n" not in str(told.value), word


def test_statuses_are_those_of_the_page(page: Page) -> None:
    assert page.statuses == {member.name: int(member) for member in STATUS}
    assert all(STATUS(value) is STATUS[name] for name, value in page.statuses.items())
