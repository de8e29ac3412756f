"""RAF-DB from its published files to aligned faces."""

from mien.pipelines.data_raf_db.pipeline import create_pipeline

__all__ = ["create_pipeline"]
