"""What every system must do, in a tiny run through Kedro from synthetic raw files to metrics and figures.

A new system joins with one row in ``tests/pipelines/tiny_systems.py``.
"""

import json
import logging
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import MemoryDataset
from tests.pipelines.temporary_project import PreparedSources, copy_project, open_catalog, run_session
from tests.pipelines.tiny_systems import TINY, TINY_DATA, TINY_SOURCES
from tests.project.pipeline_guards import training_nodes
from tests.project.project_config import data_entries

from mien.io.figures import PaperFigure
from mien.io.packed_faces import FaceStream
from mien.mlflow_run import COMPARED, MEMBER_CURVES, OF_A_MEMBER, SCORES, MlflowRun, connect, input_shape
from mien.pipeline_registry import is_dataset, is_system, register_pipelines

PIPELINES = register_pipelines()
LOG_NETWORK = MlflowRun.log_network
SYSTEMS = sorted(name for name, pipeline in PIPELINES.items() if is_system(name, pipeline))


def test_every_system_and_dataset_has_tiny_parameters():
    datasets = [name.removeprefix("data_") for name in PIPELINES if is_dataset(name)]
    where = "tests/pipelines/tiny_systems.py: the smallest parameters with which it runs in a second or two"
    assert sorted(TINY) == SYSTEMS, f"add a row per system to TINY in {where}"
    assert sorted(TINY_DATA) == sorted(datasets), f"add a row per dataset to TINY_DATA in {where}"


def sources_of(system: str) -> list[str]:
    """The pipelines that make what a system reads, other systems aside."""
    namespaces = {step.namespace for step in PIPELINES[system].nodes} - {system}
    return sorted(name if name in PIPELINES else f"data_{name}" for name in namespaces - set(SYSTEMS))


class TinyRun:
    """A project in which one system has run once, ``softmax_regression`` from raw files, others from prepared data."""

    def __init__(self, system: str, project: Path, sources: PreparedSources) -> None:
        self.system, self.project = system, project
        self.catalogs: dict[str | None, Any] = {}
        self.pipeline = PIPELINES[system]
        if system == "softmax_regression":
            self.run()
        else:
            sources.copy_to(project, sources_of(system))
            self.run(namespaces=self.namespaces)

    def params(self, variant: str | None) -> dict[str, Any]:
        named = {"variant": variant} if variant else {}
        return {**TINY, **TINY_SOURCES, **named}

    def run(self, variant: str | None = None, **options: Any) -> None:
        run_session(self.project, self.system, params=self.params(variant), **options)

    @property
    def namespaces(self) -> list[str]:
        """The system, and the systems from whose networks of the same variant it starts."""
        return sorted({step.namespace for step in training_nodes(self.pipeline)} & set(SYSTEMS))

    def catalog(self, variant: str | None = None):
        if variant not in self.catalogs:
            self.catalogs[variant] = open_catalog(self.project, params=self.params(variant))
        return self.catalogs[variant]

    def tracked_pictures(self) -> set[str]:
        """Names under which figures lie at the run's artifact root, as the catalog says."""
        catalog, names = self.catalog(), set()
        for entry in sorted(entry for entry in data_entries(self.pipeline) if entry.startswith(f"{self.system}.")):
            dataset = catalog.get(entry)
            kind, name = (getattr(dataset, "metadata", None) or {}).get("tracking"), entry.partition(".")[2]
            if kind == "figures":
                files = dataset.files().items()
                names |= {f"{each}.{'png' if file.suffix == '.png' else 'html'}" for each, file in files}
            elif kind == "plot":
                names.add(f"{name.removesuffix('_plot')}.png")
        assert names
        return names

    def tracked_runs(self) -> list[Any]:
        """The runs that are no part of another, the oldest first."""
        client = connect(self.project)
        experiments = [each.experiment_id for each in client.search_experiments()]
        runs = client.search_runs(experiments, order_by=["attributes.start_time ASC"])
        return [run for run in runs if "mlflow.parentRunId" not in run.data.tags]

    def bytes_of(self, name: str, variant: str | None = None) -> bytes:
        return Path(self.catalog(variant).get(f"{self.system}.{name}")._filepath).read_bytes()


def on_another_dataset(system: str) -> bool:
    """Whether a system is a method that another one already is: that one is run with every `pytest`, this with the slow
    tests.
    """
    return any(system.startswith(f"{other}_") for other in SYSTEMS)


def one_per_system(systems: list[str]) -> list[Any]:
    """Parameters of a test, those on another dataset with the slow tests."""
    return [pytest.param(name, marks=[pytest.mark.slow] if on_another_dataset(name) else []) for name in systems]


FIRST_OF_ITS_LINE = [name for name in SYSTEMS if not on_another_dataset(name) or name == "fer_former_sfew"]
"""Systems whose line no other has; the last starts from another's network."""

once_per_line = pytest.mark.parametrize("tiny", one_per_system(FIRST_OF_ITS_LINE), indirect=True, scope="module")
"""For what runs a system again: its steps do not depend on the dataset."""


@pytest.fixture(
    scope="module",
    params=one_per_system(SYSTEMS),
)
def tiny(request, tmp_path_factory, mlflow_store, prepared_sources):
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Exporting the model takes MLflow seconds: a slow test of its own does it.
        monkeypatch.setattr(MlflowRun, "log_network", lambda run, network: None)
        monkeypatch.delenv("KEDRO_ENV", raising=False)
        project = copy_project(tmp_path_factory.mktemp(request.param) / "project", mlflow_store)
        os.chdir(project)
        try:
            yield TinyRun(request.param, project, prepared_sources)
        finally:
            os.chdir(before)


def test_every_entry_is_written_and_can_be_read_back_as_its_schema_says(tiny):
    catalog = tiny.catalog()
    entries = data_entries(tiny.pipeline)
    assert len(entries) > 5
    for entry in entries:
        if isinstance(catalog.get(entry), MemoryDataset):
            continue
        assert catalog.exists(entry), entry
        if not isinstance(catalog.get(entry), PaperFigure):  # a picture is written for people alone
            catalog.load(entry)


def test_metrics_are_numbers_under_names_that_systems_share(tiny):
    metrics = tiny.catalog().load(f"{tiny.system}.metrics")
    assert metrics["test/n"] > 0
    assert metrics["synthetic_share"] == 1.0, "a run on synthetic faces must say so"
    for name, value in metrics.items():
        assert value is None or math.isfinite(value), name
    assert {name.split("/")[0] for name in metrics} == {"test", "best", "synthetic_share"}
    assert not set(metrics) & set(tiny.catalog().load(f"{tiny.system}.history")), "a name has two meanings"


def machine() -> str:
    """What decides the last digits of a float32 sum."""
    import torch

    return f"torch {torch.__version__.partition('+')[0]}, {torch.backends.cpu.get_cpu_capability()}"


def test_scores_are_the_frozen_ones(tiny):
    """A change that must not touch the numbers touches none. One that must.

    ``MIEN_FREEZE=1 pytest -k frozen -m 'slow or not slow'``, and say why.

    On another kind of machine, a few of the tiny samples may fall on the other side.
    """
    metrics = tiny.catalog().load(f"{tiny.system}.metrics")
    scores = {
        name: "undefined" if value is None else value
        for name, value in metrics.items()
        if not name.endswith(("_low", "_high"))
    }
    file = Path(__file__).with_name("frozen_scores") / f"{tiny.system}.json"
    if os.environ.get("MIEN_FREEZE"):
        file.write_text(json.dumps({"machine": machine(), "scores": scores}, indent=1) + "\n")
    frozen = json.loads(file.read_text())
    assert scores.keys() == frozen["scores"].keys()
    if machine() == frozen["machine"]:
        assert scores == {
            name: value if isinstance(value, str) else pytest.approx(value, rel=1e-5, abs=1e-6)
            for name, value in frozen["scores"].items()
        }


def test_predictions_cover_every_unseen_sample_and_no_other(tiny):
    catalog = tiny.catalog()
    predictions = catalog.load(f"{tiny.system}.predictions")
    if "trial" in predictions:  # cross-validated: every model and seed tests every sample once
        predictions = predictions[predictions["trial"].str.startswith("fold_") & (predictions["split"] == "test")]
        models = [rows for _, rows in predictions.groupby(["model", "seed"])]
        predictions = models[0].assign(split="folds")
        for rows in models:
            assert sorted(rows["sample_id"]) == sorted(predictions["sample_id"])
    kinds = [column for column in ("target_name", "model") if column in predictions and "trial" not in predictions]
    tables = [rows for _, rows in predictions.groupby(kinds)] if kinds else [predictions]
    steps = [step for step in tiny.pipeline.nodes if step.namespace == tiny.system]
    gathered = f"{tiny.system}.samples"  # of a system that makes its samples of a dataset's, as clips of frames
    names = {entry for step in steps for entry in step.inputs if entry.endswith("_samples") or entry == gathered}
    assert names
    for name in {gathered} if gathered in names else names:
        samples = catalog.load(name).query("split != 'train' and face_index >= 0").set_index("sample_id")["split"]
        for table in tables:
            assert len(table) == len(samples)
            assert table.set_index("sample_id")["split"].to_dict() == samples.to_dict()


def test_the_run_is_tracked_with_the_metrics_and_parameters_of_its_files(tiny):
    client, first = connect(tiny.project), tiny.tracked_runs()[0]
    assert first.info.status == "FINISHED"
    assert first.data.tags["system"] == tiny.system
    metrics = tiny.catalog().load(f"{tiny.system}.metrics")
    known = {name: value for name, value in metrics.items() if value is not None}
    compared = {name: value for name, value in known.items() if COMPARED.fullmatch(name)}
    assert any(name.startswith("test/") for name in compared)
    assert compared.items() <= first.data.metrics.items()
    assert len(first.data.metrics) <= 40, sorted(first.data.metrics)
    table = json.loads(Path(client.download_artifacts(first.info.run_id, SCORES)).read_text())
    scores = {line[0]: line[1] for line in table["data"]}
    assert scores == pytest.approx(
        {name: value for name, value in known.items() if not name.endswith(("_low", "_high"))}
    )
    for tag in ("command", "mlflow.source.name", "mlflow.note.content"):
        assert tiny.system in first.data.tags[tag], tag
    history = tiny.catalog().load(f"{tiny.system}.history")
    lead = ""
    if "model" in history:  # several models in one run: the last
        lead = f"{history['model'].iloc[-1]}/"
        history = history[history["model"] == history["model"].iloc[-1]]
    assert first.data.metrics[f"{lead}train/loss"] == pytest.approx(history["train/loss"].iloc[-1])
    assert len(client.get_metric_history(first.info.run_id, f"{lead}train/loss")) == len(history)
    assert first.data.params["training.max_epochs"] == str(TINY[tiny.system]["training"]["max_epochs"])
    assert not any(name.startswith(f"{tiny.system}.") for name in first.data.params)
    assert tiny.tracked_pictures() <= {file.path for file in client.list_artifacts(first.info.run_id)}


def test_lineage_of_sae_opens_readable():
    pipeline = register_pipelines()["sae"]
    shown = [*pipeline.nodes, *data_entries(pipeline)]
    assert len(shown) <= 63, "what Kedro-Viz draws: merge entries before you add some"


def test_an_epochs_number_has_a_value_per_epoch_and_none_before_the_first(tiny):
    client, first = connect(tiny.project), tiny.tracked_runs()[0]
    history = tiny.catalog().load(f"{tiny.system}.history")
    assert any(name.startswith("val/") for name in history)
    for model, epochs in history.groupby("model") if "model" in history else [("", history)]:
        named = {name for name in set(epochs) - {"epoch", "model"} if not OF_A_MEMBER.fullmatch(name)}
        for name in set(MEMBER_CURVES) & set(epochs) if model else named:
            known = epochs[epochs[name].notna()]
            curve = client.get_metric_history(first.info.run_id, f"{model}/{name}" if model else name)
            curve = sorted(curve, key=lambda each: each.step)
            assert [each.step for each in curve] == known["epoch"].tolist(), name
            assert [each.value for each in curve] == pytest.approx(known[name].tolist()), name


@pytest.mark.parametrize("tiny", ["face_aging"], indirect=True, scope="module")
def test_epochs_and_their_pictures_are_tracked_when_only_warnings_are_logged(tiny, caplog):
    caplog.set_level(logging.WARNING, "mien")
    tiny.run("quiet", namespaces=tiny.namespaces, to_nodes=["face_aging.train"])
    client, run = connect(tiny.project), tiny.tracked_runs()[-1]
    assert run.data.tags["variant"] == "quiet"
    curve = client.get_metric_history(run.info.run_id, "train/loss")
    assert [each.step for each in curve] == [1, 2]
    assert [file.path for file in client.list_artifacts(run.info.run_id, "images")], "the grids of faces"
    assert "epoch 1/2" not in caplog.text


def described(run: Any) -> tuple[Any, ...]:
    """The data that a run says it saw."""
    inputs = {(each.dataset.name, each.dataset.digest, each.dataset.profile) for each in run.inputs.dataset_inputs}
    of_data = {name: value for name, value in run.data.params.items() if name.startswith("data.")}
    return inputs, run.data.tags["dataset"], run.data.tags["system"], of_data


@pytest.mark.parametrize("way", ["from_nodes", "only_missing_outputs", "nothing_missing"])
def test_a_run_that_finds_its_data_there_says_which_as_the_one_that_made_it(tiny, way):
    evaluate = [f"{tiny.system}.evaluate"]  # and no figure, which would take most of the time
    if way == "only_missing_outputs":
        Path(tiny.catalog().get(f"{tiny.system}.subgroups")._filepath).unlink()
    parts = {"from_nodes": evaluate} if way == "from_nodes" else {"only_missing_outputs": True}
    tiny.run(to_nodes=evaluate, **parts)
    first, *_, last = tiny.tracked_runs()
    assert described(first)[0], "the run that makes its data logs none"
    assert described(last) == described(first)


def test_nothing_is_written_outside_the_folders_that_git_ignores(tiny):
    written = {path.name for path in tiny.project.iterdir()}
    assert written <= {"conf", "src", "pyproject.toml", "data", "mlflow.db", "mlartifacts", ".viz", "sessions"}
    assert not list(tiny.project.rglob("*.part"))


@once_per_line
def test_the_same_run_as_another_variant_has_files_of_its_own_with_the_same_bytes(tiny):
    names = ("predictions", "metrics", "network")
    before = {name: tiny.bytes_of(name) for name in names}
    tiny.run("another", namespaces=tiny.namespaces, to_nodes=[f"{tiny.system}.evaluate"])
    for name in names:
        assert tiny.bytes_of(name) == before[name], f"{name} of the first variant changed"
        assert tiny.bytes_of(name, "another") == before[name], f"{name} of the same run differ"
    first, *_, last = tiny.tracked_runs()
    assert described(last)[0] == described(first)[0], "a run of the system alone saw the same data"
    path = Path(tiny.catalog("another").get(f"{tiny.system}.metrics")._filepath)
    assert path.parent.name == "another"


@once_per_line
def test_no_test_face_changes_what_is_trained(tiny):
    """Noise in the place of every test face: the same network. In the place of the train faces: another."""
    (train,) = (step for step in training_nodes(tiny.pipeline) if step.namespace == tiny.system)
    (faces_name,) = (entry for entry in train.inputs if "_faces_" in entry)
    if faces_name.startswith(f"{tiny.system}."):
        pytest.skip("it gathers faces and voices of its own: a test of its own module changes both")
    catalog = tiny.catalog()
    if f"{tiny.system}.trials" in tiny.pipeline.all_outputs():
        pytest.skip("every face is a test face in some fold: tests/pipelines/test_comp_cnn.py has its counterpart")
    samples, faces = catalog.load(faces_name.partition("_faces_")[0] + "_samples"), catalog.load(faces_name).copy()
    trained = tiny.bytes_of("network")
    noise = np.random.default_rng(0).integers(0, 256, faces.shape, dtype=np.uint8)
    for split, same in (("test", True), ("train", False)):
        noisy = faces.copy()
        rows = samples.loc[(samples["split"] == split) & (samples["face_index"] >= 0), "face_index"].to_numpy()
        assert len(rows)
        noisy[rows] = noise[rows]
        catalog.get(faces_name).save(FaceStream(noisy.shape, lambda start, rows=noisy: [rows[start:]], split))
        tiny.run(f"noisy_{split}", namespaces=tiny.namespaces, to_nodes=[train.name])
        assert (tiny.bytes_of("network", f"noisy_{split}") == trained) == same
    catalog.get(faces_name).save(FaceStream(faces.shape, lambda start: [faces[start:]], "as before"))


@pytest.mark.slow
def test_the_tracked_model_computes_what_the_saved_network_does(tiny):
    import mlflow
    import torch

    entry = tiny.catalog().get(f"{tiny.system}.network")
    if (entry.metadata or {}).get("tracking") != "network":
        pytest.skip(f"{tiny.system}'s network is no classifier of images and is not tracked")
    network = entry.load()
    client = connect(tiny.project)
    experiment = client.create_experiment("export", artifact_location=(tiny.project / "mlartifacts").as_uri())
    LOG_NETWORK(MlflowRun(client, experiment, "export", {}), network)
    (logged,) = client.search_logged_models([experiment])
    images = torch.randn(3, *input_shape(network))
    with torch.no_grad():
        expected = network.model(images).numpy()
    np.testing.assert_allclose(
        mlflow.pyfunc.load_model(logged.artifact_location).predict(images.numpy()), expected, atol=1e-5
    )
