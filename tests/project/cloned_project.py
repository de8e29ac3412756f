"""A clone of the working tree in which commands run in processes of their own, as people give them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from tests.pipelines.tiny_systems import TINY, TINY_SOURCES

ROOT = Path(__file__).parents[2]
KEDRO = [sys.executable, "-m", "kedro"]
PREDICTIONS = "data/demo/07_model_output/sae/demo/predictions.parquet"


def sae(max_epochs: int) -> list[str]:
    return [*KEDRO, "run", "--pipelines=sae", f"--params=sae.training.max_epochs={max_epochs}"]


def run(command: list[str], folder: Path, *, fails: bool = False) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def make_clone(folder: Path) -> Path:
    """A clone with git, without data, its demo made tiny."""
    for name in ("conf", "src", "notebooks", ".dvc"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tmp", "cache"))
    for name in ("pyproject.toml", "dvc.yaml", ".gitignore", ".dvcignore", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    demo = folder / "conf/demo/parameters.yml"
    sections = {**yaml.safe_load(demo.read_text()), **TINY, **TINY_SOURCES}
    demo.write_text(yaml.safe_dump(json.loads(json.dumps(sections))))  # no aliases of shared sections, as people write
    for command in ("init -q", "add -A", "-c user.name=t -c user.email=t@t commit -qm clone"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder
