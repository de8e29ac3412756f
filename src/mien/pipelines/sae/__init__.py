"""SAE: the token-pruned pyramid cross-fusion transformer."""

from mien.pipelines.sae.pipeline import create_pipelines

__all__ = ["create_pipelines"]
