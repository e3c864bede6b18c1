"""Searches that are too large for memory, straight to a file: strip by strip, gone on with after a kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tessellar.access.opening import archive_of
from tessellar.access.searching import criteria_of
from tessellar.archives import Archive, MastArchive
from tessellar.archives.asking import check_column
from tessellar.archives.mast import observations_of
from tessellar.archives.sweep import Span, Sweep, Tally
from tessellar.errors import InputError
from tessellar.products.tables import OBSERVATION_COLUMNS, ArchiveTable, ObservationTable
from tessellar.progress import Listener, ignore
from tessellar.store.tablefile import TableFile, check_format


@dataclass(frozen=True)
class Saved:
    """What was written.

    Attributes
    ----------
    path : Path
        The file.
    rows : int
        Its rows.
    twice : int
        Rows that the archive sent a second time; they are left out.
    missing : int
        Rows that the archive counted but does not give in any strip of declination.
    """

    path: Path
    rows: int
    twice: int
    missing: int


def save_observations(
    path: str | os.PathLike[str],
    *,
    wanted: Sequence[str] | None = None,
    archive: str | Archive | None = None,
    listener: Listener = ignore,
    **criteria: Any,
) -> Saved:
    """Write the observations that meet criteria into a file, however many there are.

    The archive is asked in strips of declination, each small enough to be
    answered; no more than one strip is in memory. When it is interrupted, or
    killed, the same call goes on with the next strip.

    Parameters
    ----------
    path : path-like
        Ending in ``.csv``, ``.ecsv`` or ``.parquet`` (this one needs the extra ``parquet``).
        It appears when it is complete; until then the rows lie beside it in ``.part``.
    wanted : sequence of str, optional
        Only these columns; they are also all that is asked of the archive.
    archive : str or Archive, optional
        By default the setting.
    listener : callable, optional
        Told of rows as they arrive.
    **criteria
        As `search` takes them; none is everything of TESS, images left out.

    Returns
    -------
    Saved
        The file, and how many rows it has.

    Raises
    ------
    InputError
        If a criterion or the file's ending makes no sense, or half of another table is in the way.
    ArchiveError
        If the archive fails; what was written is gone on with by the same call.
    StoreError
        If the file cannot be written.

    Examples
    --------
    >>> from tessellar.access import save_observations
    >>> save_observations("spoc.csv", author="SPOC", wanted=["obs_id", "target_name", "sequence_number"]).rows
    ... # doctest: +SKIP
    1436112
    """
    target = Path(path).expanduser().absolute()
    check_format(target)
    columns = [name for name in OBSERVATION_COLUMNS if name not in _OF_CONES] if wanted is None else list(wanted)
    for name in columns:
        check_column(name)
    opened = archive_of(archive)
    if not isinstance(opened, MastArchive):
        raise InputError(f"{opened.name}: only a MAST archive can be read strip by strip")
    asked = criteria_of(opened, **criteria)
    if asked.position is not None:
        raise InputError("a cone is no question for strips of declination: search returns it as a table")
    question = {"archive": opened.name, "criteria": repr(asked)}
    file = TableFile(target, ObservationTable, columns, question, {"archive": opened.name, **_template(opened)})

    def begin(pending: list[Span] | None, tally: Tally | None) -> Sweep:
        return opened.sweep(asked, wanted=wanted, pending=pending, tally=tally, listener=listener)

    return stream(file, begin, lambda sweep: (observations_of(rows, asked, columns) for rows in sweep))


def stream(
    file: TableFile,
    begin: Callable[[list[Span] | None, Tally | None], Sweep],
    tables: Callable[[Sweep], Iterable[ArchiveTable]],
) -> Saved:
    """Write what a sweep reads into a file, from where the last attempt stopped.

    Parameters
    ----------
    file : TableFile
        Closed in the end, whatever happens.
    begin : callable
        From the strips that are left, and what was read before, to the sweep.
    tables : callable
        From the sweep to a table of each of its strips that has rows.
    """
    try:
        note = file.note
        pending = [(float(low), float(high)) for low, high in note["pending"]] if "pending" in note else None
        sweep = begin(pending, Tally(**note["tally"]) if "tally" in note else None)
        written = int(note.get("written", 0))
        for table in tables(sweep):
            written += len(table)
            file.append(table, {"pending": sweep.pending, "tally": asdict(sweep.tally), "written": written})
        return Saved(file.finish(), written, sweep.tally.twice, sweep.tally.missing)
    finally:
        file.close()


_OF_CONES = ("distance", "separation")


def _template(archive: MastArchive) -> Mapping[str, str]:
    return {"url_template": archive.url_template}
