"""Faces by age: the conditional generative network, its measures, and the ageing of a given person's face."""

from mien.pipelines.face_aging.pipeline import create_pipeline

__all__ = ["create_pipeline"]
