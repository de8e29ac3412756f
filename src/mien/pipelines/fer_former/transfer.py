"""Weights of FER-former from one set of classes to another, matched by name."""

import logging
from typing import TYPE_CHECKING, Any

from mien.models.network import Network

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

BY_CLASS = ("head.weight", "head.bias", "text_encoder.weight")
"""Tensors with a row per class; the last is the table's."""


def class_rows(known: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Place of each wanted class among the known ones.

    Raises:
        ValueError: A class is not known.

    Example:
        >>> class_rows(("fear", "happy", "sad"), ("sad", "fear"))
        [2, 0]
    """
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(
            f"the network to start from does not know {', '.join(unknown)}: it tells {', '.join(known)} apart. "
            "Start from a network that was trained on a dataset with these classes, or map them in mien.labels."
        )
    return [known.index(name) for name in wanted]


def source_tokens(source: Network, config: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    """The token ids by which the source's tower knows the prompts, as an argument of the new model.

    Only needed where there is no tokenizer: then words are numbered by the source's prompts.

    Args:
        source: The network to start from.
        config: Arguments of the new model.
        rows: Place of each new class among the source's.

    Raises:
        ValueError: The prompts differ from the source's.
    """
    if config["text_encoder"] != "tower" or "prompt_tokens" in config:
        return {}
    theirs = [source.config.get("prompts", [])[row] for row in rows] if source.config.get("prompts") else []
    if theirs != config["prompts"]:
        raise ValueError(
            f"prompts {config['prompts'][:1]} … differ from {theirs[:1]} … of the network to start from, which trained "
            "its own words alone. Set the same model.prompt and text_encoder in both, or give both a clip_folder."
        )
    tokens = source.model.text_encoder.tokens.tolist()
    return {"prompt_tokens": [_up_to_the_end(tokens[row]) for row in rows]}


def _up_to_the_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(max(ids)) + 1]


def transfer_weights(model: "nn.Module", source: Network, rows: list[int]) -> None:
    """Fill a model with the source's weights, those of its classes in their new order.

    Args:
        model: A FER-former for the new classes.
        source: The network to start from.
        rows: Place of each new class among the source's.

    Raises:
        ValueError: The models differ in more than the classes.
    """
    target, weights = model.state_dict(), source.model.state_dict()
    weights = {name: tensor[rows] if name in BY_CLASS else tensor for name, tensor in weights.items()}
    differing = sorted(target.keys() ^ weights.keys())
    differing += [name for name in target.keys() & weights.keys() if target[name].shape != weights[name].shape]
    if differing:
        raise ValueError(
            f"the network to start from has another architecture: {len(differing)} tensors differ, such as "
            f"{differing[0]}. Give both systems the same model parameters."
        )
    model.load_state_dict(weights)
    logger.info("All %d tensors are taken from a network that knows %s", len(weights), ", ".join(source.class_names))
