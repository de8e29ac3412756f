"""The landmark encoder: MobileFaceNet trained on synthetic faces, whose landmarks are exact."""

from mien.pipelines.landmarks.pipeline import create_pipelines

__all__ = ["create_pipelines"]
