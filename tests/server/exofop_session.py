"""What a user of the package exofop 0.0.3 does, against the archive whose URL is given; prints JSON.

The package knows no other address than ExoFOP's own, nor a first login: both are mended here, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import exofop.utils.urls as urls

base, star, toi, user, password, work = sys.argv[1:7]
urls.BASE_URL = base  # before anything else is imported from the package

import httpx  # noqa: E402
from exofop.download import ExoFOPAuthenticator, System, SystemDownloader, TagDownloader, identifiers  # noqa: E402


class _HereAsWell:
    """httpx, for the one address that is written out in full."""

    def get(self, url: str, **options: Any) -> httpx.Response:
        return httpx.get(url.replace("https://exofop.ipac.caltech.edu", base), **options)


identifiers.httpx = _HereAsWell()
# Its debugging message looks the cookie up by ExoFOP's own host.
TagDownloader.client_kwargs = property(
    lambda self: {} if self.authenticator is None else {"cookies": self.authenticator.cookies}
)


def zips(folder: Path) -> dict[str, str]:
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("zip/*.zip"))}


def files(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix == ".tbl"
    )


def authenticator(folder: Path, word: str) -> ExoFOPAuthenticator:
    """Its first use fails on a file that is not there yet."""
    folder.mkdir()
    (folder / f"exofop_cookies_{user}.yaml").write_text("[]")
    credentials = folder / "credentials.txt"
    credentials.write_text(f"username={user}\npassword={word}\n")
    return ExoFOPAuthenticator(credential_file_path=str(credentials), cookies_dir=str(folder), number_of_cookie_jars=1)


def main() -> dict[str, Any]:
    said: dict[str, Any] = {}
    folder = Path(work)
    system = System(toi)
    said["tic"] = system.get_tic().id
    said["toi"] = System(f"TIC {star}").get_toi().id
    said["exists"] = [System(toi).exists(), System("TIC 1").exists()]
    public = SystemDownloader(System(f"TIC_{star}"), data_dir=work, max_retries=0)
    said["tags"] = [str(tag) for tag in public.time_series.tags]
    said["rows"] = {
        name: len(getattr(public, name).table)
        for name in (
            "time_series",
            "spectroscopy",
            "imaging",
            "stellar_parameters",
            "stellar_companions",
            "nearby_target",
        )
    }
    said["columns"] = list(public.time_series.table.colnames)
    said["counts"] = {status.name: count for status, count in public.download(sorted(set(said["tags"]))).items()}
    said["zips"] = zips(Path(public.target_dir))
    said["files"] = files(Path(public.target_dir))

    said["wrong"] = authenticator(folder / "wrong", "not the password").login("not the password")
    known = authenticator(folder / "cookies", password)
    said["cookies"] = sorted(cookie.name for cookie in known.cookies)
    (folder / "private").mkdir()
    private = TagDownloader(target_dir=str(folder / "private"), authenticator=known, max_retries=0)
    hidden = sys.argv[7].split(",")
    said["private"] = {status.name: count for status, count in private.download_tags(hidden).items()}
    said["private zips"] = zips(folder / "private")
    (folder / "nobody").mkdir()
    nobody = TagDownloader(target_dir=str(folder / "nobody"), max_retries=0)
    said["refused"] = {status.name: count for status, count in nobody.download_tags(hidden).items()}
    said["refused zips"] = zips(folder / "nobody")
    return said


print("\n" + json.dumps(main()))
