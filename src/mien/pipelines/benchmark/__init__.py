"""What the face detector and the networks cost on this machine, and how much batching and pruning save."""

from mien.pipelines.benchmark.pipeline import create_pipeline

__all__ = ["create_pipeline"]
