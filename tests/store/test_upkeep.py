"""A data folder is looked after without network: damage is named, what is useless goes, what is whole is adopted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tessellar.errors import InputError
from tessellar.net import Remote
from tessellar.store import Store, upkeep
from tessellar.store.filesystem import file_system_of, is_network
from tessellar.store.ledger import Entry, Ledger
from tessellar.store.lockfile import LockFile
from tests.store.test_store import BODY, REMOTE, put

NAME = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"


def test_verify_reads_bytes_not_times(tmp_path):
    store = Store(tmp_path)
    path = put(store).path
    other = Remote("mast:TESS/product/b.dat", "http://127.0.0.1:1/b.dat", "b.dat", "TESS", "obs", size=len(BODY))
    gone = put(store, remote=other).path
    assert [finding.state for finding in upkeep.verify(store)] == ["whole", "whole"]
    times = path.stat()
    path.write_bytes(b"y" + BODY[1:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    gone.unlink()
    assert [finding.state for finding in upkeep.verify(store)] == ["changed", "missing"]


def test_gc_takes_what_is_of_no_use_and_leaves_what_is_being_fetched(tmp_path):
    store = Store(tmp_path)
    whole = put(store).path
    busy = Remote("mast:x/busy.dat", "http://127.0.0.1:1/x", "busy.dat", "TESS", "obs")
    idle = Remote("mast:x/idle.dat", "http://127.0.0.1:1/x", "idle.dat", "TESS", "other")
    held, left = store.claim(busy), store.claim(idle)
    for remote in (busy, idle):
        store.begin(remote, '"1"')
        store.plan(remote).path.write_bytes(b"half")
    left.release()
    told = {finding.path.rpartition("/")[2] for finding in upkeep.collect(store, dry_run=True)}
    assert told == {"idle.dat.part"}
    assert store.plan(idle).size == 4
    upkeep.collect(store)
    assert [path.name for path in tmp_path.rglob("*.part")] == ["busy.dat.part"]
    assert store.ledger.partials() == ["mastDownload/TESS/obs/busy.dat"]
    assert not (tmp_path / "mastDownload" / "TESS" / "other").exists()
    assert whole.read_bytes() == BODY
    held.release()


@pytest.mark.parametrize("inside", ["", "mastDownload"])
def test_a_folder_that_others_filled_is_adopted(tmp_path, real_data, inside):
    home = tmp_path / "mastDownload" / "TESS" / NAME.removesuffix("_lc.fits")
    home.mkdir(parents=True)
    shutil.copy(real_data / NAME, home / NAME)
    (home / NAME.replace("25155310", "25155311")).write_bytes((real_data / NAME).read_bytes()[:99_999])
    (tmp_path / "notes.txt").write_text("mine")
    store, found = upkeep.adopt(tmp_path / inside)
    assert sorted(finding.state for finding in found) == ["adopted", "refused"]
    kept = store.recall(Remote(f"mast:TESS/product/{NAME}", "http://127.0.0.1:1/x", NAME, "TESS", "whatever"))
    assert kept is not None
    assert kept.path == home / NAME
    assert {finding.state for finding in upkeep.adopt(tmp_path)[1]} == {"known", "refused"}
    (row,) = upkeep.usage(store)
    assert (row["collection"], row["sector"], row["kind"], row["files"]) == ("TESS", 1, "lightcurve", 1)


def test_what_is_no_folder_cannot_be_adopted(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        upkeep.adopt(tmp_path / "nowhere")


# -- the ledger over a network ----------------------------------------------------------------------


def entry(path: str) -> Entry:
    return Entry(path, f"mast:{path}", 1, "0" * 64, 1, None, "", "")


def test_the_file_system_is_read_from_the_table_of_mounts(tmp_path):
    mounts = tmp_path / "mounts"
    deep = tmp_path / "net work" / "data"
    lines = [
        "/dev/sda / ext4 rw 0 0",
        f"server:/x {tmp_path}/net\\040work nfs4 rw 0 0",
        f"{tmp_path}/net fuse.sshfs",
        "broken",
    ]
    mounts.write_text("\n".join(lines))
    assert file_system_of(deep, mounts) == "nfs4"
    assert file_system_of(tmp_path / "net work2", mounts) == "ext4"
    assert is_network("nfs4")
    assert not is_network("ext4")
    assert file_system_of(deep, tmp_path / "none") == ""


def test_on_a_network_file_system_the_ledger_keeps_a_rollback_journal_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("tessellar.store.ledger.file_system_of", lambda path: "nfs4")
    ledger = Ledger(tmp_path / "state" / "ledger.sqlite")
    ledger.record(entry("a"))
    assert ledger.journal == "rollback journal behind a lock file, for it is on nfs4"
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["ledger.sqlite"]
    monkeypatch.undo()
    # The machine that has the disk must not turn it round while others use it.
    again = Ledger(tmp_path / "state" / "ledger.sqlite")
    assert again.journal == "rollback journal behind a lock file"
    assert again.find("a") == entry("a")
    local = Ledger(tmp_path / "local.sqlite")
    local.record(entry("a"))
    assert local.journal == "write-ahead log"


@pytest.mark.parametrize("shared", [False, True])
def test_many_writers_lose_nothing(tmp_path, shared):
    script = (
        "import sys; from pathlib import Path; from tessellar.store.ledger import Entry, Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]), shared=sys.argv[2] == 'True')\n"
        "for number in range(30): "
        "ledger.record(Entry(f'{sys.argv[3]}-{number}', 'mast:x', 1, '0' * 64, 1, None, '', 'now'))"
    )
    path = tmp_path / "ledger.sqlite"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(shared), str(number)], env=environment)
        for number in range(2)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(list(Ledger(path).entries())) == 60
    assert not path.with_name("ledger.sqlite.lock").exists()


def test_the_lock_of_a_dead_process_does_not_hold(tmp_path):
    path = tmp_path / "lock"
    dead = subprocess.Popen([sys.executable, "-c", "import sys, socket; print(socket.gethostname())"], stdout=-1)
    host = dead.communicate()[0].decode().strip()
    path.write_text(f"{host} {dead.pid} 1")
    with LockFile(path):
        assert path.exists()
    assert not path.exists()
    path.write_text("elsewhere 1 1")
    with LockFile(path, stale_after=0.2):
        assert "elsewhere" not in path.read_text()


def test_one_at_a_time_holds_the_lock(tmp_path):
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with LockFile(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_manifest_is_written_twice(tmp_path):
    from tessellar.net import Outcome
    from tessellar.store.manifest import Manifest, write_manifest

    kept = put(Store(tmp_path))
    manifest = Manifest.from_outcomes([REMOTE], [Outcome(REMOTE, kept=kept, attempts=1)])
    assert manifest.colnames[:4] == ["Local Path", "Status", "Message", "URL"]
    path = write_manifest(manifest, Path(tmp_path))
    assert Manifest.read(path).to_rows() == manifest.to_rows()
    assert [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()] == manifest.to_rows()


def test_a_cut_out_of_which_the_sums_never_fitted_is_adopted_from_a_cache(real_data, tmp_path):
    (tmp_path / "tesscut").mkdir()
    name = "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits"
    shutil.copy(real_data / name, tmp_path / "tesscut" / name)
    (tmp_path / "tesscut" / "tess-s0001-4-2_84.2_-80.4_6x6_astrocut.fits").write_bytes(b"SIMPLE  = cut short")
    _, found = upkeep.adopt(tmp_path)
    assert sorted(finding.state for finding in found) == ["adopted", "refused"]
    assert any("as in many cut-outs" in finding.reason for finding in found)


def test_what_a_killed_comparison_left_can_go_after_a_day(tmp_path):
    for name, age in (("compare-old", 2), ("compare-new", 0)):
        (tmp_path / ".tessellar" / name).mkdir(parents=True)
        (tmp_path / ".tessellar" / name / "a.dat").write_bytes(b"x")
        then = time.time() - age * 86_400
        os.utime(tmp_path / ".tessellar" / name, (then, then))
    assert [finding.path for finding in upkeep.collect(Store(tmp_path))] == [".tessellar/compare-old"]
    assert [path.name for path in (tmp_path / ".tessellar").glob("compare-*")] == ["compare-new"]
