"""Training augmentations, and the only place that knows albumentations."""

import os
import random
from typing import Any, Protocol

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for a newer version otherwise

import albumentations as A


class Augment(Protocol):
    """Changes an image (H, W, 3) uint8, keeping shape and type; equal seeds give equal images."""

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """Return the changed image."""


class RoundedGaussNoise(A.ImageOnlyTransform):
    """Add Gaussian noise to uint8 images and round to whole levels: (H, W, C) → the same.

    Args:
        std: Standard deviation in grey levels of 0 to 255.
        p: Probability.

    Source: ours, because albumentations' ``GaussNoise`` cuts the noise of uint8 images towards 0, which leaves 5.1 of
        5.48 grey levels. POSTER cuts the noisy image, which keeps the deviation and darkens by half a level.
    """

    def __init__(self, std: float, p: float) -> None:
        super().__init__(p=p)
        self.std = std

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        """Return the noisy image."""
        noise = self.random_generator.standard_normal(img.shape, dtype=np.float32)
        return np.rint(img + np.float32(self.std) * noise).clip(0, 255).astype(np.uint8)


class ExpressionAugmentation:
    """Augmentation of POSTER and of FER-former, with an affine change beside it: (H, W, 3) uint8 → the same.

    Args:
        flip: Probability of a horizontal flip.
        flip_or_noise: Probability, before that flip, of either a flip or Gaussian noise, one as likely as the other.
        noise_variance: Variance of the noise, in squared grey levels of 0 to 255.
        erase: Probability of erasing one rectangle.
        erase_area: Smallest and largest area of the rectangle, as a fraction of the image.
        erase_aspect: Smallest and largest ratio of its sides.
        erase_fill: Colour of the rectangle, 0 to 255; the normalisation's mean, so that it is 0 after normalising.
        rotate_degrees: Largest rotation, either way.
        scale: Largest change of size, as a fraction.
        shift: Largest shift, as a fraction of the image's side.
        grayscale: Probability of taking the colours away, first of all.

    Source: POSTER's released ``train.py`` and ``data_preprocessing/dataset_raf.py``; the affine change is ours, because
        1,400 synthetic faces are few. Of FER-former's ``dataset/data_loader.py``: grey, flip and erasing, in that
        order.
    """

    def __init__(
        self,
        *,
        flip: float,
        flip_or_noise: float,
        noise_variance: float,
        erase: float,
        erase_area: tuple[float, float],
        erase_aspect: tuple[float, float],
        erase_fill: tuple[float, float, float],
        rotate_degrees: float = 0.0,
        scale: float = 0.0,
        shift: float = 0.0,
        grayscale: float = 0.0,
    ) -> None:
        steps: list[Any] = [A.ToGray(num_output_channels=3, p=grayscale)] if grayscale else []
        steps += [
            A.OneOf([A.HorizontalFlip(p=1), RoundedGaussNoise(noise_variance**0.5, p=1)], p=flip_or_noise),
            A.HorizontalFlip(p=flip),
        ]
        if rotate_degrees or scale or shift:
            affine = A.Affine(
                rotate=(-rotate_degrees, rotate_degrees),
                scale=(1 - scale, 1 + scale),
                translate_percent=(-shift, shift),
                border_mode=cv2.BORDER_REPLICATE,  # black corners would tell that an image was changed
                p=1,
            )
            steps.append(affine)
        steps.append(A.Erasing(scale=erase_area, ratio=erase_aspect, fill=erase_fill, p=erase))
        self._chain = A.Compose(steps)

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """Augment ``image``; equal seeds give equal results."""
        # One generator for all steps: set_random_seed would give each step a generator of its own in the same state,
        # and all probability draws of an image would be one number
        self._chain.set_random_state(np.random.default_rng(seed), random.Random(seed))
        return self._chain(image=image)["image"]
