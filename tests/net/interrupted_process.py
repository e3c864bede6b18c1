"""Fetch until Ctrl-C, again and again, until done: ``interrupted_process.py URL FOLDER NAME ...``.

Before each round it prints a line, and after it the manifest; in between, Ctrl-C means something.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from tessellar.access.fetching import FetchInterrupted, fetch_remotes
from tessellar.net import Remote


def main(url: str, folder: str, *names: str) -> None:
    remotes = [Remote(f"mast:TESS/{name}", f"{url}/{name}", name, "TESS", "obs") for name in names]
    interrupted = True
    while interrupted:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print("ready", flush=True)
            manifest, interrupted = fetch_remotes(remotes, Path(folder)), False
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except FetchInterrupted as error:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            manifest = error.manifest
        print(json.dumps({"interrupted": interrupted, "rows": manifest.to_rows()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
