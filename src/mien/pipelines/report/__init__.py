"""Every system's table beside its paper's, from the runs that are there."""

from mien.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
