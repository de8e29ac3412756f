"""IR-50, the residual face-recognition backbone of face.evoLVe, cut after a chosen stage."""

from collections.abc import Sequence

from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.subsampled_pointwise import SubsampledPointwise


class IRUnit(nn.Module):
    """Pre-normalised residual unit of two 3x3 convolutions, without an activation after the sum.

    Args:
        in_channels: Channels of the input map.
        out_channels: Channels of the output map.
        stride: Stride of the second convolution and of the shortcut.

    Source: ArcFace (Deng et al. 2019), in face.evoLVe's ``bottleneck_IR``.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if in_channels != out_channels:
            self.shortcut_layer = nn.Sequential(
                SubsampledPointwise(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H/stride, W/stride)."""
        return self.res_layer(x) + self.shortcut_layer(x)


class IR50Stages(nn.Module):
    """Stem and stages of IR-50; each stage halves the map: (B, 3, H, H) → (B, widths[-1], H/2^S, H/2^S) for S stages.

    The units are numbered through as ``body.0``, ``body.1`` … over all stages, the naming of the published checkpoints,
    so those load by name. The default is what POSTER, SAE and FER-former use: stages 1 to 3.

    Args:
        widths: Channels per stage; the stem has the first.
        units: Residual units per stage.
        image_size: Side H of the input in pixels.

    Attributes:
        widths: As given.
        units: As given.
        feature_channels: Channels of the output map.
        feature_size: Side of the output map.

    Raises:
        MienError: ``widths`` and ``units`` differ in length, or ``image_size`` cannot be halved once per stage.

    Source: face.evoLVe ``backbone/model_irse.py``; convolutions start xavier-uniform as there.
    """

    def __init__(
        self, widths: Sequence[int] = (64, 128, 256), units: Sequence[int] = (3, 4, 14), image_size: int = 112
    ) -> None:
        super().__init__()
        if not widths or len(widths) != len(units) or min(units) < 1:
            raise MienError(
                f"IR-50 got widths {tuple(widths)} and units {tuple(units)}. "
                "Give one width and at least one unit per stage."
            )
        if image_size % 2 ** len(units):
            raise MienError(
                f"image_size {image_size} cannot be halved {len(units)} times in IR-50. "
                f"Use a multiple of {2 ** len(units)}, such as 112."
            )
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.PReLU(widths[0])
        )
        body: list[IRUnit] = []
        for in_channels, out_channels, count in zip((widths[0], *widths), widths, units, strict=False):
            body.append(IRUnit(in_channels, out_channels, stride=2))
            body.extend(IRUnit(out_channels, out_channels, stride=1) for _ in range(count - 1))
        self.body = nn.Sequential(*body)
        self.widths, self.units = tuple(widths), tuple(units)
        self.feature_channels = widths[-1]
        self.feature_size = image_size // 2 ** len(units)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, H) to features (B, feature_channels, feature_size, feature_size)."""
        return self.body(self.input_layer(x))
