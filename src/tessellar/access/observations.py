"""Search and fetch in the shape that users of `astroquery.mast.Observations` know.

Code written for it runs with another import. What differs is said in the
docstrings: files are verified, transfers are resumed, and the manifest has
more columns after astroquery's four.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from astropy.table import Row, Table

from tessellar.access.fetching import fetch, fetch_remotes
from tessellar.access.opening import archive_of
from tessellar.access.resolving import degrees_of
from tessellar.archives import Criteria, MastArchive
from tessellar.errors import InputError, QueryError
from tessellar.products.tables import ObservationTable, ProductTable, plain_rows
from tessellar.store import Manifest

Ids: TypeAlias = "Table | Row | str | int | Iterable[str | int]"

_SERVICES = {"observations": "Mast.Caom.Cone", "products": "Mast.Caom.Products"}
_MINIMUM = "Minimum Recommended Products"
_FRAMES = ("TESS FFI", "TICA FFI")


class ObservationsFace:
    """The observations and products of a MAST archive, all missions, by astroquery's names.

    Parameters
    ----------
    archive : str, optional
        ``"mast"`` or the URL of a tessellar server; by default the setting, each time something is asked.

    Examples
    --------
    >>> from tessellar import Observations
    >>> table = Observations.query_criteria(obs_collection="TESS", target_name="25132999")  # doctest: +SKIP
    >>> products = Observations.get_product_list(table)  # doctest: +SKIP
    >>> manifest = Observations.download_products(products, productSubGroupDescription="LC")  # doctest: +SKIP
    """

    def __init__(self, archive: str | None = None) -> None:
        self._archive = archive

    def query_criteria(self, **criteria: Any) -> ObservationTable:
        """Return the observations that meet criteria.

        Parameters
        ----------
        **criteria
            Any column: a value, a list of values, text with ``*``, or for
            numbers a ``[low, high]`` pair. ``objectname`` or ``coordinates``
            with ``radius`` (degrees unless it has a unit; 0.2 by default) add a cone.

        Raises
        ------
        QueryError
            If a column does not exist, or nothing but a position is given.
        """
        return self._opened().search(_criteria(criteria, self._opened()))

    def query_criteria_count(self, **criteria: Any) -> int:
        """Return how many observations meet criteria, as `query_criteria` takes them."""
        return self._opened().count(_criteria(criteria, self._opened()))

    def query_object(self, objectname: str, *, radius: Any = 0.2) -> ObservationTable:
        """Return all observations within `radius` (degrees unless it has a unit) of a named object."""
        return self._opened().search(_cone(_place_of(objectname, self._opened()), radius))

    def query_object_count(self, objectname: str, *, radius: Any = 0.2) -> int:
        """Return how many observations `query_object` would return."""
        return self._opened().count(_cone(_place_of(objectname, self._opened()), radius))

    def query_region(self, coordinates: Any, *, radius: Any = 0.2) -> ObservationTable:
        """Return all observations within `radius` (degrees unless it has a unit) of a position."""
        return self._opened().search(_cone(degrees_of(coordinates), radius))

    def query_region_count(self, coordinates: Any, *, radius: Any = 0.2) -> int:
        """Return how many observations `query_region` would return."""
        return self._opened().count(_cone(degrees_of(coordinates), radius))

    def get_metadata(self, query_type: str) -> Table:
        """Return the columns that can be searched by: of ``"observations"`` or of ``"products"``."""
        if query_type not in _SERVICES:
            raise InputError(f"there is no metadata of {query_type!r}, only of observations and products")
        described = self._opened().describe_columns(_SERVICES[query_type])
        names = ("Column Name", "Column Label", "Data Type", "Units", "Description", "Examples/Valid Values")
        rows = [
            (
                name,
                str(each.get("text", name)),
                str(each.get("vot.datatype") or each.get("type") or ""),
                str(each.get("vot.unit") or each.get("unit") or ""),
                str(each.get("vot.description") or ""),
                str(each.get("example") or ""),
            )
            for name, each in described.items()
        ]
        return Table(rows=rows, names=names, dtype=[str] * len(names)) if rows else Table(names=names)

    def get_product_list(self, observations: Ids) -> ProductTable:
        """Return the files of observations.

        Parameters
        ----------
        observations : Table, Row, str, int, or list of them
            Rows with a column ``obsid``, or such ids. As in astroquery,
            full-frame images are left out of a table, for each has thousands
            of files; their ids are taken.
        """
        return self._opened().products(_observations(observations))

    def filter_products(
        self,
        products: Table,
        *,
        mrp_only: bool = False,
        extension: str | Sequence[str] | None = None,
        **filters: Any,
    ) -> Table:
        """Return the files that meet all filters.

        Parameters
        ----------
        products : Table
            As `get_product_list` returns it.
        mrp_only : bool
            Only what the archive recommends.
        extension : str or list of str, optional
            Ends of the file names.
        **filters
            Column name to a value, or a list of which any will do.
        """
        keep = [True] * len(products)
        wanted = {**filters, "productGroupDescription": _MINIMUM} if mrp_only else filters
        for name, values in wanted.items():
            if name not in products.colnames:
                raise QueryError(f"no column is called {name!r}; there are {', '.join(products.colnames)}")
            options = {str(value).lower() for value in _as_list(values)}
            keep = [kept and str(value).lower() in options for kept, value in zip(keep, products[name], strict=True)]
        if extension is not None:
            ends = tuple(str(end).lower() for end in _as_list(extension))
            names = (str(name).lower() for name in products["productFilename"])
            keep = [kept and name.endswith(ends) for kept, name in zip(keep, names, strict=True)]
        return products[keep]

    def download_products(
        self,
        products: Ids,
        *,
        download_dir: str | os.PathLike[str] | None = None,
        flat: bool = False,
        mrp_only: bool = False,
        extension: str | Sequence[str] | None = None,
        **filters: Any,
    ) -> Manifest:
        """Fetch files, verified, into ``mastDownload/<collection>/<obs_id>``.

        Parameters
        ----------
        products : Table, Row, str, int, or list of them
            Files; or ids of observations, of which all files are fetched.
        download_dir : path-like, optional
            By default the working folder.
        flat : bool
            Put files straight into the folder.
        mrp_only, extension, **filters
            As `filter_products` takes them.

        Returns
        -------
        Manifest
            astroquery's four columns, and size, digest, tries and URI after them.
        """
        if isinstance(products, Row):
            products = Table(products)
        table = products if isinstance(products, Table) else self.get_product_list(products)
        if "dataURI" not in table.colnames:
            table = self.get_product_list(table)
        chosen = self.filter_products(table, mrp_only=mrp_only, extension=extension, **filters)
        known = ProductTable.from_rows(plain_rows(chosen))
        return fetch(known, download_dir or Path.cwd(), flat=flat, archive=self._opened())

    def download_file(
        self, uri: str, *, local_path: str | os.PathLike[str] | None = None
    ) -> tuple[str, str | None, str | None]:
        """Fetch one file by its archive name, verified.

        Parameters
        ----------
        uri : str
            As in the column ``dataURI``.
        local_path : path-like, optional
            A folder that exists, or the name of the file to make; by default
            the file's own name in the working folder.

        Returns
        -------
        status, message, url : str
            ``"COMPLETE"`` with no message and no URL, or ``"ERROR"`` with both.
        """
        remote = self._opened().locate(uri)
        target = Path(local_path) if local_path is not None else Path(remote.filename)
        if target.is_dir():
            target = target / remote.filename
        manifest = fetch_remotes([replace(remote, filename=target.name)], target.parent.absolute(), flat=True)
        row = manifest.to_rows()[0]
        if not manifest.ok:
            return "ERROR", row["message"], row["url"]
        _copy_to(target.absolute(), manifest.paths[0])
        return "COMPLETE", None, None

    def _opened(self) -> MastArchive:
        archive = archive_of(self._archive)
        assert isinstance(archive, MastArchive)
        return archive


def _copy_to(target: Path, kept: Path) -> None:
    """Give a file that the folder holds under another name the one that is wanted, too."""
    if kept != target:
        part = target.with_name(target.name + ".part")
        shutil.copyfile(kept, part)
        part.replace(target)


def _criteria(given: dict[str, Any], archive: MastArchive) -> Criteria:
    columns = dict(given)
    name, coordinates, radius = (columns.pop(key, None) for key in ("objectname", "coordinates", "radius"))
    if not columns:
        raise QueryError("at least one criterion that is no position is needed; query_region takes a position alone")
    columns = {key: tuple(value) if _is_range(key, value) else value for key, value in columns.items()}
    if name is None and coordinates is None:
        return Criteria(columns=columns, only_tess=False)
    place = _place_of(name, archive) if name is not None else degrees_of(coordinates)
    return replace(_cone(place, 0.2 if radius is None else radius), columns=columns)


def _cone(place: tuple[float, float], radius: Any) -> Criteria:
    return Criteria(position=place, radius=_degrees(radius), only_tess=False)


def _is_range(column: str, value: Any) -> bool:
    from tessellar.products.tables import OBSERVATION_COLUMNS

    info = OBSERVATION_COLUMNS.get(column)
    return info is not None and info.kind is float and isinstance(value, list | tuple) and len(value) == 2


def _degrees(radius: Any) -> float:
    from astropy import units
    from astropy.coordinates import Angle

    try:
        return float(Angle(radius, units.deg).deg)
    except (ValueError, TypeError, units.UnitsError) as error:
        raise QueryError(f"radius {radius!r} cannot be read: give degrees, or a text as in '10 arcsec'") from error


def _place_of(name: str, archive: MastArchive) -> tuple[float, float]:
    places = archive.places(str(name))
    if not places:
        raise InputError(f"{archive.name} knows nothing called {name!r}")
    return places[0].ra, places[0].dec


def _observations(given: Ids) -> ObservationTable:
    if isinstance(given, Row):
        given = Table(given)
    if isinstance(given, Table):
        if "obsid" not in given.colnames:
            raise QueryError("the table has no column obsid: give what query_criteria returned, or ids")
        return ObservationTable.from_rows([row for row in plain_rows(given) if row.get("target_name") not in _FRAMES])
    return ObservationTable.from_rows([{"obsid": str(each)} for each in _as_list(given)])


def _as_list(values: Any) -> list[Any]:
    return [values] if isinstance(values, str | int | float) else list(values)


Observations = ObservationsFace()
