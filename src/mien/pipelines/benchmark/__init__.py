"""How fast the face detector is, and how much of that batching gives."""

from mien.pipelines.benchmark.pipeline import create_pipeline

__all__ = ["create_pipeline"]
