"""A recurrent network over the frames of a clip."""

from __future__ import annotations

from torch import Tensor, nn

from mien.errors import MienError


class FrameLSTM(nn.Module):
    """One LSTM layer over feature vectors of frames; the classes' logits are averaged over the frames there are.

    Args:
        num_classes: M.
        num_features: D, of a frame.
        hidden: Width of the LSTM.
        drop_rate: Dropout of the features and of the states that are classified.

    ``forward`` takes features (B, F, D) and a mask (B, F), above 0 where there is a frame, and gives logits (B, M). A
    clip without any frame is evaluated by the bias alone.

    Raises:
        MienError: Fewer than two classes, or a width below 1.

    Source: features of a convolutional network into an LSTM, Donahue et al. 2015, in Wu et al. 2016; the mean over
        time is Donahue et al.'s.

    Example:
        >>> import torch
        >>> FrameLSTM(num_classes=7, num_features=8)(torch.zeros(2, 5, 8), torch.ones(2, 5)).shape
        torch.Size([2, 7])
    """

    def __init__(self, num_classes: int, num_features: int, hidden: int = 64, drop_rate: float = 0.0) -> None:
        super().__init__()
        if num_classes < 2 or min(num_features, hidden) < 1:
            raise MienError(
                f"FrameLSTM(num_classes={num_classes}, num_features={num_features}, hidden={hidden}): give at least "
                "two classes and widths of 1 or more."
            )
        self.dropout = nn.Dropout(drop_rate)
        self.cell = nn.LSTMCell(num_features, hidden)
        self.classify = nn.Linear(hidden, num_classes)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, M) of features (B, F, D), masked (B, F)."""
        present = (mask > 0).to(features.dtype)
        state = features.new_zeros(features.shape[0], self.cell.hidden_size)
        memory, total = state, state
        for step, there in zip(self.dropout(features).unbind(dim=1), present.unbind(dim=1), strict=True):
            new_state, new_memory = self.cell(step, (state, memory))
            there = there[:, None]
            state, memory = there * new_state + (1 - there) * state, there * new_memory + (1 - there) * memory
            total = total + there * state
        return self.classify(self.dropout(total / present.sum(dim=1, keepdim=True).clamp(min=1)))
