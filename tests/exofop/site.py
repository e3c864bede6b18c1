"""An ExoFOP over real HTTP that can fail as told: the folder of `tests.exofopfolder`, with what the examples name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from tessellar.products.exofopfolder import read_table, table_text
from tessellar.products.exofoptables import PROPRIETARY
from tessellar.products.exofopusers import Account, accounts_text, read_accounts
from tests import exofopfolder as made

LOVELACE, HER_PASSWORD = "lovelace", "Note=G; 1843"
#: A star of the documentation's examples, which has no TOI.
EXAMPLE = "123456789"
#: Tags that the examples need besides those of `tests.exofopfolder`.
MORE_TAGS = ("6101", "6102")
EXAMPLE_TAGS = ("7001", "7002", "7003", "7004", "7005", "7006")
#: A tag one of whose files is for a group only.
MIXED_TAG = "6201"
#: Zips that are sent as they are.
FLAT, NESTED, MANY_FOLDERS = "8001", "8002", "8003"
CLIMBING, ABSOLUTE, LINKED, BOMB, CUT = "8011", "8012", "8013", "8014", "8015"


def make(root: Path) -> Path:
    """Make the folder; return it."""
    made.make(root)
    folder = root / "exofop"
    rows = [(made.STAR, tag) for tag in MORE_TAGS] + [(EXAMPLE, tag) for tag in EXAMPLE_TAGS]
    _append(folder / "time_series.csv", [{"TIC ID": tic, "Tag": tag, "User": "ada"} for tic, tag in rows])
    _append(folder / "targets.csv", [{"TIC ID": EXAMPLE, "Star Names": f"TIC {EXAMPLE}", "RA": "10", "Dec": "-10"}])
    for tag in (*MORE_TAGS, *EXAMPLE_TAGS):
        (folder / "tags" / tag).mkdir()
        (folder / "tags" / tag / "notes.txt").write_text(f"Notes of tag {tag}.\n")
    (folder / "tags" / MIXED_TAG).mkdir()
    for name in ("public.txt", "proprietary.txt"):
        (folder / "tags" / MIXED_TAG / name).write_text(name)
    files = [
        {"File Name": "public.txt", "File ID": "62010", "TIC": made.SECOND, "Tag": MIXED_TAG, "User": "ada"},
        {"File Name": "proprietary.txt", "File ID": "62011", "TIC": made.SECOND, "Tag": MIXED_TAG, "User": "ada"},
    ]
    _append(folder / "files.csv", [files[0], {**files[1], "Group": "tfopwg", PROPRIETARY: "Y"}])
    for tag, content in zips().items():
        (folder / "tags" / f"{tag}.zip").write_bytes(content)
    accounts = [*read_accounts(folder).values(), Account.create(LOVELACE, HER_PASSWORD, ["tfopwg"], cost=2**4)]
    (folder / "users.json").write_text(accounts_text(accounts))
    return root


def zips() -> dict[str, bytes]:
    """The zips that are sent as they are, by tag."""
    return {
        FLAT: zipped({"a_measurements.tbl": b"1 2\n" * 500, "a_notes.txt": b"clear"}),
        NESTED: zipped(
            {"8002/a.txt": b"a", "8002/plots/b.txt": b"b", "8002/plots/old/c.txt": b"c", "8002/empty/": b""}
        ),
        MANY_FOLDERS: zipped({"east/a.txt": b"a", "west/a.txt": b"A", "readme.txt": b"both"}),
        CLIMBING: zipped({"8011/a.txt": b"a", "8011/../../../climbed.txt": b"out"}),
        ABSOLUTE: zipped({"/tmp/tessellar-absolute.txt": b"out", "a.txt": b"a"}),
        LINKED: zipped({"a.txt": b"a", "way-out": b"/etc"}, links={"way-out"}),
        BOMB: bomb(10 * 1024**3),
        CUT: zipped({"a.txt": b"abc" * 5000}, zipfile.ZIP_STORED)[:-400],
    }


def zipped(
    files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, links: set[str] | frozenset[str] = frozenset()
) -> bytes:
    """Return a zip of files; those named in `links` are symbolic links."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.compress_type = method
            info.external_attr = (0o120777 if name in links else 0o100644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def bomb(size: int) -> bytes:
    """Return a zip with one file of `size` zeros, made without packing them one by one."""
    import struct
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = 1 << 24
    zeros = bytes(piece)
    first = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    body = first + again * (size // piece - 1) + packer.flush()
    name = b"zeros.dat"
    # Version 4.5 with sizes beyond 4 GB in an extra field; the CRC is never got to.
    extra = struct.pack("<HHQQ", 1, 16, size, len(body))
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 8, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra))
    record = local + name + extra + body
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 8, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra), 0, 0, 0, 0, 0
    )
    directory = entry + name + extra
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(record), 0)
    return record + directory + end


def _append(path: Path, rows: list[dict[str, str]]) -> None:
    table = read_table(path)
    new = [[row.get(column, "") for column in table.columns] for row in rows]
    path.write_text(table_text(table.columns, [*table.rows, *new]))
