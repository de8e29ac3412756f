"""What a landmark network sees inside each system's network: the pixels that it was trained on, to rounding."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.project.project_config import load_config

from mien.data.face_images import FaceImages
from mien.data.landmarks import LandmarkImages
from mien.labels import NUM_LANDMARKS
from mien.models import create_model, list_models
from mien.pipelines.sae.params import SAEModelParams

CONF = Path(__file__).parents[2] / "conf"
SYSTEMS = ("sae", "sae_ferplus")


def seen_by(landmark_backbone: torch.nn.Module, model: torch.nn.Module, face: np.ndarray) -> torch.Tensor:
    """What the first layer of a landmark network gets when a model is given a packed face."""
    seen: list[torch.Tensor] = []
    first = next(module for module in landmark_backbone.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    images = FaceImages(face, [0], [0], image_size=model.image_size, mean=model.mean, std=model.std)
    with torch.no_grad():
        model.eval()(images[0][0][0][None])
    return seen[0][0]


@pytest.mark.parametrize("env", ["demo", "reduced", "paper"])
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("architecture", [{"architecture": "sae"}, {"architecture": "poster", "keep_rate": 1.0}])
def test_a_landmark_network_sees_in_every_system_what_it_was_trained_on(env, system, architecture):
    section: dict[str, Any] = load_config(CONF, env)["parameters"][system]["model"]
    params = SAEModelParams(**section | architecture)
    model = create_model(params.architecture, num_classes=7, **params.config())
    face = np.random.default_rng(0).integers(0, 256, (1, model.image_size, model.image_size, 3), dtype=np.uint8)
    points = np.zeros((1, NUM_LANDMARKS, 2))
    (trained_on,), _ = LandmarkImages(face, [0], points, image_size=model.image_size)[0]
    torch.testing.assert_close(seen_by(model.landmark_backbone, model, face), trained_on, rtol=0, atol=1e-6)


def test_no_other_architecture_has_a_landmark_network():
    """A new one belongs in the table above."""
    having = {name for name in list_models() if "landmark_backbone" in source_of(name)}
    assert having == {"poster", "sae"}, "add the system to the test above: its landmark network must see BGR in [0, 1]"


def source_of(name: str) -> str:
    from mien import models

    module = models._ARCHITECTURES[name].split(":")[0]
    return Path(models.__file__).with_name(f"{module.rsplit('.', 1)[1]}.py").read_text()
