"""The pipeline ``data_raf_db``."""

from kedro.pipeline import Pipeline

from mien.data.raf_db import PUBLISHED_COUNTS
from mien.nodes.preparation import face_dataset_pipeline
from mien.pipelines.data_raf_db.nodes import provide_raf_db, read_listed


def create_pipeline() -> Pipeline:
    """Folder of RAF-DB → listed images → samples table → packed faces at 112 and 48 px."""
    return face_dataset_pipeline("raf_db", provide=provide_raf_db, read=read_listed, published=PUBLISHED_COUNTS)
