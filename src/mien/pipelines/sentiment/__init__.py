"""Sentiment from face and voice: Ward's thesis, on RAVDESS, CREMA-D and from the one to the other."""

from mien.pipelines.sentiment.pipeline import create_pipelines

__all__ = ["create_pipelines"]
