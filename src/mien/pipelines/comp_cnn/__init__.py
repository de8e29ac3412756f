"""CompCNN: posed or spontaneous, from the onset and the apex of an expression."""

from mien.pipelines.comp_cnn.pipeline import create_pipelines

__all__ = ["create_pipelines"]
