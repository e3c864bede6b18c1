"""Putting what tasks gave into the stores of light curves, one a field, in the order of the list.

Parts wait until all before them have been put in, or have been given up: whatever the order in
which they come, the store is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.flags import DEFAULT_MASK
from tessellar.photometry.engine import BandCurves
from tessellar.photometry.merit.metrics import METRICS
from tessellar.photometry.method import Settings
from tessellar.photometry.stampimages import StampImages
from tessellar.products import InputFile, LightCurveStore
from tessellar.products.starimages import ImageBlock, StarImages
from tessellar.survey.folder import SurveyFolder
from tessellar.survey.ledger import FieldRow
from tessellar.survey.outcomes import PartFile

_CARDS = {
    **{metric.name: (metric.keyword, metric.comment) for metric in METRICS.values()},
    "error_scale": ("ERRSCALE", "errors of the input were multiplied by this"),
    "prior_weight": ("PSFPRIOR", "share of the flux that is the prior's word"),
}

# Of a part's table: the masks of its stars, which go into the images.
_OF_MASKS = ("mask", "mask_column", "mask_row")


@dataclass
class Storage:
    """The store of one field.

    Parameters
    ----------
    place : SurveyFolder
    field : FieldRow
    """

    place: SurveyFolder
    field: FieldRow

    def put(self, part: PartFile) -> None:
        """Put a part's light curves into the store: stars that are there already are left as they are.

        Raises
        ------
        NoSpace, NoPermission, StoreError
            If it cannot be written; nothing of the block that failed is in it then.
        """
        store = self._open()
        try:
            for method in part.methods():
                curves = part.curves(method)
                images: Sequence[StarImages] | ImageBlock | None = part.images(method)
                if images is None and "mask" in curves.table:
                    images = self._images(curves)
                table = _table(curves)
                store.append(
                    method, curves.tic, curves.columns, table,
                    cards=_CARDS, images=images, settings=Settings(quality=DEFAULT_MASK).as_record(),
                    skip_known=True,
                )  # fmt: skip
        finally:
            store.close()

    def _images(self, curves: BandCurves) -> ImageBlock:
        """Stamps of a band's stars about their masks."""
        columns, rows = (np.asarray(curves.table[name], dtype=np.int64) for name in ("mask_column", "mask_row"))
        masks = np.asarray(curves.table["mask"], dtype=bool)
        return _stamps(self.place.path_of(self.field.path)).of(columns, rows, masks)

    def _open(self) -> LightCurveStore:
        path = self.place.store(self.field)
        if path.exists():
            return self.place.open_store(self.field)
        made = self._of_frames() if self.field.kind == "ffi" else self._of_target_file()
        return LightCurveStore.create(path, field=self.field.field, cadence=self.field.cadence, **made)

    def _of_frames(self) -> dict[str, Any]:
        from tessellar.photometry import FieldScene
        from tessellar.pixels import PreparedField
        from tessellar.pixels.preparedfile import PreparedFile

        path = self.place.path_of(self.field.path)
        prepared = PreparedField(path)
        about = {name: value for name, value in FieldScene(prepared).about.items() if value is not None}
        return {
            "time": prepared.time, "timecorr": prepared.timecorr, "cadenceno": prepared.cadenceno,
            "quality": prepared.quality,
            "position": PreparedFile(path).spacecraft().place(prepared.time - prepared.timecorr),
            "kernels": prepared.pointing.filled_kernels(),
            "meta": {**about, "source": "ffi", "inputs": [asdict(InputFile.of(path))]},
        }  # fmt: skip

    def _of_target_file(self) -> dict[str, Any]:
        from tessellar.photometry.scene import StampScene
        from tessellar.products import read_target_pixels

        model = read_target_pixels(self.place.path_of(self.field.path))
        about = {name: value for name, value in StampScene(model).about.items() if value is not None}
        return {
            "time": model.btjd, "timecorr": model.timecorr, "cadenceno": model.cadenceno, "quality": model.quality,
            "meta": {**about, "source": "tpf"},
        }  # fmt: skip


def _table(curves: BandCurves) -> dict[str, NDArray[Any]]:
    """One value a star; metrics as floats, whoever measured them."""
    columns = {name: values for name, values in curves.table.items() if name not in _OF_MASKS}
    return {name: values.astype(np.float64) if name in METRICS else values for name, values in columns.items()}


@lru_cache(maxsize=4)
def _stamps(path: Path) -> StampImages:
    """Images of the stamps of a prepared field, which is opened once for all its blocks."""
    from tessellar.pixels import PreparedField

    return StampImages(PreparedField(path))
