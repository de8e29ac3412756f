"""dvc.yaml and the catalog agree, as shipped and turned to the user's own data; planted faults are found."""

import shutil
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project.dvc_guards import Stage, load_stages, missing_source_faults, stage_faults, unstaged_faults
from tests.project.project_config import environments, load_catalog, load_config

from mien.pipeline_registry import is_dataset, is_system, register_pipelines

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
PIPELINES = register_pipelines()
DATASETS = [name.removeprefix("data_") for name in PIPELINES if is_dataset(name)]
ORIGINS = {name: {"origin": f"data/01_raw/{name}"} for name in DATASETS}
SHIPPED = yaml.safe_load((CONF / "dvc.yml").read_text())
PAPER = {**SHIPPED, "env": "paper", "data": "data", "variant": "paper", "own_variant": "paper", "datasets": ORIGINS}

faults_of = partial(stage_faults, pipelines=PIPELINES, catalog_of=partial(load_catalog, CONF))


@pytest.fixture(scope="module")
def stages(tmp_path_factory) -> list[Stage]:
    return load_stages(copy_of_the_stages(tmp_path_factory.mktemp("shipped")))


def copy_of_the_stages(folder: Path, **variables: Any) -> Path:
    """A folder that DVC takes for its repository, so that no test locks the project's own."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    shutil.copytree(CONF, folder / "conf")
    shutil.copy(ROOT / "dvc.yaml", folder)
    if variables:
        (folder / "conf" / "dvc.yml").write_text(yaml.safe_dump(variables))
    return folder


def test_stages_declare_what_their_pipelines_read_and_write(stages):
    assert faults_of(stages) == []


def test_stages_of_the_users_own_data_do_too(tmp_path):
    stages = load_stages(copy_of_the_stages(tmp_path, **PAPER))
    assert all("--env=paper" in stage.cmd for stage in stages)
    assert faults_of(stages) == []


def test_stages_depend_on_files_that_exist(stages):
    assert missing_source_faults(stages, ROOT) == []
    for env in set(environments(CONF)) - {"reduced"}:  # a few systems only, and not through DVC
        sections = yaml.safe_load((CONF / env / "parameters.yml").read_text())
        methods = {system["method"] for system in SHIPPED["systems"].values()}
        staged = {*SHIPPED["datasets"], *methods, *SHIPPED["cross_validated"], "landmarks", "sentiment"}
        assert staged - set(sections) == set(), f"DVC asks for each in conf/{env}: add it, with what differs there"


def test_neither_a_card_nor_a_compiled_module_makes_a_stage_out_of_date(tmp_path):
    from dvc.repo import Repo

    shutil.copy(ROOT / ".dvcignore", copy_of_the_stages(tmp_path))
    package = tmp_path / "src" / "mien" / "pipelines" / "sae"
    with Repo(str(tmp_path)) as repository:
        ignored = repository.dvcignore
        assert ignored.is_ignored_file(str(package / "README.md"))
        assert ignored.is_ignored_file(str(package / "figure.png"))
        assert ignored.is_ignored_dir(str(package / "__pycache__"))
        assert not ignored.is_ignored_file(str(package / "nodes.py"))


def test_a_stage_notices_a_change_of_its_pipelines_own_parameters(stages):
    for stage in stages:
        name = stage.name.rsplit("@", 1)[-1]
        files = {file for file, sections in stage.params.items() if name in sections}
        assert any(file.startswith("conf/base/parameters_") for file in files), stage.name
        assert stage.params[f"conf/{SHIPPED['env']}/parameters.yml"], stage.name


def test_the_stages_have_their_environments_folder_and_a_variant_of_their_own():
    shared = load_config(CONF, SHIPPED["env"])["globals"]
    assert (shared["data"], shared["variant"]) == (SHIPPED["data"], SHIPPED["own_variant"])
    assert SHIPPED["variant"] != shared["variant"], "a plain kedro run would change the metrics that git tracks"


def ignored_by_git(folder: Path, *files: str) -> list[str]:
    """Those of the files, written in an empty repository with the project's .gitignore, that git does not show."""
    shutil.copy(ROOT / ".gitignore", folder)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    shown = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=folder, capture_output=True, text=True, check=True
    )
    return [file for file in files if file not in shown.stdout.splitlines()]


def test_git_tracks_the_metrics_of_dvcs_runs_and_nothing_of_a_plain_demo(tmp_path, stages):
    tracked = [out for stage in stages for out in stage.outs if out.endswith("/metrics.json")]
    plain = [Path(file).parents[1] / SHIPPED["own_variant"] / "metrics.json" for file in tracked]
    hidden = [
        *map(str, plain),
        "dvc_plots/index.html",
        "data/01_raw/raf_db/a.png",
        "data/demo/02_intermediate/.gitignore",
    ]
    assert len(tracked) >= 13
    assert ignored_by_git(tmp_path, *tracked, *hidden, "data/01_raw/raf_db.dvc", "data/01_raw/.gitignore") == hidden


def test_every_dataset_and_system_has_a_stage(stages):
    assert sorted(yaml.safe_load((CONF / "dvc.yml").read_text())["datasets"]) == sorted(DATASETS)
    named = [name for name, pipeline in PIPELINES.items() if is_dataset(name) or is_system(name, pipeline)]
    assert unstaged_faults(stages, named) == []
    (fault,) = unstaged_faults(stages, [*named, "poster"])
    assert "No stage of dvc.yaml runs poster" in fault


def test_the_stage_guard_finds_a_folder_in_which_nothing_is_written(stages):
    data = next(stage for stage in stages if stage.name == "data@raf_db")
    (fault,) = planted(stages, data.name, outs=(*data.outs, "data/demo/05_model_input/raf_db"))
    assert "does not write" in fault
    owned = planted(stages, data.name, outs=(*data.outs, "data/demo/02_intermediate/unfinished"))
    assert any("owns the checkpoints" in fault for fault in owned)


def planted(stages: list[Stage], name: str, **changes) -> list[str]:
    return faults_of([replace(stage, **changes) for stage in stages if stage.name == name])


def test_the_stage_guard_finds_planted_faults(stages):
    sae = next(stage for stage in stages if stage.name == "token_pruned@sae")
    metrics = next(out for out in sae.outs if out.endswith("metrics.json"))
    faces = next(dep for dep in sae.deps if dep.endswith("faces_112.npy"))

    def without(paths: tuple[str, ...], path: str) -> tuple[str, ...]:
        return tuple(each for each in paths if each != path)

    cases = {
        "sae.metrics of stage token_pruned@sae": {"outs": without(sae.outs, metrics)},
        "raf_db_faces_112 is read by stage token_pruned@sae": {"deps": without(sae.deps, faces)},
        "runs sea": {"cmd": sae.cmd.replace("--pipelines=sae", "--pipelines=sea")},
        "runs no pipeline": {"cmd": "python train.py"},
        "which its pipeline does not write": {"outs": (*sae.outs, "data/demo/08_reporting/sae/scores.json")},
        "owns the checkpoints": {"outs": (*sae.outs, "data/demo/06_models/checkpoints")},
        "neither reads nor writes": {"deps": (*sae.deps, "data/demo/04_feature/raf_db/faces_64.npy")},
    }
    for message, change in cases.items():
        (fault,) = planted(stages, "token_pruned@sae", **change)
        assert message in fault


def test_the_stage_guard_finds_another_variant_or_environment_than_the_paths(stages):
    sae = next(stage for stage in stages if stage.name == "token_pruned@sae")
    other_variant = planted(stages, "token_pruned@sae", cmd=sae.cmd.replace("variant=", "variant=other_"))
    assert any("sae.metrics" in fault for fault in other_variant)
    other_env = planted(stages, "token_pruned@sae", cmd=sae.cmd.replace("--env=demo", "--env=paper"))
    assert any("raf_db_faces_112 is read" in fault for fault in other_env)


def test_the_stage_guard_finds_a_file_of_two_stages(stages):
    sae = next(stage for stage in stages if stage.name == "token_pruned@sae")
    faults = faults_of([*stages, replace(sae, name="sae_again")])
    assert len(faults) == len(sae.outs)
    assert all("token_pruned@sae and sae_again" in fault for fault in faults)


def test_the_source_guard_finds_a_misspelt_dependency(tmp_path):
    (fault,) = missing_source_faults([Stage("s", "", ("src/mien/no_such.py", "data/absent.csv"), ())], tmp_path)
    assert "src/mien/no_such.py" in fault
