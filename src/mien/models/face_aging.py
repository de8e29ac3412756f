"""Conditional generative network of faces by age: generator, critic, and an encoder for the face of a given person."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mien.errors import MienError

LabelMode = Literal["scalar", "embedding"]
Output = Literal["relu", "sigmoid"]

_SLOPE = 0.2


class AgePlane(nn.Module):
    """Ages (B,) in years as one map (B, 1, side, side).

    Args:
        mode: ``scalar`` maps the age over ``max_age`` linearly, so that near ages have near maps; ``embedding`` learns
            a vector for each whole year.
        side: Of the map.
        max_age: Years of the oldest; beyond them an embedding stays as it is there.
    """

    def __init__(self, mode: LabelMode, side: int, max_age: int) -> None:
        super().__init__()
        if mode not in ("scalar", "embedding"):
            raise MienError(f"unknown label mode {mode!r}. Use scalar or embedding.")
        self.side, self.max_age = side, max_age
        self.embed = nn.Embedding(max_age + 1, _EMBEDDING) if mode == "embedding" else None
        self.spread = nn.Linear(_EMBEDDING if mode == "embedding" else 1, side * side)

    def forward(self, ages: Tensor) -> Tensor:
        """Maps (B, 1, side, side) of ages (B,)."""
        if self.embed is None:
            vectors = ages.float()[:, None] / self.max_age
        else:
            vectors = self.embed(ages.round().long().clamp(0, self.max_age))
        return self.spread(vectors).view(-1, 1, self.side, self.side)


_EMBEDDING = 50  # ours: Keras' examples of conditional GANs take as many


class AgeGenerator(nn.Module):
    """A face from noise and an age: (B, Z), (B,) → (B, 1, image_size, image_size)."""

    def __init__(
        self,
        noise_dim: int,
        widths: Sequence[int],
        label_mode: LabelMode,
        max_age: int,
        output: Output,
        batch_norm: bool,
        image_size: int,
    ) -> None:
        super().__init__()
        side = image_size // 4
        self.noise_dim, self.width, self.side = noise_dim, widths[0], side
        self.start = nn.Linear(noise_dim, widths[0] * side * side)
        self.plane = AgePlane(label_mode, side, max_age)
        layers: list[nn.Module] = []
        for before, width in zip([widths[0] + 1, *widths], widths, strict=False):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, width, 3, padding=1)]
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers.append(nn.LeakyReLU(_SLOPE))
        last = nn.ReLU() if output == "relu" else nn.Sigmoid()
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1), last)

    def forward(self, noise: Tensor, ages: Tensor) -> Tensor:
        """Faces (B, 1, H, W)."""
        x = nn.functional.leaky_relu(self.start(noise), _SLOPE).view(-1, self.width, self.side, self.side)
        return self.layers(torch.cat([x, self.plane(ages)], dim=1))


class AgeCritic(nn.Module):
    """Whether a face of an age is a real one: (B, 1, H, W), (B,) → (B, num_outputs); as encoder, its noise instead."""

    def __init__(
        self,
        widths: Sequence[int],
        label_mode: LabelMode,
        max_age: int,
        spectral: bool,
        image_size: int,
        num_outputs: int = 1,
    ) -> None:
        super().__init__()

        def layer(module: nn.Module) -> nn.Module:
            return spectral_norm(module) if spectral else module

        self.plane = AgePlane(label_mode, image_size, max_age)
        layers: list[nn.Module] = []
        side = image_size
        for before, width in zip([2, *widths], widths, strict=False):
            layers += [layer(nn.Conv2d(before, width, 3, stride=2, padding=1)), nn.LeakyReLU(_SLOPE)]
            side = (side + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), layer(nn.Linear(widths[-1] * side * side, num_outputs)))

    def forward(self, images: Tensor, ages: Tensor) -> Tensor:
        """Logits, or noise, (B, num_outputs)."""
        return self.layers(torch.cat([images, self.plane(ages)], dim=1))


class FaceAging(nn.Module):
    """Generator, critic, encoder where wanted, and the age network by which generated faces are evaluated.

    Args:
        noise_dim: Z, numbers behind a face.
        widths: Channels of the generator's convolutions before the last, each after an upsampling: two.
        critic_widths: Channels of the critic's convolutions, each of stride 2.
        label_mode: How both are reported the age: ``scalar`` or ``embedding``.
        max_age: Years by which a scalar age is divided, and the last year that is embedded.
        output: The generator's last activation: ``relu`` or ``sigmoid``.
        batch_norm: Whether the generator normalises its values.
        spectral_norm: Whether the critic's weights have spectral norm 1.
        encoder: Whether there is an encoder, of the critic's shape, from a face and its age to its noise.
        estimator: ``architecture`` and ``config`` of the age network, which is not trained here.
        image_size: Side of the images, in pixels, a multiple of 4.

    ``forward`` takes noise (B, Z) and ages (B,) in years and gives faces (B, 1, image_size, image_size), in [0, 1]
    after a sigmoid, not below 0 after a ReLU.

    Raises:
        MienError: Not two widths, an image size that is no multiple of 4, or an unknown output or label mode.

    Source: "Age, Gender and Ethnicity Recognition" (Wang, Wang and Salwathura Acharige), section IV-B-4; where the
        label enters is ours, as the paper leaves it open. Spectral normalisation: Miyato et al. 2018. The encoder is
        ours, after Zhang, Song and Qi's age progression (2017).

    Example:
        >>> faces = FaceAging(noise_dim=8, widths=(8, 4), critic_widths=(4, 8), image_size=16)
        >>> faces(torch.randn(3, 8), torch.tensor([5.0, 30.0, 90.0])).shape
        torch.Size([3, 1, 16, 16])
    """

    def __init__(
        self,
        noise_dim: int = 100,
        widths: Sequence[int] = (128, 64),
        critic_widths: Sequence[int] = (32, 64, 128, 256),
        label_mode: LabelMode = "scalar",
        max_age: int = 116,
        output: Output = "relu",
        batch_norm: bool = False,
        spectral_norm: bool = False,
        encoder: bool = False,
        estimator: Mapping[str, Any] | None = None,
        image_size: int = 48,
    ) -> None:
        from mien.models import create_model

        super().__init__()
        if len(widths) != 2 or image_size % 4 or output not in ("relu", "sigmoid"):
            raise MienError(
                f"FaceAging with widths {list(widths)}, image_size {image_size} and output {output!r}: give two "
                "widths, a multiple of 4, and relu or sigmoid."
            )
        self.image_size, self.noise_dim = image_size, noise_dim
        self.generator = AgeGenerator(noise_dim, widths, label_mode, max_age, output, batch_norm, image_size)
        self.critic = AgeCritic(critic_widths, label_mode, max_age, spectral_norm, image_size)
        self.encoder = AgeCritic(critic_widths, label_mode, max_age, False, image_size, noise_dim) if encoder else None
        self.estimator = (
            create_model(estimator["architecture"], **estimator["config"]).requires_grad_(False) if estimator else None
        )

    def forward(self, noise: Tensor, ages: Tensor) -> Tensor:
        """Faces (B, 1, H, W) of noise (B, Z) and ages (B,)."""
        return self.generator(noise, ages)

    def age_face(self, images: Tensor, ages: Tensor, requested: Tensor) -> Tensor:
        """The same persons at other ages.

        Args:
            images: (B, 1, H, W) in [0, 1].
            ages: (B,) their years.
            requested: (B,) the years that they are to look like.

        Raises:
            MienError: There is no encoder.
        """
        if self.encoder is None:
            raise MienError(
                "This network has no encoder, so it cannot age the face of a given person. Set model.encoder to true "
                "and train again."
            )
        return self.generator(self.encoder(images, ages), requested)
