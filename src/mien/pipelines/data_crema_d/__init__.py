"""CREMA-D from its published files to frames, faces and waveforms."""

from mien.pipelines.data_crema_d.pipeline import create_pipeline

__all__ = ["create_pipeline"]
