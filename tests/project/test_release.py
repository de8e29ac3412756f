"""The version, the licence and the date of a release are the same wherever they stand."""

import re
import tomllib
from pathlib import Path

import yaml

import mien

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
RELEASES = re.findall(r"^## \[([^\]]+)\] - (\d{4}-\d{2}-\d{2})$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_one_version_stands_in_the_package_the_project_the_citation_and_the_changelog():
    assert {mien.__version__, PROJECT["version"], CITATION["version"], RELEASES[0][0]} == {mien.__version__}


def test_the_citation_has_the_licence_of_the_project_and_the_date_of_the_changelog():
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["date-released"] == RELEASES[0][1]
    assert CITATION["title"].startswith(f"{PROJECT['name']}:")


def test_releases_stand_with_the_latest_first():
    dates = [date for _, date in RELEASES]
    assert dates == sorted(dates, reverse=True)


def test_the_hooks_and_the_workflow_call_what_exists():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert {hook["entry"].split()[0] for hook in hooks} == {"ruff"}
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["all"]["steps"]
    command = steps[-1]["run"]
    assert (ROOT / command).is_file()
