"""Cut-outs from TESScut: asked as astroquery asks, fetched like any file, unpacked with care, read by our reader."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.io import fits

import tessellar
from tessellar import Field, config
from tessellar.access import cutout_fields, fetch_cutouts
from tessellar.archives.tesscut import CutoutService
from tessellar.errors import Corrupt, InputError, UnexpectedReply
from tessellar.store.unpacking import unpack
from tests.webserver import FileServer, Misbehaviour, running

PLACE = (84.29119, -80.469119)


def a_fits_file() -> bytes:
    stream = io.BytesIO()
    fits.PrimaryHDU(np.arange(100.0)).writeto(stream)
    return stream.getvalue()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


class TessCut(FileServer):
    """TESScut of two sectors."""

    def __init__(self) -> None:
        super().__init__()
        self.sectors: object = {"results": [
            {"sectorName": f"tess-s{sector}-4-2", "sector": sector, "camera": "4", "ccd": "2"}
            for sector in ("0001", "4")
        ]}  # fmt: skip
        self.content = a_fits_file()

    def answer(self, path: str) -> Misbehaviour | None:
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/tesscut/api/v0.1/sector":
            return Misbehaviour(status=200, body=json.dumps(self.sectors).encode())
        name = f"tess-s{int(asked['sector']):04d}-4-2_84.291190_-80.469119_{asked['x']}x{asked['y']}_astrocut.fits"
        return Misbehaviour(status=200, body=zipped(**{name: self.content}))


@pytest.fixture
def server():
    with running(TessCut()) as files, config.overriding(retry_wait=0.01, attempts=2):
        yield files


def test_questions_are_those_that_astroquery_sends(server, recorded_replies, tmp_path):
    text = (recorded_replies.parent / "mast-portal-requests-astroquery-0.4.11.txt").read_text()
    assert CutoutService(server.url).fields(107.27, -70.0) == [Field(1, 4, 2), Field(4, 4, 2)]
    assert f"body {server.forms[-1]}" in text
    remote = CutoutService("https://mast.stsci.edu").cutout(107.27, -70.0, 1, rows=5, columns=7)
    assert f"GET {remote.url.removeprefix('https://mast.stsci.edu')} -> 200 application/zip" in text
    recorded = (recorded_replies / "tess_sector.json").read_text()
    server.sectors = json.loads(recorded)
    assert cutout_fields((107.27, -70.0), archive=server.url) == [Field(1, 1, 3)]


def test_cut_outs_of_every_sector_are_fetched_once(server, tmp_path):
    found = fetch_cutouts(PLACE, tmp_path, size=(5, 7), archive=server.url)
    assert found.ok
    assert [path.name for path in found.paths] == [
        f"tess-s000{sector}-4-2_84.291190_-80.469119_7x5_astrocut.fits" for sector in (1, 4)
    ]
    assert all(path.read_bytes() == server.content for path in found.paths)
    assert {path.parent for path in found.paths} == {tmp_path / "mastDownload/TESScut/84.291190_-80.469119_7x5"}
    asked = len(server.requests)
    found.paths[0].unlink()
    found.paths[1].write_bytes(b"spoilt")
    with config.overriding(offline=True):
        again = fetch_cutouts(PLACE, tmp_path, size=(5, 7), archive=server.url)
    assert again.paths == found.paths
    assert all(path.read_bytes() == server.content for path in again.paths)
    assert len(server.requests) == asked


def test_one_sector_by_position_as_text(server, tmp_path):
    found = fetch_cutouts("84.29119 -80.469119", tmp_path, size=6, sectors=1, archive=server.url)
    assert len(found.paths) == 1
    assert [path for path, _ in server.requests] == [
        "/tesscut/api/v0.1/astrocut?x=6&y=6&units=px&sector=1&ra=84.29119&dec=-80.469119"]  # fmt: skip


def test_a_real_cut_out_is_read_by_our_reader(server, real_data, tmp_path):
    path = real_data / "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits"
    server.content = path.read_bytes()
    found = fetch_cutouts(PLACE, tmp_path, size=6, sectors=[1], archive=server.url)
    model = tessellar.read(found.paths[0])
    assert model.author == "TESScut"
    assert model.sector == 1
    assert not model.background_subtracted
    assert model.flux.shape[1:] == (6, 6)


def test_an_answer_that_is_no_zip_file_is_a_failed_row(server, tmp_path):
    server.answer = lambda path: Misbehaviour(status=200, body=b'{"msg": "no cube"}')
    found = fetch_cutouts(PLACE, tmp_path, sectors=1, archive=server.url)
    assert not found.ok
    assert found.paths == ()
    assert "zip" in found.manifest.to_rows()[0]["message"]


def test_a_broken_file_in_a_whole_zip_file_is_told(server, tmp_path):
    server.content = a_fits_file()[:3000]
    found = fetch_cutouts(PLACE, tmp_path, sectors=1, archive=server.url)
    assert not found.ok
    ((path, error),) = found.failures
    assert path.suffix == ".zip"
    assert "cut short" in str(error)
    assert not list(tmp_path.rglob("*.fits*"))


@pytest.mark.parametrize("answer", [[], {"results": [{"sector": "x"}]}, {"msg": "down"}])
def test_nonsense_from_the_service_is_told(server, answer):
    server.sectors = answer
    with pytest.raises(UnexpectedReply, match="TESScut"):
        cutout_fields(PLACE, archive=server.url)


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"size": (100, 100)}, {"size": (1, 2, 3)}, {"sectors": 0}, {"size": 2.5}]
)
def test_what_cannot_be_is_refused_before_anything_is_asked(tmp_path, options):
    with pytest.raises(InputError):
        fetch_cutouts(PLACE, tmp_path, archive="http://127.0.0.1:9", **options)


def put(folder: Path, content: bytes) -> Path:
    path = folder / "inner" / "x.zip"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["../a.fits", "/etc/a.fits", "b/a.fits", "..\\a.fits"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    path = put(tmp_path, zipped(**{name: a_fits_file()}))
    with pytest.raises(Corrupt, match="no plain file"):
        unpack(path, lambda name: name.endswith(".fits"))
    assert list(tmp_path.rglob("*.fits")) == []


def test_links_are_not_unpacked(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        link = zipfile.ZipInfo("a.fits")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(Corrupt, match="no plain file"):
        unpack(put(tmp_path, stream.getvalue()), lambda name: True)


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = put(tmp_path, zipped(**{"a.fits": bytes(50_000_000)}))
    with pytest.raises(Corrupt, match="claims 50000000 bytes"):
        unpack(path, lambda name: True)
    assert [each.name for each in path.parent.iterdir()] == ["x.zip"]


def test_other_files_stay_packed(tmp_path):
    path = put(tmp_path, zipped(**{"README.txt": b"hello", "a.fits": a_fits_file()}))
    assert [each.name for each in unpack(path, lambda name: name.endswith(".fits"))] == ["a.fits"]
