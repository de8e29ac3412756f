"""RAVDESS from its published files to frames, faces and waveforms."""

from mien.pipelines.data_ravdess.pipeline import create_pipeline

__all__ = ["create_pipeline"]
