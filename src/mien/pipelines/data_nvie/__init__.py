"""USTC-NVIE from its published files to aligned pairs of faces."""

from mien.pipelines.data_nvie.pipeline import create_pipeline

__all__ = ["create_pipeline"]
