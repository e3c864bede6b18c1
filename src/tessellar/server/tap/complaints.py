"""What is wrong with a question that cannot be read: where, what stands there, and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from sqlglot.errors import ParseError

# The parts of a question, in their order.
_CLAUSES = ("SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "OFFSET")
_WORDS = ("SELECT", "DISTINCT", "TOP", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "JOIN", "BETWEEN")


def told(error: ParseError, tokens: Sequence[Any]) -> str:
    """Say in one line why reading failed.

    Parameters
    ----------
    error : ParseError
        What sqlglot says.
    tokens : sequence of Token
        The words of the question; their columns are those of their last characters.
    """
    first = error.errors[0] if error.errors else {}
    what = " ".join(str(first.get("description") or error).split()).rstrip(".")
    line, last = first.get("line"), first.get("col")
    if not line or not last:
        return f"the query cannot be read: {what[:200]}"
    found = str(first.get("highlight") or "").strip()
    at = next((i for i, token in enumerate(tokens) if (token.line, token.col) == (line, last)), len(tokens))
    place = f"line {line}, column {max(last - len(found) + 1, 1)}, at {found[:40]!r}"
    return f"the query cannot be read at {place}: {_expected(what, [_word(token) for token in tokens], at)}"


def _expected(what: str, words: Sequence[str], at: int) -> str:
    """Say what should stand where reading stopped, at word number `at`."""
    before = words[at - 1] if at else ""
    if what.startswith("Required keyword"):
        if "Between" in what:
            return "expected two values with AND between them after BETWEEN"
        if before == "TOP":
            return "expected a whole number after TOP"
        ends = at >= len(words) - 1 and words[-1:] != [")"]
        return "something is missing after it: expected a value or a column" if ends else "expected a value or a column"
    if what.startswith("Expecting"):
        return what.replace("Expecting", "expected", 1)
    if not what.startswith("Invalid expression"):
        return what[:200]
    if before in ("GROUP", "ORDER"):
        return f"expected BY after {before}"
    meant = [] if before in _WORDS else get_close_matches(before, _WORDS, n=1, cutoff=0.7)
    if meant:
        return f"expected {meant[0]} in place of {before}"
    return f"expected {', '.join(_following(words[:at]))}"


def _following(words: Sequence[str]) -> list[str]:
    """Name what may follow the beginning of a question."""
    starts = [name.split()[0] for name in _CLAUSES]
    last = next((starts.index(word) for word in reversed(words) if word in starts), None)
    if last is None:
        return ["SELECT at the beginning"]
    end = ") or " if words.count("(") > words.count(")") else "or "
    if last == 0:
        return ["an operator", "a comma", f"{end}FROM"]
    return ["an operator", "a comma", *_CLAUSES[last + 1 :], f"{end}the end of the query"]


def _word(token: Any) -> str:
    """The word as it is compared; texts and quoted names are none."""
    return "" if token.token_type.name in ("STRING", "IDENTIFIER") else str(token.text).upper()
