"""Stores of light curves: what is put in comes out, whole blocks only, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from tessellar import TIC, Field
from tessellar.errors import Corrupt, InputError, MissingInput, NoPermission, StoreError, Unrecognised
from tessellar.mission.barycentre import SpacecraftPosition, WrittenCorrection, along
from tessellar.products import LightCurveStore, StarImages, WeightImage
from tessellar.products.lightcurvelayout import packed
from tessellar.products.starimages import ImageBlock
from tessellar.products.transaction import journal_of

FIELD = Field(27, 1, 1)
LENGTH = 50


def new_store(path: Path, length: int = LENGTH, **more) -> LightCurveStore:
    return LightCurveStore.create(
        path,
        field=FIELD,
        cadence=600,
        time=2036.3 + np.arange(length) / 144,
        cadenceno=np.arange(length) + 116470,
        quality=np.where(np.arange(length) == 7, 128, 0),
        **more,
    )


def block(number: int, stars: int = 40, length: int = LENGTH):
    """Ids, columns and table of one block, told by its number."""
    rng = np.random.default_rng(number)
    tic = 1000 * (number + 1) + np.arange(stars)
    flux = rng.normal(1000, 5, (stars, length))
    columns = {
        "FLUX": flux,
        "FLUX_ERR": np.sqrt(flux),
        "MOM_CENTR1": 1024.25 + rng.normal(0, 0.01, (stars, length)),
        "PIXEL_QUALITY": rng.integers(0, 5, (stars, length)),
    }
    table = {
        "ra": rng.uniform(60, 70, stars),
        "dec": rng.uniform(-70, -60, stars),
        "tmag": rng.uniform(6, 16, stars),
        "status": np.ones(stars, int),
        "reasons": np.array([f"reason {number}" if i % 9 == 0 else "" for i in range(stars)]),
    }
    return tic, columns, table


def fill(store: LightCurveStore, *numbers: int) -> None:
    for number in numbers:
        store.append("aperture", *block(number))


def test_a_star_comes_out_as_it_was_put_in(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0, 1, 2)
    tic, columns, table = block(1)
    found = LightCurveStore(store.path).star(TIC(int(tic[7])), "aperture")
    np.testing.assert_array_equal(found["FLUX"], columns["FLUX"][7].astype("f4"))
    assert found["FLUX"].dtype == np.float32
    # A millionth of a pixel, where single precision has a ten-thousandth.
    np.testing.assert_allclose(found["MOM_CENTR1"], columns["MOM_CENTR1"][7], rtol=0, atol=5.1e-7)
    np.testing.assert_array_equal(found["PIXEL_QUALITY"], columns["PIXEL_QUALITY"][7])
    np.testing.assert_array_equal(found["TIME"], 2036.3 + np.arange(LENGTH) / 144)
    assert (found["QUALITY"][7], found["CADENCENO"][0]) == (128, 116470)
    row = store.row(int(tic[9]), "aperture")
    assert (row["ra"], row["status"], row["reasons"]) == (table["ra"][9], 1, "reason 1")
    assert (int(tic[7]), "aperture") in store
    assert (7, "aperture") not in store
    assert (int(tic[7]), "halo") not in store


def test_a_column_of_all_stars_and_the_table_have_the_order_of_the_ids(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 2, 0)
    tics = store.tics("aperture")
    np.testing.assert_array_equal(tics, np.concatenate([block(2)[0], block(0)[0]]))
    flux = np.concatenate([block(2)[1]["FLUX"], block(0)[1]["FLUX"]]).astype("f4")
    np.testing.assert_array_equal(store.column("aperture", "FLUX"), flux)
    np.testing.assert_array_equal(store.column("aperture", "FLUX", slice(3, 5)), flux[3:5])
    table = store.table("aperture")
    np.testing.assert_array_equal(table["tic"], tics)
    np.testing.assert_array_equal(table["tmag"], np.concatenate([block(2)[2]["tmag"], block(0)[2]["tmag"]]))
    assert table["reasons"][0] == "reason 2"


def test_times_follow_from_the_place_of_the_spacecraft(tmp_path: Path):
    at_spacecraft = 2036.3 + np.arange(LENGTH) / 144
    written = WrittenCorrection(65.0, -65.0, at_spacecraft, 0.002 + 1e-5 * np.arange(LENGTH))
    spacecraft = SpacecraftPosition.solve(at_spacecraft, [written])
    centre = spacecraft.correction(at_spacecraft, 65.5, -64.0)[0]
    store = LightCurveStore.create(
        tmp_path / "a.lc.h5", field=FIELD, cadence=600, time=at_spacecraft + centre, timecorr=centre,
        cadenceno=np.arange(LENGTH), quality=np.zeros(LENGTH), position=spacecraft.place(at_spacecraft),
    )  # fmt: skip
    fill(store, 0)
    tic, _, table = block(0)
    for at in (0, 17):
        found = store.star(tic[at], "aperture")
        expected = spacecraft.correction(at_spacecraft, table["ra"][at], table["dec"][at])[0]
        np.testing.assert_allclose(found["TIMECORR"], expected, rtol=0, atol=1e-12)
        assert np.abs(found["TIME"] - (at_spacecraft + expected)).max() * 86400 < 1e-4
        np.testing.assert_array_equal(
            found["TIMECORR"], along(spacecraft.place(store.time), table["ra"][at], table["dec"][at])
        )


def test_corrections_that_are_given_go_before_all_others(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5", timecorr=np.full(LENGTH, 0.003), position=np.ones((LENGTH, 3)))
    tic, columns, table = block(0)
    store.append("aperture", tic, {**columns, "TIMECORR": np.full((40, LENGTH), 0.001)}, table)
    found = store.star(tic[0], "aperture")
    np.testing.assert_allclose(found["TIME"], 2036.3 + np.arange(LENGTH) / 144 - 0.003 + 0.001, rtol=0, atol=1e-9)


def test_shifts_follow_from_the_kernels(tmp_path: Path):
    kernels = np.tile([1.0, 1e-5, 0.2, 0.0, 1.0, -0.1], (LENGTH, 1))
    store = new_store(tmp_path / "a.lc.h5", kernels=kernels)
    tic, columns, table = block(0)
    store.append("aperture", tic, columns, {**table, "column": np.full(40, 500.0), "row": np.full(40, 1000.0)})
    found = store.star(tic[0], "aperture")
    np.testing.assert_allclose([found["POS_CORR1"][3], found["POS_CORR2"][3]], [0.21, -0.1], rtol=1e-5)


def test_columns_may_come_later_and_stars_may_have_no_light_curve(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    tic, columns, table = block(0)
    store.append("aperture", tic, {"FLUX": columns["FLUX"]}, table)
    store.append("aperture", [5], {}, {"status": [2], "reasons": ["no flux above threshold"], "n_good": [0]})
    fill(store, 1)
    first, failed, last = (store.star(each, "aperture") for each in (tic[0], 5, block(1)[0][0]))
    assert np.isnan(first["FLUX_ERR"]).all()
    assert np.isnan(first["MOM_CENTR1"]).all()
    assert (first["PIXEL_QUALITY"] == 0).all()
    assert np.isnan(failed["FLUX"]).all()
    assert np.isfinite(last["FLUX_ERR"]).all()
    assert store.row(5, "aperture")["reasons"] == "no flux above threshold"
    assert np.isnan(store.row(5, "aperture")["ra"])
    assert len(store.table("aperture")) == 81


def test_images_and_weights_come_back(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    rng = np.random.default_rng(1)
    weights = WeightImage(first_cadence=3, last_cadence=9, weights=rng.random((4, 5)).astype("f4"), saturated=2)
    made = [
        StarImages(corner=(45 + n, 1), aperture=rng.integers(0, 9, (4, 5), dtype=np.int32),
                   sumimage=None if n == 3 else rng.random((4, 5)).astype("f4"), wcs="A" * 80 if n % 2 else "",
                   crpix=(float(n), 2.0), weights=(weights,) * (n == 5))
        for n in range(40)
    ]  # fmt: skip
    fill(store, 1)
    store.append("aperture", *block(0), images=made)
    together = ImageBlock.of(made)
    store.append("aperture", *block(2), images=together)
    assert [each.corner for each in together] == [each.corner for each in made]
    np.testing.assert_array_equal(together[39].sumimage, made[39].sumimage)
    for number in (0, 2):
        for n in (0, 3, 5, 39):
            found = store.images(block(number)[0][n], "aperture")
            np.testing.assert_array_equal(found.aperture, made[n].aperture)
            assert (found.corner, found.wcs, found.crpix) == (made[n].corner, made[n].wcs, made[n].crpix)
            assert (found.sumimage is None) == (n == 3)
            assert len(found.weights) == (n == 5)
    np.testing.assert_array_equal(store.images(block(2)[0][5], "aperture").weights[0].weights, weights.weights)
    assert store.images(block(1)[0][0], "aperture") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, c, m: ([*t[:-1], t[0]], c, m), "given twice"),
        (lambda t, c, m: (t, {"FLUX": c["FLUX"][:, 1:]}, m), "shape"),
        (lambda t, c, m: (t, {"FLUX": c["FLUX"].astype(str)}, m), "not of numbers"),
        (lambda t, c, m: (t, c, {"tmag": m["tmag"][1:]}), "tmag of the table has the shape"),
        (lambda t, c, m: ([*t[:-1], 1003], c, m), "TIC 1003"),
        (lambda t, c, m: (t, c, {"tmag": m["reasons"]}), "tmag is of float64 in the store"),
    ],
)
def test_a_block_that_does_not_fit_leaves_the_store_alone(tmp_path: Path, change, message):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0)
    before = store.path.read_bytes()
    with pytest.raises(InputError, match=message):
        store.append("aperture", *change(*block(1)))
    assert store.path.read_bytes() == before
    assert len(store.tics("aperture")) == 40


def test_no_star_twice_but_a_block_may_come_again(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0)
    tic, columns, table = block(0)
    assert store.append("aperture", tic, columns, table, skip_known=True) == 0
    both = np.concatenate([tic[:5], block(1)[0][:35]])
    assert store.append("aperture", both, columns, table, skip_known=True) == 35
    assert len(np.unique(store.tics("aperture"))) == len(store.tics("aperture")) == 75
    np.testing.assert_array_equal(store.star(both[5], "aperture")["FLUX"], columns["FLUX"][5].astype("f4"))
    assert store.append("linpsf", tic, columns, table) == 40
    assert store.methods == ("aperture", "linpsf")


def test_questions_that_have_no_answer(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    with pytest.raises(InputError, match="no light curves by aperture: it has none"):
        store.tics("aperture")
    fill(store, 0)
    with pytest.raises(InputError, match="TIC 7 has no light curve by aperture"):
        store.star(7, "aperture")
    with pytest.raises(InputError, match="no column FLUX_XX of aperture"):
        store.column("aperture", "FLUX_XX")
    with pytest.raises(InputError, match="lower-case"):
        store.append("My Method", *block(1))


def test_a_store_is_made_once_and_taken_again_if_it_is_the_same(tmp_path: Path):
    path = new_store(tmp_path / "a.lc.h5").path
    with pytest.raises(InputError, match="is there already"):
        new_store(path)
    assert new_store(path, exist_ok=True).field == FIELD
    with pytest.raises(InputError, match="other cadences"):
        new_store(path, length=51, exist_ok=True)
    with pytest.raises(InputError, match="shape"):
        new_store(tmp_path / "b.lc.h5", timecorr=[1.0, 2.0])


def test_other_files_are_told_apart(tmp_path: Path):
    with pytest.raises(MissingInput):
        LightCurveStore(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(Corrupt):
        LightCurveStore(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = 1
    with pytest.raises(Unrecognised):
        LightCurveStore(tmp_path / "other.h5")
    store = new_store(tmp_path / "cut.h5")
    fill(store, 0)
    os.truncate(store.path, 5000)
    with pytest.raises(Corrupt):
        LightCurveStore(store.path)


def test_plain_h5py_reads_it(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0)
    with h5py.File(store.path) as file:
        group = file["methods/aperture"]
        assert group["lightcurves/FLUX"].shape == (40, LENGTH)
        np.testing.assert_array_equal(group["lightcurves/FLUX"][3], store.star(group["tic"][3], "aperture")["FLUX"])
        assert file["cadences/time"].dtype == np.float64


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    tmp_path.chmod(0o500)
    with pytest.raises(NoPermission):
        fill(store, 0)


# Appends a block in a child that ends, without a word, in the n-th call that changes the disk; for every n.
EVERY_MOMENT = """
    import os, resource, shutil, sys
    from pathlib import Path
    from tests.products.test_lightcurvestore import block, fill, new_store, LightCurveStore
    from tessellar.products.transaction import journal_of

    folder = Path(sys.argv[1])
    origin = folder / "origin.lc.h5"
    fill(new_store(origin), 0)
    seen = {"before": 0, "after": 0, "journal": 0}
    for moment in range(1, 10_000):
        path = folder / "a.lc.h5"
        shutil.copy(origin, path)
        child = os.fork()
        if not child:
            count, write = 0, os.pwrite
            def dying(call):
                def inner(*args, **kwargs):
                    global count
                    count += 1
                    if count == moment:
                        if call is write:
                            write(args[0], args[1][: len(args[1]) // 2], args[2])
                        os._exit(9)
                    return call(*args, **kwargs)
                return inner
            for name in ("pwrite", "fsync", "ftruncate", "replace", "unlink", "write"):
                setattr(os, name, dying(getattr(os, name)))
            fill(LightCurveStore(path), 1)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended in (0, 9), ended
        seen["journal"] += journal_of(path).exists()
        store = LightCurveStore(path)
        tics = len(store.tics("aperture"))
        assert tics in (40, 80), tics
        seen["before" if tics == 40 else "after"] += 1
        assert (store.star(block(0)[0][3], "aperture")["FLUX"] == block(0)[1]["FLUX"][3].astype("f4")).all()
        store.append("aperture", *block(1), skip_known=True)
        for number in (0, 1):
            tic, columns, _ = block(number)
            for at in (0, 39):
                assert (store.star(tic[at], "aperture")["FLUX"] == columns["FLUX"][at].astype("f4")).all()
        assert len(store.tics("aperture")) == 80
        fill(store, 2)
        assert len(store.tics("aperture")) == 120 and not journal_of(path).exists()
        if not ended:
            break
    print(moment, seen)
    assert moment > 10 and min(seen.values()) > 0, seen
"""


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}/src:{root}"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=root)


def test_killed_at_any_moment_a_block_is_there_or_not(tmp_path: Path):
    done = run(EVERY_MOMENT, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    from tests.products.test_lightcurvestore import block, fill, new_store
    from tessellar.errors import NoSpace

    store = new_store(Path(sys.argv[1]) / "a.lc.h5")
    fill(store, 0)
    before = store.path.read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for room in (100, 5_000, 12_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, resource.RLIM_INFINITY))
        try:
            fill(store, 1)
        except NoSpace as error:
            assert "no space left; it is as it was" in str(error), error
        else:
            raise SystemExit(f"{room} bytes were enough")
        assert store.path.read_bytes() == before, room
        assert len(store.tics("aperture")) == 40
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    fill(store, 1)
    assert len(store.tics("aperture")) == 80
"""


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path):
    done = run(FULL_DISK, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.lc.h5.lock", "a.lc.h5"]


GROW = """
    import sys, time
    from pathlib import Path
    from tests.products.test_lightcurvestore import LightCurveStore, block
    store = LightCurveStore(Path(sys.argv[1]))
    print("go", flush=True)
    for number in range(int(sys.argv[2])):
        store.append("aperture", *block(number), skip_known=True)
"""


def start(path: Path, blocks: int) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}/src:{root}"}
    command = [sys.executable, "-c", textwrap.dedent(GROW), str(path), str(blocks)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=root)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_readers_see_whole_blocks_while_it_grows(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0)
    writer = start(store.path, 25)
    counts = set()
    while True:
        running = writer.poll() is None
        flux = store.column("aperture", "FLUX")
        assert len(flux) % 40 == 0
        assert np.isfinite(flux).all()
        np.testing.assert_array_equal(store.star(1003, "aperture")["FLUX"], block(0)[1]["FLUX"][3].astype("f4"))
        counts.add(len(flux))
        if not running:
            break
    writer.communicate()
    assert writer.returncode == 0
    assert len(counts) > 3
    assert len(store.tics("aperture")) == 1000


def test_two_writers_do_not_get_in_each_others_way(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0)
    from tessellar.products.transaction import changing

    with changing(store.path), pytest.raises(StoreError, match="another process is writing"):
        fill(store, 1)
    fill(store, 1)
    assert len(store.tics("aperture")) == 80


@pytest.mark.heavy
def test_killed_for_real_at_twenty_moments(tmp_path: Path):
    rng = np.random.default_rng(3)
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0)
    for _ in range(20):
        writer = start(store.path, 25)
        time.sleep(float(rng.uniform(0, 0.6)))
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        tics = LightCurveStore(store.path).tics("aperture")
        assert len(tics) % 40 == 0
    start(store.path, 40).communicate()
    undisturbed = new_store(tmp_path / "b.lc.h5")
    fill(undisturbed, *range(40))
    np.testing.assert_array_equal(store.column("aperture", "FLUX"), undisturbed.column("aperture", "FLUX"))
    np.testing.assert_array_equal(store.tics("aperture"), undisturbed.tics("aperture"))


def test_the_name_of_the_journal_is_on_the_disk_before_a_page_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from tessellar.products.transaction import changing

    path = tmp_path / "a.bin"
    path.write_bytes(bytes(5000))
    told: list[str] = []
    sync, put = os.fsync, os.pwrite

    def name_of(handle: int) -> str:
        return Path(f"/proc/self/fd/{handle}").readlink().name

    def synced(handle: int) -> None:
        told.append(f"sync {name_of(handle)}")
        sync(handle)

    def written(handle: int, data: bytes, at: int) -> int:
        told.append(f"write {name_of(handle)}, journal {journal_of(path).exists()}")
        return put(handle, data, at)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "pwrite", written)
    with changing(path) as change:
        change.write(b"new")
    monkeypatch.undo()
    assert path.read_bytes()[:4] == b"new\0"
    assert told == [
        "sync a.bin", "sync .a.bin.journal.part", f"sync {tmp_path.name}", "write a.bin, journal True", "sync a.bin",
    ]  # fmt: skip


def test_a_journal_that_cannot_be_written_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from tessellar.errors import NoSpace
    from tessellar.products.transaction import changing

    path = tmp_path / "a.bin"
    path.write_bytes(bytes(5000))
    sync = os.fsync

    def synced(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().name.endswith(".part"):
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    with pytest.raises(NoSpace), changing(path) as change:
        change.write(b"new")
    assert sorted(each.name for each in tmp_path.iterdir()) == [".a.bin.lock", "a.bin"]
    assert path.read_bytes() == bytes(5000)


def test_a_journal_that_is_not_whole_is_told(tmp_path: Path):
    store = new_store(tmp_path / "a.lc.h5")
    fill(store, 0)
    journal_of(store.path).write_bytes(b"torn")
    with pytest.raises(Corrupt, match="not a whole journal"):
        LightCurveStore(store.path)


def test_places_that_are_packed_already_are_kept_as_they_are(tmp_path: Path) -> None:
    tic, columns, table = block(1)
    places = {**columns, "MOM_CENTR1": packed("MOM_CENTR1", columns["MOM_CENTR1"])}
    kept = []
    for name, given in (("plain", columns), ("packed", places)):
        store = new_store(tmp_path / f"{name}.lc.h5")
        store.append("aperture", tic, given, table)
        kept.append(store.star(TIC(int(tic[3])), "aperture")["MOM_CENTR1"])
    np.testing.assert_array_equal(*kept)
    np.testing.assert_allclose(kept[0], columns["MOM_CENTR1"][3], atol=6e-7)
