"""The follow-up of the simulated sky: it agrees with the sky, and with itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import httpx
import numpy as np
import pytest

import tessellar
from tessellar.products import ContrastCurve, FollowupLightCurve, parse_followup_name
from tessellar.products.exofopfolder import read_table
from tessellar.products.exofopusers import read_accounts
from tessellar.server import ServerThread
from tessellar.simulate import fields, simulate
from tessellar.simulate.followup import PASSWORD, followup_files, write_followup
from tessellar.simulate.stars import FIRST_TIC, Sky, default_targets, place, quick_target


@pytest.fixture(scope="module")
def sky() -> Sky:
    return place((*default_targets(), quick_target()), fields.choose_centre([1, 2]))


@pytest.fixture(scope="module")
def folder(sky: Sky, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sky")
    write_followup(folder, followup_files(sky, [1, 2]))
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with ServerThread(folder) as archive, httpx.Client(base_url=f"{archive.url}/tess") as client:
        yield client


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    table = read_table(folder / "exofop" / f"{name}.csv")
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_tois_say_what_is_true_of_the_sky(folder: Path, sky: Sky) -> None:
    stars = {str(star.tic): star for star in sky.targets}
    tois = rows(folder, "tois")
    assert {stars[row["TIC ID"]].kind for row in tois} == {"planet", "binary", "quick"}
    for row in tois:
        signal = stars[row["TIC ID"]].signal
        assert float(row["Epoch (BJD)"]) - 2457000 == pytest.approx(signal.epoch, abs=1e-6)
        assert float(row["Period (days)"]) == pytest.approx(signal.period, abs=1e-6)
        assert float(row["Depth (ppm)"]) == pytest.approx(1e6 * signal.depth, abs=0.01)
        assert float(row["Duration (hours)"]) == pytest.approx(24 * signal.duration, abs=1e-3)
        assert row["TFOPWG Disposition"] == ("FP" if stars[row["TIC ID"]].kind == "binary" else "CP")
        hours, minutes, seconds = map(float, row["RA"].split(":"))
        assert 15 * (hours + minutes / 60 + seconds / 3600) == pytest.approx(stars[row["TIC ID"]].ra, abs=1e-4)
        counts = [int(row[f"{what} Observations"]) for what in ("Time Series", "Spectroscopy", "Imaging")]
        assert counts == [5, 1, 1]


def test_light_curves_from_the_ground_show_the_true_transits(folder: Path, sky: Sky) -> None:
    stars = {star.tic: star for star in sky.targets}
    found = list(folder.rglob("*measurements*"))
    assert len(found) == 3 * 6
    for path in found:
        curve = tessellar.read(path)
        assert isinstance(curve, FollowupLightCurve)
        assert (curve.time_system, curve.doubts) == ("BJD_TDB", ())  # within 2 s of the JD_UTC beside it
        tic = int(curve.tic) if curve.tic else FIRST_TIC + int(str(curve.toi)[3:8]) - 99001
        expected = stars[tic].signal.relative(curve.btjd)
        in_transit = expected < 1 - 0.9 * stars[tic].signal.depth
        outside = expected > 1 - 1e-6 if stars[tic].kind != "binary" else expected > np.quantile(expected, 0.8)
        depth = 1 - curve.flux[in_transit].mean() / curve.flux[outside].mean()
        true_depth = 1 - expected[in_transit].mean() / expected[outside].mean()
        assert depth == pytest.approx(true_depth, abs=5e-4)
        residuals = curve.flux / expected
        scatter = residuals.std() / residuals.mean()
        assert np.median(curve.flux_err / curve.flux) == pytest.approx(scatter, rel=0.3)
        for flux, _ in curve.comparisons.values():
            assert np.std(flux) / np.mean(flux) < 0.02
    assert any(isinstance(tessellar.read(path), ContrastCurve) for path in folder.rglob("*_plot.tbl"))


def test_tables_tags_and_files_agree(folder: Path) -> None:
    known = {row["Tag ID"] for row in rows(folder, "tags")}
    used = {row["Tag"] for name in ("time_series", "spectroscopy", "imaging", "files") for row in rows(folder, name)}
    assert known == used == {path.name for path in (folder / "exofop" / "tags").iterdir()}
    for row in rows(folder, "files"):
        assert (folder / "exofop" / "tags" / row["Tag"] / row["File Name"]).is_file()
        assert parse_followup_name(row["File Name"]).target.endswith(("1", "2", "9"))
    hidden = {row["Tag ID"] for row in rows(folder, "tags") if row["Proprietary"]}
    assert hidden == {row["Tag"] for row in rows(folder, "time_series") if row["Proprietary"]}
    assert len(hidden) == 3


def test_neighbours_are_those_of_the_sky(folder: Path, sky: Sky) -> None:
    blend = next(star for star in sky.targets if star.kind == "blend")
    (companion,) = rows(folder, "stellar_companions")
    assert companion["TIC ID"] == str(blend.tic)
    assert float(companion["Delta Mag"]) == pytest.approx(0.9, abs=0.01)
    assert float(companion["Separation (arcsec)"]) == pytest.approx(29.9, abs=0.1)
    near = [row for row in rows(folder, "nearby_targets") if row["Target"] == str(blend.tic)]
    assert near[0]["TIC ID"] == str(blend.tic)
    assert [float(row["Separation (arcsec)"]) for row in near] == sorted(
        float(row["Separation (arcsec)"]) for row in near
    )


def test_the_server_answers_it(client: httpx.Client, folder: Path) -> None:
    def tags() -> list[str]:
        text = client.get("/download_tseries.php?target=TOI99001&output=csv").text
        return [row["Tag"] for row in csv.DictReader(StringIO(text))]

    assert tags() == ["900100", *["900102"] * 4]
    for name, sees in (("visitor", False), ("observer", True)):
        fields = {"username": name, "password": PASSWORD, "ref": "login_user", "ref_page": "/tess/"}
        assert f"Logged in as {name}" in client.post("/password_check.php", data=fields, follow_redirects=True).text
        assert ("900101" in tags()) is sees
        assert (client.get("/download_tag_files_zip.php?tag=900101").status_code == 200) is sees
    client.cookies.clear()
    assert client.get("/gototicid.php?target=Simulated 9&json").json()["TIC"] == str(FIRST_TIC + 8)
    assert len(client.get("/json/tois.json").json()) == 3
    assert set(read_accounts(folder / "exofop")) == {"observer", "visitor"}


def test_the_same_sky_has_the_same_bytes_another_seed_other_noise(sky: Sky, folder: Path) -> None:
    first, again, other = (followup_files(sky, [1, 2], seed) for seed in (1, 1, 2))
    assert first == again
    assert first.keys() == other.keys()
    assert first["exofop/tois.csv"] == other["exofop/tois.csv"]
    assert sum(first[name] != other[name] for name in first) == 3 * 6
    for name, content in first.items():
        assert (folder / name).read_bytes() == content


def test_a_sky_without_transits_or_seen_from_nowhere() -> None:
    quiet = place(default_targets()[5:6], (75.0, -69.0))
    assert followup_files(quiet, [1])["exofop/tois.csv"].count(b"\n") == 1
    north = place(default_targets()[:1], (270.0, 66.0))
    seen_from = {name.split("_")[2] for name in followup_files(north, [14]) if name.endswith("measurements.tbl")}
    assert seen_from
    assert seen_from <= {"LCO-McD-1m0", "LCO-Teid-1m0"}


def test_a_simulated_folder_holds_it_and_forgets_it(tmp_path: Path) -> None:
    simulate(tmp_path, n_cadences=10, kinds=["planet"], sectors=[1])
    made = [path for path in (tmp_path / "exofop").rglob("*") if path.is_file()]
    assert len(made) > 15
    simulate(tmp_path, n_cadences=10, kinds=["quiet"], sectors=[1], extras=False)
    assert not [path for path in (tmp_path / "exofop").rglob("*") if path.is_file()]
