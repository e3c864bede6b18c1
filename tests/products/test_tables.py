"""Tables show what tells most, in a terminal and in a notebook, and keep all the rest."""

from __future__ import annotations

from tessellar.products import ObservationTable, ProductTable
from tessellar.products.tables import OBSERVATION_COLUMNS


def test_many_columns_are_shown_as_few_and_none_is_lost():
    rows = [{"obs_id": f"o{n}", "target_name": "<b>1</b>", "sequence_number": n, "s_ra": None} for n in range(100)]
    table = ObservationTable.from_rows(rows, OBSERVATION_COLUMNS)
    text = str(table)
    assert repr(table) == text
    assert text.splitlines()[0].split()[0] == "target_name"
    assert (
        text.splitlines()[-1]
        == f"ObservationTable of 100 rows; {len(OBSERVATION_COLUMNS) - 10} more columns: see colnames"
    )
    assert len(text.splitlines()) < 35
    page = table._repr_html_()
    assert page.startswith("<table")
    assert "&lt;b&gt;1" in page
    assert "100 rows" in page


def test_few_columns_are_all_shown():
    table = ProductTable.from_rows([{"dataURI": "mast:TESS/product/a", "size": 3}])
    assert str(table).splitlines()[-1] == "ProductTable of 1 row"
    assert "dataURI" in str(table)
    assert str(ProductTable()) == repr(ProductTable()) == "ProductTable of 0 rows"
    assert "0 rows" in ProductTable()._repr_html_()


def test_columns_that_may_be_spent_are_let_go_and_make_the_same_table():
    def columns() -> dict[str, list[object]]:
        return {"dataURI": ["mast:TESS/product/a", None], "size": [1, "x"], "novelty": ["p", "q"]}

    kept, spent = columns(), columns()
    table, same = ProductTable.from_columns(kept), ProductTable.from_columns(spent, spend=True)
    assert kept == columns()
    assert spent == {}
    assert table.colnames == same.colnames
    assert list(table.rows()) == list(same.rows())
    assert table.meta == same.meta
    assert table.meta["unreadable"] == {"size": 1}
