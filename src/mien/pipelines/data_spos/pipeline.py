"""The pipeline ``data_spos``."""

from kedro.pipeline import Pipeline

from mien.data.spos import PUBLISHED_COUNTS
from mien.nodes.preparation import face_dataset_pipeline
from mien.pipelines.data_spos.nodes import provide_spos, read_listed


def create_pipeline() -> Pipeline:
    """Folder of SPOS → listed pairs → samples table → packed pairs (n, K, 48, 48, 1), K = 2 or a sequence's."""
    return face_dataset_pipeline(
        "spos", provide=provide_spos, read=read_listed, published=PUBLISHED_COUNTS, column="kind", crops={48: "grey"}
    )
