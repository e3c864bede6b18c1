"""The TAP service at the size of MAST's archive, and points in polygons.

One process serves an index of 1,000,000 observations (that of ``search.py``, written once and kept in the cache
folder). It is asked, as bare HTTP, to count the observations in cones and in the footprints of CCDs; through pyvo for
the light curves of a region of some 20,000 rows, by the join that the archive's notebook makes; then by eight clients
at once. At last a polygon of 20 corners is held against a million points.

    python benchmarks/tap.py            all of it: about 2 minutes, the first time 5
    python benchmarks/tap.py --quick    60,000 observations: half a minute
    python benchmarks/tap.py --json     one object on stdout
    python benchmarks/tap.py --cache DIR

Exit status 1: a line is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from search import CLIENTS, LAYOUT, ROWS_PER_SECTOR, memory_mib, served, verdicts
from synthetic_index import pick_targets, write_index
from tessellar import Field, SkyRegion
from tessellar.mission.shapes import lattice, positions, unit_vectors

CONE = 1.0  # degrees
ROWS = 20_000

# What is wanted, as the most that a figure may be.
WANTED = {
    "count in a cone of 1 degree, p50 ms": 60.0,
    "count in a CCD's footprint, p50 ms": 60.0,
    "join of 20,000 rows through pyvo, s": 1.5,
    "errors among 8 clients": 0,
    "a million points in a polygon of 20 corners, s": 0.3,
    "server, peak MiB": 600.0,
}


def count_in(url: str, region: SkyRegion, client: httpx.Client) -> tuple[float, int]:
    """Seconds to count the observations in a region, and how many there are."""
    query = f"SELECT COUNT(*) FROM dbo.obspointing WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), {region.to_adql()})"
    start = time.perf_counter()
    reply = client.post(f"{url}/tap/sync", data={"LANG": "ADQL", "QUERY": query, "FORMAT": "csv"})
    took = time.perf_counter() - start
    assert reply.status_code == 200, reply.text
    return took, int(reply.text.split()[1])


def count_in_each(
    url: str, regions: list[SkyRegion], client: httpx.Client, pid: int
) -> tuple[list[tuple[float, int]], float]:
    """What `count_in` gives for each region, and the milliseconds of the server's processor that each took."""
    before = processor_seconds(pid)
    counted = [count_in(url, region, client) for region in regions]
    return counted, 1e3 * (processor_seconds(pid) - before) / len(regions)


def processor_seconds(pid: int) -> float:
    """The processor time of another process so far."""
    told = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def region_of(rows: int, url: str, ra: float, dec: float, client: httpx.Client) -> SkyRegion:
    """A square on the sky with about so many observations."""
    low, high = 0.1, 60.0
    while high / low > 1.01:
        side = (low * high) ** 0.5
        if count_in(url, SkyRegion.parse(f"BOX ICRS {ra} {dec} {side} {side}"), client)[1] > rows:
            high = side
        else:
            low = side
    return SkyRegion.parse(f"BOX ICRS {ra} {dec} {low} {low}")


def join_through_pyvo(url: str, region: SkyRegion) -> tuple[float, int]:
    """Seconds for the notebook's join, from the question to the table, and its rows."""
    import pyvo

    query = f"""
        SELECT target_name, sequenceNumber as sector, s_ra, s_dec, access_url, access_estsize, obs_id
        FROM dbo.caomobservation JOIN ivoa.obscore on dbo.caomobservation.observationID = ivoa.obscore.obs_id
        WHERE dataproduct_type = 'timeseries' and access_url like '%lc.fits' and
        CONTAINS(POINT('ICRS',s_ra,s_dec), {region.to_adql()})=1
        ORDER BY obs_id"""
    service = pyvo.dal.TAPService(f"{url}/tap")
    start = time.perf_counter()
    table = service.run_sync(query).to_table()
    return time.perf_counter() - start, len(table)


def many_at_once(url: str, regions: list[SkyRegion]) -> dict[str, float]:
    """Eight clients, each with counts and a join of its own."""
    failed = []

    def one(number: int) -> None:
        try:
            with httpx.Client(timeout=120) as client:
                for region in regions[number::CLIENTS]:
                    count_in(url, region, client)
            join_through_pyvo(url, regions[number])
        except Exception as error:
            failed.append(error)
            raise

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [pool.submit(one, number) for number in range(CLIENTS)]
    assert all(each.done() for each in done)
    return {
        f"{CLIENTS} clients at once, s": time.perf_counter() - start,
        f"errors among {CLIENTS} clients": len(failed),
    }


def points_in_polygon() -> float:
    """Seconds to hold a star of 20 corners, the harder kind, against a million points."""
    middle = unit_vectors(10.0, 60.0)
    turn, reach = np.arange(20) * 2 * np.pi / 20, 0.2 + 0.05 * (-1.0) ** np.arange(20)
    east = np.cross([0.0, 0.0, 1.0], middle)
    east /= np.linalg.norm(east)
    side = np.cos(turn)[:, None] * east + np.sin(turn)[:, None] * np.cross(middle, east)
    corners = np.cos(reach)[:, None] * middle + np.sin(reach)[:, None] * side
    region = SkyRegion.polygon(*positions(corners))
    places = positions(lattice(middle, 0.4, 1_000_000)[0])
    times = []
    for _ in range(5):
        start = time.perf_counter()
        inside = region.contains(*places)
        times.append(time.perf_counter() - start)
    assert 0.1 < inside.mean() < 0.4
    return statistics.median(times)


def benchmark(sectors: int, cache: Path) -> dict[str, Any]:
    """Run everything; compare with what is wanted."""
    from tessellar.server.schema import LAYOUT as INDEX_LAYOUT
    from tessellar.server.schema import version

    index = cache / f"synthetic-{sectors}-{LAYOUT}-{INDEX_LAYOUT}-{version().split()[1]}.sqlite"
    if not index.exists():
        write_index(index, sectors)
    targets = pick_targets(index, 60)
    rows = min(ROWS, sectors * ROWS_PER_SECTOR // 12)
    random = np.random.default_rng(3)
    fields = [Field(*map(int, each)) for each in random.integers((1, 1, 1), (90, 5, 5), (40, 3))]
    with served(index) as (url, pid), httpx.Client(timeout=120) as client:
        count_in(url, SkyRegion.circle(0, 0, 1), client)
        cones, of_cones = count_in_each(url, [SkyRegion.circle(ra, dec, CONE) for _, ra, dec in targets], client, pid)
        ccds, of_ccds = count_in_each(url, [SkyRegion.of_field(field, 4) for field in fields], client, pid)
        region = region_of(rows, url, 270.0, 66.56, client)
        join_through_pyvo(url, SkyRegion.circle(0, 0, 1))
        joins = [join_through_pyvo(url, region) for _ in range(3)]
        at_once = many_at_once(url, [SkyRegion.circle(ra, dec, CONE) for _, ra, dec in targets])
        peak = memory_mib(pid)
    figures = {
        "count in a cone of 1 degree, p50 ms": 1e3 * statistics.median(took for took, _ in cones),
        "such a count, mean ms of the server's processor": of_cones,
        "observations in such a cone, p50": statistics.median(number for _, number in cones),
        "count in a CCD's footprint, p50 ms": 1e3 * statistics.median(took for took, _ in ccds),
        "such a footprint, mean ms": 1e3 * statistics.fmean(took for took, _ in ccds),
        "such a footprint, mean ms of the server's processor": of_ccds,
        "observations in such a footprint, p50": statistics.median(number for _, number in ccds),
        "observations in such a footprint, mean": statistics.fmean(number for _, number in ccds),
        "join of 20,000 rows through pyvo, s": statistics.median(took for took, _ in joins),
        "its rows": joins[0][1],
        **at_once,
        "a million points in a polygon of 20 corners, s": points_in_polygon(),
        "server, peak MiB": peak,
    }
    missed = [line for line, most in WANTED.items() if figures[line] > most]
    return {"observations": sectors * ROWS_PER_SECTOR, "figures": figures, "wanted": WANTED, "missed": missed,
            "passed": not missed}  # fmt: skip


def report(found: dict[str, Any]) -> str:
    """The result as a table."""
    return "\n".join([f"{found['observations']} observations", "", *verdicts(found)])


def main() -> int:
    """Run the benchmark as the command line asks."""
    import platformdirs

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a smaller index: half a minute")
    parser.add_argument("--cache", type=Path, help="where to keep the index (in the user's cache folder)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    cache = asked.cache or Path(platformdirs.user_cache_dir("tessellar", appauthor=False)) / "benchmarks"
    found = benchmark(3 if asked.quick else 50, cache)
    print(json.dumps(found) if asked.json else report(found))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
