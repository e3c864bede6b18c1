"""What a user of lksearch does, against the archive that astroquery's settings name; run as a script, prints JSON."""

from __future__ import annotations

import json
import sys
import warnings

warnings.simplefilter("ignore")

import astroquery  # noqa: E402
import lksearch  # noqa: E402
import numpy  # noqa: E402
from lksearch import TESSSearch  # noqa: E402


def main(star: str, ra: float, dec: float) -> dict[str, object]:
    def names(found: TESSSearch) -> list[str]:
        return sorted(map(str, found.table["productFilename"]))

    everything = TESSSearch(f"TIC {star}")
    said: dict[str, object] = {
        "versions": [lksearch.__version__, numpy.__version__, astroquery.__version__],
        "light curves": names(everything.timeseries),
        "cubes": names(everything.cubedata),
        "reports": names(everything.dvreports),
        "sectors": sorted({int(sector) for sector in everything.table["sector"]}),
        "spoc of sector 1": names(TESSSearch(f"TIC {star}", pipeline="SPOC", sector=1).timeseries),
        "fast": names(TESSSearch(f"TIC {star}", pipeline="SPOC", exptime="fast").timeseries),
        "hlsp": names(TESSSearch(f"TIC {star}", pipeline="QLP").timeseries),
        "at the place": names(TESSSearch(f"{ra}, {dec}", search_radius=30, pipeline="SPOC", sector=2).timeseries),
    }
    chosen = everything.timeseries.filter_table(sector=1)
    manifest = chosen.download(cloud=False)
    said["status"] = list(map(str, manifest["Status"]))
    said["paths"] = list(map(str, manifest["Local Path"]))
    pixels = TESSSearch(f"TIC {star}", pipeline="SPOC", sector=2).cubedata
    said["pixels"] = list(map(str, pixels.filter_table(pipeline="SPOC").download(cloud=False)["Local Path"]))
    said["again"] = list(map(str, chosen.download(cloud=False)["Status"]))
    return said


if __name__ == "__main__":
    json.dump(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])), sys.stdout)
