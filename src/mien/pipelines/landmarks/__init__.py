"""The landmark encoder: MobileFaceNet trained on synthetic faces, whose landmarks are exact."""

from mien.pipelines.landmarks.pipeline import create_pipeline

__all__ = ["create_pipeline"]
