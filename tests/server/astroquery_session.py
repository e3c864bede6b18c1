"""What a user of astroquery does, against the archive that its settings name; run as a script, prints JSON."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

from astropy.coordinates import SkyCoord  # noqa: E402
from astroquery.exceptions import InvalidQueryError, RemoteServiceError  # noqa: E402
from astroquery.mast import Catalogs, Observations  # noqa: E402


def main(star: str, folder: Path) -> dict[str, object]:
    said: dict[str, object] = {}
    observations = Observations.query_criteria(target_name=star, provenance_name="SPOC", t_exptime=[119, 121])
    said["found"] = sorted(map(str, observations["obs_id"]))
    said["paged"] = sorted(map(str, Observations.query_criteria(target_name=[star], pagesize=1)["obs_id"]))
    said["second page"] = len(Observations.query_criteria(target_name=star, pagesize=1, page=2))
    said["wildcard"] = sorted(
        map(str, Observations.query_criteria(obs_id="tess*-0120-s", t_exptime=[1, 500])["obs_id"])
    )
    said["count"] = int(Observations.query_criteria_count(target_name=star))
    said["sector"] = sorted(
        map(
            str,
            Observations.query_criteria(target_name=star, sequence_number=[2], dataproduct_type=["timeseries"])[
                "obs_id"
            ],
        )
    )
    try:
        Observations.query_criteria(sector=1)
    except InvalidQueryError as error:
        said["refused"] = str(error)
    try:
        Observations._portal_api_connection.service_request("Mast.No.Such.Service", {})
    except RemoteServiceError as error:
        said["error"] = str(error)

    products = Observations.get_product_list(observations)
    said["products"] = sorted(map(str, products["productFilename"]))
    light = Observations.filter_products(products, productSubGroupDescription="LC", extension="fits")
    said["light curves"] = sorted(map(str, light["productFilename"]))
    said["recommended"] = len(Observations.filter_products(products, mrp_only=True))
    manifest = Observations.download_products(products, download_dir=str(folder), verbose=False)
    said["status"] = sorted(set(map(str, manifest["Status"])))
    said["paths"] = [str(path) for path in manifest["Local Path"]]
    again = Observations.download_products(light, download_dir=str(folder), verbose=False)
    said["again"] = sorted(set(map(str, again["Status"])))
    missing = Observations.download_file("mast:TESS/product/missing.fits", local_path=str(folder / "missing.fits"))
    said["missing"] = missing[0]

    for name in ("observations", "products"):
        said[f"{name} columns"] = list(map(str, Observations.get_metadata(name)["Column Name"]))
    near = Observations.query_object(f"TIC {star}", radius="0.001 deg")
    said["near"] = [[str(row["target_name"]), float(row["distance"])] for row in near]
    place = SkyCoord(float(observations["s_ra"][0]), float(observations["s_dec"][0]), unit="deg")
    said["region"] = len(Observations.query_region(place, radius=0.001))
    said["star"] = [str(row["ID"]) for row in Catalogs.query_object(f"TIC {star}", catalog="TIC", radius=0.001)]
    said["by id"] = [float(row["Tmag"]) for row in Catalogs.query_criteria(catalog="TIC", ID=star)]
    said["missions"] = list(Observations.list_missions())
    return said


if __name__ == "__main__":
    json.dump(main(sys.argv[1], Path(sys.argv[2])), sys.stdout)
