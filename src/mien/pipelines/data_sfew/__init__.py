"""SFEW 2.0 from its published files to aligned faces."""

from mien.pipelines.data_sfew.pipeline import create_pipeline

__all__ = ["create_pipeline"]
