"""The pipeline ``data_sfew``."""

from kedro.pipeline import Pipeline

from mien.data.sfew import PUBLISHED_COUNTS
from mien.nodes.preparation import face_dataset_pipeline
from mien.pipelines.data_sfew.nodes import provide_sfew, read_listed


def create_pipeline() -> Pipeline:
    """Folder of SFEW 2.0 → listed images → samples table → packed faces at 112 and 48 px."""
    return face_dataset_pipeline("sfew", provide=provide_sfew, read=read_listed, published=PUBLISHED_COUNTS)
