"""One convolutional trunk for several attributes of a face at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.dense_stack import Activation, ScaledOutput, Start
from mien.models.attribute_cnn import AttributeCNN


class MultiTaskCNN(nn.Module):
    """A trunk that all attributes share, and one linear head for each.

    Args:
        outputs: Outputs of each head, 1 for a number.
        channels: As in ``AttributeCNN``, as are all others; the trunk ends in its last hidden layer.
        hidden: See there.
        conv_dropout: See there.
        dropout: See there.
        activation: See there.
        batch_norm: See there.
        start: See there.
        image_size: See there.

    ``forward`` takes (B, C, image_size, image_size) and gives all heads' outputs in a row, (B, sum of outputs).

    Source: ours, beside networks of one attribute each; hard parameter sharing is Caruana's (1997).

    Example:
        >>> MultiTaskCNN(outputs=(1, 2, 5), channels=(4,), hidden=(8,), image_size=8)(torch.zeros(3, 1, 8, 8)).shape
        torch.Size([3, 8])
    """

    def __init__(
        self,
        outputs: Sequence[int],
        channels: Sequence[int],
        hidden: Sequence[int],
        conv_dropout: Sequence[float] = (),
        dropout: Sequence[float] = (),
        activation: Activation = "relu",
        batch_norm: bool = True,
        start: Start = "he",
        image_size: int = 48,
    ) -> None:
        super().__init__()
        if len(outputs) < 2 or not hidden:
            raise MienError(
                f"A multi-task network with {len(outputs)} heads and {len(hidden)} shared hidden layers: give two "
                "heads at least, or use an AttributeCNN, and one hidden layer."
            )
        self.image_size = image_size
        self.outputs = tuple(outputs)
        trunk = AttributeCNN(
            sum(outputs), channels, hidden, conv_dropout, dropout, activation, batch_norm, start, image_size
        )
        self.stages, self.hidden, self.heads = trunk.stages, trunk.hidden, trunk.output
        self.scaled = nn.ModuleList(ScaledOutput() if number == 1 else nn.Identity() for number in outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs of all heads (B, M) of images (B, C, H, W) in [0, 1]."""
        parts = self.heads(self.features(images)).split(self.outputs, dim=1)
        return torch.cat([scaled(part) for scaled, part in zip(self.scaled, parts, strict=True)], dim=1)

    def features(self, images: Tensor) -> Tensor:
        """The vector that all heads read, (B, D)."""
        return self.hidden(torch.flatten(self.stages(images.mean(dim=1, keepdim=True)), 1))
