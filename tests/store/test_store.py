"""What is here is known without network; what is not what it claims is set aside, never lost."""

from __future__ import annotations

import functools
import hashlib

import pytest

from tessellar.errors import InputError, IntegrityError, NoPermission, StoreError
from tessellar.net import Kept, Received, Remote
from tessellar.store import Store
from tessellar.store.store import check_folder

BODY = b"0123456789" * 100
REMOTE = Remote("mast:TESS/product/a.dat", "http://127.0.0.1:1/a.dat", "a.dat", "TESS", "obs", size=len(BODY))


def received(body: bytes) -> Received:
    return Received(len(body), hashlib.sha256(body).hexdigest())


def put(store: Store, body: bytes = BODY, remote: Remote = REMOTE):
    claim = store.claim(remote)
    try:
        store.plan(remote).path.write_bytes(body)
        return store.commit(remote, received(body))
    finally:
        claim.release()


def test_knows_exists_and_verified_are_three_questions(tmp_path):
    store = Store(tmp_path)
    assert not store.knows(REMOTE.uri)
    kept = put(store)
    assert store.knows(REMOTE.uri)
    assert store.exists(REMOTE.uri)
    assert store.verified(REMOTE.uri)
    kept.path.write_bytes(b"x" * len(BODY))
    assert store.exists(REMOTE.uri)
    assert not store.verified(REMOTE.uri)
    kept.path.unlink()
    assert store.knows(REMOTE.uri)
    assert not store.exists(REMOTE.uri)


def test_the_layout_is_astroquery_s_unless_flat(tmp_path):
    assert put(Store(tmp_path)).path == tmp_path / "mastDownload" / "TESS" / "obs" / "a.dat"
    assert put(Store(tmp_path, flat=True)).path == tmp_path / "a.dat"


def test_a_stranger_that_is_whole_is_adopted(tmp_path):
    path = tmp_path / "mastDownload" / "TESS" / "obs" / "a.dat"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    store = Store(tmp_path)
    kept = store.has(REMOTE)
    assert kept is not None
    assert "adopted" in kept.note
    assert store.verified(REMOTE.uri)


def test_a_stranger_of_the_wrong_size_is_set_aside_with_its_reason(tmp_path):
    path = tmp_path / "mastDownload" / "TESS" / "obs" / "a.dat"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY[:500])
    assert Store(tmp_path).has(REMOTE) is None
    assert not path.exists()
    quarantine = tmp_path / ".tessellar" / "quarantine"
    assert [each.read_bytes() for each in quarantine.glob("*-a.dat")] == [BODY[:500]]
    assert "500 bytes where the archive has 1000" in next(quarantine.glob("*.reason")).read_text()


def test_a_file_changed_behind_our_back_is_not_taken_for_the_fetched_one(tmp_path):
    store = Store(tmp_path)
    path = put(store).path
    path.write_bytes(b"y" * len(BODY))
    assert store.has(REMOTE) is None
    assert not path.exists()
    assert len(list((tmp_path / ".tessellar" / "quarantine").glob("*-a.dat"))) == 1


def test_a_touched_file_is_recognised_by_its_digest(tmp_path):
    import os

    store = Store(tmp_path)
    path = put(store).path
    os.utime(path, ns=(1, 1))
    assert store.digest_of(path) is None
    assert store.has(REMOTE) is not None
    assert store.digest_of(path) == hashlib.sha256(BODY).hexdigest()


def test_a_page_in_place_of_a_file_is_refused(tmp_path):
    remote = Remote("mast:TESS/product/a_lc.fits", "http://127.0.0.1:1/a", "a_lc.fits", "TESS", "obs")
    store = Store(tmp_path)
    with pytest.raises(IntegrityError, match=r"a_lc\.fits"):
        put(store, b"<html><body>503</body></html>", remote)
    assert list(tmp_path.rglob("a_lc.fits*")) == []


@functools.cache  # the sums carry the time
def edited_fits() -> bytes:
    """A whole FITS file of which a byte was changed after its sums were written."""
    import io

    import numpy as np
    from astropy.io import fits

    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.arange(100.0))]).writeto(out, checksum=True)
    content = bytearray(out.getvalue())
    content[-2000] ^= 1
    return bytes(content)


def test_bytes_that_contradict_their_sums_are_taken_only_if_they_come_twice_alike(tmp_path):
    remote = Remote("mast:TESS/product/a_lc.fits", "http://127.0.0.1:1/a", "a_lc.fits", "TESS", "obs")
    store = Store(tmp_path)
    with pytest.raises(IntegrityError, match="DATASUM"):
        put(store, edited_fits(), remote)
    assert list(tmp_path.rglob("a_lc.fits*")) == []
    kept = put(store, edited_fits(), remote)
    assert "twice alike" in kept.note
    assert kept.path.read_bytes() == edited_fits()


@pytest.mark.parametrize("name", ["../a.dat", "a/b", "..", "", "a\\b", "a\0b", "a\nb", "x" * 300])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    for field in ("filename", "collection", "obs_id"):
        parts = {"filename": "a.dat", "collection": "TESS", "obs_id": "obs", field: name}
        with pytest.raises(InputError, match="cannot be the name"):
            Store(tmp_path).plan(Remote("mast:x", "http://127.0.0.1:1/x", **parts))


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        check_folder(tmp_path / "x")
    with pytest.raises(NoPermission):
        check_folder(tmp_path / "x" / "y")


def test_a_damaged_ledger_is_one_clear_error(tmp_path):
    store = Store(tmp_path)
    put(store)
    store.close()
    store.ledger._path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="ledger"):
        Store(tmp_path).knows(REMOTE.uri)


def test_the_store_that_holds_a_file_is_found(tmp_path):
    store = Store(tmp_path)
    kept = put(store)
    found = Store.holding(kept.path)
    assert found is not None
    assert found.digest_of(kept.path) == kept.sha256
    assert Store.holding(tmp_path.parent / "elsewhere") is None


def test_a_kill_between_the_ledger_and_the_name_costs_nothing(tmp_path, monkeypatch):
    class KilledError(BaseException):
        pass

    def killed(self, target):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", killed)
        with pytest.raises(KilledError):
            put(Store(tmp_path))
    path = tmp_path / "mastDownload" / "TESS" / "obs" / "a.dat"
    assert not path.exists()
    store = Store(tmp_path)
    assert not store.exists(REMOTE.uri)
    kept = store.has(REMOTE)
    assert kept is not None
    assert path.read_bytes() == BODY
    assert not path.with_name("a.dat.part").exists()


def test_one_claim_a_file(tmp_path):
    first = Store(tmp_path).claim(REMOTE)
    assert first is not None
    assert Store(tmp_path).claim(REMOTE) is None
    first.release()
    second = Store(tmp_path).claim(REMOTE)
    assert second is not None
    second.release()
    assert list(tmp_path.rglob("*.part")) == []


def test_a_file_that_lies_elsewhere_in_the_folder_is_used_there(tmp_path):
    kept = put(Store(tmp_path, flat=True))
    assert Store(tmp_path).recall(REMOTE) == Kept(kept.path, kept.size, kept.sha256, "already here")


def test_a_size_that_does_not_fit_stands_in_doubt_where_nothing_else_can_tell(tmp_path):
    store, short = Store(tmp_path), BODY[:400]
    with pytest.raises(IntegrityError, match="size"):
        put(store, short)
    with pytest.raises(IntegrityError, match="size"):
        put(store, BODY[:500])
    assert "twice alike" in put(store, BODY[:500]).note
