"""The command line: a user's mistake is reported in one message, a fault of the program keeps its traceback."""

import errno
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from kedro.io import DatasetError

from mien import cli as module
from mien.cli import cli, mistake
from mien.data.face_images import FaceImages
from mien.io.packed_faces import FaceStream, PackedFaces
from mien.io.raw_folder import RawFolder
from mien.io.run_records import params_option
from mien.nodes.evaluation import split_scores

ROOT = Path(__file__).resolve().parents[1]


def caught(action, *args, **kwargs) -> BaseException:
    with pytest.raises(Exception) as error:  # noqa: PT011
        action(*args, **kwargs)
    return error.value


def fails_while_saving(error: Exception) -> BaseException:
    def save(folder: Path) -> None:
        raise error

    return caught(RawFolder(filepath="raw").save, save)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"sae": {"model": {"keep_rate": 2}}}, "keep_rate"),
        ({"sae": {"model": {"keep_rat": 0.5}}}, "keep_rat"),
        ({"sae": {"training": {"optimizer": {"lr": "fast"}}}}, "optimizer.lr"),
    ],
)
def test_bad_parameters_are_a_mistake_that_is_reported_by_name(run_project, params, said):
    message = mistake(caught(run_project, "sae", params=params))
    assert said in message
    assert "sae." in message


def test_an_unknown_pipeline_is_a_mistake_with_a_suggestion(run_project):
    message = mistake(caught(run_project, "sea"))
    assert "'sea'" in message
    assert "sae" in message.split("Did you mean")[1]


def test_what_mien_says_about_data_is_a_mistake_even_behind_kedros_own_error(tmp_path):
    entry = PackedFaces(filepath=str(tmp_path / "faces.npy"))
    error = caught(entry.save, FaceStream((0, 4, 4, 3), lambda start: [], "none"))
    assert isinstance(error, DatasetError)
    assert mistake(error).startswith("No face is left")


def test_data_that_does_not_validate_is_a_mistake(project):
    import pandas as pd
    from tests.project.project_config import load_catalog

    catalog = load_catalog(project / "conf", "demo")
    message = mistake(caught(catalog.save, "raf_db_samples", pd.DataFrame({"sample_id": ["a", "a"]})))
    assert "raf_db_samples" in message


@pytest.mark.parametrize("wrap", [lambda error: error, fails_while_saving])
def test_a_full_disk_is_reported_with_the_file_and_what_is_left(wrap):
    message = mistake(wrap(OSError(errno.ENOSPC, "No space left on device", "faces.npy")))
    assert "The disk is full: faces.npy" in message
    assert "run the same command again" in message


def test_a_diverging_training_is_a_mistake_in_words_of_its_own():
    from torch import nn

    from mien.engine import fit

    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, float("inf"))
    error = caught(_backward_once, fit, network)
    assert isinstance(error, FloatingPointError)
    assert "training.optimizer.lr" in mistake(error)


def _backward_once(fit, network) -> None:
    import torch

    from mien.engine.device import make_fabric

    fabric, optimizer = make_fabric("cpu"), torch.optim.SGD(network.parameters(), lr=0.1)
    task = fit.Task(lambda output, target: output.sum(), lambda outputs, targets: {}, "val/loss")
    network, stepper = fabric.setup(network, optimizer)
    fit.train_batch(fabric, network, optimizer, stepper, ((torch.ones(1, 1),), torch.ones(1)), task)


@pytest.mark.parametrize(
    "error",
    [
        caught(FaceImages, np.zeros((1, 4, 4, 3)), ["first"], [0], image_size=4, mean=(0,), std=(1,)),  # numpy's own
        caught(split_scores, None, "test"),
        caught(int, "x"),
        caught(np.reshape, np.zeros(4), (3,)),
        caught({}.__getitem__, "x"),
        RuntimeError("CUDA out of memory"),
        ValueError("never raised"),
        fails_while_saving(RuntimeError("in a save")),
    ],
    ids=repr,
)
def test_a_fault_of_the_program_or_a_library_keeps_its_traceback(error):
    assert mistake(error) is None


def test_a_librarys_raise_is_no_mistake_even_where_its_folder_lies_in_one_named_mien(tmp_path):
    library = tmp_path / "mien" / ".venv" / "library.py"
    library.parent.mkdir(parents=True)
    library.write_text("def f():\n    raise ValueError('shape mismatch')\n")
    scope: dict = {}
    exec(compile(library.read_text(), str(library), "exec"), scope)
    assert mistake(caught(scope["f"])) is None


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_a_mistake_on_the_command_line_ends_with_status_1_and_no_traceback(project):
    result = invoke("run", "--pipelines=data_raf_db", "--params=raf_db.synthetic.num_train=0")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "num_train" in result.output
    assert f"Set {module.TRACEBACK_VARIABLE}=1" in result.output


def test_the_traceback_can_be_requested(project, monkeypatch):
    monkeypatch.setenv(module.TRACEBACK_VARIABLE, "1")
    result = invoke("run", "--pipelines=sea")
    assert result.exit_code == 1
    assert isinstance(result.exception, ValueError)


def test_a_fault_passes_through_as_it_is(project, monkeypatch):
    def broken(**options):
        raise RuntimeError("a fault")

    monkeypatch.setattr(module.kedro_run, "callback", broken)
    result = invoke("run")
    assert (result.exit_code, type(result.exception)) == (1, RuntimeError)


def test_run_takes_every_option_that_kedros_own_takes():
    from kedro.framework.cli.project import run as kedro_run

    assert [param.name for param in cli.commands["run"].params] == [param.name for param in kedro_run.params]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ("variant=a, sae.seed=1", {"variant": "a", "sae": {"seed": 1}}),
        ("variant=a,sae.rows=[x, y],sae.seed=1", {"variant": "a", "sae": {"rows": ["x", "y"], "seed": 1}}),
        ("variant=0.10", {"variant": "0.10"}),
        ("sae.seed=1,variant=007", {"sae": {"seed": 1}, "variant": "007"}),
        ("variant=", {"variant": ""}),
        ("sae.units=[3,4,2]", {"sae": {"units": [3, 4, 2]}}),
        ("sae.a=[1],sae.b=[]", {"sae": {"a": [1], "b": []}}),
        ('raw="/data/a,b",variant=c', {"raw": "/data/a,b", "variant": "c"}),
        ("variant=c,raw='/data/a,b=c'", {"raw": "/data/a,b=c", "variant": "c"}),
        ("raw=/o'neil/a[1],variant=it's", {"raw": "/o'neil/a[1]", "variant": "it's"}),
    ],
)
def test_a_list_keeps_its_commas_on_the_command_line(text, read):
    option = next(param for param in cli.commands["run"].params if param.name == "params")
    assert option.callback(click.Context(cli), option, text) == read


def test_parameters_without_a_value_are_refused_with_the_way_to_write_a_comma():
    option = next(param for param in cli.commands["run"].params if param.name == "params")
    with pytest.raises(click.UsageError, match="`y` must contain a key and a value") as refused:
        option.callback(click.Context(cli), option, "sae.rows=x,y")
    assert "write it in quotes: '--params=raw=\"/data/a,b\"'" in refused.value.message


def test_the_command_that_repeats_a_run_keeps_a_comma_in_a_path():
    given = {"raw": "/data/a,b", "variant": "c"}
    option = next(param for param in cli.commands["run"].params if param.name == "params")
    (word,) = shlex.split(params_option(given))
    assert option.callback(click.Context(cli), option, word.removeprefix("--params=")) == given


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("variant=a,variant=b", "names variant and also variant"),
        ("sae=3,sae.model=4", "names sae and also sae.model"),
        ("sae.model.depth=1,sae.model=3", "names sae.model and also sae.model.depth"),
        ("a=[1,2],a.b=[3]", "names a and also a.b"),
        ("sae.x=[1,sae.y=3", "has a list that cannot be read"),
        ("a.b=[[[", "has a list that cannot be read"),
    ],
)
def test_parameters_of_which_one_would_be_lost_are_refused(text, said):
    option = next(param for param in cli.commands["run"].params if param.name == "params")
    with pytest.raises(click.UsageError, match=said):
        option.callback(click.Context(cli), option, text)


CARDS = sorted([*ROOT.glob("src/mien/pipelines/*/README.md"), ROOT / "README.md"])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.parent.name)
def test_every_list_of_parameters_in_a_card_can_be_read(card):
    option = next(param for param in cli.commands["run"].params if param.name == "params")
    lines = [line for line in card.read_text().splitlines() if "--params=" in line]
    for command in (each for line in lines for each in re.findall(r"`([^`]*--params=[^`]*)`", line) or [line]):
        for word in shlex.split(command, comments=True):
            if word.startswith("--params="):
                assert option.callback(click.Context(cli), option, word.removeprefix("--params="))


def test_python_m_mien_finds_the_same_command():
    from kedro.framework.cli.utils import find_run_command

    assert find_run_command("mien") is cli.commands["run"]


def test_an_unknown_environment_ends_with_its_own_message_alone(project):
    result = invoke("run", "--env=papr")
    assert result.exit_code == 1
    assert "Did you mean paper?" in result.output
    assert module.TRACEBACK_VARIABLE not in result.output


def test_the_lineage_of_an_unknown_pipeline_suggests_a_near_one(project):
    result = invoke("lineage", "--pipeline=sea")
    assert result.exit_code == 1
    assert "There is no pipeline 'sea'. Did you mean sae?" in result.output


def command(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name(arguments[0])
    return subprocess.run([program, *arguments[1:]], cwd=project, capture_output=True, text=True, env=dict(os.environ))


def test_kedro_run_without_the_dataset_fails_in_one_message(project):
    """The real command, in a process of its own."""
    result = command(project, "kedro", "run", "--env=paper", "--pipelines=data_raf_db")
    assert result.returncode == 1
    assert "RAF-DB's folder is missing" in result.stderr
    assert "Ask the authors for RAF-DB" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (project / "data").exists()


TINY_RUN = (
    "raf_db.synthetic.num_train=14,raf_db.synthetic.num_test=14,raf_db.synthetic.image_size=64,"
    "raf_db.alignment.method=given"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spelling",
    [
        ("kedro", "run", "--pipelines=data_raf_db"),
        ("kedro", "run", "--pipeline=data_raf_db"),  # deprecated in Kedro 1.7, still in everybody's fingers
        ("python", "-m", "mien", "--pipelines=data_raf_db"),
    ],
    ids=" ".join,
)
def test_every_spelling_of_a_run_ends_with_status_0_and_its_files(project, spelling):
    result = command(project, *spelling, f"--params={TINY_RUN}")
    assert result.returncode == 0, result.stderr
    assert (project / "data/demo/04_feature/raf_db/faces_112.npy").is_file()


def test_an_interrupt_says_how_to_go_on_and_exits_as_the_shell_expects(project, monkeypatch):
    def interrupted(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.kedro_run, "callback", interrupted)
    result = CliRunner().invoke(module.run, ["--pipelines=sae"])
    assert result.exit_code == 130
    assert "goes on from its last finished epoch" in result.output


def test_the_older_spelling_of_the_option_reaches_kedro_as_the_newer(monkeypatch):
    seen = {}
    monkeypatch.setattr(module.kedro_run, "callback", lambda **options: seen.update(options))
    CliRunner().invoke(module.run, ["--pipeline=sae"])
    assert (seen["pipeline"], seen["pipelines"]) == (None, ["sae"])


def test_a_run_without_a_name_is_the_default_pipeline_by_its_own_name(monkeypatch, caplog):
    seen = {}
    monkeypatch.setattr(module.kedro_run, "callback", lambda **options: seen.update(options))
    with caplog.at_level("INFO", "mien"):
        CliRunner().invoke(module.run, ["--params=variant=a"])
    assert seen["pipelines"] == ["sae"]
    assert "No pipeline is named, so sae runs" in caplog.text
    assert "softmax_regression" in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pipelines=SAE"], "Did you mean sae?"),
        (["--pipelines=sae", "--from-nodes=sae.trian"], "Did you mean sae.train?"),
        (["--pipelines=sae", "--to-nodes=sae.trian"], "Did you mean sae.train?"),
        (["--pipelines=sae", "--nodes=trian"], "Did you mean sae.train?"),
        (["--pipelines=sae", "--tags=x"], "there is no tag at all"),
        (["--pipelines=sae", "--namespaces=raf-db"], "Did you mean raf_db?"),
        (["--nodes=fer_former.train"], "add --pipelines=fer_former"),
        (["--pipelines=sae", "--params=sae.trainig.max_epochs=3"], "Did you mean sae.training.max_epochs?"),
        (["--pipelines=sae", "--params=sae.nonsense=1"], "there is no parameter sae.nonsense"),
        (["--pipelines=sae", "--params=variant=../../escape"], "variant is '../../escape', which is no name"),
        (["--pipelines=sae", "--params=sae.training.optimizer.lr=nan"], "Input should be a finite number"),
        (["--pipelines=sae", "--params=sae.training.batch_size=true"], "True is a truth value, and a number is meant"),
        (["--pipelines=sae", "--from-nodes=sae.train"], "Begin earlier: kedro run --pipelines=sae"),
        (
            ["--pipelines=sae", "--nodes=sae.initialise"],
            "Make it first: kedro run --pipelines=landmarks,sae --to-outputs=landmark_network,sae.train_and_val",
        ),
    ],
)
def test_every_mistake_in_what_is_requested_is_one_message_before_the_first_node(project, options, said):
    result = invoke("run", *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert said.lower() in result.output.lower()
    assert "Traceback" not in result.output
    assert not (project / "data").exists()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted_twice(done: list[str]) -> None:
    with module.stopped_once():
        try:
            interrupt()
        finally:
            interrupt()  # in the middle of what has to be done at the end
            done.append("closed")


def test_a_second_interrupt_does_not_break_off_what_the_first_one_ends():
    before, done = signal.getsignal(signal.SIGINT), []
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted_twice(done)
        interrupt()  # while the process ends, too
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["closed"]


def test_after_a_run_that_was_not_interrupted_an_interrupt_does_what_it_did():
    before = signal.getsignal(signal.SIGINT)
    with module.stopped_once():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.EROFS, "The disk is read-only: faces.npy"),
        (errno.EDQUOT, "The disk is full: faces.npy"),
        (errno.EACCES, "faces.npy cannot be read or written"),
        (errno.EIO, "faces.npy cannot be read or written"),
    ],
)
def test_a_disk_that_fails_wherever_it_strikes_is_a_mistake_in_words(number, what):
    message = mistake(OSError(number, os.strerror(number), "faces.npy"))
    assert message.startswith(what)
    assert "run the same command again" in message


def test_help_of_run_names_the_environment_that_runs_without_an_option(project):
    text = " ".join(invoke("run", "--help").output.split())
    assert f"The default is {module.DEFAULT_ENV}" in text
    assert "`local`" not in text


class Watched:
    """Something that ends with an interrupt in its weak reference's callback, which swallows it."""


def swallowed() -> None:
    thing = Watched()
    watched = weakref.ref(thing, lambda _: interrupt())
    with module.stopped_once():
        del thing
        time.sleep(5)
    assert watched() is None


def test_an_interrupt_that_a_callback_swallows_is_given_again(capsys):
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            swallowed()
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Exception ignored" not in capsys.readouterr().err
