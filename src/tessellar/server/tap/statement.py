"""A question in ADQL made into a statement of SQLite, and what its columns are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from tessellar.errors import QueryError
from tessellar.server.tap import boxes
from tessellar.server.tap.geometry import Geometry
from tessellar.server.tap.grammar import GEOMETRY, NUMERIC, TEXT, read
from tessellar.server.tap.model import Catalogue, Column, Sky, Table

_SQL_TYPES = {"char": "TEXT", "short": "INT", "int": "INT", "long": "BIGINT", "float": "DOUBLE", "double": "DOUBLE",
              "boolean": "INT"}  # fmt: skip
_TYPES = {"TEXT": "char", "VARCHAR": "char", "NVARCHAR": "char", "CHAR": "char", "NCHAR": "char", "SMALLINT": "long",
          "INT": "long", "BIGINT": "long", "FLOAT": "double", "DOUBLE": "double", "REAL": "double", "DECIMAL": "double",
          "BOOLEAN": "int"}  # fmt: skip
_WHOLE = {"CONTAINS", "INTERSECTS"}
_STRINGS = {"POINT", "CIRCLE", "POLYGON", "BOX", "REGION", "CENTROID", "COORDSYS", *TEXT}


@dataclass(frozen=True)
class Statement:
    """What SQLite is to be asked, and what comes back.

    Attributes
    ----------
    sql : str
        One SELECT.
    columns : tuple of Column
        Of the result: names as the question writes them, everything else from the tables.
    """

    sql: str
    columns: tuple[Column, ...]


def translate(adql: str, catalogue: Catalogue) -> Statement:
    """Make a statement of SQLite of a question in ADQL.

    Parameters
    ----------
    adql : str
        The question. Names of tables and columns may be written in any case,
        tables without their schema.
    catalogue : Catalogue
        The tables that it may name.

    Raises
    ------
    QueryError
        If it cannot be read, or names what is not there.
    """
    tree = read(adql)
    try:
        return _translated(tree, catalogue)
    except RecursionError as error:
        raise QueryError("the query is nested too deeply to be read") from error


def _translated(tree: exp.Query, catalogue: Catalogue) -> Statement:
    written = {
        alias.alias.lower(): alias.alias for alias in _outermost(tree).expressions if isinstance(alias, exp.Alias)
    }
    used = _name_tables(tree, catalogue)
    _join_by_columns(tree, used)
    _no_columns_in_schemas(tree)
    schema = MappingSchema(
        {
            key: {column.name.lower(): _SQL_TYPES[column.datatype] for column in table.columns}
            for key, table in used.items()
        },
        dialect="sqlite",
    )
    _check_columns(tree, used)
    try:
        tree = qualify(tree, schema=schema, dialect="sqlite")
    except SqlglotError as error:
        raise QueryError(_unresolved(error)) from error
    annotate_types(tree, schema=schema, dialect="sqlite")
    columns = tuple(_described(tree, used, written))
    tree = _geometry_said(tree, used)
    _rename_functions(tree)
    _ask_index_alone(tree, used)
    _put_in_tables(tree, used)
    return Statement(tree.sql(dialect="sqlite"), columns)


def _outermost(tree: exp.Expr) -> exp.Select:
    """Return the select that gives the columns their names: the first one of a UNION."""
    while not isinstance(tree, exp.Select):
        tree = tree.this
    return tree


def _name_tables(tree: exp.Query, catalogue: Catalogue) -> dict[str, Table]:
    """Give every table a name of its own, and return the tables by these names."""
    used: dict[str, Table] = {}
    with_names = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in list(tree.find_all(exp.Table)):
        around = node.find_ancestor(exp.CTE)
        own = around is not None and around.alias.lower() == node.name.lower()  # in its own definition it is not yet
        if not node.db and node.name.lower() in with_names and not own:
            continue
        table = catalogue.find(node.db, node.name)
        key = f"{table.schema}__{table.name}".lower()
        used[key] = table
        alias = node.alias or node.name
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
        node.set("this", exp.to_identifier(key))
        node.set("db", None)
    return used


def _join_by_columns(tree: exp.Query, used: dict[str, Table]) -> None:
    """Write NATURAL JOIN as JOIN … USING the columns that both have."""
    for join in tree.find_all(exp.Join):
        if str(join.args.get("method") or "").upper() != "NATURAL":
            continue
        select = join.find_ancestor(exp.Select)
        source = select.args.get("from_") or select.args.get("from") if select is not None else None
        left, right = (used.get(node.name) if isinstance(node, exp.Table) else None
                       for node in (source.this if source is not None else None, join.this))  # fmt: skip
        if left is None or right is None:
            raise QueryError("NATURAL JOIN of subqueries is not understood here: write JOIN … USING (column)")
        common = [column.name for column in left.columns if column.name.lower() in right.by_name]
        if not common:
            raise QueryError(f"{left.full_name} and {right.full_name} have no column in common: write JOIN … ON")
        join.set("method", None)
        join.set("using", [exp.to_identifier(name.lower()) for name in common])


def _no_columns_in_schemas(tree: exp.Query) -> None:
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)


def _check_columns(tree: exp.Query, used: dict[str, Table]) -> None:
    """Refuse, with the nearest names, columns that no table of the question has."""
    known = {name: column.name for table in used.values() for name, column in table.by_name.items()}
    made = {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    made |= {str(name.name).lower() for cte in tree.find_all(exp.TableAlias) for name in cte.args.get("columns") or ()}
    for column in tree.find_all(exp.Column):
        name = column.name.lower()
        if isinstance(column.this, exp.Star) or name in known or name in made:
            continue
        close = [known[match] for match in get_close_matches(name, known, n=3, cutoff=0.6)]
        hint = f"did you mean {' or '.join(close)}?" if close else "see the columns at /tables"
        if not used:
            raise QueryError(f"column {column.name!r} is of no table: the query has no FROM")
        raise QueryError(f"column {column.name!r} is not in {', '.join(t.full_name for t in used.values())}: {hint}")


def _unresolved(error: SqlglotError) -> str:
    text = " ".join(str(error).split())
    return f"{text.rstrip('.')}: it is in none, or in several, of the tables; write table.column"


def _described(tree: exp.Query, used: dict[str, Table], written: dict[str, str]) -> Iterator[Column]:
    tracer = _Tracer(tree, used)
    select = _outermost(tree)
    for number, expression in enumerate(select.expressions, start=1):
        name = expression.alias_or_name
        value = expression.unalias()
        traced = tracer.column(value, select)
        if name.lower() in written:
            name = written[name.lower()]
        elif name.startswith("_col_"):
            whole = isinstance(value, exp.Count) and isinstance(value.this, exp.Star)
            kind = value.key if isinstance(value, exp.AggFunc) else "column"
            name = "COUNT_ALL" if whole else f"{kind}_{number}"  # the first of these is MAST's name for it
        elif traced is not None and traced.name.lower() == name.lower():
            name = traced.name
        yield replace(traced or Column(name, _type_of(value)), name=name, sql="")


class _Tracer:
    """Finds of which table's column a value is, through subqueries and MIN or MAX."""

    def __init__(self, tree: exp.Query, used: dict[str, Table]) -> None:
        self._scopes = {id(scope.expression): scope for scope in traverse_scope(tree)}
        self._used = used

    def column(self, value: exp.Expr, select: exp.Select) -> Column | None:
        """Return the column that a value in a SELECT is; None for anything worked out."""
        if isinstance(value, exp.Paren | exp.Min | exp.Max | exp.Alias | exp.Coalesce):
            return self.column(value.this, select)
        scope = self._scopes.get(id(select))
        if not isinstance(value, exp.Column) or scope is None:
            return None
        source = scope.sources.get(value.table)
        if isinstance(source, exp.Table):
            table = self._used.get(source.name)
            return table.by_name.get(value.name.lower()) if table is not None else None
        if isinstance(source, Scope):
            inner = _outermost(source.expression)
            for expression in inner.expressions:
                if expression.alias_or_name.lower() == value.name.lower():
                    return self.column(expression.unalias(), inner)
        return None


def _type_of(value: exp.Expr) -> str:
    if isinstance(value, exp.Anonymous):
        name = value.name.upper()
        return "int" if name in _WHOLE else "char" if name in _STRINGS else "double"
    if isinstance(value, exp.Count):
        return "long"
    kind = value.type.this.name if value.type is not None and hasattr(value.type.this, "name") else ""
    if isinstance(value, exp.Binary | exp.Paren | exp.Neg | exp.Sum | exp.Avg) and _TYPES.get(kind, "double") != "char":
        # Whole numbers of any size, or numbers: what SQLite works out is not known beforehand.
        return "long" if kind in ("INT", "BIGINT", "SMALLINT") and not isinstance(value, exp.Avg) else "double"
    return _TYPES.get(kind, "char")


def _geometry_said(tree: exp.Query, used: dict[str, Table]) -> exp.Query:
    skies: dict[int, dict[str, Table]] = {}
    for scope in traverse_scope(tree):
        tables = {alias: used[source.name] for alias, source in scope.sources.items()
                  if isinstance(source, exp.Table) and source.name in used}  # fmt: skip
        for column in scope.columns:
            skies[id(column)] = tables

    def finder(node: exp.Expr) -> tuple[str, str, Sky] | None:
        if not isinstance(node, exp.Column):
            return None
        table = skies.get(id(node), {}).get(node.table)
        return (node.table, node.name.lower(), table.sky) if table is not None and table.sky is not None else None

    geometry = Geometry(finder)
    for node in list(tree.find_all(exp.EQ)):
        said = geometry.condition(node)
        if said is not None:
            node.replace(said)
    for less in list(tree.find_all(exp.LT, exp.LTE)):
        said = geometry.closeness(less)
        if said is not None:
            less.replace(said)
    while (found := next((f for f in tree.find_all(exp.Anonymous) if f.name.upper() in GEOMETRY), None)) is not None:
        found.replace(geometry.value(found))
    return tree


def _rename_functions(tree: exp.Query) -> None:
    for function in tree.find_all(exp.Anonymous):
        if function.name.upper() in NUMERIC:
            function.set("this", f"adql_{function.name.lower()}")


def _ask_index_alone(tree: exp.Query, used: dict[str, Table]) -> None:
    """Take rows from the index of places where nothing but their places is asked: those of a table lie far apart."""
    for select in list(tree.find_all(exp.Select)):
        source = select.args.get("from_") or select.args.get("from")
        node = source.this if source is not None else None
        table = used.get(node.name) if isinstance(node, exp.Table) else None
        sky = table.places if table is not None else None
        where = select.args.get("where")
        if node is None or sky is None or where is None or select.args.get("joins"):
            continue
        among = next((each for each in _all_of(where.this) if _is_of_index(each, node.alias, sky)), None)
        if among is None:
            continue
        names = {column.name.lower() for column in select.find_all(exp.Column)
                 if column is not among.this and column.table == node.alias}  # fmt: skip
        rows = among.args["query"].this.name
        if boxes.moves(rows) or not names <= {sky.ra, sky.dec}:
            continue
        inner = exp.Var(this=boxes.with_places(sky, rows))
        among.replace(exp.Literal.number(1))
        node.replace(exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(node.alias, quoted=True))))


def _all_of(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Give the conditions that are all to hold."""
    if isinstance(condition, exp.Paren):
        yield from _all_of(condition.this)
    elif isinstance(condition, exp.And):
        yield from _all_of(condition.this)
        yield from _all_of(condition.expression)
    else:
        yield condition


def _is_of_index(condition: exp.Expr, alias: str, sky: Sky) -> bool:
    """Whether a condition is that a row of a table is one of those that its index gives."""
    if not isinstance(condition, exp.In) or not isinstance(condition.this, exp.Column):
        return False
    rows = condition.args.get("query")
    own = isinstance(rows, exp.Subquery) and isinstance(rows.this, exp.Var)  # only SQL of our own is a Var
    return own and (condition.this.name, condition.this.table) == (sky.key, alias)


def _put_in_tables(tree: exp.Query, used: dict[str, Table]) -> None:
    """Put in place of each table a subquery with its columns, which SQLite makes one with the question."""
    for node in list(tree.find_all(exp.Table)):
        table = used.get(node.name)
        if table is None:
            continue
        listed = [f"{_expression(column)} AS {_quoted(column.name)}" for column in table.columns]
        if table.sky is not None:
            listed.append(f"{_quoted(table.sky.key)} AS {_quoted(table.sky.key)}")
        # SQL of our own: it goes through as it is.
        inner = exp.Var(this=f"SELECT {', '.join(listed)} FROM {table.rows}")
        node.replace(exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(node.alias, quoted=True))))


def _expression(column: Column) -> str:
    if not column.sql:
        return _quoted(column.name)
    # Text is compared without regard to case, where it is a column of the index and where it is worked out.
    return f"({column.sql}) COLLATE NOCASE" if column.datatype == "char" else column.sql


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
