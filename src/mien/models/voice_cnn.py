"""A small network that tells emotions by the tone of a voice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError


class VoiceCNN(nn.Module):
    """Convolutions over time, pooled by attention, classified together with the utterance's prosody.

    Args:
        num_classes: M.
        num_channels: C, mel bands and contours of a step.
        num_prosody: P, quantities of the whole utterance.
        widths: Channels of the convolutions; each halves the steps.
        kernel: Steps that a convolution sees, odd.
        drop_rate: Dropout before the output.

    ``forward`` takes sound (B, T, C), a mask (B, T), above 0 where there is sound, and prosody (B, P), and gives logits
    (B, M). Sound and prosody are standardised by buffers that ``start_from`` fills.

    Raises:
        MienError: Fewer than two classes, no width, or an even kernel.

    Source: ours, after the attention pooling of Mirsamadi et al., "Automatic Speech Emotion Recognition Using Recurrent
        Neural Networks with Local Attention", ICASSP 2017, with convolutions in the place of the recurrence.

    Example:
        >>> model = VoiceCNN(num_classes=7, num_channels=67, num_prosody=19)
        >>> model(torch.zeros(2, 100, 67), torch.ones(2, 100), torch.zeros(2, 19)).shape
        torch.Size([2, 7])
    """

    sound_mean: Tensor
    sound_std: Tensor
    prosody_mean: Tensor
    prosody_std: Tensor

    def __init__(
        self,
        num_classes: int,
        num_channels: int,
        num_prosody: int,
        widths: Sequence[int] = (64, 64),
        kernel: int = 5,
        drop_rate: float = 0.3,
    ) -> None:
        super().__init__()
        if num_classes < 2 or not widths or kernel % 2 == 0:
            raise MienError(
                f"VoiceCNN(num_classes={num_classes}, widths={tuple(widths)}, kernel={kernel}): give at least two "
                "classes, one width and an odd kernel."
            )
        for name, size in (("sound", num_channels), ("prosody", num_prosody)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))
        layers: list[nn.Module] = []
        for before, after in zip((num_channels, *widths[:-1]), widths, strict=True):
            layers += [nn.Conv1d(before, after, kernel, padding=kernel // 2), nn.GroupNorm(1, after), nn.ReLU()]
            layers += [nn.MaxPool1d(2, ceil_mode=True)]
        self.conv = nn.Sequential(*layers)
        self.halvings = len(widths)
        self.attention = nn.Linear(widths[-1], 1)
        self.prosody = nn.Linear(num_prosody, widths[-1])
        self.dropout = nn.Dropout(drop_rate)
        self.classify = nn.Linear(2 * widths[-1], num_classes)

    def start_from(self, sound: tuple[Tensor, Tensor], prosody: tuple[Tensor, Tensor]) -> None:
        """Take mean and standard deviation of the training clips: (C,) of the sound, (P,) of the prosody."""
        for name, (mean, std) in (("sound", sound), ("prosody", prosody)):
            getattr(self, f"{name}_mean").copy_(mean)
            getattr(self, f"{name}_std").copy_(std.clamp(min=1e-4))

    def forward(self, sound: Tensor, mask: Tensor, prosody: Tensor) -> Tensor:
        """Logits (B, M) of sound (B, T, C), masked (B, T), and prosody (B, P)."""
        steps, weights = self._attended(sound, mask)
        return self._classified((steps * weights[..., None]).sum(dim=1), prosody)

    def features(self, sound: Tensor, mask: Tensor, prosody: Tensor) -> Tensor:
        """The vector (B, 2 D) that is classified."""
        steps, weights = self._attended(sound, mask)
        return self._joined((steps * weights[..., None]).sum(dim=1), prosody)

    def over_time(self, sound: Tensor, mask: Tensor, prosody: Tensor) -> Tensor:
        """Logits (B, T', M) as if each step were the whole utterance; T' is T halved once per convolution."""
        steps, _ = self._attended(sound, mask)
        return self._classified(steps, prosody[:, None].expand(-1, steps.shape[1], -1))

    def _attended(self, sound: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Steps (B, T', D) and their weights (B, T'), which add up to 1."""
        present = (mask > 0).to(sound.dtype)
        x = (sound - self.sound_mean) / self.sound_std * present[..., None]
        steps = self.conv(x.transpose(1, 2)).transpose(1, 2)
        for _ in range(self.halvings):
            present = nn.functional.max_pool1d(present[:, None], 2, ceil_mode=True)[:, 0]
        energy = self.attention(torch.tanh(steps))[..., 0] - 1e4 * (1 - present)
        return steps, torch.softmax(energy, dim=1)

    def _joined(self, steps: Tensor, prosody: Tensor) -> Tensor:
        reported = torch.relu(self.prosody((prosody - self.prosody_mean) / self.prosody_std))
        return torch.cat([steps, reported], dim=-1)

    def _classified(self, steps: Tensor, prosody: Tensor) -> Tensor:
        return self.classify(self.dropout(self._joined(steps, prosody)))
