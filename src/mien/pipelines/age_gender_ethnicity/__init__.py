"""Age, gender and ethnicity of a face by CNN, DNN and PCA with DNN."""

from mien.pipelines.age_gender_ethnicity.pipeline import create_pipeline

__all__ = ["create_pipeline"]
