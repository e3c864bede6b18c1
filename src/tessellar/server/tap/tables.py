"""The tables of the service: those of MAST's TAP service for CAOM, over the index of a folder.

Columns are data (``data/columns.csv``): their names and order are those of the
live service, with the expression over the index that gives each. Of two views
beside ``dbo.obspointing``, and of the second ``obscore``, the live names are
not known here: they go by names of ours.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Any

from tessellar.server.columns import STAR
from tessellar.server.tap.model import Catalogue, Column, Key, Sky, Table

_OBSERVATIONS = Sky("s_ra", "s_dec", "s_region", "row", "observations_sky")
_STARS = Sky("ra", "dec", "", "row", "stars_sky")
_MEMBERS = """(SELECT d.obs_collection AS collection, d.obsid AS derived, s.obsid AS simple FROM main.observations AS d
    JOIN main.observations AS s ON s.target_name = d.target_name AND s.provenance_name = d.provenance_name
    WHERE adql_run_first(d.obs_id) IS NOT NULL AND adql_run_first(s.obs_id) IS NULL
    AND s.sequence_number BETWEEN adql_run_first(d.obs_id) AND d.sequence_number
    AND s.dataproduct_type = 'timeseries')"""
_ARTIFACTS = """main.artifacts AS a JOIN main.observations AS o ON o.row = a.observation
    JOIN main.artifact_kinds AS k ON k.row = a.kind"""
_NOTHING = "main.observations WHERE 0"

# What each table is, what of the index it is made from, and how its rows lie on the sky.
_TABLES: dict[str, tuple[str, str, Sky | None]] = {
    "dbo.obspointing": ("Observations, one row each, as the portal lists them", "main.observations", _OBSERVATIONS),
    "dbo.obspointing_tess": ("obspointing, products of the mission only",
                             "main.observations WHERE obs_collection = 'TESS'", _OBSERVATIONS),
    "dbo.obspointing_hlsp": ("obspointing, contributed products only",
                             "main.observations WHERE obs_collection = 'HLSP'", _OBSERVATIONS),
    "dbo.caomobservation": ("CAOM: observations", "main.observations", None),
    "dbo.caommembers": ("CAOM: which observations a multi-sector observation was made of", _MEMBERS, None),
    "dbo.caomplane": ("CAOM: planes; here one for each observation", "main.observations", None),
    "dbo.caomartifact": ("CAOM: files", _ARTIFACTS, None),
    "dbo.caompart": ("CAOM: parts of files; empty here", _NOTHING, None),
    "dbo.caomchunk": ("CAOM: world coordinates of parts of files; empty here", _NOTHING, None),
    "dbo.caomlink": ("CAOM: links between observations; empty here", _NOTHING, None),
    "dbo.caomproducttype": ("The kinds of files", "main.artifact_kinds", None),
    "ivoa.obscore": ("Observations in the data model ObsCore 1.1", "main.observations", _OBSERVATIONS),
    "ivoa.obscore_released": ("ivoa.obscore, with the date of release", "main.observations", _OBSERVATIONS),
    "dbo.tic": ("TESS Input Catalog: the stars that the folder knows of", "main.tic", _STARS),
}  # fmt: skip
_UTYPES = {"ivoa.obscore": "ivo://ivoa.net/std/obscore#table-1.1"}
_SCHEMAS = {
    "dbo": "The archive's own tables",
    "ivoa": "Views in the data models of the IVOA",
    "tap_schema": "What the service tells of its tables",
    "tap_upload": "Tables sent with a query",
}
_KEYS = (
    Key("dbo.caomplane", "dbo.caomobservation", "observationTID", "observationTID", "the observation of a plane"),
    Key("dbo.caomartifact", "dbo.caomplane", "planeTID", "planeTID", "the plane of a file"),
    Key("dbo.caomplane", "dbo.obspointing", "planeTID", "objID", "the portal's row of a plane"),
    Key("dbo.caommembers", "dbo.caomobservation", "derivedTID", "observationTID", "the multi-sector observation"),
    Key("dbo.caommembers", "dbo.caomobservation", "simpleTID", "observationTID", "one of its sectors"),
    Key("dbo.caomobservation", "ivoa.obscore", "observationID", "obs_id", "the same observation in ObsCore"),
    Key("dbo.caomartifact", "dbo.caomproducttype", "productTypeID", "typeID", "the kind of a file"),
    Key("tap_schema.tables", "tap_schema.schemas", "schema_name", "schema_name"),
    Key("tap_schema.columns", "tap_schema.tables", "table_name", "table_name"),
    Key("tap_schema.keys", "tap_schema.tables", "from_table", "table_name"),
    Key("tap_schema.keys", "tap_schema.tables", "target_table", "table_name"),
    Key("tap_schema.key_columns", "tap_schema.keys", "key_id", "key_id"),
)
_STAR_UCDS = {
    "ID": "meta.id;meta.main", "ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main", "pmRA": "pos.pm;pos.eq.ra",
    "pmDEC": "pos.pm;pos.eq.dec", "plx": "pos.parallax", "Tmag": "phot.mag;em.opt", "GAIAmag": "phot.mag;em.opt",
    "Teff": "phys.temperature.effective", "logg": "phys.gravity", "rad": "phys.size.radius", "mass": "phys.mass",
    "contratio": "arith.ratio",
}  # fmt: skip
_STAR_TYPES = {"text": "char", "real": "double", "whole": "int", "flag": "boolean", "id": "long"}
# Units of the catalogue that VOUnits writes in another way.
_VOUNITS = {"mas/year": "mas/yr", "solar units": "", "cgs": "", "parsec": "pc"}

_TAP_SCHEMA: dict[str, tuple[tuple[str, str], ...]] = {
    "schemas": (("schema_name", "char"), ("utype", "char"), ("description", "char"), ("schema_index", "int")),
    "tables": (("schema_name", "char"), ("table_name", "char"), ("table_type", "char"), ("utype", "char"),
               ("description", "char"), ("table_index", "int")),
    "columns": (("table_name", "char"), ("column_name", "char"), ("utype", "char"), ("ucd", "char"), ("unit", "char"),
                ("description", "char"), ("datatype", "char"), ("arraysize", "char"), ("xtype", "char"),
                ("size", "int"), ("principal", "int"), ("indexed", "int"), ("std", "int"), ("column_index", "int")),
    "keys": (("key_id", "char"), ("from_table", "char"), ("target_table", "char"), ("description", "char"),
             ("utype", "char")),
    "key_columns": (("key_id", "char"), ("from_column", "char"), ("target_column", "char")),
}  # fmt: skip


@cache
def catalogue() -> Catalogue:
    """Return all tables that the service has without uploads."""
    listed: dict[str, list[Column]] = {name: [] for name in _TABLES}
    text = files("tessellar.server.tap").joinpath("data", "columns.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        flags = row["flags"]
        names = {name: row[name] for name in ("datatype", "unit", "ucd", "description", "utype", "xtype", "sql")}
        flags = {name: name[0] in row["flags"] for name in ("indexed", "principal", "std")}
        listed[row["table"]].append(Column(row["column"], **names, **flags))  # type: ignore[arg-type]
    listed["dbo.tic"] = _star_columns()
    tables = []
    for full_name, (what, rows, sky) in _TABLES.items():
        schema, name = full_name.split(".")
        tables.append(Table(schema, name, tuple(listed[full_name]), rows, what, sky, _UTYPES.get(full_name, "")))
    return Catalogue((*tables, *_own_tables(tables)), _KEYS, _SCHEMAS)


def _star_columns() -> list[Column]:
    return [
        Column(
            name,
            _STAR_TYPES[column.kind],
            _VOUNITS.get(column.unit, column.unit),
            _STAR_UCDS.get(name, ""),
            column.description or column.label,
            indexed=name in ("ID", "ra", "dec"),
            principal=name in _STAR_UCDS,
        )
        for name, column in STAR.items()
    ]


def _own_tables(tables: list[Table]) -> list[Table]:
    """Return the tables of TAP_SCHEMA; they tell also of themselves."""
    names = {"schemas": "Schemas", "tables": "Tables", "columns": "Columns", "keys": "Foreign keys",
             "key_columns": "Columns of foreign keys"}  # fmt: skip
    empty = [
        Table("tap_schema", name, tuple(Column(*column, std=True) for column in columns), "", names[name])
        for name, columns in _TAP_SCHEMA.items()
    ]
    told = _told([*tables, *empty])
    return [
        Table(
            table.schema,
            table.name,
            tuple(Column(c.name, c.datatype, std=True, sql=f"column{i}") for i, c in enumerate(table.columns, start=1)),
            _values(told[table.name], len(table.columns)),
            table.description,
        )
        for table in empty
    ]


def _told(tables: list[Table]) -> dict[str, list[tuple[Any, ...]]]:
    schemas = [name for name in _SCHEMAS if name != "tap_upload"]
    return {
        "schemas": [(name, None, _SCHEMAS[name], i) for i, name in enumerate(schemas)],
        "tables": [(t.schema, t.full_name, "view", t.utype or None, t.description, i) for i, t in enumerate(tables)],
        "columns": [
            (t.full_name, c.written, c.utype or None, c.ucd or None, c.unit or None, c.description or None, c.datatype,
             "*" if c.datatype == "char" else None, c.xtype or None, None, int(c.principal), int(c.indexed),
             int(c.std), i)
            for t in tables for i, c in enumerate(t.columns)
        ],
        "keys": [(f"key_{i}", k.from_table, k.target_table, k.description, None) for i, k in enumerate(_KEYS)],
        "key_columns": [(f"key_{i}", k.from_column, k.target_column) for i, k in enumerate(_KEYS)],
    }  # fmt: skip


def _values(rows: list[tuple[Any, ...]], width: int) -> str:
    """Return rows as a table of SQL: they are few, and belong to no database."""
    if not rows:
        return f"(SELECT {', '.join(f'NULL AS column{i + 1}' for i in range(width))} WHERE 0)"
    return f"(VALUES {', '.join('(' + ', '.join(map(_literal, row)) + ')' for row in rows)})"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
