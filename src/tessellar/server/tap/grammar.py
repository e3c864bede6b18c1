"""ADQL read into a tree, of which every node is known to be harmless.

The words are read by sqlglot; what may stand in a question is listed here, and
nothing else can be expressed. ADQL 2.0 with the geometry, the set operations,
WITH, OFFSET, CAST, COALESCE, ILIKE, LOWER and UPPER of ADQL 2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ParseError, SqlglotError

from tessellar.errors import QueryError
from tessellar.server.tap.complaints import told

#: Characters; a longer question is not read.
LONGEST = 256 * 1024

_MOST_GROWTH = 1_000_000

# What each function returns, and how many arguments it takes.
NUMERIC = {
    "ABS": (1,), "CEILING": (1,), "DEGREES": (1,), "EXP": (1,), "FLOOR": (1,), "LOG": (1,), "LOG10": (1,),
    "MOD": (2,), "PI": (0,), "POWER": (2,), "RADIANS": (1,), "RAND": (0, 1), "ROUND": (1, 2), "SQRT": (1,),
    "TRUNCATE": (1, 2), "ACOS": (1,), "ASIN": (1,), "ATAN": (1,), "ATAN2": (2,), "COS": (1,), "COT": (1,),
    "SIN": (1,), "TAN": (1,),
}  # fmt: skip
TEXT = {"UPPER": (1,), "LOWER": (1,)}
GEOMETRY = ("POINT", "CIRCLE", "POLYGON", "BOX", "REGION", "CENTROID", "CONTAINS", "INTERSECTS", "DISTANCE", "AREA",
            "COORD1", "COORD2", "COORDSYS")  # fmt: skip
AGGREGATES = {"COUNT": exp.Count, "SUM": exp.Sum, "AVG": exp.Avg, "MIN": exp.Min, "MAX": exp.Max}

_ALLOWED = (
    exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.With, exp.CTE, exp.From, exp.Join, exp.Table,
    exp.TableAlias, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Distinct,
    exp.Column, exp.Identifier, exp.Star, exp.Alias, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Neg,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.DPipe, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT,
    exp.GTE, exp.Between, exp.In, exp.Like, exp.ILike, exp.Escape, exp.Is, exp.Exists, exp.Anonymous, exp.Coalesce,
    exp.Cast, exp.DataType, exp.DataTypeParam, exp.Tuple, *AGGREGATES.values(),
)  # fmt: skip
_CASTS = {"CHAR", "VARCHAR", "TEXT", "INT", "SMALLINT", "BIGINT", "FLOAT", "DOUBLE", "REAL", "NVARCHAR"}


class Adql(TSQL):
    """The dialect: TOP as in T-SQL, names in double quotes, functions by the names of ADQL."""

    STRICT_STRING_CONCAT = True
    TYPED_DIVISION = True

    class Tokenizer(TSQL.Tokenizer):
        """Names stand in double quotes, and nothing else does."""

        IDENTIFIERS = ['"']  # noqa: RUF012 - so sqlglot wants it  # type: ignore[misc]

    class Parser(TSQL.Parser):  # type: ignore[misc, valid-type]
        """Functions keep the names by which they were written."""

        FUNCTIONS = {  # noqa: RUF012
            **{name: kind.from_arg_list for name, kind in AGGREGATES.items()},
            "COALESCE": exp.Coalesce.from_arg_list,
        }
        NO_PAREN_FUNCTIONS: dict[Any, Any] = {}  # noqa: RUF012


def read(text: str) -> exp.Query:
    """Read a question, and see that it is one.

    Raises
    ------
    QueryError
        If it cannot be read (line, column and what was found there), or holds
        anything that ADQL does not have.

    Examples
    --------
    >>> from tessellar.server.tap.grammar import read
    >>> read("SELECT TOP 3 obs_id FROM ivoa.obscore").sql()
    'SELECT obs_id FROM ivoa.obscore LIMIT 3'
    """
    if len(text) > LONGEST:
        raise QueryError(f"a query of {len(text):,} characters: at most {LONGEST:,} are read; upload a table instead")
    if not text.strip():
        raise QueryError("an empty query: write SELECT … FROM …")
    tokens = _tokens(text)
    _no_hanging_comma(tokens)
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect=Adql) if tree is not None]
    except ParseError as error:
        raise QueryError(told(error, tokens)) from error
    except RecursionError as error:
        raise QueryError("the query is nested too deeply to be read") from error
    except SqlglotError as error:
        raise QueryError(f"the query cannot be read: {_plain(error)}") from error
    if len(trees) != 1:
        raise QueryError(f"{len(trees)} statements: send one SELECT, without a semicolon between")
    (tree,) = trees
    if not isinstance(tree, exp.Query):
        raise QueryError(f"{text.split()[0].upper()[:20]} is not ADQL: only SELECT can be asked")
    _check(tree)
    _check_growth(tree)
    return tree


def _tokens(text: str) -> list[Any]:
    try:
        return list(Adql().tokenize(text))
    except SqlglotError as error:
        raise QueryError(f"the query cannot be read: {_plain(error)} (is a quote left open?)") from error


def _no_hanging_comma(tokens: list[Any]) -> None:
    """Refuse ``SELECT a, FROM t``, which sqlglot would read."""
    for first, second in pairwise(tokens):
        if first.text == "," and second.text.upper() in ("FROM", ")") and second.token_type.name in ("FROM", "R_PAREN"):
            column = second.col - len(second.text) + 1
            raise QueryError(f"the query cannot be read at line {second.line}, column {column}: "
                             f"found {second.text!r}, where something should follow the comma")  # fmt: skip


def _check(tree: exp.Expr) -> None:
    for node in tree.walk():
        if not isinstance(node, _ALLOWED):
            raise QueryError(f"{_shown(node)} is not part of ADQL")
        check = _CHECKS.get(type(node))
        if check is not None:
            check(node)


def _check_growth(tree: exp.Expr) -> None:
    """Refuse what grows without bound as it is worked out: each subquery that repeats a column multiplies it."""
    growth = 1
    for select in tree.find_all(exp.Select):
        growth *= max(1, *(sum(1 for _ in item.find_all(exp.Column)) for item in select.expressions))
    if growth > _MOST_GROWTH:
        raise QueryError("the query repeats columns through too many subqueries: it would grow too big to be asked")


def _check_function(node: exp.Anonymous) -> None:
    name, count = node.name.upper(), len(node.expressions)
    if name in GEOMETRY:
        return
    takes = NUMERIC.get(name) or TEXT.get(name)
    if takes is None:
        raise QueryError(f"function {node.name!r} is not known; there are {', '.join(sorted((*NUMERIC, *TEXT)))}, "
                         f"{', '.join(AGGREGATES)}, COALESCE, CAST and the geometry of ADQL")  # fmt: skip
    if count not in takes:
        raise QueryError(f"{name} takes {' or '.join(map(str, takes))} arguments, not {count}")


def _check_select(node: exp.Select) -> None:
    extra = [name for name, value in node.args.items() if value and name not in _PARTS]
    if extra:
        raise QueryError(f"{extra[0].upper()} is not part of ADQL")
    if not node.expressions:
        raise QueryError("SELECT names no columns: write SELECT * FROM … or the names of columns")


def _check_cast(node: exp.Cast) -> None:
    kind = node.to.this
    name = kind.name if hasattr(kind, "name") else str(kind)
    if name not in _CASTS:
        known = "CHAR, VARCHAR, SMALLINT, INTEGER, BIGINT, REAL or DOUBLE PRECISION"
        raise QueryError(f"CAST to {name} is not known: {known}")


def _check_limit(node: exp.Limit | exp.Offset) -> None:
    value = node.expression
    if not (isinstance(value, exp.Literal) and value.is_int):
        raise QueryError(f"TOP and OFFSET take a whole number, not {_shown(value)}")


def _check_with(node: exp.With) -> None:
    if node.args.get("recursive"):
        raise QueryError("WITH RECURSIVE is not part of ADQL")


def _check_table(node: exp.Table) -> None:
    if not isinstance(node.this, exp.Identifier) or node.args.get("catalog"):
        raise QueryError(f"{_shown(node)} is not the name of a table: write schema.table")


_PARTS = {"expressions", "distinct", "limit", "offset", "from_", "from", "joins", "where", "group", "having", "order",
          "with_", "with", "kind"}  # fmt: skip
_CHECKS: dict[type[exp.Expr], Callable[[Any], None]] = {
    exp.Anonymous: _check_function, exp.Select: _check_select, exp.Cast: _check_cast, exp.Limit: _check_limit,
    exp.Offset: _check_limit, exp.Table: _check_table,
    exp.With: _check_with,
}  # fmt: skip


def _shown(node: exp.Expr | None) -> str:
    text = node.sql(dialect=Adql) if node is not None else ""
    return text if len(text) <= 60 else f"{text[:57]}..."


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
