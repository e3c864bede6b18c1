"""What the TAP service has to tell of itself: tables and columns, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from tessellar.errors import QueryError

#: The data types of columns, as VOTable and TAP_SCHEMA know them.
TYPES = ("char", "short", "int", "long", "float", "double", "boolean")


# Words that ADQL 2.0 (section 2.1.2) keeps for itself: as names of columns they stand in double quotes.
_RESERVED = frozenset(
    [
        "ABS",
        "ACOS",
        "AREA",
        "ASIN",
        "ATAN",
        "ATAN2",
        "BOX",
        "CEILING",
        "CENTROID",
        "CIRCLE",
        "CONTAINS",
        "COORD1",
        "COORD2",
        "COORDSYS",
        "COS",
        "COT",
        "DEGREES",
        "DISTANCE",
        "EXP",
        "FLOOR",
        "INTERSECTS",
        "LOG",
        "LOG10",
        "MOD",
        "PI",
        "POINT",
        "POLYGON",
        "POWER",
        "RADIANS",
        "REGION",
        "RAND",
        "ROUND",
        "SIN",
        "SQRT",
        "TOP",
        "TAN",
        "TRUNCATE",
        "ABSOLUTE",
        "ACTION",
        "ADD",
        "ALL",
        "ALLOCATE",
        "ALTER",
        "AND",
        "ANY",
        "ARE",
        "AS",
        "ASC",
        "ASSERTION",
        "AT",
        "AUTHORIZATION",
        "AVG",
        "BEGIN",
        "BETWEEN",
        "BIT",
        "BIT_LENGTH",
        "BOTH",
        "BY",
        "CASCADE",
        "CASCADED",
        "CASE",
        "CAST",
        "CATALOG",
        "CHAR",
        "CHARACTER",
        "CHAR_LENGTH",
        "CHARACTER_LENGTH",
        "CHECK",
        "CLOSE",
        "COALESCE",
        "COLLATE",
        "COLLATION",
        "COLUMN",
        "COMMIT",
        "CONNECT",
        "CONNECTION",
        "CONSTRAINT",
        "CONSTRAINTS",
        "CONTINUE",
        "CONVERT",
        "CORRESPONDING",
        "COUNT",
        "CREATE",
        "CROSS",
        "CURRENT",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "CURSOR",
        "DATE",
        "DAY",
        "DEALLOCATE",
        "DECIMAL",
        "DECLARE",
        "DEFAULT",
        "DEFERRABLE",
        "DEFERRED",
        "DELETE",
        "DESC",
        "DESCRIBE",
        "DESCRIPTOR",
        "DIAGNOSTICS",
        "DISCONNECT",
        "DISTINCT",
        "DOMAIN",
        "DOUBLE",
        "DROP",
        "ELSE",
        "END",
        "ESCAPE",
        "EXCEPT",
        "EXCEPTION",
        "EXEC",
        "EXECUTE",
        "EXISTS",
        "EXTERNAL",
        "EXTRACT",
        "FALSE",
        "FETCH",
        "FIRST",
        "FLOAT",
        "FOR",
        "FOREIGN",
        "FOUND",
        "FROM",
        "FULL",
        "GET",
        "GLOBAL",
        "GO",
        "GOTO",
        "GRANT",
        "GROUP",
        "HAVING",
        "HOUR",
        "IDENTITY",
        "IMMEDIATE",
        "IN",
        "INDICATOR",
        "INITIALLY",
        "INNER",
        "INPUT",
        "INSENSITIVE",
        "INSERT",
        "INT",
        "INTEGER",
        "INTERSECT",
        "INTERVAL",
        "INTO",
        "IS",
        "ISOLATION",
        "JOIN",
        "KEY",
        "LANGUAGE",
        "LAST",
        "LEADING",
        "LEFT",
        "LEVEL",
        "LIKE",
        "LOCAL",
        "LOWER",
        "MATCH",
        "MAX",
        "MIN",
        "MINUTE",
        "MODULE",
        "MONTH",
        "NAMES",
        "NATIONAL",
        "NATURAL",
        "NCHAR",
        "NEXT",
        "NO",
        "NOT",
        "NULL",
        "NULLIF",
        "NUMERIC",
        "OCTET_LENGTH",
        "OF",
        "ON",
        "ONLY",
        "OPEN",
        "OPTION",
        "OR",
        "ORDER",
        "OUTER",
        "OUTPUT",
        "OVERLAPS",
        "PAD",
        "PARTIAL",
        "POSITION",
        "PRECISION",
        "PREPARE",
        "PRESERVE",
        "PRIMARY",
        "PRIOR",
        "PRIVILEGES",
        "PROCEDURE",
        "PUBLIC",
        "READ",
        "REAL",
        "REFERENCES",
        "RELATIVE",
        "RESTRICT",
        "REVOKE",
        "RIGHT",
        "ROLLBACK",
        "ROWS",
        "SCHEMA",
        "SCROLL",
        "SECOND",
        "SECTION",
        "SELECT",
        "SESSION",
        "SESSION_USER",
        "SET",
        "SIZE",
        "SMALLINT",
        "SOME",
        "SPACE",
        "SQL",
        "SQLCODE",
        "SQLERROR",
        "SQLSTATE",
        "SUBSTRING",
        "SUM",
        "SYSTEM_USER",
        "TABLE",
        "TEMPORARY",
        "THEN",
        "TIME",
        "TIMESTAMP",
        "TIMEZONE_HOUR",
        "TIMEZONE_MINUTE",
        "TO",
        "TRAILING",
        "TRANSACTION",
        "TRANSLATE",
        "TRANSLATION",
        "TRIM",
        "TRUE",
        "UNION",
        "UNIQUE",
        "UNKNOWN",
        "UPDATE",
        "UPPER",
        "USAGE",
        "USER",
        "USING",
        "VALUE",
        "VALUES",
        "VARCHAR",
        "VARYING",
        "VIEW",
        "WHEN",
        "WHENEVER",
        "WHERE",
        "WITH",
        "WORK",
        "WRITE",
        "YEAR",
        "ZONE",
    ]
)


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        As it is told; questions may write it in any case.
    datatype : str
        One of `TYPES`; ``char`` is text of any length.
    unit, ucd, utype, description : str
        As in TAP_SCHEMA.
    xtype : str
        ``adql:REGION`` for footprints.
    sql : str
        What gives its value in the table's own `Table.rows`; by default the column of that name.
    indexed, principal, std : bool
        As in TAP_SCHEMA.
    """

    name: str
    datatype: str = "char"
    unit: str = ""
    ucd: str = ""
    description: str = ""
    utype: str = ""
    xtype: str = ""
    sql: str = ""
    indexed: bool = False
    principal: bool = False
    std: bool = False

    @property
    def written(self) -> str:
        """Its name as a question writes it."""
        return f'"{self.name}"' if self.name.upper() in _RESERVED else self.name


@dataclass(frozen=True)
class Sky:
    """How the rows of a table lie on the sky.

    Attributes
    ----------
    ra, dec, region : str
        The columns with the position and the footprint; empty without one.
    key : str
        The column, not told of, that numbers the rows of `index`.
    index : str
        The R*Tree (`tessellar.server.sphere`) of boxes around them.
    """

    ra: str
    dec: str
    region: str
    key: str
    index: str


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes
    ----------
    schema, name : str
        Together its full name, ``schema.name``.
    columns : tuple of Column
        In their order.
    rows : str
        What stands after FROM in the statement of SQLite that gives its rows.
    description : str
        As in TAP_SCHEMA.
    sky : Sky or None
        How its rows lie on the sky.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    rows: str
    description: str = ""
    sky: Sky | None = None
    utype: str = ""

    @property
    def full_name(self) -> str:
        """Schema and name."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Its columns by their names in lower case."""
        return {column.name.lower(): column for column in self.columns}

    @property
    def places(self) -> Sky | None:
        """Its index of places, if that has all its rows that have a place, with these as they are told."""
        if self.sky is None or self.rows != f"main.{self.sky.index.removesuffix('_sky')}":
            return None
        worked_out = any(self.by_name[name].sql not in ("", name) for name in (self.sky.ra, self.sky.dec))
        return None if worked_out else self.sky


@dataclass(frozen=True)
class Key:
    """A foreign key: rows of one table name rows of another."""

    from_table: str
    target_table: str
    from_column: str
    target_column: str
    description: str = ""


@dataclass(frozen=True)
class Catalogue:
    """All tables that a question may name."""

    tables: tuple[Table, ...]
    keys: tuple[Key, ...] = ()
    schemas: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables)

    def having(self, more: Iterable[Table]) -> Catalogue:
        """Return a catalogue with more tables, such as uploaded ones."""
        return Catalogue((*self.tables, *more), self.keys, self.schemas)

    def find(self, schema: str, name: str) -> Table:
        """Return a table by its name in any case, with or without its schema.

        Raises
        ------
        QueryError
            If there is none: the nearest names are told. If there are several
            in different schemas, the first one is meant.
        """
        for table in self.tables:
            if table.name.lower() == name.lower() and (not schema or table.schema.lower() == schema.lower()):
                return table
        asked = f"{schema}.{name}" if schema else name
        names = {table.full_name.lower(): table.full_name for table in self.tables}
        names.update({table.name.lower(): table.full_name for table in self.tables})
        close = [names[match] for match in get_close_matches(asked.lower(), names, n=2, cutoff=0.5)]
        hint = f"did you mean {' or '.join(dict.fromkeys(close))}?" if close else "see the list at /tables"
        raise QueryError(f"table {asked!r} is not known: {hint}")
