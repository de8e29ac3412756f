"""The project's commands: ``kedro run`` with mistakes told in one message, ``kedro lineage``, ``kedro readme``."""

import copy
import difflib
import errno
import linecache
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import click
import kedro
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import _split_params
from kedro.validation import DataValidationError, ParameterValidationError
from omegaconf import OmegaConf

logger = logging.getLogger(__name__)

INTERRUPTED = 130
"""Exit status of an interrupt, by the shell's convention: 128 and the signal's number."""

TRACEBACK_VARIABLE = "MIEN_TRACEBACK"

OWN_CODE = tuple(f"{Path(file).parent}{os.sep}" for file in (__file__, kedro.__file__))
"""Folders of mien and Kedro; their names alone would not do, because a virtual environment may lie in a folder mien."""


_ITEM = re.compile(r"""(?:(?<==)"[^"]*"|(?<==)'[^']*'|\[[^\[\]]*\]|[^,])+""")
"""One item of ``--params``, with the commas that stand in quotes or brackets."""

_KEPT_WHOLE = re.compile("""=\\s*[\\["']""")
"""What a list or a text in quotes begins with."""


@click.group(name="mien")
def cli() -> None:
    """Commands of mien."""


def params_with_lists(context: click.Context, option: click.Parameter, text: str) -> dict[str, Any]:
    """Read ``--params`` as Kedro does, but let a list and a text in quotes keep their commas: ``a=[x,y],raw="/x,y"``.

    Args:
        context: Of the command.
        option: The option that is read.
        text: As given on the command line.

    Returns:
        Parameters as sections in sections.

    Raises:
        click.UsageError: An item without ``=``, told as Kedro tells it, and how a comma is written.
    """
    items = _ITEM.findall(text) if isinstance(text, str) else []
    whole = [item.strip() for item in items if _KEPT_WHOLE.search(item)]
    plain = ",".join(item for item in items if not _KEPT_WHOLE.search(item)) if whole else text
    try:
        read = OmegaConf.merge(_split_params(context, option, plain), OmegaConf.from_dotlist(whole))
    except click.UsageError as error:
        error.message += (
            "\nA comma separates parameters. Where a value has one, as a path may, write it in quotes: "
            "'--params=raw=\"/data/a,b\"'."
        )
        raise
    return dict(OmegaConf.to_container(read))


def _reading_lists(option: click.Parameter) -> click.Parameter:
    if option.name != "params":
        return option
    option = copy.copy(option)
    option.callback = params_with_lists
    return option


def _run(**options: Any) -> Any:
    if options.get("pipeline") and not options.get("pipelines"):  # the older spelling, of which Kedro warns
        options |= {"pipeline": None, "pipelines": [options["pipeline"]]}
    return _told(
        lambda: kedro_run.callback(**options), "Training goes on from its last finished epoch, the search for faces too"
    )


def _told(work: Callable[[], Any], resumed: str) -> Any:
    """Do the work; tell an interruption and a user's mistake in a few words instead of a traceback."""
    try:
        return work()
    except KeyboardInterrupt:
        click.echo(f"Stopped. {resumed} when the same command is given.", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        message = mistake(error)
        if message is None or os.environ.get(TRACEBACK_VARIABLE):
            raise
        raise click.ClickException(f"{message}\n(Set {TRACEBACK_VARIABLE}=1 to see where in the code.)") from error


run = click.Command(
    "run", callback=_run, params=[_reading_lists(option) for option in kedro_run.params], help=kedro_run.help
)
"""Under this name ``python -m mien`` finds it."""
cli.add_command(run)


@cli.command()
@click.option("--pipeline", default="sae", show_default=True, help="Name of the pipeline.")
def lineage(pipeline: str) -> None:
    """Print a pipeline's lineage as a Mermaid flow chart."""
    from kedro.framework.project import pipelines

    from mien.readme import lineage as chart

    if pipeline not in pipelines:
        near = difflib.get_close_matches(pipeline, pipelines.keys())
        raise click.ClickException(
            f"There is no pipeline '{pipeline}'. {f'Did you mean {near[0]}? ' if near else ''}"
            f"Pipelines are folders of src/mien/pipelines: {', '.join(sorted(pipelines.keys()))}."
        )
    click.echo(chart(pipelines[pipeline]))


@cli.command()
@click.argument("name")
@click.option("--env", "-e", default=None, help="Configuration environment.")
@click.option("--seeds", default="", help="Seeds instead of the sweep's own, as in 0,1,2.")
@click.option("--params", default="", callback=params_with_lists, help="Parameters of every run, as in kedro run.")
@click.pass_obj
def sweep(metadata: Any, name: str, env: str | None, seeds: str, params: dict[str, Any]) -> None:
    """Run every member of a sweep of conf/base/sweeps.yml with every seed, then report."""
    from mien.sweep import SweepRunner

    if not all(seed.strip().isdecimal() for seed in seeds.split(",") if seeds):
        raise click.ClickException(f"--seeds={seeds} are no whole numbers with commas between. Give them as in 0,1,2.")
    numbers = [int(seed) for seed in seeds.split(",") if seed]
    runner = SweepRunner(metadata.project_path, env, params)
    _told(lambda: runner.run(name, numbers), "A sweep goes on where it stopped")


@cli.command()
@click.option("--env", "-e", default=None, help="Configuration environment.")
@click.option("--last", default=20, show_default=True, help="How many runs.")
@click.pass_obj
def results(metadata: Any, env: str | None, last: int) -> None:
    """Print the last runs that MLflow knows, with their test scores."""
    from mien.results import last_runs

    click.echo(_told(lambda: last_runs(metadata.project_path, env, last), "The table is made anew"))


@cli.command()
@click.pass_obj
def readme(metadata: Any) -> None:
    """Write the generated blocks of README.md anew: lineage and results."""
    from kedro.framework.project import pipelines

    from mien.readme import blocks, with_blocks

    file = metadata.project_path / "README.md"
    before = file.read_text(encoding="utf-8")
    text = _told(
        lambda: with_blocks(before, blocks(metadata.project_path, dict(pipelines))), "The blocks are made anew"
    )
    file.write_text(text, encoding="utf-8")
    click.echo(f"Wrote the generated blocks of {file}")


def mistake(error: BaseException) -> str | None:
    """The message for a mistake that the user can mend; None for a fault of the program, which needs its traceback.

    Mistakes are: parameters or data that do not validate, a full disk, and every ValueError or FloatingPointError that
    mien's or Kedro's own code raises in words.
    """
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, OSError) and link.errno == errno.ENOSPC:
            return (
                f"The disk is full: {link.filename or 'a file could not be written'}.\n"
                "Nothing half-written is left behind under its own name. Make room and run the same command again."
            )
    for link in reversed(chain):
        if isinstance(link, ParameterValidationError):
            told = [line for line in str(link).splitlines() if "errors.pydantic.dev" not in line]
            return "\n".join([*told, "Change it in --params or in conf/<env>/parameters_<pipeline>.yml."])
        if isinstance(link, DataValidationError):
            return str(link)
        if isinstance(link, ValueError | FloatingPointError) and _raised_in_words(link.__traceback__):
            return str(link)
    return None


def _raised_in_words(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is a ``raise`` statement of mien or Kedro, not a library's failing call."""
    if trace is None:
        return False
    frame = traceback.extract_tb(trace)[-1]
    own = frame.filename.startswith(OWN_CODE)
    return own and linecache.getline(frame.filename, frame.lineno or 0).lstrip().startswith("raise")
