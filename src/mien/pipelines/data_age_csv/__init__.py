"""Kaggle's age, gender and ethnicity CSV from its published file to packed faces."""

from mien.pipelines.data_age_csv.pipeline import create_pipeline

__all__ = ["create_pipeline"]
