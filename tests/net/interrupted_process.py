"""Fetch until done or Ctrl-C: ``interrupted_process.py URL FOLDER NAME ...``; print the manifest either way."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tessellar.access.fetching import FetchInterrupted, fetch_remotes
from tessellar.net import Remote


def main(url: str, folder: str, *names: str) -> None:
    remotes = [Remote(f"mast:TESS/{name}", f"{url}/{name}", name, "TESS", "obs") for name in names]
    print("ready", flush=True)
    try:
        manifest, interrupted = fetch_remotes(remotes, Path(folder)), False
    except FetchInterrupted as error:
        manifest, interrupted = error.manifest, True
    print(json.dumps({"interrupted": interrupted, "rows": manifest.to_rows()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
