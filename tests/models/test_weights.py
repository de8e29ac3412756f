import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mien.models.ir50 import IR50Stages
from mien.models.mobilefacenet import MobileFaceNet
from mien.models.network import Network
from mien.models.weights import load_classifier, load_network, load_weights

WIDTHS, UNITS = (4, 8, 8), (2, 1, 3)


def backbone(seed: int = 0) -> IR50Stages:
    torch.manual_seed(seed)
    return IR50Stages(WIDTHS, UNITS, image_size=16)


def assert_loaded(module: nn.Module, state: dict) -> None:
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_a_flat_checkpoint_of_the_whole_network_loads_the_stages_and_names_the_rest(tmp_path):
    with_stage_4 = IR50Stages((*WIDTHS, 16), (*UNITS, 1), image_size=16).state_dict()
    extra = {"output_layer.3.weight": torch.zeros(5, 5)}
    torch.save(with_stage_4 | extra, tmp_path / "ir50.pth")
    module = backbone(seed=1)
    report = load_weights(module, tmp_path / "ir50.pth")
    assert_loaded(module, with_stage_4)
    assert len(report.matched) == len(module.state_dict())
    assert report.missing == report.mismatched == ()
    assert {name.split(".")[0] + "." + name.split(".")[1] for name in report.unexpected} == {"body.6", "output_layer.3"}


@pytest.mark.parametrize("prefix", ["module.", "backbone.", "module.ir_back."])
@pytest.mark.parametrize("container", [None, "state_dict", "model_state_dict", "model"])
def test_prefixes_and_containers_are_seen_through(tmp_path, prefix, container):
    state = backbone().state_dict()
    content = {prefix + name: tensor for name, tensor in state.items()} | {"module.head.weight": torch.zeros(1)}
    torch.save(content if container is None else {"epoch": 3, container: content}, tmp_path / "last.pth")
    module = backbone(seed=1)
    report = load_weights(module, str(tmp_path / "last.pth"))
    assert_loaded(module, state)
    assert [name.removeprefix("module.") for name in report.unexpected] == ["head.weight"]


@pytest.mark.parametrize("pattern", ["body{stage}.{unit}.", "body.{stage}.{unit}."])
@pytest.mark.parametrize("first_stage", [0, 1])
def test_units_numbered_per_stage_are_numbered_through(tmp_path, pattern, first_stage):
    state, nested = backbone().state_dict(), {}
    places = [(stage, unit) for stage, count in enumerate(UNITS) for unit in range(count)]
    for name, tensor in state.items():
        if name.startswith("body."):
            _, number, rest = name.split(".", 2)
            stage, unit = places[int(number)]
            name = pattern.format(stage=stage + first_stage, unit=unit) + rest
        nested[f"module.{name}"] = tensor
    torch.save(nested, tmp_path / "nested.pth")
    module = backbone(seed=1)
    assert load_weights(module, tmp_path / "nested.pth").unexpected == ()
    assert_loaded(module, state)


def test_safetensors_load_too(tmp_path):
    state = backbone().state_dict()
    save_file(state, tmp_path / "ir50.safetensors")
    module = backbone(seed=1)
    report = load_weights(module, tmp_path / "ir50.safetensors")
    assert_loaded(module, state)
    assert report.summary() == f"loaded {len(state)} of {len(state)} tensors; missing 0; unexpected 0; mismatched 0"


def test_missing_and_mismatched_tensors_are_reported_and_left_as_they_were(tmp_path):
    torch.save({"0.weight": torch.ones(2, 2), "0.bias": torch.ones(3), "9.bias": torch.ones(1)}, tmp_path / "a.pt")
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    report = load_weights(module, tmp_path / "a.pt")
    assert report.matched == ("0.weight",)
    assert report.missing == ("1.weight", "1.bias")
    assert report.unexpected == ("9.bias",)
    assert report.mismatched == ("0.bias",)
    assert torch.equal(module[0].weight, torch.ones(2, 2))
    assert torch.equal(module[0].bias, before["0.bias"])
    assert (
        report.summary()
        == "loaded 1 of 4 tensors; missing 2 (1.weight …); unexpected 1 (9.bias); mismatched 1 (0.bias)"
    )


def test_half_precision_weights_are_widened(tmp_path):
    torch.save({"weight": torch.full((2, 2), 0.5, dtype=torch.float16)}, tmp_path / "half.pt")
    module = nn.Linear(2, 2)
    load_weights(module, tmp_path / "half.pt")
    assert module.weight.dtype == torch.float32
    assert module.weight.eq(0.5).all()


def test_a_missing_file_is_refused_with_its_path(tmp_path):
    with pytest.raises(ValueError, match=r"no weights file at .*none\.pth.*Give the path"):
        load_weights(backbone(), tmp_path / "none.pth")


class Opaque:
    """Pickled by reference, which a safe reader refuses."""


@pytest.mark.parametrize("content", ["empty", "text", "opaque", "cut"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_is_no_checkpoint_is_refused_with_what_to_do(tmp_path, content, suffix):
    path = tmp_path / f"file{suffix}"
    torch.save({"weight": torch.zeros(100)}, path)
    whole = path.read_bytes()
    torch.save({"model": Opaque}, path)
    path.write_bytes(
        {"empty": b"", "text": b"not a checkpoint\n" * 9, "opaque": path.read_bytes(), "cut": whole[:300]}[content]
    )
    with pytest.raises(ValueError, match=r"is not a checkpoint of plain tensors .*save it anew"):
        load_weights(backbone(), path)


@pytest.mark.parametrize("bit", range(0, 64, 7))
def test_a_flipped_bit_of_a_tensor_is_found_by_its_checksum(tmp_path, bit):
    path = tmp_path / "file.pth"
    torch.save({"weight": torch.full((100,), 1.5)}, path)
    content = bytearray(path.read_bytes())
    place = content.index(torch.full((10,), 1.5).numpy().tobytes()) + bit // 8
    content[place] ^= 1 << bit % 8
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.pth is damaged: its part \S+ does not agree .*Copy it again"):
        load_weights(backbone(), path)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], {"state_dict": {"lr": 0.1}}])
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "log.pth")
    with pytest.raises(ValueError, match=r"holds no named tensors.*Save a plain state dict"):
        load_weights(backbone(), tmp_path / "log.pth")


@pytest.mark.parametrize("tensors", [{"conv.weight": torch.zeros(1)}, {"body.0.res_layer.0.weight": torch.zeros(99)}])
def test_a_checkpoint_of_which_nothing_fits_is_refused(tmp_path, tensors):
    torch.save(tensors, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"none of the 1 tensors in .* fits IR50Stages.*Give a checkpoint"):
        load_weights(backbone(), tmp_path / "other.pth")


class Classifier(nn.Module):
    def __init__(self, num_classes: int, width: int = 3) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(2, width), nn.Linear(width, num_classes)


def test_a_classifier_loads_whole_whatever_the_prefix(tmp_path):
    trained, model = Classifier(7), Classifier(7)
    torch.save({"state_dict": {f"module.{n}": t for n, t in trained.state_dict().items()}}, tmp_path / "all.pth")
    assert load_classifier(model, tmp_path / "all.pth").summary().startswith("loaded 4 of 4 tensors; missing 0")
    assert_loaded(model, trained.state_dict())


def test_a_classifier_of_other_classes_is_refused_before_anything_is_loaded(tmp_path):
    trained, model = Classifier(8), Classifier(7)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.save(trained.state_dict(), tmp_path / "ferplus.pth")
    with pytest.raises(
        ValueError, match=r"ferplus\.pth tells 8 classes apart, the model 7\. Give .* load_head to false"
    ):
        load_classifier(model, tmp_path / "ferplus.pth")
    assert_loaded(model, before)


def test_without_its_head_a_classifier_of_other_classes_is_a_start(tmp_path):
    trained, model = Classifier(8), Classifier(7)
    before = model.head.weight.clone()
    torch.save(trained.state_dict(), tmp_path / "ferplus.pth")
    report = load_classifier(model, tmp_path / "ferplus.pth", load_head=False)
    assert torch.equal(model.body.weight, trained.body.weight)
    assert torch.equal(model.head.weight, before)
    assert report.missing == report.unexpected == ("head.weight", "head.bias")


def test_another_width_is_a_mismatch_and_not_another_number_of_classes(tmp_path):
    torch.save({**Classifier(7, width=5).state_dict(), "head.bias": torch.ones(7)}, tmp_path / "wide.pth")
    model = Classifier(7)
    report = load_classifier(model, tmp_path / "wide.pth")
    assert report.matched == ("head.bias",)
    assert set(report.mismatched) == {"body.weight", "body.bias", "head.weight"}


def test_names_of_a_foreign_classifier_are_translated(tmp_path):
    trained, model = Classifier(7), Classifier(7)
    foreign = {n.replace("body", "stem.fc").replace("head", "out"): t for n, t in trained.state_dict().items()}
    torch.save(foreign, tmp_path / "foreign.pth")
    report = load_classifier(
        model, tmp_path / "foreign.pth", rename=lambda n: n.replace("stem.fc", "body").replace("out", "head")
    )
    assert len(report.matched) == 4
    assert_loaded(model, trained.state_dict())


def test_nothing_of_a_classifier_that_fits_is_refused(tmp_path):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"none of the 1 tensors in .* fits Classifier.*Give a checkpoint"):
        load_classifier(Classifier(7), tmp_path / "other.pth")


def landmark_network(widths=(4, 8, 8, 12), seed: int = 0) -> Network:
    torch.manual_seed(seed)
    config = {"widths": widths, "units": (1, 1, 1), "image_size": 32}
    return Network("mobilefacenet", config, (), MobileFaceNet(**config))


NOT_PLAIN = {
    "NaN": (lambda shape: torch.full(shape, float("nan")), "has 12 of 12 values that are NaN or infinite"),
    "infinite": (lambda shape: torch.ones(shape) / torch.zeros(shape), "has 12 of 12 values that are NaN or infinite"),
    "half NaN": (lambda shape: torch.full(shape, float("nan")).half(), "has 12 of 12 values that are NaN or infinite"),
    "complex": (lambda shape: torch.ones(shape, dtype=torch.complex64), "is complex (torch.complex64)"),
    "sparse": (lambda shape: torch.ones(shape).to_sparse(), "is not dense (torch.sparse_coo)"),
    "compressed": (lambda shape: torch.ones(shape).to_sparse_csr(), "is not dense (torch.sparse_csr)"),
    "meta": (lambda shape: torch.empty(shape, device="meta"), "has a shape but no values"),
    "whole": (lambda shape: torch.ones(shape, dtype=torch.int8), "holds whole numbers (torch.int8)"),
    "truth": (lambda shape: torch.ones(shape, dtype=torch.bool), "holds whole numbers (torch.bool)"),
}
"""Tensors of a checkpoint that torch would copy, or could not, and what is said of them."""


def head_alone(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"head.weight": tensor, "head.bias": torch.zeros(3)}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("load", [load_weights, load_classifier])
@pytest.mark.parametrize("kind", NOT_PLAIN)
def test_what_is_no_plain_finite_number_is_refused_by_name_and_nothing_is_loaded(tmp_path, kind, load):
    make, said = NOT_PLAIN[kind]
    torch.save(head_alone(make((3, 4))), tmp_path / "bad.pth")
    module = nn.ModuleDict({"head": nn.Linear(4, 3)})
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(
        ValueError, match=re.escape(f"bad.pth cannot be loaded: its tensor head.weight {said}")
    ) as refused:
        load(module, tmp_path / "bad.pth")
    assert "give another checkpoint" in str(refused.value) or "Save plain weights" in str(refused.value)
    assert_loaded(module, before)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_tensor_is_refused(tmp_path):
    torch.save(head_alone(torch.nested.nested_tensor([torch.ones(4), torch.ones(2)])), tmp_path / "nested.pth")
    with pytest.raises(ValueError, match=r"its tensor head\.weight is nested.*Save a plain state dict"):
        load_weights(nn.ModuleDict({"head": nn.Linear(4, 3)}), tmp_path / "nested.pth")


def test_a_bad_tensor_that_is_not_loaded_does_no_harm(tmp_path):
    extra = {"mask": torch.full((2, 2), float("-inf")), "ids": torch.arange(3)}
    torch.save(head_alone(torch.ones(3, 4)) | extra, tmp_path / "good.pth")
    assert load_weights(nn.ModuleDict({"head": nn.Linear(4, 3)}), tmp_path / "good.pth").unexpected == ("mask", "ids")


def test_whole_numbers_are_taken_where_the_module_counts_with_them(tmp_path):
    torch.save(nn.BatchNorm1d(2).state_dict(), tmp_path / "norm.pth")
    assert "num_batches_tracked" in load_weights(nn.BatchNorm1d(2), tmp_path / "norm.pth").matched


def test_a_trained_network_with_a_nan_is_refused():
    sizes = {"widths": (4, 4, 4, 8), "units": (1, 1, 1), "image_size": 32}
    network = Network("mobilefacenet", {}, (), MobileFaceNet(**sizes))
    next(network.model.parameters()).data.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"the trained mobilefacenet cannot be loaded: .* NaN"):
        load_network(MobileFaceNet(**sizes, num_outputs=None), network)


@pytest.mark.parametrize("stride", [8, 16])
def test_a_trained_network_fills_the_part_of_it_that_another_model_has(stride):
    network = landmark_network()
    part = MobileFaceNet((4, 8, 8, 12), (1, 1, 1), 32, num_outputs=None, stride=stride)
    report = load_network(part, network)
    assert_loaded(part, network.model.state_dict())
    assert report.missing == report.mismatched == ()
    assert all(name in report.unexpected for name in ("output_layer.linear.weight", "output_layer.bn.bias"))
    assert len(report.matched) == len(part.state_dict())


def test_a_network_of_other_sizes_is_refused_with_the_shapes_and_loads_nothing():
    part = MobileFaceNet((4, 8, 8, 16), (1, 1, 1), 32, num_outputs=None)
    before = {name: tensor.clone() for name, tensor in part.state_dict().items()}
    message = r"mobilefacenet does not fill MobileFaceNet: .*conv_6_sep.conv.weight, of shape \(16, 8, 1, 1\) here and "
    with pytest.raises(ValueError, match=message + r"\(12, 8, 1, 1\) there\. Set widths"):
        load_network(part, landmark_network())
    assert_loaded(part, before)
    deeper = MobileFaceNet((4, 8, 8, 12), (1, 2, 1), 32, num_outputs=None)
    with pytest.raises(ValueError, match=r"conv_4.model.1.*here and nothing there"):
        load_network(deeper, landmark_network())
