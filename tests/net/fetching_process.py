"""Fetch files in a process of its own: ``fetching_process.py URL FOLDER NAME ...``; print the attempts of each."""

from __future__ import annotations

import json
import sys

from tessellar.config import Settings
from tessellar.net import Outcome, Remote, run, transfer
from tessellar.store import Store


def main(url: str, folder: str, *names: str) -> None:
    remotes = [Remote(f"mast:TESS/{name}", f"{url}/{name}", name, "TESS", "obs") for name in names]
    store, outcomes = Store(folder), list[Outcome]()
    print("ready", flush=True)
    run(transfer(remotes, store, Settings(retry_wait=0.01), outcomes))
    store.close()
    told = {each.remote.filename: str(each.error) if each.error else each.attempts for each in outcomes}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
