"""Where the archive keeps the mission's models of the pixel response: in folders of a web server of its own."""

from __future__ import annotations

from tessellar.archives.mast import MAST_URL
from tessellar.mission.responses import response_models
from tessellar.net import Remote
from tessellar.targets import Field

#: Below the host: the folder of the models.
MODELS_PATH = "/missions/tess/models/prf_fitsfiles"
_MAST_FILES = "https://archive.stsci.edu"


def response_remotes(archive: str, field: Field) -> list[Remote]:
    """Say where the models of one CCD in one sector can be fetched; asks nobody.

    Parameters
    ----------
    archive : str
        URL of the archive without a path. MAST has them on another host than its tables.
    field : Field

    Returns
    -------
    list of Remote
        25, one a place on the CCD.

    Examples
    --------
    >>> from tessellar import Field
    >>> from tessellar.archives.models import response_remotes
    >>> response_remotes("https://mast.stsci.edu", Field(27, 1, 2))[0].url[:70]
    'https://archive.stsci.edu/missions/tess/models/prf_fitsfiles/start_s00'
    """
    base = _MAST_FILES if archive.rstrip("/") == MAST_URL else archive.rstrip("/")
    return [
        Remote(
            uri=f"{_MAST_FILES}{MODELS_PATH}/{path}",
            url=f"{base}{MODELS_PATH}/{path}",
            filename=path.rpartition("/")[2],
            obs_id=path.split("/")[1],
        )
        for path in response_models(field).paths
    ]
