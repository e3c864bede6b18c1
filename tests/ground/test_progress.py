"""Progress is drawn on a terminal, on stderr, and nowhere else."""

from __future__ import annotations

import io

from rich.console import Console

from tessellar import progress
from tessellar.progress import Event, drawn, ignore


def test_nothing_is_drawn_where_nobody_looks(capsys):
    with drawn() as listener:
        assert listener is ignore
        listener(Event("fetch", 1, 2, "bytes", note="half"))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_amount_rate_and_notes(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stderr", _Terminal(terminal))
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(file=terminal, force_terminal=True, width=100))
    with drawn() as listener:
        assert listener is not ignore
        for done in range(0, 11_000_000, 1_000_000):
            listener(Event("fetch", done, 10_000_000, "bytes"))
        listener(Event("ask", 20, 50, "rows", note="the archive is busy"))
        listener(Event("fetch", 10_000_000, 10_000_000, "bytes", finished=True))
    shown = terminal.getvalue()
    assert "10.0 of 10.0 MB" in shown
    assert "20 of 50 rows" in shown
    assert "the archive is busy" in shown


def test_quiet_is_quiet_on_a_terminal_too(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stderr", _Terminal(terminal))
    with drawn(quiet=True) as listener:
        listener(Event("fetch", 1, 2, "bytes"))
    assert terminal.getvalue() == ""


def test_amounts_without_a_total():
    assert progress._amount(Event("x", 3, None, "rows"), None) == "3 rows"
    assert progress._amount(Event("x", 3e6, None, "bytes"), 2e6) == "3.0 MB, 2.0 MB/s"


class _Terminal:
    def __init__(self, stream: io.StringIO) -> None:
        self.write, self.flush = stream.write, stream.flush

    def isatty(self) -> bool:
        return True
