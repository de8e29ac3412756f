"""What every registered model must do. A new model joins with one row of ``SMALL``."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

from mien.models import create_model, list_models


@dataclass(frozen=True)
class Small:
    """A configuration that runs in milliseconds, the shapes of its inputs and of its output without the batch axis, and
    how the names of parts begin that are trained with it but are not called by it.
    """

    config: dict[str, Any]
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    tolerance: float = field(default=1e-5)
    unused: tuple[str, ...] = ()


TWO_STREAMS = {
    "num_classes": 7,
    "image_size": 32,
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 2,
    "backbone_widths": (4, 4, 8),
    "backbone_units": (1, 1, 1),
    "landmark_widths": (4, 4, 4, 32),
    "landmark_units": (1, 1, 1),
}

TINY_CNN = {"image_size": 20, "widths": (2, 3, 4), "kernel_sizes": (3, 2, 2), "hidden": (6, 5)}
ATTRIBUTE_CNN = {"channels": (4, 4), "hidden": (8, 4), "image_size": 8, "batch_norm": True}
ATTRIBUTE_DNN = {"num_outputs": 2, "hidden": (8, 4), "batch_norm": True}
SMALL_LOPES = {"widths": [4, 6], "hidden": 8}

SMALL = {
    "comp_cnn": Small(
        {"num_classes": 2, "compare_after": 2, "comparison": "combine", **TINY_CNN}, inputs=((2, 20, 20),), output=(2,)
    ),
    "fold_ensemble": Small(
        {
            "num_classes": 2,
            "networks": {f"comb_{i}": {"compare_after": i, "comparison": "combine", **TINY_CNN} for i in (1, 2, 3)},
            "stacks": {"comb_svm": ["comb_1", "comb_2", "comb_3"]},
            "trainings": [["fold_0", 0], ["fold_1", 0]],
            "primary": "comb_2",
            "voters": ["fold_0", "fold_1"],
        },
        inputs=((2, 20, 20),),
        output=(2,),
    ),
    "attribute_cnn": Small({**ATTRIBUTE_CNN, "num_outputs": 1}, inputs=((1, 8, 8),), output=(1,)),
    "attribute_dnn": Small({**ATTRIBUTE_DNN, "num_inputs": 12}, inputs=((12,),), output=(2,)),
    "attribute_networks": Small(
        {
            "members": {
                "age_cnn": {
                    "architecture": "attribute_cnn",
                    "reads": "image",
                    "config": {**ATTRIBUTE_CNN, "num_outputs": 1},
                },
                "gender_dnn": {
                    "architecture": "attribute_dnn",
                    "reads": "pixels",
                    "config": {**ATTRIBUTE_DNN, "num_inputs": 64},
                },
                "gender_pca_dnn": {
                    "architecture": "attribute_dnn",
                    "reads": "components",
                    "config": {**ATTRIBUTE_DNN, "num_inputs": 5},
                },
            },
            "num_outputs": {"age_cnn": 1, "gender_dnn": 2, "gender_pca_dnn": 2},
            "num_components": 5,
            "image_size": 8,
        },
        inputs=((3, 8, 8),),
        output=(5,),
    ),
    "face_aging": Small(
        {"noise_dim": 8, "widths": (8, 4), "critic_widths": (4, 8), "encoder": True, "image_size": 16},
        inputs=((8,), ()),
        output=(1, 16, 16),
        unused=("critic.", "encoder."),
    ),
    "fer_former": Small(
        {
            "num_classes": 7,
            "prompts": [f"a face image of {number}" for number in range(7)],
            "image_size": 24,
            "embed_dim": 16,
            "depth": 2,
            "num_heads": 2,
            "backbone_widths": (4, 8),
            "backbone_units": (1, 1),
            "text_vocab_size": 16,
            "text_context_length": 8,
            "text_width": 16,
            "text_depth": 1,
            "text_heads": 2,
            "text_embed_dim": 8,
        },
        inputs=((3, 24, 24),),
        output=(2, 7),
        tolerance=1e-4,  # of 100 times a cosine
    ),
    "face_voice": Small(
        {"num_classes": 7, "members": {"face": {"architecture": "lopes_cnn", "config": SMALL_LOPES}}, "rows": ["face"]},
        inputs=((3, 32, 32),),
        output=(7,),
    ),
    "frame_lstm": Small({"num_classes": 7, "num_features": 6, "hidden": 5}, inputs=((4, 6), (4,)), output=(7,)),
    "lopes_cnn": Small({"num_classes": 7, **SMALL_LOPES}, inputs=((3, 32, 32),), output=(7,)),
    "poster": Small(TWO_STREAMS, inputs=((3, 32, 32),), output=(7,)),
    "resnet18": Small({"num_classes": 7, "image_size": 32, "widths": (4, 4, 8, 8)}, inputs=((3, 32, 32),), output=(7,)),
    "sae": Small(
        {**TWO_STREAMS, "prune_blocks": (0, 1), "keep_rate": 0.5},
        inputs=((3, 32, 32),),
        output=(7,),
    ),
    "multi_task_cnn": Small({**ATTRIBUTE_CNN, "outputs": (1, 2, 5)}, inputs=((1, 8, 8),), output=(8,)),
    "mobilefacenet": Small(
        {"widths": (4, 8, 8, 12), "units": (1, 1, 1), "image_size": 32}, inputs=((3, 32, 32),), output=(136,)
    ),
    "softmax_regression": Small({"num_classes": 7, "image_size": 8}, inputs=((3, 8, 8),), output=(7,)),
    "standardised_linear": Small({"num_classes": 7, "num_features": 5}, inputs=((5,),), output=(7,)),
    "voice_cnn": Small(
        {"num_classes": 7, "num_channels": 5, "num_prosody": 3, "widths": (4, 4), "drop_rate": 0.0},
        inputs=((9, 5), (9,), (3,)),
        output=(7,),
    ),
    "ward_cnn": Small({"num_classes": 7, "image_size": 24, "widths": (2, 3, 4, 5)}, inputs=((3, 24, 24),), output=(7,)),
}


def test_every_registered_model_has_a_small_configuration():
    assert sorted(SMALL) == list_models(), "add a row to SMALL in tests/models/test_all_models.py"


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create_model(name, **SMALL[name].config)


def inputs(name: str, batch: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(batch, *shape, generator=generator) for shape in SMALL[name].inputs)


each_model = pytest.mark.parametrize("name", list_models())


@each_model
def test_output_has_its_shape_and_is_the_same_twice_in_evaluation(name):
    model = build(name).eval()
    with torch.no_grad():
        out = model(*inputs(name, batch=3))
        assert out.shape == (3, *SMALL[name].output)
        assert torch.equal(model(*inputs(name, batch=3)), out)


@each_model
def test_a_training_step_gives_every_free_parameter_a_finite_gradient(name):
    model = build(name).train()
    model(*inputs(name, batch=4)).square().mean().backward()
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad and not parameter_name.startswith(SMALL[name].unused or ("-",)):
            assert parameter.grad is not None, parameter_name
            assert torch.isfinite(parameter.grad).all(), parameter_name


@each_model
def test_a_samples_output_does_not_depend_on_the_rest_of_its_batch(name):
    model = build(name).eval()
    together = inputs(name, batch=4)
    with torch.no_grad():
        out = model(*together)
        for i in range(4):
            alone = model(*(x[i : i + 1] for x in together))
            torch.testing.assert_close(alone[0], out[i], rtol=0, atol=SMALL[name].tolerance)


@each_model
def test_its_state_restores_it(name, tmp_path):
    model, other = build(name, seed=0).eval(), build(name, seed=1).eval()
    x = inputs(name, batch=2)
    with torch.no_grad():
        assert not torch.equal(model(*x), other(*x))
        torch.save(model.state_dict(), tmp_path / "model.pt")
        other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
        assert torch.equal(model(*x), other(*x))


@each_model
def test_it_exports_with_a_free_batch_size(name):
    model = build(name).eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    shapes = tuple({0: batch} for _ in SMALL[name].inputs)
    exported = torch.export.export(model, inputs(name, batch=2), dynamic_shapes=shapes).module()
    with torch.no_grad():
        for size in (1, 5):
            x = inputs(name, size)
            torch.testing.assert_close(exported(*x), model(*x), rtol=0, atol=SMALL[name].tolerance)


@pytest.mark.slow
@each_model
def test_it_compiles_to_one_graph(name):
    model, x = build(name).eval(), inputs(name, batch=2)
    torch.compiler.reset()  # compilations of earlier tests count towards a limit
    with torch.no_grad():
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(*x), model(*x), rtol=0, atol=SMALL[name].tolerance)
