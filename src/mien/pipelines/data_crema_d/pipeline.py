"""The pipeline ``data_crema_d``."""

from kedro.pipeline import Pipeline

from mien.data.crema_d import PUBLISHED_COUNTS
from mien.nodes.clips import clip_dataset_pipeline
from mien.pipelines.data_crema_d.nodes import provide_crema_d, read_listed_clips


def create_pipeline() -> Pipeline:
    """Folder of CREMA-D → listed clips → frames → samples table → packed faces at 48 px, and packed waveforms."""
    return clip_dataset_pipeline("crema_d", provide=provide_crema_d, read=read_listed_clips, published=PUBLISHED_COUNTS)
