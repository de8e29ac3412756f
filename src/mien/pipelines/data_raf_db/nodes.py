"""Node functions of ``data_raf_db``."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.params import TwinParams
from mien.pipelines.data_raf_db.params import RafDbReaderParams

logger = logging.getLogger(__name__)


def provide_raf_db(twin: TwinParams) -> Callable[[Path], None]:
    """Draw the published layout with synthetic faces, or check that the user's folder is there.

    Args:
        twin: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    if not twin.draw:
        from mien.data.raf_db import find_raf_db

        return lambda folder: logger.info("RAF-DB is read from %s", find_raf_db(folder))

    from mien.data.raf_db_twin import draw_raf_db

    return lambda folder: draw_raf_db(folder, **twin.model_dump(exclude={"draw"}))


def read_listed(raw: Path, reader: RafDbReaderParams) -> pd.DataFrame:
    """Read the list of images, set a validation split aside and compare the counts with the published ones.

    Args:
        raw: RAF-DB's folder.
        reader: Which images, and how much of the training list to validate on.

    Returns:
        One row per listed image: ``sample_id``, ``image``, ``label``, ``expression``, ``split`` (train, val, test),
        ``subject``, ``drawn`` (whether the faces are synthetic).
    """
    from mien.data.raf_db import count_deviations, read_raf_db
    from mien.data.raf_db_twin import MARKER
    from mien.data.splits import stratified_validation

    samples = read_raf_db(raw, reader.source)
    drawn = (raw / MARKER).is_file()
    if drawn:
        logger.info("%d drawn faces in RAF-DB's layout: scores on them say nothing about real faces", len(samples))
    else:
        for deviation in count_deviations(samples):
            logger.warning("%s", deviation)
    return stratified_validation(samples, reader.validation_fraction, reader.seed).assign(drawn=drawn)
