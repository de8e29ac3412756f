"""FER+ from its published files to aligned faces."""

from mien.pipelines.data_ferplus.pipeline import create_pipeline

__all__ = ["create_pipeline"]
