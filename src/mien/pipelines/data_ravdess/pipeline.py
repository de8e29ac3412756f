"""The pipeline ``data_ravdess``."""

from kedro.pipeline import Pipeline

from mien.data.ravdess import PUBLISHED_COUNTS
from mien.nodes.clips import clip_dataset_pipeline
from mien.pipelines.data_ravdess.nodes import provide_ravdess, read_listed_clips


def create_pipeline() -> Pipeline:
    """Folder of RAVDESS → listed clips → frames → samples table → packed faces at 48 px, and packed waveforms."""
    return clip_dataset_pipeline("ravdess", provide=provide_ravdess, read=read_listed_clips, published=PUBLISHED_COUNTS)
