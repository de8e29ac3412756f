"""Multiply-accumulate operations of parts that several networks have, from their sizes alone."""

from collections.abc import Sequence


def ir50_macs(widths: Sequence[int], units: Sequence[int], image_size: int) -> int:
    """MACs of ``IR50Stages`` on one image."""
    size, channels = image_size, widths[0]
    macs = size**2 * 27 * channels
    for width, count in zip(widths, units, strict=True):
        macs += size**2 * 9 * channels * width  # the stride comes with the second convolution
        size //= 2
        macs += size**2 * (9 * width**2 + (channels * width if channels != width else 0))
        macs += size**2 * (count - 1) * 18 * width**2
        channels = width
    return macs


def transformer_block_macs(dim: int, mlp_ratio: float, num_tokens: int, num_rows: int | None = None) -> int:
    """MACs of ``TransformerBlock`` on one sequence of N tokens of which it computes the first Q, all by default.

    Source: 2 N d² for keys and values, 2 Q d² for queries and output, 2 Q N d for attention, 2 Q r d² for the MLP.
    """
    rows = num_tokens if num_rows is None else num_rows
    attention = 2 * (num_tokens + rows) * dim**2 + 2 * rows * num_tokens * dim
    return attention + rows * 2 * dim * int(dim * mlp_ratio)
