"""CompCNN: posed or spontaneous, by comparing the feature maps of an onset and an apex image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.comparison import COMPARISONS, build_comparison

Order = Literal["apex_minus_onset", "onset_minus_apex"]


class CompCNN(nn.Module):
    """Three convolutions and three linear layers, the first of them on both images with one set of weights.

    Args:
        num_classes: M.
        compare_after: pooling layer after which the two paths are compared, 1 to 3; 0 compares the images themselves,
            by plain subtraction and without ReLU, which is the baseline DiffCNN.
        comparison: ``subtract``, ``combine``, or, ours, ``mlp`` or ``attention``; see ``mien.layers.comparison``.
        order: what is subtracted from what. The ReLU makes it matter: it keeps what has grown.
        image_size: side of the grey images, in pixels.
        num_frames: K images of a sequence, the onset first, the apex last. Ours above 2: every later image is compared
            with the onset, and the mean of the comparisons goes on.
        widths: channels of the three convolutions.
        kernel_sizes: of the three convolutions, without padding.
        hidden: widths of the two hidden linear layers.
        pool_drop_rates: of the dropout in the three pooling layers.
        hidden_drop_rates: of the dropout after the two hidden linear layers.
        mean: of the pixels, values in [0, 1]; what the images are normalised by.
        std: standard deviation, likewise.

    ``forward`` takes (B, K, image_size, image_size) and gives logits (B, M).

    Raises:
        MienError: an argument is out of range, or the maps become smaller than a kernel.

    Source: Xu et al., 2017, section 3 and Figures 1 and 2: three convolutions with pooling, three linear layers, the
        dropout rates, the comparison, ReLU after it. Kernels and channels stand in its figures alone and are ours: 5, 3
        and 2 without padding halve 44 pixels exactly at every pooling, 44-40-20-18-9-8-4.

    Example:
        >>> CompCNN(num_classes=2, compare_after=1)(torch.zeros(3, 2, 44, 44)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        num_classes: int,
        compare_after: int = 1,
        comparison: str = "subtract",
        order: Order = "apex_minus_onset",
        image_size: int = 44,
        num_frames: int = 2,
        widths: Sequence[int] = (32, 64, 128),
        kernel_sizes: Sequence[int] = (5, 3, 2),
        hidden: Sequence[int] = (512, 256),
        pool_drop_rates: Sequence[float] = (0.05, 0.15, 0.25),
        hidden_drop_rates: Sequence[float] = (0.5, 0.25),
        mean: float = 0.5,
        std: float = 0.25,
    ) -> None:
        super().__init__()
        lengths = [len(each) for each in (widths, kernel_sizes, pool_drop_rates, hidden, hidden_drop_rates)]
        if lengths != [3, 3, 3, 2, 2] or compare_after not in range(4) or num_classes < 2 or num_frames < 2:
            raise MienError(
                f"CompCNN(num_classes={num_classes}, compare_after={compare_after}, num_frames={num_frames}) with "
                f"{lengths} widths, kernel sizes, pooling rates, hidden widths and rates: give two classes and two "
                "frames at least, a pooling layer from 0 to 3, and 3, 3, 3, 2 and 2 of the others."
            )
        if comparison not in COMPARISONS:
            raise MienError(f"CompCNN knows no comparison {comparison!r}: choose from {', '.join(COMPARISONS)}.")
        self.num_frames, self.image_size, self.mean, self.std = num_frames, image_size, mean, std
        self.compare_after, self.order = compare_after, order
        sides = map_sides(image_size, kernel_sizes)
        self.stages = nn.ModuleList(
            PooledConvolution(before, after, kernel, rate)
            for before, after, kernel, rate in zip((1, *widths), widths, kernel_sizes, pool_drop_rates, strict=False)
        )
        in_features = widths[-1] * sides[-1] ** 2
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_features, hidden[0]),
            nn.ReLU(),
            nn.Dropout(hidden_drop_rates[0]),
            nn.Linear(hidden[0], hidden[1]),
            nn.ReLU(),
        )
        self.drop = nn.Dropout(hidden_drop_rates[1])
        self.head = nn.Linear(hidden[1], num_classes)
        # Last, so that nets that differ in their comparison alone draw the same weights for all else from one seed.
        self.compare = build_comparison(comparison, widths[compare_after - 1]) if compare_after else None

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(K, H, W) of one sample."""
        return self.num_frames, self.image_size, self.image_size

    def forward(self, frames: Tensor) -> Tensor:
        """Logits (B, M) of sequences (B, K, H, W), the onset first."""
        return self.head(self.drop(self.features(frames)))

    def features(self, frames: Tensor) -> Tensor:
        """The second hidden layer (B, D) after its ReLU: what the support vector machine sees."""
        x = self.difference_maps(frames)
        for stage in self.stages[self.compare_after :]:
            x = stage(x)
        return self.hidden(x)

    def maps_before(self, frames: Tensor) -> Tensor:
        """Maps (B, K, C, H', W') of each image of (B, K, H, W) where the comparison takes them."""
        x = frames.flatten(0, 1).unsqueeze(1)  # (B * K, 1, H, W): one set of weights sees every image
        for stage in self.stages[: self.compare_after]:
            x = stage(x, self.num_frames)
        return x.unflatten(0, (-1, self.num_frames))

    def difference_maps(self, frames: Tensor) -> Tensor:
        """Maps (B, C, H', W') after the comparison and its ReLU; of DiffCNN the difference of the images."""
        maps = self.maps_before(frames)
        later, onset = maps[:, 1:], maps[:, :1].expand_as(maps[:, 1:])
        minuend, subtrahend = (later, onset) if self.order == "apex_minus_onset" else (onset, later)
        if self.compare is None:
            return (minuend - subtrahend).mean(dim=1)
        compared = self.compare(minuend.flatten(0, 1), subtrahend.flatten(0, 1))
        return torch.relu(compared).unflatten(0, (-1, self.num_frames - 1)).mean(dim=1)


class PooledConvolution(nn.Module):
    """Convolution without padding, ReLU, pooling by 2, dropout: (B * K, C, H, W) → (B * K, C', H', W').

    Args:
        before: C.
        after: C'.
        kernel: side of the kernel.
        rate: of the dropout.
    """

    def __init__(self, before: int, after: int, kernel: int, rate: float) -> None:
        super().__init__()
        self.convolve, self.pool = nn.Conv2d(before, after, kernel), nn.MaxPool2d(2)
        self.drop = SequenceDropout(rate)

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Maps of K images each of B sequences."""
        return self.drop(self.pool(torch.relu(self.convolve(x))), num_frames)


class SequenceDropout(nn.Module):
    """Dropout with one mask for all images of a sequence: (B * K, C, H, W) → the same.

    Args:
        rate: part of the values that is set to 0.

    Source: ours. With a mask for each image the difference of their maps shows the masks first: a value dropped in one
        alone differs by its whole size, and nothing is trained.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Maps (B * K, C, H, W) with some values at 0, and the others larger for it; unchanged in evaluation."""
        if not self.training or not self.rate:
            return x
        sequences = x.unflatten(0, (-1, num_frames))
        mask = nn.functional.dropout(torch.ones_like(sequences[:, :1]), self.rate)
        return (sequences * mask).flatten(0, 1)


def map_sides(image_size: int, kernel_sizes: Sequence[int]) -> tuple[int, ...]:
    """Sides of the maps after each convolution without padding and pooling by 2.

    Raises:
        MienError: a map is smaller than the kernel, or pooling leaves nothing.

    Example:
        >>> map_sides(44, (5, 3, 2))
        (20, 9, 4)
    """
    sides = []
    side = image_size
    for kernel in kernel_sizes:
        side = (side - kernel + 1) // 2
        if side < 1:
            raise MienError(
                f"Images of {image_size} px leave no map after kernels {tuple(kernel_sizes)} and poolings by 2: "
                "give larger images or smaller kernels."
            )
        sides.append(side)
    return tuple(sides)
