"""The text of tables: whatever stands in the free text, every record comes back."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from tessellar.errors import MissingInput, UnexpectedReply, Unrecognised
from tessellar.exofop import read_exofop_table
from tessellar.exofop.columns import make_table
from tessellar.exofop.parsing import plain, read_records
from tessellar.exofop.tables import distinct_tags

HEADER = ("TIC ID", "User", "Tag", "Notes")
words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="|<&\x85"), max_size=12
)
# Notes with bars and line breaks; one that looks like three more cells after a number would be a record.
notes = st.lists(st.one_of(words, st.just("|"), st.just("\n")), max_size=8).map("".join)
records = st.lists(
    st.tuples(st.integers(1, 10**10 - 1).map(str), words.map(str.strip), words.map(str.strip), notes), max_size=8
)


def could_be_a_record(note: str) -> bool:
    return any(line.count("|") >= 3 and line.split("|")[0].strip().isdigit() for line in note.split("\n")[1:])


@given(records)
def test_pipe_tables_come_back_whatever_the_notes_hold(rows: list[tuple[str, ...]]) -> None:
    rows = [row if not could_be_a_record(row[-1]) else (*row[:3], "") for row in rows]
    text = "\n".join("|".join(line) for line in [HEADER, *rows]) + "\n"
    found = read_records(text, "here")
    assert found.columns == HEADER
    assert found.rows == [[*row[:3], row[3].strip()] for row in rows]


@given(records)
def test_csv_tables_come_back_with_banner_mark_and_quotes(rows: list[tuple[str, ...]]) -> None:
    rows = [(*row[:3], row[3].replace("\n", " ")) for row in rows]
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER, *rows])
    text = (
        f"\ufeffThis file was produced by the Exoplanet Follow-up Observing Program website\r\n\r\n{stream.getvalue()}"
    )
    assert read_records(text, "here").rows == [[*row[:3], row[3].strip()] for row in rows]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("depth <b>5</b> ppt<br>late", "depth 5 ppt\nlate"),
        ("S/N < 3 & rising", "S/N < 3 & rising"),
        ("a&nbsp;b &lt;c&gt;", "a b <c>"),
        ("see <a href='http://x/y?a=1|2'>the plot</a> <i", "see the plot"),
        ("if a<b then c>d", "if a<b then c>d"),
        ("Señor &eacute;", "Señor é"),
    ],
)
def test_html_of_notes_becomes_text(written: str, read: str) -> None:
    assert plain(written) == read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it begins with ''"),
        ("No TIC object found\n", "it begins with 'No TIC"),
        ("TIC ID|Tag\n1|2|3\n", "3 cells for 2 columns"),
        ("TIC ID|User|Tag\nnonsense\n", "no record"),
        ("TIC ID,User,Tag\n1,2,3,4\n", "4 cells for 3 columns"),
    ],
)
def test_what_is_no_table_is_named(text: str, reason: str) -> None:
    with pytest.raises(UnexpectedReply, match=reason):
        read_records(text, "here")


def test_columns_may_be_moved_and_added() -> None:
    found = read_records("Notes|TIC ID|New one|Tag\na|b|7|x|5\n", "here")
    assert found.rows == [["a|b", "7", "x", "5"]]


def test_numbers_as_people_write_them_and_cells_that_are_none(caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        ["25", "60k", ".386", "21:14:56.88", "-00:30:00"],
        ["26", "44000", "", "318.7", ""],
        ["27", "n/a", "x", "", "5"],
    ]
    table = make_table(["TIC ID", "Spectral resolution", "Period (days)", "RA", "Dec"], rows)
    assert table["Spectral resolution"].tolist() == [60000.0, 44000.0, None]
    assert table["Period (days)"].tolist() == [0.386, None, None]
    assert table["RA"].tolist()[:2] == [pytest.approx(318.737), 318.7]
    assert table["Dec"].tolist() == [-0.5, None, 5.0]
    assert [record.getMessage() for record in caplog.records] == [
        "Spectral resolution: 1 cells are no numbers, and are masked: 'n/a'",
        "Period (days): 1 cells are no numbers, and are masked: 'x'",
    ]


def test_a_saved_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no such file"):
        read_exofop_table(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a diary\n")
    with pytest.raises(Unrecognised, match="it begins with 'a diary'"):
        read_exofop_table(tmp_path / "other.csv")


# What ExoFOP really sent


def test_the_real_table_of_tois_loads_whole_with_types(recorded: Path) -> None:
    table = read_exofop_table(recorded / "tess_atlas" / "exofop_data_2025-10-19.csv")
    assert len(table) == 7710
    assert len(table.colnames) == 63 + 5
    assert table["TOI"].max() == 7513.02
    assert {len(str(tic)) for tic in table["TIC ID"].tolist()} == {4, 5, 6, 7, 8, 9, 10}
    assert sum(tic >= 10**9 for tic in table["TIC ID"].tolist()) == 28
    by_kind = {kind: [c.name for c in table.itercols() if c.dtype.kind == kind] for kind in "ifU"}
    assert set(by_kind["i"]) >= {"TIC ID", "Master", "SG5", "Imaging Observations"}
    assert set(by_kind["f"]) >= {"TOI", "RA", "Dec", "Period (days)", "Stellar Metallicity err"}
    assert set(by_kind["U"]) >= {"Sectors", "Comments", "TFOPWG Disposition", "Previous CTOI"}
    first = table[0]
    assert (first["RA"], first["Dec"]) == (pytest.approx(318.737), pytest.approx(-55.871864, abs=1e-6))
    assert first["Period (days)"] == 1.43036994965074
    assert str(table["Planet Radius (R_Earth)"].unit) == "earthRad"


def test_every_vintage_of_the_table_of_tois_has_one_schema(recorded: Path) -> None:
    folder = recorded
    paths = ["tess_atlas/exofop_data_2025-10-19.csv", "etta_docs/download_toi_toi127.pipe",
             "pentrican_gui_export/exofop_tess_tois_2025-07-03.csv"]  # fmt: skip
    tables = [read_exofop_table(folder / path) for path in paths]
    for table in tables[1:]:
        assert table.colnames == tables[0].colnames[:63]
        for name in table.colnames:
            assert table[name].dtype.kind == tables[0][name].dtype.kind, name
            assert table[name].unit == tables[0][name].unit, name
    old, new, export = tables[1], tables[0], tables[2]
    assert (len(export), len(old)) == (7655, 1)
    assert old["Stellar Radius (R_Sun)"][0] == 0.445372
    same = new[new["TOI"] == 127.01][0]
    assert same["TIC ID"] == old["TIC ID"][0] == 234523599
    exported = export[export["TOI"] == 127.01][0]
    assert (exported["RA"], exported["Dec"]) == (
        pytest.approx(same["RA"], abs=1e-4),
        pytest.approx(same["Dec"], abs=1e-4),
    )


def test_the_real_tables_of_observations_load(recorded: Path) -> None:
    table = read_exofop_table(recorded / "jpdeleon_chronos" / "tfop_sg2_spec_table.csv")
    assert len(table) == 15295
    assert table.colnames[10] == "Obs Date"
    assert (table["Tag"].dtype.kind, table["SNR/resolution"].dtype.kind, table["TOI"].dtype.kind) == ("i", "f", "U")
    assert set(table["Spectral resolution"].compressed() if hasattr(table["Spectral resolution"], "mask") else []) > {
        60000
    }
    assert table["TOI"][2] == "TOI 3127"
    wire = read_exofop_table(recorded / "etta_docs" / "tag-spect-example")
    assert len(wire) == 9
    assert set(wire["Tag"]) == {1494}
    assert wire["Notes"].tolist()[-3:] == ["Observations continued into twilight", "", ""]


def test_the_real_tags_of_a_toi_are_told_once_each(recorded: Path) -> None:
    text = (recorded / "exofop_docs" / "toi1130_tseries_tags_2024-02.txt").read_text()
    tags = [int(number) for number in re.findall(r"\d+", text.partition("[")[2])]
    assert len(tags) == 59
    distinct = distinct_tags(Table({"Tag": tags}))
    assert len(distinct) == 55
    assert distinct[:5].tolist() == [5734, 5903, 6038, 6384, 18493]


def test_the_real_table_of_ctois_loads(recorded: Path) -> None:
    table = read_exofop_table(recorded / "jpdeleon_chronos" / "CTOIs.csv")
    assert len(table) == 1945
    assert table["PM Dec err (mas/yr)"][0] == 0.05
    assert table["Promoted to TOI"][0] == 3127.01
