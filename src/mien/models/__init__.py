"""Architectures, one file each, and a registry that builds them by name.

Importing this package imports no architecture: each is imported when it is built.
"""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.errors import MienError

if TYPE_CHECKING:
    from torch import nn

_ARCHITECTURES = {
    "attribute_cnn": "mien.models.attribute_cnn:AttributeCNN",
    "attribute_dnn": "mien.models.attribute_dnn:AttributeDNN",
    "attribute_networks": "mien.models.attribute_networks:AttributeNetworks",
    "comp_cnn": "mien.models.comp_cnn:CompCNN",
    "face_aging": "mien.models.face_aging:FaceAging",
    "face_voice": "mien.models.face_voice:FaceVoice",
    "fer_former": "mien.models.fer_former:FERFormer",
    "fold_ensemble": "mien.models.fold_ensemble:FoldEnsemble",
    "frame_lstm": "mien.models.frame_lstm:FrameLSTM",
    "lopes_cnn": "mien.models.lopes_cnn:LopesCNN",
    "mobilefacenet": "mien.models.mobilefacenet:MobileFaceNet",
    "multi_task_cnn": "mien.models.multi_task_cnn:MultiTaskCNN",
    "poster": "mien.models.poster:Poster",
    "resnet18": "mien.models.resnet18:ResNet18",
    "sae": "mien.models.sae:SAE",
    "softmax_regression": "mien.models.softmax_regression:SoftmaxRegression",
    "standardised_linear": "mien.models.standardised_linear:StandardisedLinear",
    "voice_cnn": "mien.models.voice_cnn:VoiceCNN",
    "ward_cnn": "mien.models.ward_cnn:WardCNN",
}


_RETIRED: dict[str, dict[str, Any]] = {
    "poster": {"mlp_act": "gelu", "unread_layers": False},
    "sae": {
        "mlp_act": "gelu",
        "keep_rate_mode": "final",
        "score_levels": "all",
        "renormalize": False,
        "fused_competes": False,
        "cls": "mean",
    },
}
"""Arguments of earlier versions, which saved networks still name, with the one value of each that is left."""


def list_models() -> list[str]:
    """Names that ``create_model`` knows, sorted."""
    return sorted(_ARCHITECTURES)


def create_model(architecture: str, **config: Any) -> "nn.Module":
    """Build a model by name.

    Args:
        architecture: One of ``list_models()``.
        **config: Arguments of that architecture's class, which documents them. Lists serve as tuples, so that a
            configuration may come from JSON or YAML.

    Raises:
        MienError: Unknown architecture or argument, a missing argument, or one that the architecture refuses.

    Example:
        >>> create_model("sae", num_classes=7, keep_rate=0.3).fusion.stages[0].num_kept
        33
    """
    factory = _factory(architecture)
    parameters = inspect.signature(factory).parameters
    retired = _RETIRED.get(architecture, {})
    for key, value in config.items():
        if key in retired and value != retired[key]:
            raise MienError(
                f"model {architecture!r} with {key} {value!r}, which this version of mien no longer has. Train it anew "
                f"with {key} {retired[key]!r}, its fixed value now, or use the version that wrote it."
            )
    config = {key: value for key, value in config.items() if key not in retired}
    for key in config:
        if key not in parameters:
            raise MienError(f"model {architecture!r} has no argument {key!r}. {_advise(key, list(parameters))}")
    missing = [key for key, each in parameters.items() if each.default is each.empty and key not in config]
    if missing:
        raise MienError(f"model {architecture!r} needs {', '.join(missing)}. Give a value for each.")
    return factory(**config)


def model_arguments(architecture: str) -> tuple[str, ...]:
    """Names of the arguments that ``create_model`` takes for an architecture.

    Raises:
        MienError: Unknown architecture.
    """
    return tuple(inspect.signature(_factory(architecture)).parameters)


def _factory(architecture: str) -> "Callable[..., nn.Module]":
    if architecture not in _ARCHITECTURES:
        raise MienError(f"unknown architecture {architecture!r}. {_advise(architecture, list_models())}")
    module, name = _ARCHITECTURES[architecture].split(":")
    return getattr(import_module(module), name)


def _advise(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else f"Choose from: {', '.join(known)}."
