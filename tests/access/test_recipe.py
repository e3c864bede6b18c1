"""A recipe says what is meant or is refused by name; a lock reads back as it was written, whatever is in it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar.access.dataset import (
    Lock,
    LockedFile,
    Query,
    parse_lock,
    parse_recipe,
    read_lock,
    read_recipe,
    write_lock,
)
from tessellar.errors import InputError, MissingInput
from tessellar.targets import Field


def test_everything_that_a_recipe_may_say():
    recipe = parse_recipe(
        """
        title = "A study"
        archive = "http://127.0.0.1:8000"
        targets = [25155310, "pi Men", "TIC 25155310", "pi Men"]
        sectors = [1, "3-5", 4]
        kinds = ["lightcurve", "dv"]
        authors = "SPOC"
        cadences = [20, 120.0]
        """
    )
    (selection,) = recipe.selections
    assert selection.targets == ("25155310", "pi Men", "TIC 25155310")
    assert selection.sectors == (1, 3, 4, 5)
    assert selection.kinds == ("lightcurve", "dv")
    assert selection.authors == ("SPOC",)
    assert selection.cadences == (20.0, 120.0)
    assert recipe.title == "A study"
    assert recipe.archive == "http://127.0.0.1:8000"


def test_a_recipe_of_several_parts():
    recipe = parse_recipe('[[select]]\ntargets = [1]\n[[select]]\nfootprint = ["1-4-2", "s0001-4-3"]\nkinds = ["ffi"]')
    assert recipe.selections[0].targets == ("1",)
    assert recipe.selections[1].footprint == (Field(1, 4, 2), Field(1, 4, 3))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("target = [1]", "'target'; did you mean targets"),
        ("sector = 1", "did you mean sectors"),
        ("xyz = 1", "there are title, archive"),
        ("[[select]]\ntargts = [1]", "did you mean targets"),
        ("targets = [1]\n[[select]]\nsectors = [1]", "targets stands beside"),
        ("select = 3", r"write \[\[select\]\]"),
        ("", "millions of files"),
        ("kinds = ['lightcurve']", "millions of files"),
        ("targets = []", "targets is empty"),
        ("targets = [true]", "neither a name"),
        ("targets = ['']", "neither a name"),
        ("targets = [1]\nfootprint = ['1-1-1']", "not both"),
        ("footprint = ['1-1-1']\nsectors = [1]", "leave sectors out"),
        ("footprint = ['1-5-1']", "not a field"),
        ("footprint = [1]", "not a text"),
        ("targets = [1]\nkinds = ['ffi']", "belong to no target"),
        ("targets = [1]\nkinds = ['lightcurves']", "there are lightcurve"),
        ("sectors = [0]", "sector 0 does not exist"),
        ("sectors = ['9-3']", "ends before it begins"),
        ("sectors = [1.5]", "sector 1.5 does not exist"),
        ("sectors = [1]\ncadences = ['fast']", "exposure time"),
        ("sectors = [1]\ncadences = [0]", "exposure time"),
        ("title = 3\nsectors = [1]", "title: 3 is not a text"),
        ("sectors = [1", "not valid TOML"),
    ],
)
def test_what_is_no_recipe_is_refused_with_the_key(text, told):
    with pytest.raises(InputError, match=told):
        parse_recipe(text)


def test_the_file_is_named(tmp_path):
    with pytest.raises(MissingInput, match="no such recipe"):
        read_recipe(tmp_path / "r.toml")
    with pytest.raises(MissingInput, match="no such lock"):
        read_lock(tmp_path / "r.lock")
    (tmp_path / "r.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"r\.toml: is no text"):
        read_recipe(tmp_path / "r.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_lock(tmp_path)


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
digests = st.one_of(st.just(""), st.text("0123456789abcdef", min_size=64, max_size=64))
locked = st.builds(
    LockedFile, uri=texts, collection=texts, obs_id=texts, size=st.integers(0, 2**40), sha256=digests, etag=texts
)
names = st.sampled_from(["target", "tic", "sector", "author"])
asked = st.builds(
    Query,
    asked=texts,
    archive=texts,
    criteria=st.dictionaries(names, st.one_of(texts, st.integers(0, 9999999999))),
    observations=st.integers(0, 9),
    files=st.integers(0, 9),
)


@given(st.lists(locked, unique_by=lambda file: file.uri, max_size=5), st.lists(asked, max_size=3), texts)
def test_a_lock_reads_back_as_it_was_written(files, queries, title):
    lock = Lock((), tuple(queries), title, "http://x", "0" * 64, "tessellar 9").with_files(files)
    assert parse_lock(lock.text()) == lock


def a_lock(number: int = 20) -> Lock:
    rng = random.Random(1)
    files = [
        LockedFile(f"mast:TESS/product/{i:04d}.fits", "TESS", "o", i, f"{rng.getrandbits(256):064x}")
        for i in range(number)
    ]
    rng.shuffle(files)
    return Lock(()).with_files(files)


def test_the_order_is_one_whatever_came_first_and_one_change_is_one_line():
    lock = a_lock()
    again = lock.with_files(reversed(lock.files))
    assert again.text() == lock.text()
    changed = [*lock.files[:5], LockedFile(lock.files[5].uri, "TESS", "o", 5, "f" * 64), *lock.files[6:]]
    before, after = lock.text().splitlines(), lock.with_files(changed).text().splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [f'sha256 = "{"f" * 64}"']
    assert lock.fingerprint != lock.with_files(changed).fingerprint


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version = 1", "version = 2", "its version is 2"),
        ("version = 1", "", "it has no version"),
        ("[[file]]", "[[file]", "not valid TOML"),
        ("uri = ", "url = ", "damaged"),
        ("size = 0", "size = 'big'", "damaged"),
        ('sha256 = "', 'sha256 = "x', "which is none"),
        ("0001.fits", "0000.fits", "stands in it 2 times"),
    ],
)
def test_a_damaged_lock_is_refused(old, new, told):
    with pytest.raises(InputError, match=told):
        parse_lock(a_lock().text().replace(old, new, 1))


def test_a_lock_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch):
    path = write_lock(a_lock(3), tmp_path / "a.lock")
    assert read_lock(path) == a_lock(3)

    class KilledError(BaseException):
        pass

    def killed(self, target):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", killed)
        with pytest.raises(KilledError):
            write_lock(a_lock(5), path)
    assert read_lock(path) == a_lock(3)


VALID = """title = "x"
targets = [25155310, "pi Men"]
sectors = [1, "3-5"]
kinds = ["lightcurve"]
authors = ["SPOC"]
cadences = [20, 120.5]
"""
edits = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 4), st.text("[]{}=\"x\n1.-#'", max_size=4)), max_size=5
)


@given(edits)
def test_whatever_is_done_to_a_text_it_is_read_or_refused(changes):
    for text, parse in ((VALID, parse_recipe), (a_lock(3).text(), parse_lock)):
        for at, gone, put in changes:
            at %= len(text) + 1
            text = text[:at] + put + text[at + gone :]
        told = ""
        try:
            parse(text)
        except InputError as error:
            told = str(error)
        assert "\n" not in told
