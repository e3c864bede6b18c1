"""Header cards: what is written is read back, by our reader and by astropy."""

import string

from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tessellar.products.cards import card, header_block, sealed
from tessellar.products.checksum import WHOLE, ones_sum
from tessellar.products.keywords import BLOCK, data_size, has_end, parse_header

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
KEYWORDS = st.text(string.ascii_uppercase + string.digits + "_-", min_size=1, max_size=8).filter(
    lambda key: key not in ("END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH")
)
# In FITS, blanks at the end of a string mean nothing, and one that ends with & asks for a continuation.
STRINGS = st.text(PRINTABLE, max_size=30).map(str.rstrip).filter(lambda text: not text.endswith("&"))
VALUES = st.one_of(
    st.booleans(), st.integers(-(10**18), 10**18), st.floats(allow_nan=False, allow_infinity=False), STRINGS
)


@given(KEYWORDS, VALUES, st.text(PRINTABLE, max_size=60))
def test_a_card_is_read_back_as_it_was_written(key, value, comment):
    one = card(key, value, comment)
    assert len(one) == 80
    assert parse_header(one) == {key: value}
    assert type(parse_header(one)[key]) is type(value)


@given(VALUES, st.text(PRINTABLE, max_size=60))
def test_astropy_reads_a_card_alike(value, comment):
    assert fits.Header.fromstring(card("KEY", value, comment))["KEY"] == value


@given(st.text("'x", max_size=90))
def test_a_string_that_is_too_long_is_cut_but_stays_a_string(text):
    value = fits.Header.fromstring(card("KEY", text, "comment"))["KEY"]
    assert text.startswith(value)


def test_undefined_repeated_and_continued_values():
    cards = [
        b"CDPP0_5 =  / RMS CDPP",
        b"BIG     =              1.16D-05",
        b"CCD     =                    1",
        b"CCD     =                    2",
        b"LONG    = 'one &'",
        b"CONTINUE  'two &'",
        b"CONTINUE  'three'",
        b"COMMENT = not a value",
        b"HISTORY nothing",
    ]
    keys = parse_header(b"".join(one.ljust(80) for one in cards))
    assert keys["CDPP0_5"] is None
    assert keys["BIG"] == 1.16e-5
    assert keys["CCD"] == 1
    assert keys["LONG"] == "one two three"
    assert "HISTORY" not in keys


def test_end_counts_only_as_a_card():
    assert not has_end(b"KEY     = 'a".ljust(75) + b"END".ljust(80) + b" " * (BLOCK - 155))
    assert has_end(header_block([card("KEY", 1)]))


def test_size_of_data():
    assert data_size({"NAXIS": 0, "BITPIX": 8}) == 0
    assert data_size({"NAXIS": 2, "BITPIX": -32, "NAXIS1": 3, "NAXIS2": 5, "PCOUNT": 0, "GCOUNT": 1}) == 60


@given(st.binary(max_size=3000))
def test_every_sealed_part_sums_to_all_ones(data):
    whole = b"".join(sealed([card("SIMPLE", True), card("NAXIS", 1)], data))
    assert len(whole) % BLOCK == 0
    assert ones_sum(whole) == WHOLE
