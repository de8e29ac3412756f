"""The pipeline ``data_nvie``."""

from kedro.pipeline import Pipeline

from mien.data.nvie import PUBLISHED_COUNTS
from mien.nodes.preparation import face_dataset_pipeline
from mien.pipelines.data_nvie.nodes import provide_nvie, read_listed


def create_pipeline() -> Pipeline:
    """Folder of USTC-NVIE → listed pairs → samples table → packed pairs (n, K, 48, 48, 1), K = 2 or a sequence's."""
    return face_dataset_pipeline(
        "nvie", provide=provide_nvie, read=read_listed, published=PUBLISHED_COUNTS, column="kind", crops={48: "grey"}
    )
