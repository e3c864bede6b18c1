"""Our TAP service beside DaCHS, the reference server of the Virtual Observatory: the same rows, the same questions.

Installs DaCHS and PostgreSQL with pgSphere (Debian packages; it must be run as root on a Debian machine), loads it with
the observations of a synthetic archive of ours, serves both on this machine, and has our client ask each the same 100
random geometric questions: circles, polygons, distances and footprints that intersect, near poles and across right
ascension 0 as well. The rows must be the same.

    python tests/dachs/compare.py [--queries 100] [--sectors 1] [--seed 1]

Exit status 1: an answer differs. What it found last is told in docs/contributing/server.md.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

INPUTS = Path("/var/gavo/inputs/tessellar")
DACHS_URL = "http://127.0.0.1:8080"
PACKAGES = ("postgresql-15-pgsphere", "postgresql-15-q3c", "gavodachs2-server")
DESCRIPTION = """<resource schema="tessellar">
  <meta name="creationDate">2026-11-01T00:00:00Z</meta>
  <meta name="title">Observations of a synthetic archive</meta>
  <meta name="description">To be compared with another TAP service.</meta>
  <meta name="subject">surveys</meta>
  <meta name="creator">tessellar</meta>
  <table id="observations" onDisk="True" adql="True" primary="obs_id">
    <meta name="description">Observations: positions, and footprints of images.</meta>
    <index columns="s_ra, s_dec"/>
    <index columns="s_region" method="GIST"/>
    <column name="obs_id" type="text" required="True" ucd="meta.id;meta.main" description="Observation"/>
    <column name="s_ra" type="double precision" unit="deg" ucd="pos.eq.ra;meta.main" description="Right ascension"/>
    <column name="s_dec" type="double precision" unit="deg" ucd="pos.eq.dec;meta.main" description="Declination"/>
    <column name="sequence_number" type="integer" required="True" ucd="meta.number" description="Sector"/>
    <column name="s_region" type="spoly" ucd="pos.outline" description="Footprint of an image"/>
  </table>
  <data id="import">
    <sources>rows.csv</sources>
    <csvGrammar/>
    <make table="observations">
      <rowmaker>
        <map key="obs_id"/><map key="s_ra"/><map key="s_dec"/><map key="sequence_number"/>
        <map key="s_region">@region and pgsphere.SPoly.fromDALI([float(x) for x in @region.split()]) or None</map>
      </rowmaker>
    </make>
  </data>
</resource>
"""


def run(*command: str, user: str | None = None, check: bool = True) -> str:
    """Run a command, as another user if asked; return what it says."""
    whole = ["su", user, "-s", "/bin/sh", "-c", " ".join(command)] if user else list(command)
    done = subprocess.run(whole, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def install() -> None:
    """Install DaCHS and start its database."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit("DaCHS is installed from Debian's packages: run this as root on a Debian machine")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    if not shutil.which("pg_ctlcluster"):
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "postgresql-15")
    if "online" not in run("pg_lsclusters"):
        run("pg_ctlcluster", "15", "main", "start")
        time.sleep(3)
    if not shutil.which("dachs"):
        run("apt-get", "install", "-y", "-qq", *PACKAGES)
    run("dpkg", "--configure", "-a")


@contextmanager
def dachs(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Load rows into DaCHS and serve them; gives the base URL of its TAP service."""
    INPUTS.mkdir(parents=True, exist_ok=True)
    (INPUTS / "q.rd").write_text(DESCRIPTION)
    with (INPUTS / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["obs_id", "s_ra", "s_dec", "sequence_number", "region"])
        writer.writeheader()
        writer.writerows(rows)
    run("chown", "-R", "dachsroot:gavo", str(INPUTS))
    run("dachs", "imp", "tessellar/q", user="dachsroot")
    run("dachs", "serve", "stop", user="dachsroot", check=False)
    server = subprocess.Popen(["su", "dachsroot", "-s", "/bin/sh", "-c", "dachs serve debug"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        import httpx

        until = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"{DACHS_URL}/tap/availability", timeout=10).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if time.monotonic() > until:
                raise SystemExit("DaCHS does not answer; see /var/gavo/logs")
            time.sleep(1)
        yield f"{DACHS_URL}/tap"
    finally:
        run("pkill", "-f", "dachs serve debug", check=False)
        server.wait(30)


@contextmanager
def ours(index: Path) -> Iterator[str]:
    """Serve the synthetic index; gives the base URL of our TAP service."""
    code = (
        "import sys, tempfile; from tessellar.server import serve\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    serve(folder, index_path=sys.argv[1], watch=False, on_ready=lambda url: print(url, flush=True))"
    )
    server = subprocess.Popen([sys.executable, "-c", code, str(index)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield f"{server.stdout.readline().strip()}/tap"
    finally:
        server.terminate()
        server.wait(30)


def questions(count: int, seed: int, places: np.ndarray) -> Iterator[str]:
    """Random geometric questions; every third near a star, every fifth near a pole, every seventh near 0 h."""
    from tessellar.mission.shapes import positions, unit_vectors

    rng = np.random.default_rng(seed)
    for number in range(count):
        z, a = rng.uniform(-1, 1), rng.uniform(0, 360)
        ra, dec = a, np.degrees(np.arcsin(z))
        if number % 3 == 0:
            ra, dec = places[rng.integers(len(places))]
        elif number % 5 == 0:
            dec = rng.choice([-1, 1]) * rng.uniform(88, 90)
        elif number % 7 == 0:
            ra = rng.uniform(-1, 1) % 360
        radius = 10 ** rng.uniform(-0.5, 1.3)
        kind = number % 4
        if kind in (0, 3):
            region = f"CIRCLE('ICRS', {ra:.6f}, {dec:.6f}, {radius:.6f})"
        else:
            middle = unit_vectors(ra, dec)
            east = np.array([-np.sin(np.radians(ra)), np.cos(np.radians(ra)), 0])
            north = np.cross(middle, east)
            corners = int(rng.integers(3, 8))
            turn = np.sort(rng.uniform(0, 2 * np.pi, corners)) if kind == 1 else np.arange(4) * np.pi / 2 + 0.3
            # A polygon with its middle outside would be another one for those who trust the order of corners.
            while kind == 1 and np.diff(np.append(turn, turn[0] + 2 * np.pi)).max() > 0.9 * np.pi:
                turn = np.sort(rng.uniform(0, 2 * np.pi, corners))
            side = np.cos(turn)[:, None] * east + np.sin(turn)[:, None] * north
            vectors = np.cos(np.radians(radius)) * middle + np.sin(np.radians(radius)) * side
            listed = ", ".join(f"{x:.6f}, {y:.6f}" for x, y in zip(*positions(vectors), strict=True))
            region = f"POLYGON('ICRS', {listed})"
        if number % 4 == 3:
            yield f"1 = INTERSECTS(s_region, {region}) AND s_region IS NOT NULL"
        elif number % 8 == 4:
            yield f"DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', {ra:.6f}, {dec:.6f})) < {radius:.6f}"
        else:
            yield f"1 = CONTAINS(POINT('ICRS', s_ra, s_dec), {region})"


def main() -> int:
    """Load, ask, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--sectors", type=int, default=1, help="of 20,000 observations each")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    from synthetic_index import write_index
    from tessellar.archives.tap import TapService
    from tessellar.config import Settings
    from tessellar.products.tables import plain_rows

    install()
    settings = Settings(question_timeout=120)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index.sqlite"
        write_index(index, asked.sectors)
        with ours(index) as our_url:
            here = TapService(our_url, settings)
            columns = "obs_id, s_ra, s_dec, sequence_number, s_region, dataproduct_type"
            found = plain_rows(here.query(f"SELECT {columns} FROM dbo.obspointing"))
            rows = [
                {**{name: row[name] for name in ("obs_id", "s_ra", "s_dec", "sequence_number")},
                 "region": row["s_region"].split(" ", 1)[1] if row["dataproduct_type"] == "image" else ""}
                for row in found
            ]  # fmt: skip
            places = np.array([(row["s_ra"], row["s_dec"]) for row in rows])
            with dachs(rows) as their_url:
                there = TapService(their_url, settings)
                return compare(here, there, questions(asked.queries, asked.seed, places))


def compare(here: Any, there: Any, conditions: Iterator[str]) -> int:
    """Ask both; tell how many rows there were, and what differs."""
    differ, seen, empty, footprints = 0, 0, 0, 0
    for number, condition in enumerate(conditions):
        image = " AND dataproduct_type = 'image'" if "INTERSECTS" in condition else ""
        mine = set(here.query(f"SELECT obs_id FROM dbo.obspointing WHERE {condition}{image}")["obs_id"].tolist())
        theirs = set(there.query(f"SELECT obs_id FROM tessellar.observations WHERE {condition}")["obs_id"].tolist())
        seen += len(mine)
        empty += not mine
        footprints += len(mine) if image else 0
        if mine != theirs:
            differ += 1
            ours_only, theirs_only = sorted(mine - theirs)[:3], sorted(theirs - mine)[:3]
            print(f"{number}: {condition}\n   only ours: {ours_only}, only theirs: {theirs_only}")
    rows = f"{seen} rows ({footprints} by their footprints)"
    print(f"{number + 1} questions, {rows}, {empty} empty answers, {differ} answers differ")
    return 1 if differ or not footprints else 0


if __name__ == "__main__":
    sys.exit(main())
