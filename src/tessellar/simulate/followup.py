"""What the follow-up community would know of a simulated sky, as a folder of ExoFOP data beside its files.

TOIs that agree with the planets of the sky, tables of observations, and tags with files in them:
light curves from the ground that show the true transits, a contrast curve, notes. One tag of each
candidate is proprietary. ``tessellar serve`` answers ExoFOP's addresses from it.

Two users may log in, with the password ``simulated``: ``observer`` is of the group ``tfopwg`` and sees
what is proprietary, ``visitor`` is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from tessellar.products.exofopfolder import FOLDER, TAGS, table_text
from tessellar.products.exofoptables import COLUMNS, PROPRIETARY
from tessellar.products.exofopusers import USERS_FILE, Account, accounts_text
from tessellar.simulate import fields
from tessellar.simulate.candidates import Row, candidate_rows, has_toi, star_rows, toi_of, toi_system
from tessellar.simulate.filing import whole_file
from tessellar.simulate.groundbased import (
    MUSCAT_SITES,
    SITES,
    Night,
    astroimagej_table,
    contrast_table,
    muscat_table,
    visible_nights,
)
from tessellar.simulate.signals import EclipsingBinary
from tessellar.simulate.stars import FIRST_TIC, Sky, Star

#: The first tag; those of the next star begin 100 later.
FIRST_TAG = 900100
#: Of both users.
PASSWORD = "simulated"
GROUP = "tfopwg"

_OBSERVER = {"User": "observer", "Group": GROUP}
_MUSCAT_FILTERS = ("g", "r", "i", "zs")
_SUMMARISED = {"Time Series": "time_series", "Spectroscopy": "spectroscopy", "Imaging": "imaging"}
# Free text as real observers write it: bars, line breaks, HTML without an end.
_NOTE = "two events | one of them\nlate, <b>see the plots of both &nbsp;"


@dataclass
class _Folder:
    """The tables and files of the folder, as they grow."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, table: str, row: Row) -> None:
        self.rows[table].append(row)

    def tag(self, number: int, what: str, star: Star, night: date, owner: Row, contents: Mapping[str, str]) -> None:
        """Put files under a tag, with the rows that tell of them."""
        name = f"{night:%Y%m%d}_{owner['User']}_tic{star.tic}_{number % 100:02d}"
        day = str(night + timedelta(days=2))
        dates = {"Date Tag Created": day, "Date Tag Last Modified": day}
        self.add("tags", {"Tag ID": str(number), "Tag": name, **dates, **owner})
        for place, (filename, text) in enumerate(contents.items()):
            self.files[f"{FOLDER}/{TAGS}/{number}/{filename}"] = text.encode()
            self.add("files", {
                "Type": what, "File Name": filename, "File ID": f"{number}{place:02d}", "TIC": str(star.tic),
                "TOI": toi_of(star), "Date": day, "Tag": str(number), "Description": f"{what} of {night}", **owner,
            })  # fmt: skip

    def written(self) -> dict[str, bytes]:
        """Every file of the folder, by its path below the sky's."""
        tables = {}
        for name, rows in self.rows.items():
            columns = (*COLUMNS[name], PROPRIETARY)
            text = table_text(columns, ([row.get(column, "") for column in columns] for row in rows))
            tables[f"{FOLDER}/{name}.csv"] = text.encode()
        return {**self.files, **tables}


def followup_files(sky: Sky, sectors: Sequence[int], seed: int = 1) -> dict[str, bytes]:
    r"""Make the folder ``exofop`` of a sky.

    Parameters
    ----------
    sky : Sky
        Its targets with planets become TOIs; the eclipsing binary is one that was found out.
    sectors : sequence of int
        In which it was observed.
    seed : int
        Of the noise.

    Returns
    -------
    dict of str to bytes
        What its files hold, by their paths below the sky's folder.

    Examples
    --------
    >>> from tessellar.simulate.stars import default_targets, place
    >>> files = followup_files(place(default_targets(), (75.0, -69.0)), [1, 2])
    >>> print(*sorted(files)[:3], sep="\n")
    exofop/ctois.csv
    exofop/files.csv
    exofop/imaging.csv
    """
    made = _Folder()
    end = max(fields.sector_span(sector)[1] for sector in sectors)
    for star in sky.targets:
        for table, row in star_rows(star, sky):
            made.add(table, row)
        if not has_toi(star):
            continue
        _observe(made, star, sky, end, np.random.default_rng([seed, 7, star.tic]))
        counts = {title: _public(made.rows[name], star) for title, name in _SUMMARISED.items()}
        for table, row in candidate_rows(star, sectors, _day(end + 30), counts):
            made.add(table, row)
    return {**made.written(), f"{FOLDER}/{USERS_FILE}": _users().encode()}


def write_followup(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write the files of `followup_files` below a sky's folder; their names.

    Raises
    ------
    NoSpace, NoPermission, StoreError
        If one cannot be written.
    """
    for name, content in files.items():
        with whole_file(folder / name) as stream:
            stream.write(content)
    return list(files)


def _users() -> str:
    accounts = [
        # The same sky has the same bytes, so the salt is no secret of the moment; nor is the password.
        Account.create(name, PASSWORD, groups, salt=hashlib.sha256(name.encode()).digest()[:16])
        for name, groups in (("observer", [GROUP]), ("visitor", []))
    ]
    return accounts_text(accounts)


def _public(rows: Sequence[Row], star: Star) -> int:
    return sum(row["TIC ID"] == str(star.tic) and PROPRIETARY not in row for row in rows)


def _observe(made: _Folder, star: Star, sky: Sky, end: float, rng: np.random.Generator) -> None:
    """Nights from the ground, an image, a spectrum and notes of one candidate, each with a tag."""
    tag = FIRST_TAG + 100 * (star.tic - FIRST_TIC)
    comparisons = tuple(sorted(fields.near(sky, star), key=lambda other: other.tmag)[:4])
    nights = visible_nights(star, SITES, end + 60, 2) if len(comparisons) > 1 else []
    for night, owner in zip(nights, (_OBSERVER, {**_OBSERVER, PROPRIETARY: "Y"}), strict=False):
        name = f"TIC{star.tic}-01_{night.date:%Y%m%d}_{night.site.code}_ip"
        table = astroimagej_table(night, comparisons, rng)
        contents = {f"{name}_measurements.tbl": table, f"{name}_notes.txt": _report(night)}
        made.tag(tag, "Light Curve", star, night.date, owner, contents)
        made.add("time_series", _series(night, "ip", tag, owner, "" if PROPRIETARY in owner else _NOTE))
        tag += 1
    for night in visible_nights(star, MUSCAT_SITES, end + 60, 1, exposure=90.0):
        start = f"TOI{toi_of(star)}L-ob{night.date:%Y%m%d}_{night.site.code}"
        tables = {f"{start}_{each}_measurements.csv": muscat_table(night, rng) for each in _MUSCAT_FILTERS}
        made.tag(tag, "Light Curve", star, night.date, _OBSERVER, tables)
        for each in _MUSCAT_FILTERS:
            made.add("time_series", _series(night, each, tag, _OBSERVER, "on time"))
        tag += 1
    _image(made, star, tag, _day(end + 90))
    _spectrum(made, star, tag + 1, _day(end + 45))
    _notes(made, star, tag, _day(end + 91))


def _series(night: Night, used_filter: str, tag: int, owner: Row, notes: str) -> Row:
    site = night.site
    return {
        "TIC ID": str(night.star.tic), "TOI": f"TOI {toi_of(night.star)}", "Telescope": site.telescope,
        "Camera": site.camera, "Filter": used_filter, "Pixel Scale": f"{site.pixel_scale:g}".removeprefix("0"),
        "PSF": "1.9", "Phot Aperture Rad": "15", "Obs Date": str(night.date), "Obs Duration": f"{night.minutes:.0f}",
        "Num Obs": str(len(night.jd_utc)), "Obs Type": "Continuous", "Transit Coverage": "Full", "Tag": str(tag),
        "Notes": notes, **owner,
    }  # fmt: skip


def _report(night: Night) -> str:
    count, air = len(night.jd_utc), night.airmass
    return (
        f"TIC {night.star.tic}-01 on UT{night.date} from {night.site.telescope}\n\n"
        f"{count} exposures of {night.exposure:g} s, airmass {air[0]:.2f} to {air[-1]:.2f}.\n"
        "The event is seen on target, on time.\n"
    )


def _image(made: _Folder, star: Star, tag: int, day: date) -> None:
    name = f"TOI{toi_system(star)}I-ob{day:%Y%m%d}_I_plot.tbl"
    table = contrast_table(star, day, "SOAR (4.1 m)", "HRCam")
    made.tag(tag, "Image", star, day, _OBSERVER, {name: table})
    made.add("imaging", {
        "TIC ID": str(star.tic), "TOI": f"TOI {toi_system(star)}", "Telescope": "SOAR (4.1 m)", "Instrument": "HRCam",
        "Filter": "I", "Image Type": "Speckle", "Pixel Scale": ".01575", "PSF": ".064",
        "Contrast": "6.5 mag at 1 arcsec", "Obs Date": str(day), "Tag": str(tag), **_OBSERVER,
    })  # fmt: skip


def _spectrum(made: _Folder, star: Star, tag: int, day: date) -> None:
    name = f"TIC{star.tic}-01_{day:%Y%m%d}_SMARTS-CHIRON_notes.txt"
    binary = isinstance(star.signal, EclipsingBinary)
    seen = "The velocity has changed by 60 km/s: two stars." if binary else "One set of lines, slowly rotating."
    used = {
        "TIC ID": str(star.tic),
        "Telescope": "SMARTS (1.5 m)",
        "Instrument": "CHIRON",
        "Tag": str(tag),
        **_OBSERVER,
    }
    made.tag(tag, "Spectrum", star, day, _OBSERVER, {name: f"TIC {star.tic}: {seen}\n"})
    made.add("spectroscopy", {
        **used, "TOI": f"TOI {toi_system(star)}", "Spectral resolution": "80000",
        "Wavelength coverage": "4505 to 8899 Angstroms", "SNR/resolution": "35", "SNR wavelength": "5500 Angstroms",
        "Appropriate to PRV": "No" if binary else "Yes", "Obs Date": f"{day} 03:00:00", "Notes": seen,
    })  # fmt: skip
    made.add("stellar_parameters", {
        **used, "Table": "Stellar", "Teff (K)": f"{star.teff + 15:.0f}", "Teff (K) err": "50",
        "log(g)": f"{star.logg:g}", "vsini (km/s)": "3.1", "Date": str(day),
    })  # fmt: skip


def _notes(made: _Folder, star: Star, tag: int, day: date) -> None:
    private = {"Username": "observer", "Groupname": GROUP, PROPRIETARY: "Y"}
    for owner, text in (({"Username": "visitor"}, _NOTE), (private, "the second night is not for others yet")):
        number = f"{tag}{len(made.rows['notes'])}"
        words = {"Lastmod": f"{day} 12:01:00", "notes": f"TOI{toi_of(star)}: {text}"}
        made.add("notes", {"ID": number, "TIC ID": str(star.tic), **words, **owner})


def _day(btjd: float) -> date:
    return date.fromordinal(int(2457000 + btjd - 1721424.5))
