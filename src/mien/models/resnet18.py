"""ResNet-18: the plain convolutional network that expression papers compare with."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.pixels import IMAGENET_MEAN, IMAGENET_STD, check_statistics
from mien.layers.subsampled_pointwise import SubsampledPointwise


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, with ReLU after the sum: (B, C, H, W) → (B, C', H/s, W/s).

    Args:
        in_channels: Channels of the input map.
        out_channels: Channels of the output map.
        stride: Of the first convolution and of the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                SubsampledPointwise(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H/s, W/s)."""
        residual = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(residual + self.downsample(x))


class ResNet18(nn.Module):
    """Expression logits from an aligned face: (B, 3, H, H) → (B, M), RGB normalised by ``mean`` and ``std``.

    Its tensors have torchvision's names, so that checkpoints of ImageNet or of MS-Celeb-1M in that naming load by name.

    Args:
        num_classes: M.
        image_size: H in pixels, 32 or more.
        widths: Channels of the four stages.
        mean: Channel means, in RGB order and of pixels in [0, 1], by which the input has been normalised.
        std: Channel deviations, likewise.

    Raises:
        MienError: A size or width that does not fit.

    Source: He et al., "Deep residual learning for image recognition", 2016, Table 1; convolutions start as there.

    Example:
        >>> ResNet18(7, image_size=32, widths=(4, 4, 8, 8))(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 7])
    """

    def __init__(
        self,
        num_classes: int,
        image_size: int = 112,
        widths: Sequence[int] = (64, 128, 256, 512),
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        if image_size < 32:
            raise MienError(
                f"image_size {image_size} is below 32, and ResNet-18 halves a face five times. Use 112, as the other "
                "expression networks."
            )
        if len(widths) != 4 or min(widths) < 1:
            raise MienError(f"ResNet-18 got widths {tuple(widths)}. Give four, one per stage, of at least one channel.")
        check_statistics(mean, std)
        self.image_size, self.mean, self.std = image_size, tuple(mean), tuple(std)
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(widths[0], widths[0], 1)
        self.layer2 = _stage(widths[0], widths[1], 2)
        self.layer3 = _stage(widths[1], widths[2], 2)
        self.layer4 = _stage(widths[2], widths[3], 2)
        self.fc = nn.Linear(widths[-1], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to logits (B, M).

        Raises:
            MienError: The images have another shape.
        """
        return self.fc(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, H) to the vector that is classified, (B, D)."""
        size = (3, self.image_size, self.image_size)
        if x.ndim != 4 or x.shape[1:] != size:
            raise MienError(
                f"ResNet-18 got images of shape {tuple(x.shape)}, but takes (B, {', '.join(map(str, size))}). "
                f"Resize the faces to {self.image_size} px, or build the model with another image_size."
            )
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


def _stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(in_channels, out_channels, stride), BasicBlock(out_channels, out_channels, 1))
