"""The project's commands: ``kedro run`` with mistakes reported in one message, ``kedro lineage``, ``kedro readme``."""

import _thread
import copy
import errno
import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click
import kedro
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import _split_params
from kedro.validation import DataValidationError, ParameterValidationError
from omegaconf import OmegaConf
from yaml import YAMLError

from mien.errors import MienError
from mien.names import DEFAULT_ENV, DEFAULT_PIPELINE, check_run_names, did_you_mean
from mien.outputs import FileError, write_fault

logger = logging.getLogger(__name__)

INTERRUPTED = 130
"""Exit status of an interrupt, by the shell's convention: 128 and the signal's number."""

OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""Errors of a disk that takes nothing more, which are no fault of the program."""

OF_THE_DISK = (errno.EACCES, errno.EPERM, errno.EIO)
"""Errors of a disk that are reported by reading and by writing."""

TRACEBACK_VARIABLE = "MIEN_TRACEBACK"

AGAIN = 0.1
"""Seconds until an interrupt that was swallowed is given again: the callback has ended by then."""

KEDRO_CODE = f"{Path(kedro.__file__).parent}{os.sep}"
"""Kedro's folder; its name alone would not do, because a virtual environment may lie in a folder kedro."""


_ITEM = re.compile(r"""(?:(?<==)"[^"]*"|(?<==)'[^']*'|\[[^\[\]]*\]|[^,])+""")
"""One item of ``--params``, with the commas that stand in quotes or brackets."""

_KEPT_WHOLE = re.compile("""=\\s*[\\["']""")
"""What a list or a text in quotes begins with."""


@click.group(name="mien")
def cli() -> None:
    """Commands of mien."""


def params_with_lists(context: click.Context, option: click.Parameter, text: str) -> dict[str, Any]:
    """Read ``--params`` as Kedro does, but let lists and texts in quotes keep commas: ``a=[x,y],raw="/x,y"``.

    A variant keeps its letters: ``0.10`` is a name there.

    Args:
        context: Of the command.
        option: The option that is read.
        text: As given on the command line.

    Returns:
        Parameters as sections in sections.

    Raises:
        click.UsageError: An item without ``=``, reported as Kedro does, and how a comma is written; a list without
            its end; a name given twice, or both a section and something in it.
    """
    items = _ITEM.findall(text) if isinstance(text, str) else []
    names = [item.partition("=")[2].strip() for item in items if item.strip().startswith("variant=")]
    whole = [item.strip() for item in items if _KEPT_WHOLE.search(item)]
    _check_once([item.partition("=")[0].strip() for item in items if "=" in item])
    plain = ",".join(item for item in items if not _KEPT_WHOLE.search(item)) if whole else text
    try:
        read = OmegaConf.merge(_split_params(context, option, plain), OmegaConf.from_dotlist(whole))
    except YAMLError as error:
        raise click.UsageError(f"--params has a list that cannot be read: {whole}. Write it as in a=[1,2].") from error
    except click.UsageError as error:
        error.message += (
            "\nA comma separates parameters. Where a value has one, as a path may, write it in quotes: "
            "'--params=raw=\"/data/a,b\"'."
        )
        raise
    named = {"variant": names[-1].strip("\"'")} if names else {}  # as written: 0.10 is a name here, not the number 0.1
    return {**OmegaConf.to_container(read), **named}


def _check_once(names: Sequence[str]) -> None:
    """Refuse a name that is given twice, or with something in it: one of both would be lost without a word."""
    for number, name in enumerate(names):
        others = [*names[:number], *names[number + 1 :]]
        if twice := [other for other in others if other == name or other.startswith(f"{name}.")]:
            raise click.UsageError(f"--params names {name} and also {twice[0]}. Give one of the two.")


def _ours(option: click.Parameter) -> click.Parameter:
    """Kedro's option of ``run``, where it has another default or reading here."""
    option = copy.copy(option)
    if option.name == "params":
        option.callback = params_with_lists
    if option.name == "env" and isinstance(option, click.Option):
        option.help = f"Environment, a folder of conf. The default is {DEFAULT_ENV}: synthetic faces, small networks."
    return option


def _run(**options: Any) -> Any:
    if options.get("pipeline") and not options.get("pipelines"):  # the older spelling, of which Kedro warns
        options |= {"pipeline": None, "pipelines": [options["pipeline"]]}
    return _reported(
        lambda: _checked_run(options), "Training goes on from its last finished epoch, the search for faces too"
    )


def _checked_run(options: dict[str, Any]) -> Any:
    """Run what is named, or the default pipeline by its own name, once all that is named is known to exist."""
    from kedro.framework.project import pipelines

    check_run_names(options, pipelines)
    if not options.get("pipelines"):
        logger.info(
            "No pipeline is named, so %s runs. All together would take hours: name others in --pipelines, of %s",
            DEFAULT_PIPELINE,
            ", ".join(sorted(name for name in pipelines if name != "__default__")),
        )
        options |= {"pipelines": [DEFAULT_PIPELINE]}
    return kedro_run.callback(**options)


def _reported(work: Callable[[], Any], resumed: str) -> Any:
    """Do the work; tell an interruption and a user's mistake in a few words instead of a traceback."""
    try:
        with stopped_once():
            return work()
    except KeyboardInterrupt:
        click.echo(f"Stopped. {resumed} when the same command is given.", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        message = mistake(error)
        if message is None or os.environ.get(TRACEBACK_VARIABLE):
            raise
        raise click.ClickException(f"{message}\n(Set {TRACEBACK_VARIABLE}=1 to see where in the code.)") from error


@contextmanager
def stopped_once() -> Iterator[None]:
    """Let the first Ctrl-C stop the block; later ones end its other processes, and break nothing off.

    What has to be done at the end, such as MLflow's run being closed as KILLED, is done however often it is pressed:
    the process ends after the first, and ignores the others until it has.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set it, and gets the signal
        return
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        """Interrupt the block at the first signal; at others end its processes."""
        nonlocal stopping
        if not stopping:
            stopping = True
            raise KeyboardInterrupt
        for child in multiprocessing.active_children():
            child.terminate()

    def swallowed(unraisable: Any) -> None:
        """Interrupt again where the first one fell into a callback of the interpreter's, which lets nothing out."""
        nonlocal stopping
        if not (stopping and issubclass(unraisable.exc_type, KeyboardInterrupt)):
            return hook(unraisable)
        stopping = False
        return threading.Timer(AGAIN, _thread.interrupt_main).start()

    before, hook = signal.signal(signal.SIGINT, stop), sys.unraisablehook
    sys.unraisablehook = swallowed
    try:
        yield
    finally:
        sys.unraisablehook = hook
        # Ignored, because Python takes a handler of its own away when it ends, and the next signal would kill it.
        signal.signal(signal.SIGINT, signal.SIG_IGN if stopping else before)


run = click.Command("run", callback=_run, params=[_ours(option) for option in kedro_run.params], help=kedro_run.help)
"""Under this name ``python -m mien`` finds it."""
cli.add_command(run)


@cli.command()
@click.option("--pipeline", default="sae", show_default=True, help="Name of the pipeline.")
def lineage(pipeline: str) -> None:
    """Print a pipeline's lineage as a Mermaid flow chart."""
    from kedro.framework.project import pipelines

    from mien.readme import lineage as chart

    if pipeline not in pipelines:
        raise click.ClickException(
            f"There is no pipeline '{pipeline}'. {did_you_mean(pipeline, pipelines)}"
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
    _reported(lambda: runner.run(name, numbers), "A sweep goes on where it stopped")


@cli.command()
@click.option("--env", "-e", default=None, help="Configuration environment.")
@click.option("--last", default=20, show_default=True, help="How many runs.")
@click.pass_obj
def results(metadata: Any, env: str | None, last: int) -> None:
    """Print the last runs that MLflow knows, with their test scores."""
    from mien.results import last_runs

    click.echo(_reported(lambda: last_runs(metadata.project_path, env, last), "The runs are listed"))


@cli.command()
@click.option("--picture", is_flag=True, help="Cut the README's picture anew too, of the demo's last run of sae.")
@click.pass_obj
def readme(metadata: Any, picture: bool) -> None:
    """Write the generated blocks of README.md, CONTRIBUTING.md and the systems' cards anew."""
    from kedro.framework.project import pipelines

    from mien.readme import write

    root = metadata.project_path
    for file in _reported(lambda: write(root, dict(pipelines), picture), "The blocks are made anew"):
        click.echo(f"Wrote {file}")


def mistake(error: BaseException) -> str | None:
    """The message for a mistake that the user can mend; None for a fault of the program, which needs its traceback.

    Mistakes are: parameters or data that do not validate, every ``MienError``, every ValueError of
    Kedro's own code, and a disk that is full, read-only or broken, wherever it strikes.
    """
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, FileError):  # names the file; what is below says only what was wrong with it
            return str(link)
    for link in reversed(chain):
        if isinstance(link, ParameterValidationError):
            lines = [line for line in str(link).splitlines() if "errors.pydantic.dev" not in line]
            return "\n".join([*lines, "Change it in --params or in the parameters of conf/<env> or conf/local."])
        if isinstance(link, DataValidationError):
            return str(link)
        if isinstance(link, MienError) or (isinstance(link, ValueError) and _of_kedro(link.__traceback__)):
            return str(link)
    for link in chain:
        if isinstance(link, OSError) and link.errno in OF_WRITING:
            return write_fault(link.filename or "a file", link.errno, link.strerror or str(link))
        if isinstance(link, OSError) and link.errno in OF_THE_DISK:
            return (
                f"{link.filename or 'A file'} cannot be read or written: {link.strerror}.\n"
                "Look at its rights (ls -l) and at the disk, and run the same command again."
            )
    return None


def _of_kedro(trace: TracebackType | None) -> bool:
    """Whether Kedro's own code raised it, not a library that it called."""
    return trace is not None and traceback.extract_tb(trace)[-1].filename.startswith(KEDRO_CODE)
