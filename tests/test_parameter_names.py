"""Parameters by name: every level, every system, from the command line and from files, with the near one."""

from pathlib import Path

import pytest
import yaml
from tests.project.project_config import environments, load_config

from mien.parameter_names import FREE, VALUE, check_names, check_parameters, check_run_options, known_parameters
from mien.pipeline_registry import register_pipelines

CONF = Path(__file__).resolve().parents[1] / "conf"
PIPELINES = register_pipelines()
KNOWN = known_parameters(PIPELINES)
SECTIONS = [(name, section) for name, sections in KNOWN.items() for section in sections]


def nested(path: str, value: object = 3) -> dict:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def reported(path: str, value: object = 3) -> str:
    with pytest.raises(ValueError, match="--params") as refused:
        check_names(nested(path, value), KNOWN, "--params")
    return str(refused.value)


@pytest.mark.parametrize("env", environments(CONF))
def test_every_environment_passes(env):
    check_parameters(load_config(CONF, env), PIPELINES)


@pytest.mark.parametrize("name", KNOWN)
def test_an_unknown_section_of_every_pipeline_is_refused(name):
    assert f"--params names {name}.nonsense, and there is no parameter {name}.nonsense." in reported(f"{name}.nonsense")


@pytest.mark.parametrize(("name", "section"), SECTIONS, ids=".".join)
def test_an_unknown_name_in_every_section_is_refused_and_every_known_one_taken(name, section):
    assert f"there is no parameter {name}.{section}.nonsense." in reported(f"{name}.{section}.nonsense")
    for key, below in KNOWN[name][section].items():
        if below is VALUE or below is FREE:
            check_names(nested(f"{name}.{section}.{key}"), KNOWN, "--params")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sae.trainig.max_epochs", "sae.training.max_epochs"),
        ("SAE.model.keep_rate", "sae.model.keep_rate"),
        ("sae.training.epochs", "sae.training.max_epochs"),
        ("sae.epochs", "sae.training.max_epochs"),
        ("epochs", "sae.training.max_epochs"),
        ("fer_former.epochs", "fer_former.training.max_epochs"),
        ("sae.model.max_epochs", "sae.training.max_epochs"),
        ("sae.training.learning_rate", "sae.training.optimizer.lr"),
        ("sae.training.optimiser.lr", "sae.training.optimizer.lr"),
        ("sentiment.model.voice_svm.functional", "sentiment.model.voice_svm.functionals"),
        ("rafdb.synthetic.generate", "raf_db.synthetic.generate"),
        ("raf_db.generate", "raf_db.synthetic.generate"),
        ("sae.training.device.gpu", "sae.training.device.accelerator"),
        ("varient", "variant"),
        ("age_gender_ethnicity.model.networks.mine.tarfet", "age_gender_ethnicity.model.networks.mine.target"),
    ],
)
def test_the_near_name_is_of_the_same_meaning_and_place(given, meant):
    assert f"Did you mean {meant}? " in reported(given)


def test_a_name_like_none_is_refused_without_a_guess():
    assert "Did you mean" not in reported("sae.nonsense")
    assert "In sae there are: evaluation, model, prediction, training." in reported("sae.nonsense")


@pytest.mark.parametrize("path", ["sae", "sae.model", "sae.training.optimizer"])
def test_a_section_that_is_set_to_a_value_is_refused(path):
    assert f"--params sets {path} to 3, and it is a section.\nSet something in it: " in reported(path)


def test_a_value_that_is_given_as_a_section_is_refused():
    assert "sae.training.max_epochs is a value. Set sae.training.max_epochs itself." in reported(
        "sae.training.max_epochs.x"
    )


def test_names_of_ones_own_are_taken_where_they_are_meant():
    for path in ("age_gender_ethnicity.model.networks.mine.target", "report.tables.papers.mine.n"):
        check_names(nested(path), KNOWN, "--params")


def test_several_faults_are_reported_at_once_but_not_all():
    with pytest.raises(ValueError, match=r"And 2 more\.$"):
        check_names({"sae": {f"x{number}": 1 for number in range(7)}}, KNOWN, "--params")


@pytest.fixture
def conf(tmp_path) -> Path:
    """The project's configuration with an environment of the user's own."""
    (tmp_path / "conf").symlink_to(CONF)
    folder = tmp_path / "own"
    folder.mkdir()
    for env in ("base", "demo"):
        (folder / env).symlink_to(CONF / env)
    (folder / "mine").mkdir()
    (folder / "mine/globals.yml").write_text("{data: here, raw: there, variant: mine}")
    (folder / "mine/project.yml").write_text("{experiment: mine}")
    return folder


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("parameters_sae.yml", "sae: {trainig: {max_epochs: 3}}", "Did you mean sae.training.max_epochs"),
        ("parameters.yml", "sea: {training: {max_epochs: 3}}", "Did you mean sae.training.max_epochs"),
        ("mine/parameters_mine.yml", "raf_db: {synthetic: {generat: yes}}", "Did you mean raf_db.synthetic.generate"),
        ("parameters_sae.yml", "fer_former: {model: {nonsense: 1}}", "no parameter fer_former.model.nonsense"),
        ("parameters_sae.yml", "sae: 3", "sets sae to 3, and it is a section"),
        ("parameters_sae.yml", "sae: {model: [", "is no YAML"),
        ("parameters_sae.yml", "- sae", "holds a list"),
        (
            "parameters_sae.yml",
            "{sae: {model: {depth: 2}}, sae_ferplus: {extends: sae, modle: {depth: 1}}}",
            "Did you mean sae_ferplus.model.depth",
        ),
        ("parameters_sae.yml", "sae_ferplus: '${sea}'", "Interpolation key 'sea' not found"),
        ("globals.yml", "{data: here, raw: there, variant: ../x}", "variant is '../x', which is no name"),
        ("globals.yml", "{dta: here}", "names 'dta', which nothing reads.\nDid you mean data"),
        ("project.yml", "{experimnt: here}", "names 'experimnt', which nothing reads.\nDid you mean experiment"),
    ],
)
def test_a_users_own_files_are_checked_and_named(conf, file, text, said):
    check_parameters(load_config(conf, "mine"), PIPELINES)
    (conf / "mine" / file).parent.mkdir(exist_ok=True)
    (conf / "mine" / file).write_text(text)
    with pytest.raises(ValueError, match=r"own|which is no name|cannot be put together") as refused:
        check_parameters(load_config(conf, "mine"), PIPELINES)
    assert said in str(refused.value)


def test_a_users_own_section_that_points_to_another_is_taken(conf):
    (conf / "mine/parameters.yml").write_text(
        yaml.safe_dump({"sfew": {"synthetic": {"num_val": 3}}, "raf_db": {"synthetic": "${sfew.synthetic}"}})
    )
    with pytest.raises(ValueError, match=r"no parameter raf_db\.synthetic\.num_val"):  # as merged, not as written
        check_parameters(load_config(conf, "mine"), PIPELINES)
    (conf / "mine/parameters.yml").write_text(yaml.safe_dump({"sae": {"model": {"depth": 2}}, "sae_ferplus": "${sae}"}))
    check_parameters(load_config(conf, "mine"), PIPELINES)


@pytest.mark.parametrize("variant", ["keep_0.1", "keep_0.6-seed_2", "0.10", 3, 0.5, "A+b=c", "x" * 100])
def test_names_pass_as_variants(variant):
    check_run_options({"variant": variant, "parent_run": "0a1b", "raw": "~/faces"})


@pytest.mark.parametrize(
    "variant",
    [
        "../../escape",
        "/x",
        "a/b",
        "a\\b",
        "",
        ".",
        "..",
        ".hidden",
        "-x",
        "a b",
        "a\n",
        "ä",
        "a\0",
        "x" * 101,
        None,
        True,
        [],
        {},
        ["a"],
    ],
)
def test_a_variant_is_a_name_and_never_a_path(variant):
    with pytest.raises(ValueError, match=r"(?s)variant is .*, which is no name.*Give a name of letters"):
        check_run_options({"variant": variant})


@pytest.mark.parametrize(
    ("option", "value"), [("parent_run", "../x"), ("parent_run", ""), ("raw", ""), ("raw", None), ("raw", True)]
)
def test_other_runtime_options_are_checked_too(option, value):
    with pytest.raises(ValueError, match=f"{option} is"):
        check_run_options({option: value})
