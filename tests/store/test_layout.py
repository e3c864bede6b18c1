"""A template puts files into folders of one's own, and never out of the data folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar.errors import InputError
from tessellar.net import Remote
from tessellar.store import Store
from tessellar.store.layout import Layout

NAME = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"
REMOTE = Remote(f"mast:TESS/product/{NAME}", "http://x/", NAME, "TESS", NAME[:-8])


@pytest.mark.parametrize(
    ("template", "folder"),
    [
        ("astroquery", f"mastDownload/TESS/{NAME[:-8]}/"),
        ("flat", ""),
        ("{collection}/{sector}", "TESS/s0001/"),
        ("{collection}/{sector}/{filename}", "TESS/s0001/"),
        ("tess/{author}-{tic}/{kind}", "tess/SPOC-25155310/lightcurve/"),
        ("{camera}/{cadence}", "none/120/"),
    ],
)
def test_folders_follow_the_template(template, folder):
    assert str(Layout(template).path(REMOTE)) == folder + NAME


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("/tmp/{sector}", "cannot be a folder"),
        ("../{sector}", "cannot be a folder"),
        ("{collection}/../x", "cannot be a folder"),
        ("a//b", "cannot be a folder"),
        ("~/x", "cannot be a folder"),
        ("", "cannot be a folder"),
        ("{sctor}", "did you mean sector"),
        ("{0}", "there is no {0}"),
        ("{sector.__class__}", "there is no"),
        ("{sector!r}", "there is no"),
        ("{sector:>999999999}", "there is no"),
        ("{sector", "cannot be read"),
        ("{filename}/x", "only stand at the end"),
        ("x-{filename}", "only stand at the end"),
        ("a\\b", "cannot be a folder"),
    ],
)
def test_what_is_no_layout_is_refused(template, told):
    with pytest.raises(InputError, match=told.replace("{", r"\{").replace("}", r"\}")):
        Layout(template)


@given(st.text(alphabet="ab./~{}\\: -", max_size=20), st.sampled_from(["a.fits", "..", "x/y.fits", NAME]))
def test_nothing_ever_leads_out_of_the_folder(template, name):
    try:
        path = Layout(template).path(Remote("mast:x", "http://x/", name, "TESS", "obs"))
    except InputError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.name == name


def test_a_store_has_one_layout(tmp_path):
    assert Store(tmp_path, layout="flat").plan(REMOTE).path == tmp_path / f"{NAME}.part"
    with pytest.raises(InputError, match="exclude each other"):
        Store(tmp_path, flat=True, layout="{sector}")
