"""The pipeline ``data_ferplus``."""

from kedro.pipeline import Pipeline

from mien.data.ferplus import PUBLISHED_COUNTS
from mien.nodes.preparation import face_dataset_pipeline
from mien.pipelines.data_ferplus.nodes import provide_ferplus, read_listed


def create_pipeline() -> Pipeline:
    """Folder of FER+ → labelled images → samples table → packed faces at 112 px and, grey, at 48 px."""
    return face_dataset_pipeline(
        "ferplus",
        provide=provide_ferplus,
        read=read_listed,
        published=PUBLISHED_COUNTS,
        crops={112: "rgb", 48: "grey"},
    )
