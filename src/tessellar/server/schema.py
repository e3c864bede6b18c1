"""The tables of an index, and what makes an SQLite file one.

What is asked for stands in tables and views whose columns are those of MAST:

``observations``
    One row an observation; `OBSERVATION`, then camera and CCD.
``products``
    One row a file: `PRODUCT`. A view, for most of it is the same for thousands of
    files (``artifact_kinds``) or stands with the observation already; of the
    file itself, ``artifacts`` keeps little more than its name and size.
``tic``
    One row a star: `STAR`. A view of the best row of ``stars`` for each id.

The companions ``observations_sky`` and ``stars_sky`` are told of in
`tessellar.server.sphere`. The rest is the index's own: ``files`` is every file
of the folder with what it says, and files and rows with the same ``grp``
are made anew together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from tessellar import __version__
from tessellar.errors import InputError, StoreError
from tessellar.server.columns import OBSERVATION, PRODUCT, STAR, Column
from tessellar.server.sphere import sky_table

#: To be raised when the tables, or what is written into them, change.
LAYOUT = 3

_MARK = 0x7E55E11A  # by which SQLite knows the file as ours

# The columns of a product that are the same for all files of a kind.
KIND_COLUMNS = (
    "obs_collection", "description", "type", "productType", "productGroupDescription", "productSubGroupDescription",
    "project", "prvversion",
)  # fmt: skip
_KIND_COLUMNS = ", ".join(KIND_COLUMNS)
_FROM_FILE = {
    "obsID": "o.obsid", "parent_obsid": "o.obsid", "dataURI": "a.base || a.filename", "productFilename": "a.filename",
    "size": "a.size", "productDocumentationURL": "NULL",
}  # fmt: skip


def _product(name: str) -> str:
    source = _FROM_FILE.get(name) or (f'k."{name}"' if name in KIND_COLUMNS else f'o."{name}"')
    return f'{source} AS "{name}"'


def _declared(columns: Mapping[str, Column], *more: str) -> str:
    return ", ".join(["row INTEGER PRIMARY KEY", *(column.sql for column in columns.values()), *more])


STATEMENTS = (
    """CREATE TABLE files (row INTEGER PRIMARY KEY, folder TEXT, name TEXT, size INTEGER, mtime_ns INTEGER, state TEXT,
       note TEXT, grp TEXT, uri TEXT, facts TEXT, UNIQUE (folder, name))""",
    "CREATE INDEX files_grp ON files (grp)",
    "CREATE INDEX files_uri ON files (uri)",
    f"CREATE TABLE observations ({_declared(OBSERVATION, 'camera INTEGER', 'ccd INTEGER', 'grp TEXT')})",
    "CREATE UNIQUE INDEX observations_obsid ON observations (obsid)",
    "CREATE INDEX observations_target ON observations (target_name)",
    "CREATE INDEX observations_obs_id ON observations (obs_id)",
    "CREATE INDEX observations_sector ON observations (sequence_number)",
    "CREATE INDEX observations_grp ON observations (grp)",
    sky_table("observations"),
    f"CREATE TABLE artifact_kinds (row INTEGER PRIMARY KEY, {_KIND_COLUMNS}, UNIQUE ({_KIND_COLUMNS}))",
    # Clustered by observation, which is how files are asked for.
    """CREATE TABLE artifacts (observation INTEGER, place INTEGER, kind INTEGER, base TEXT, filename TEXT, size INTEGER,
       file INTEGER, PRIMARY KEY (observation, place)) WITHOUT ROWID""",
    "CREATE INDEX artifacts_filename ON artifacts (filename)",
    f"""CREATE VIEW products AS SELECT {", ".join(map(_product, PRODUCT))}, a.observation, a.place, a.file
        FROM artifacts AS a JOIN observations AS o ON o.row = a.observation
        JOIN artifact_kinds AS k ON k.row = a.kind""",
    f"CREATE TABLE stars ({_declared(STAR, 'rank INTEGER', 'best INTEGER', 'grp TEXT')})",
    "CREATE INDEX stars_id ON stars (ID, rank)",
    "CREATE INDEX stars_grp ON stars (grp)",
    sky_table("stars"),
    # Of several sources that speak of a star, the best one counts.
    f"CREATE VIEW tic AS SELECT row, {', '.join(STAR)} FROM stars WHERE best",
    "CREATE TABLE names (key TEXT, name TEXT, tic INTEGER, grp TEXT)",
    "CREATE INDEX names_key ON names (key)",
    "CREATE INDEX names_grp ON names (grp)",
    "CREATE TABLE stamp (version TEXT, changes INTEGER)",
)  # fmt: skip


def version() -> str:
    """Return what an index of this program calls itself."""
    return f"{LAYOUT} {__version__}"


def make_ready(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables where there are none yet, or only those of another version.

    Raises
    ------
    InputError
        If the file is a database of something else.
    StoreError
        If this SQLite lacks what an index needs.
    """
    connection.execute("BEGIN IMMEDIATE")
    if _stamp(connection) != version():
        _create(connection, path)
    connection.execute("COMMIT")


def _stamp(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("SELECT version FROM stamp").fetchone()
    except sqlite3.OperationalError:
        return ""
    return str(row[0]) if row else ""


def _create(connection: sqlite3.Connection, path: str) -> None:
    listed = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table') AND name NOT LIKE 'sqlite_%'"
    if connection.execute(listed).fetchone() and connection.execute("PRAGMA application_id").fetchone()[0] != _MARK:
        raise InputError(f"{path}: is a database, but not an index of tessellar; choose another place")
    # Views first, and a virtual table takes tables of its own with it.
    for _ in range(2):
        for kind, name in connection.execute(f"{listed} ORDER BY type DESC, sql LIKE '%VIRTUAL%' DESC").fetchall():
            connection.execute(f'DROP {kind} IF EXISTS "{name}"')
    connection.execute(f"PRAGMA application_id = {_MARK}")
    try:
        for statement in STATEMENTS:
            connection.execute(statement)
    except sqlite3.OperationalError as error:
        if "no such module" in str(error):
            raise StoreError(
                f"SQLite {sqlite3.sqlite_version} of this Python has no R*Tree, which an index needs: use another build"
            ) from error
        raise
    connection.execute("INSERT INTO stamp VALUES (?, 0)", (version(),))
