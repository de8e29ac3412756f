"""SPOS from a manifest of its frames to aligned pairs of faces."""

from mien.pipelines.data_spos.pipeline import create_pipeline

__all__ = ["create_pipeline"]
