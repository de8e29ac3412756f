"""Parameters: each bound refuses what lies beyond it, before the first node; unknown keys and changes are refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError
from tests.project.project_config import load_config

from mien.nodes.params import (
    AlignmentParams,
    EvaluationParams,
    Params,
    PredictionParams,
    TrainingParams,
    flatten,
)
from mien.pipeline_registry import register_pipelines
from mien.pipelines.data_raf_db.params import RafDbReader, SyntheticRafDb
from mien.pipelines.sae.params import SAEModelParams
from mien.sweep import SweepMember

SECTIONS: dict[str, type[Params]] = {
    "raf_db.synthetic": SyntheticRafDb,
    "raf_db.reader": RafDbReader,
    "raf_db.alignment": AlignmentParams,
    "sae.model": SAEModelParams,
    "sae.training": TrainingParams,
    "sae.prediction": PredictionParams,
    "sae.evaluation": EvaluationParams,
}
EVERY: dict[str, type[Params]] = {
    name: kind
    for name, kind in TypeExtractor(register_pipelines()).extract_types_from_pipelines().items()
    if name.count(".") == 1  # what a node reads of a section is checked in the section
}
"""The model of every section that a node of any pipeline reads, by the section's name."""

each_section = pytest.mark.parametrize("section", SECTIONS)
PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "paper")["parameters"]


def changed(section: str, path: str = "", value: Any = None) -> dict[str, Any]:
    """A published section with one value changed."""
    system, name = section.split(".")
    return _set(PUBLISHED[system][name], path.split("."), value) if path else PUBLISHED[system][name]


def _set(values: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    return {**values, path[0]: value if len(path) == 1 else _set(values[path[0]], path[1:], value)}


@pytest.mark.parametrize(
    ("section", "path", "bad", "good"),
    [
        ("raf_db.synthetic", "num_train", 0, 1),
        ("raf_db.synthetic", "num_test", 0, 1),
        ("raf_db.synthetic", "image_size", 63, 64),
        ("raf_db.synthetic", "seed", -1, 0),
        ("raf_db.reader", "validation_fraction", 0.0, 0.001),
        ("raf_db.reader", "validation_fraction", 1.0, 0.999),
        ("raf_db.reader", "seed", -1, 0),
        ("raf_db.reader", "source", "cropped", "original"),
        ("raf_db.alignment", "method", "dlib", "mtcnn"),
        ("raf_db.alignment", "min_face_size", 11, 12),
        ("raf_db.alignment", "thresholds", [0.6, 0.7], [0.5, 0.5, 0.5]),
        ("raf_db.alignment", "without_face", "ignore", "drop"),
        ("raf_db.alignment", "batch_size", 0, 1),
        ("sae.model", "image_size", 120, 128),
        ("sae.model", "image_size", 0, 16),
        ("sae.model", "embed_dim", 3, 32),
        ("sae.model", "embed_dim", 16_385, 16_384),
        ("sae.model", "image_size", 4112, 4096),
        ("sae.model", "depth", 0, 1),
        ("sae.model", "depth", 1025, 1024),
        ("sae.model", "prune_blocks", [-1], [0]),
        ("sae.model", "backbone_widths", [0, 8, 8], [1, 8, 8]),
        ("sae.model", "backbone_units", [1, 1, -1], [1, 1, 1]),
        ("sae.model", "std", [0.2, 0.0, 0.2], [0.2, 0.1, 0.2]),
        ("sae.model", "std", [0.2, -0.2, 0.2], [0.2, 0.2, 0.2]),
        ("sae.model", "mean", [float("nan"), 0.5, 0.5], [0.0, 0.5, 0.5]),
        ("sae.model", "freeze_landmarks", 1, True),
        ("sae.model", "num_heads", 0, 1),
        ("sae.model", "mlp_ratio", 0.0, 0.5),
        ("sae.model", "drop_path_rate", 1.0, 0.99),
        ("sae.model", "drop_path_rate", -0.1, 0.0),
        ("sae.model", "keep_rate", 0.0, 0.01),
        ("sae.model", "keep_rate", 2, 1.0),
        ("sae.model", "alignment", "mean", "per_stream"),
        ("sae.model", "backbone_widths", [64, 128], [8, 8, 8]),
        ("sae.model", "mean", [0.5], [0.5, 0.5, 0.5]),
        ("sae.training", "max_epochs", 0, 1),
        ("sae.training", "batch_size", 1, 2),
        ("sae.training", "seed", -1, 0),
        ("sae.training", "monitor", "val/acuracy", "val/loss"),
        ("sae.training", "monitor", "test/accuracy", "val/mean_class_accuracy"),
        ("sae.training", "optimizer.name", "lion", "adamw"),
        ("sae.training", "optimizer.lr", 0.0, 1e-9),
        ("sae.training", "optimizer.weight_decay", -0.1, 0.0),
        ("sentiment.training", "optimizer.momentum", 1.0, 0.9),
        ("sentiment.training", "optimizer.momentum", -0.1, 0.0),
        ("sae.training", "optimizer.sam_rho", -0.05, 0.0),
        ("landmarks.training", "scheduler.name", "linear", "constant"),
        ("sae.training", "scheduler.gamma", 0.0, 1.0),
        ("sae.training", "scheduler.gamma", 1.1, 0.5),
        ("fer_former.training", "scheduler.step_size", 0, 1),
        ("sae.training", "loss.ce_weight", -1.0, 0.0),
        ("sae.training", "loss.smoothing_weight", -1.0, 0.0),
        ("sae.training", "loss.smoothing", 1.0, 0.99),
        ("sae.training", "augmentation.flip", 1.5, 1.0),
        ("sae.training", "augmentation.flip_or_noise", -0.5, 0.0),
        ("sae.training", "augmentation.noise_variance", -1.0, 0.0),
        ("sae.training", "augmentation.erase", 2.0, 1.0),
        ("sae.training", "augmentation.erase_area", [0.2, 0.1], [0.1, 0.1]),
        ("sae.training", "augmentation.erase_area", [0.1, 1.1], [0.0, 1.0]),
        ("sae.training", "augmentation.erase_area", [float("nan"), 0.1], [0.02, 0.1]),
        ("sae.training", "augmentation.erase_aspect", [3.3, 0.3], [0.3, 3.3]),
        ("sae.training", "augmentation.erase_aspect", [0.0, 3.3], [0.01, 3.3]),
        ("sae.training", "augmentation.erase_aspect", [0.3, float("inf")], [0.3, 100.0]),
        ("sae.training", "max_epochs", 1_000_001, 1_000_000),
        ("sae.training", "max_epochs", True, 1),
        ("sae.training", "drop_last", 0, False),
        ("sae.training", "seed", 2**32, 2**32 - 1),
        ("sae.training", "optimizer.lr", float("inf"), 1.0),
        ("sae.training", "optimizer.lr", "nan", "1e-3"),
        ("raf_db.alignment", "thresholds", [0.6, 0.7, 1.0], [0.6, 0.7, 0.99]),
        ("raf_db.alignment", "workers", 1025, 1024),
        ("sae.training", "augmentation.rotate_degrees", 181.0, 180.0),
        ("sae.training", "augmentation.scale", 1.0, 0.9),
        ("sae.training", "augmentation.shift", -0.1, 0.0),
        ("sae.training", "device.accelerator", "tpu", "cuda"),
        ("sae.training", "device.devices", 0, 2),
        ("sae.training", "device.precision", "64", "bf16-mixed"),
        ("sae.training", "device.num_workers", -1, 4),
        ("sae.training", "device.threads", -1, 0),
        ("raf_db.alignment", "workers", -1, 0),
        ("raf_db.alignment", "turns", [45], []),
        ("raf_db.alignment", "turns", [0], [90, 270]),
        ("raf_db.alignment", "enlarge", 0.5, 1),
        ("raf_db.alignment", "enlarge", 9, 1.5),
        ("sae.prediction", "batch_size", 0, 1),
        ("sae.evaluation", "resamples", 99, 100),
        ("sae.evaluation", "seed", -1, 0),
    ],
)
def test_each_bound_refuses_what_lies_beyond_it_and_takes_what_lies_on_it(section, path, bad, good):
    EVERY[section](**changed(section, path, good))
    with pytest.raises(ValidationError) as error:
        EVERY[section](**changed(section, path, bad))
    assert error.value.errors()[0]["loc"][: path.count(".") + 1] == tuple(path.split("."))


def scalars(values: Any, kind: type, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of each number, or each switch, of a section; of a list its first."""
    for name, value in values.items():
        where = f"{path}.{name}" if path else name
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(value, dict):
            yield from scalars(value, kind, where)
        elif type(first) in ((int, float) if kind is float else (kind,)):
            yield where, value


def with_first(value: Any, bad: Any) -> Any:
    return [bad, *value[1:]] if isinstance(value, list) else bad


@pytest.mark.parametrize("section", EVERY)
@pytest.mark.parametrize("bad", [True, float("nan"), float("inf"), float("-inf"), 1e300], ids=repr)
def test_no_number_of_any_section_may_be_a_switch_or_no_number_or_beyond_all_bounds(section, bad):
    system, name = section.split(".", 1)
    published = PUBLISHED[system][name]
    for path, value in scalars(published, float):
        with pytest.raises(ValidationError) as error:
            EVERY[section](**_set(published, path.split("."), with_first(value, bad)))
        reported = ".".join(map(str, error.value.errors()[0]["loc"]))
        assert reported.startswith(path) or path.startswith(reported)  # of names with values, the name of them all


@pytest.mark.parametrize("section", EVERY)
@pytest.mark.parametrize("bad", [0, 1, 0.5, float("nan")], ids=repr)
def test_no_switch_of_any_section_may_be_a_number(section, bad):
    system, name = section.split(".", 1)
    published = PUBLISHED[system][name]
    for path, value in scalars(published, bool):
        with pytest.raises(ValidationError, match=r"is a number, and a switch is meant. Give true or false"):
            EVERY[section](**_set(published, path.split("."), with_first(value, bad)))


def test_a_switch_may_come_as_a_word_of_the_command_line():
    assert AlignmentParams.model_config["extra"] == "forbid"
    training = TrainingParams(**changed("sae.training", "drop_last", "true"))
    assert training.drop_last is True


@pytest.mark.parametrize("name", ["../x", "", ".x", "a/b", "/x"])
def test_names_that_become_files_are_no_paths(name):
    networks = PUBLISHED["age_gender_ethnicity"]["model"]
    with pytest.raises(ValidationError, match="should match pattern"):
        EVERY["age_gender_ethnicity.model"](**{**networks, "networks": {name: networks["networks"]["age_cnn"]}})
    with pytest.raises(ValidationError, match="should match pattern"):
        SweepMember(system="sae", variants=(name,))


@pytest.mark.parametrize("section", ["age_csv.reader", "ravdess.reader", "crema_d.reader", "landmarks.synthetic_faces"])
def test_validation_and_test_leave_something_to_train_on(section):
    system, name = section.split(".")
    halves = {"validation_fraction": 0.5, "test_fraction": 0.5}
    with pytest.raises(ValidationError, match=r"leave nothing to train on\. Let both together be less than 1"):
        EVERY[section](**PUBLISHED[system][name] | halves)


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("sae.model", {"num_heads": 3}, "embed_dim and 4 times num_heads are 512 and 12"),
        ("fer_former.model", {"num_heads": 3}, "embed_dim and num_heads are 256 and 3"),
        ("fer_former.model", {"text_heads": 3}, "text_width and text_heads are 512 and 3"),
        ("comp_cnn.model", {"crop_from": 40}, "image_size 44 cannot be cut out of 40 pixels"),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused_before_anything_is_prepared(section, change, said):
    system, name = section.split(".")
    with pytest.raises(ValidationError, match=said):
        EVERY[section](**PUBLISHED[system][name] | change)


@each_section
def test_an_unknown_key_is_refused(section):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        SECTIONS[section](**changed(section, "unheard_of", 1))


@each_section
def test_a_missing_key_is_refused_because_the_files_are_complete(section):
    values = changed(section)
    for key in values:
        with pytest.raises(ValidationError, match="Field required"):
            SECTIONS[section](**{name: value for name, value in values.items() if name != key})


@each_section
def test_no_value_changes_during_a_run(section):
    params = SECTIONS[section](**changed(section))
    name = next(iter(type(params).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(params, name, getattr(params, name))


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
def test_sam_trains_in_every_precision(precision):
    values = changed("sae.training", "device.precision", precision)
    assert TrainingParams(**_set(values, ["optimizer", "sam_rho"], 0.05)).device.precision == precision


@pytest.mark.parametrize("system", sorted(name for name, sections in PUBLISHED.items() if "prediction" in sections))
def test_a_number_of_devices_to_predict_on_is_refused_and_no_file_gives_one(system):
    values = PUBLISHED[system]["prediction"]["device"]
    assert PredictionParams(batch_size=1, device=values).device.num_workers == values["num_workers"]
    with pytest.raises(
        ValidationError, match=r"devices is 2, .* one process.* Remove devices .*training\.device\.devices"
    ):
        PredictionParams(batch_size=1, device={**values, "devices": 2})


def test_weights_that_are_not_there_are_refused_before_anything_runs():
    with pytest.raises(ValidationError, match=r"there is no weights file at /nowhere\.pth\. Give the path .* or null"):
        SAEModelParams(**changed("sae.model", "backbone_weights", "/nowhere.pth"))


def test_the_published_configuration_builds_the_published_model():
    """Every argument reaches the architecture under its own name, and no path of weights does."""
    import json
    from inspect import signature

    from mien.models.sae import SAE

    config = SAEModelParams(**changed("sae.model")).config()
    assert {*config, "num_classes"} == set(signature(SAE).parameters)
    assert json.loads(json.dumps(config)) == config


def test_nested_parameters_are_flattened_to_dotted_names():
    training = TrainingParams(**changed("sae.training"))
    flat = flatten(training, "training.")
    assert flat["training.optimizer.lr"] == training.optimizer.lr
    assert flat["training.max_epochs"] == training.max_epochs
    assert not any(isinstance(value, dict | Params) for value in flat.values())
    assert flatten({"a": {"b": {"c": [1, 2]}}, "d": None}) == {"a.b.c": [1, 2], "d": None}
