"""MobileFaceNet, as a face-landmark network and as the feature extractor that POSTER and SAE take from it."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError


def _conv_bn(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    prelu: bool = True,
) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False),
        bn=nn.BatchNorm2d(out_channels),
    )
    if prelu:
        layers["prelu"] = nn.PReLU(out_channels)
    return nn.Sequential(layers)


class DepthWiseUnit(nn.Module):
    """Inverted bottleneck: 1x1 expansion, 3x3 depth-wise convolution, linear 1x1 projection.

    Args:
        in_channels: Channels of the input map.
        out_channels: Channels of the output map.
        expanded: Channels in between.
        stride: Stride of the depth-wise convolution.
        residual: Add the input to the output.

    Source: MobileNetV2 (Sandler et al. 2018) with PReLU, as in MobileFaceNet (Chen et al. 2018), table 1.
    """

    def __init__(
        self, in_channels: int, out_channels: int, expanded: int, stride: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        self.conv = _conv_bn(in_channels, expanded)
        self.conv_dw = _conv_bn(expanded, expanded, kernel=3, stride=stride, padding=1, groups=expanded)
        self.project = _conv_bn(expanded, out_channels, prelu=False)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H/stride, W/stride)."""
        out = self.project(self.conv_dw(self.conv(x)))
        return x + out if self.residual else out


class _ResidualStage(nn.Module):
    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *(DepthWiseUnit(channels, channels, 2 * channels, residual=True) for _ in range(units))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class LandmarkHead(nn.Module):
    """Coordinates from a map: (B, C, h, h) → (B, num_outputs), by a depth-wise convolution over the whole map."""

    def __init__(self, channels: int, grid: int, num_outputs: int) -> None:
        super().__init__()
        self.conv_6_dw = _conv_bn(channels, channels, kernel=grid, groups=channels, prelu=False)
        self.linear = nn.Linear(channels, num_outputs, bias=False)
        self.bn = nn.BatchNorm1d(num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, h, h) to outputs (B, num_outputs)."""
        return self.bn(self.linear(self.conv_6_dw(x).flatten(1)))

    def start_from(self, mean: Tensor, std: Tensor) -> None:
        """Let the outputs have this mean and standard deviation, (num_outputs,), over a training batch.

        Source: ours; training then begins at the mean shape and its usual spread, and not a crop away from both.
        """
        with torch.no_grad():
            self.bn.bias.copy_(mean)
            self.bn.weight.copy_(std)


class MobileFaceNet(nn.Module):
    """MobileFaceNet on a square face crop: (B, 3, H, H) → map (B, widths[-1], H/16, H/16), or landmarks.

    Modules carry the names of the published 68-landmark checkpoint, which loads by name. With ``stride`` 8 the map is
    the one before the last halving, (B, widths[1], H/8, H/8).

    Args:
        widths: Channels of the stem and first stage, the second stage, the third stage, and the last 1x1 convolution.
        units: Residual units of the three stages.
        image_size: Side H of the input in pixels.
        num_outputs: Outputs of the landmark head, twice the number of points (136 for 68); None builds no head.
        stride: Pixels per place of the map: 16, or 8 to end after ``conv_4`` and to build nothing behind it.

    Attributes:
        widths: As given.
        units: As given.
        stride: As given.
        image_size: As given.
        feature_channels: Channels of the map that ``features`` returns.
        feature_size: Side of that map.
        frozen: Whether ``freeze`` was called.

    Raises:
        MienError: Not four widths and three stages, ``image_size`` is not a multiple of 16, another stride, or a head
            behind stride 8.

    Source: Chen et al. 2018, "MobileFaceNets"; landmark variant as in cunjian/pytorch_face_landmark and POSTER.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 128, 512),
        units: Sequence[int] = (4, 6, 2),
        image_size: int = 112,
        num_outputs: int | None = 136,
        stride: int = 16,
    ) -> None:
        super().__init__()
        if len(widths) != 4 or len(units) != 3:
            raise MienError(
                f"MobileFaceNet got widths {tuple(widths)} and units {tuple(units)}. "
                "Give four widths and three numbers of units."
            )
        if image_size % 16:
            raise MienError(
                f"image_size {image_size} is not a multiple of 16, by which MobileFaceNet shrinks its input. "
                "Use 112, or 64 for small runs."
            )
        if stride not in (8, 16) or (stride == 8 and num_outputs is not None):
            raise MienError(
                f"MobileFaceNet got stride {stride} with num_outputs {num_outputs}, but has maps of stride 8 and 16, "
                "and its head reads the latter. Use 16, or 8 with num_outputs None."
            )
        stem, middle, late, last = widths
        self.conv1 = _conv_bn(3, stem, kernel=3, stride=2, padding=1)
        self.conv2_dw = _conv_bn(stem, stem, kernel=3, padding=1, groups=stem)
        self.conv_23 = DepthWiseUnit(stem, stem, 2 * stem, stride=2)
        self.conv_3 = _ResidualStage(stem, units[0])
        self.conv_34 = DepthWiseUnit(stem, middle, 4 * stem, stride=2)
        self.conv_4 = _ResidualStage(middle, units[1])
        self.widths, self.units, self.stride = tuple(widths), tuple(units), stride
        self.image_size, self.feature_size = image_size, image_size // stride
        self.frozen = False
        if stride == 8:
            self.feature_channels, self.output_layer = middle, None
            return
        self.conv_45 = DepthWiseUnit(middle, late, 4 * middle, stride=2)
        self.conv_5 = _ResidualStage(late, units[2])
        self.conv_6_sep = _conv_bn(late, last)
        self.feature_channels = last
        self.output_layer = None if num_outputs is None else LandmarkHead(last, self.feature_size, num_outputs)

    def freeze(self, *, adapt_statistics: bool = False) -> "MobileFaceNet":
        """Leave the weights as they are from now on, and evaluation mode, so statistics too, whatever ``train`` says.

        Args:
            adapt_statistics: Let batch normalisation follow ``train``: batch statistics in training, and running ones
                that adapt to the images. POSTER's code does, as it switches gradients off alone.
        """
        self.requires_grad_(False)
        self.frozen = not adapt_statistics
        return self if adapt_statistics else self.eval()

    def train(self, mode: bool = True) -> "MobileFaceNet":
        """Set training or evaluation mode; frozen, it stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, H) to (B, feature_channels, H/stride, H/stride), of ``conv_6_sep`` or ``conv_4``."""
        x = self.conv2_dw(self.conv1(x))
        x = self.conv_3(self.conv_23(x))
        x = self.conv_4(self.conv_34(x))
        if self.stride == 8:
            return x
        x = self.conv_5(self.conv_45(x))
        return self.conv_6_sep(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, H) to head outputs (B, num_outputs), or to ``features`` where there is no head.

        With the landmark checkpoint the outputs are x, y pairs in [0, 1] of the crop, from BGR pixels in [0, 1].
        """
        x = self.features(x)
        return x if self.output_layer is None else self.output_layer(x)
