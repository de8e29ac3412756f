"""Node functions of ``age_gender_ethnicity`` that look into the networks: Figures 4, 5 and 21 to 24, and Grad-CAM."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import unseen_samples

MAPS_PER_STAGE = 16
"""As many of each stage as the paper shows."""

COMPONENTS_SHOWN = 60
"""As many as the paper shows."""

FACES_SHOWN = 6
"""Ours: a sheet's width."""

_TILE = 96  # pixels: twice the face's side


def show_components(samples: pd.DataFrame, faces: np.ndarray, network: Network) -> tuple[Any, np.ndarray, np.ndarray]:
    """Show what the principal components keep of the test faces, and the first of them.

    Args:
        samples: The samples table.
        faces: Packed faces (n, H, W, C) uint8.
        network: The trained networks.

    Returns:
        The explained variance as a figure; a sheet of test faces, each above what its
        components restore; a sheet of the first components as faces.
    """
    import torch

    from mien.io.sheets import captioned_sheet

    test = unseen_samples(samples, ("test",))
    components, size = network.model.components, network.model.image_size
    synthetic = bool(test["synthetic"].any())
    shown = components.explained.numpy(), "Principal components of the train faces"
    images = _grey(faces, test["face_index"].to_numpy()[:FACES_SHOWN], size)
    with torch.no_grad():
        restored = components.restore(components(images.flatten(1))).reshape(images.shape)
    tiles = [_tile(image[0].numpy()) for image in (*images, *restored)]
    count = len(components.directions)
    captions = [["original"]] * len(images) + [[f"of {count}"]] * len(images)
    heading = f"Test faces, and what {count} principal components keep of them{_origin(synthetic)}"
    first = components.directions[:COMPONENTS_SHOWN].reshape(-1, size, size).numpy()
    return (
        figures.explained_variance_plot(*shown, synthetic=synthetic),
        captioned_sheet(tiles, captions, heading=heading, columns=len(images)),
        captioned_sheet(
            [_tile(_symmetric(each)) for each in first],
            [[str(number)] for number in range(1, len(first) + 1)],
            heading=f"The first {len(first)} principal components of the train faces{_origin(synthetic)}",
            columns=10,
        ),
    )


def show_networks(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Show what each convolutional network makes of one test face, its kernels, and where it looks.

    Args:
        samples: The samples table.
        faces: Packed faces (n, H, W, C) uint8.
        network: The trained networks.
        prediction: Where to compute.

    Returns:
        A sheet of feature maps, one of kernels, the first of each stage, and one of Grad-CAM on test faces.

    Source: Grad-CAM is Selvaraju et al.'s (2017), by captum; to show it is ours.
    """
    from mien.engine.device import limited_threads

    test = unseen_samples(samples, ("test",))
    origin = _origin(bool(test["synthetic"].any()))
    model = network.model
    names = [name for name, reads in model.reads.items() if reads == "image"]
    images = _grey(faces, test["face_index"].to_numpy()[:FACES_SHOWN], model.image_size)
    if not names:
        nothing = _nothing("No network that reads the image was trained")
        return nothing, nothing, nothing
    with limited_threads(prediction.device.threads):
        maps = [_feature_maps(name, model.members[name].eval(), images[:1], origin) for name in names]
        kernels = [_kernels(name, model.members[name], origin) for name in names]
        seen = [_grad_cam(name, model.members[name], network.class_names[model.columns(name)], images, origin)
                for name in names]  # fmt: skip
    return _stacked(maps), _stacked(kernels), _stacked(seen)


def _feature_maps(name: str, member: Any, image: Any, origin: str) -> np.ndarray:
    import torch

    from mien.io.sheets import captioned_sheet

    tiles, captions = [], []
    x = image
    for number, stage in enumerate(member.stages, start=1):
        with torch.no_grad():
            x = stage(x)
        for channel, each in enumerate(x[0, :MAPS_PER_STAGE]):
            tiles.append(_tile(_stretched(each.numpy())))
            captions.append([f"stage {number}, {channel + 1}"])
    return captioned_sheet(
        tiles, captions, heading=f"{name}: feature maps of a test face{origin}", columns=MAPS_PER_STAGE
    )


def _kernels(name: str, member: Any, origin: str) -> np.ndarray:
    """The first kernels of each stage, of the first channel that they read."""
    from mien.io.sheets import captioned_sheet

    tiles, captions = [], []
    for number, stage in enumerate(member.stages, start=1):
        weight = stage[0].weight.detach().numpy()
        for channel, each in enumerate(weight[:MAPS_PER_STAGE, 0]):
            tiles.append(_tile(_symmetric(each)))
            captions.append([f"stage {number}, {channel + 1}"])
    return captioned_sheet(
        tiles, captions, heading=f"{name}: kernels, light is positive{origin}", columns=MAPS_PER_STAGE
    )


def _grad_cam(name: str, member: Any, outputs: Sequence[str], images: Any, origin: str) -> np.ndarray:
    """Where the last stage speaks for each face's age and for its predicted classes."""
    import torch
    from captum.attr import LayerAttribution, LayerGradCam

    from mien.io.sheets import captioned_sheet

    cam = LayerGradCam(member, member.stages[-1][0])
    with torch.no_grad():
        said = member(images)
    tiles, captions = [], []
    for part in dict.fromkeys(output.rsplit("/", 1)[0] for output in outputs):
        columns = [column for column, output in enumerate(outputs) if output.startswith(f"{part}/")]
        chosen = torch.tensor(columns)[said[:, columns].argmax(dim=1)]
        maps = cam.attribute(images, target=chosen, relu_attributions=True)
        maps = LayerAttribution.interpolate(maps, images.shape[2:], interpolate_mode="bilinear").detach()
        for image, heat, column, values in zip(images, maps, chosen.tolist(), said, strict=True):
            tiles.append(_overlaid(image[0].numpy(), _stretched(heat[0].numpy())))
            word = outputs[column].rsplit("/", 1)[1]
            captions.append([f"{values[column]:.0f} years" if word == "years" else word])
    return captioned_sheet(tiles, captions, heading=f"{name}: Grad-CAM of test faces{origin}", columns=len(images))


def _grey(faces: np.ndarray, rows: np.ndarray, size: int) -> Any:
    """(n, 1, size, size) of the given rows."""
    from mien.data.face_images import GreyFaces

    return GreyFaces(faces, rows, np.zeros(len(rows), np.int64), image_size=size).images()


def _tile(values: np.ndarray) -> np.ndarray:
    """Values (H, W) in [0, 1] as a picture."""
    import cv2

    grey = np.uint8(np.clip(values, 0, 1) * 255 + 0.5)
    large = cv2.resize(grey, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
    return np.repeat(large[..., None], 3, axis=2)


def _overlaid(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A face (H, W) with heat (H, W) over it, both in [0, 1]: blue through yellow."""
    import cv2

    colours = cv2.applyColorMap(np.uint8(255 * heat), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    large = cv2.resize(np.ascontiguousarray(colours), (_TILE, _TILE), interpolation=cv2.INTER_LINEAR)
    return np.uint8(0.5 * _tile(image) + 0.5 * large)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Values moved and scaled to [0, 1]; 0 where all are equal."""
    spread = np.ptp(values)
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)


def _symmetric(values: np.ndarray) -> np.ndarray:
    """Values scaled to [0, 1] with 0 at a half."""
    largest = np.abs(values).max()
    return 0.5 + values / (2 * largest) if largest > 0 else np.full_like(values, 0.5)


def _stacked(sheets: Sequence[np.ndarray]) -> np.ndarray:
    """Sheets below each other, on white."""
    width = max(sheet.shape[1] for sheet in sheets)
    padded = [np.pad(sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0)), constant_values=255) for sheet in sheets]
    return np.concatenate(padded)


def _nothing(words: str) -> np.ndarray:
    from mien.io.sheets import message_tile

    return message_tile(words, 2 * _TILE, 4 * _TILE)


def _origin(synthetic: bool) -> str:
    return " - synthetic faces" if synthetic else ""
