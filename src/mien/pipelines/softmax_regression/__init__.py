"""Softmax regression on pixels: the baseline beside which every score is read."""

from mien.pipelines.softmax_regression.pipeline import create_pipeline

__all__ = ["create_pipeline"]
