"""FER-former: the hybrid of a CNN and a transformer that is steered by text."""

from mien.pipelines.fer_former.pipeline import create_pipelines

__all__ = ["create_pipelines"]
