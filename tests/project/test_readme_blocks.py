import re
from pathlib import Path

import pytest

from mien.names import DEFAULT_PIPELINE
from mien.pipeline_registry import is_dataset, is_system, register_pipelines
from mien.readme import GUIDE, PICTURE, README, blocks, with_blocks

ROOT = Path(__file__).parents[2]
MAX_README_LINES = 150
MAX_CONTRIBUTING_LINES = 200


@pytest.fixture(scope="module")
def pipelines():
    return register_pipelines()


@pytest.fixture(scope="module")
def generated(pipelines):
    return blocks(ROOT, pipelines)


def test_generated_blocks_of_the_readme_and_of_the_cards_are_up_to_date(generated):
    for file, new in generated.items():
        text = (ROOT / file).read_text()
        assert with_blocks(text, new, file) == text, f"{file} is out of date: run `kedro readme` and commit the file."


def test_an_edited_number_in_the_results_is_noticed(generated):
    for file, new in generated.items():
        if "results" not in new:
            continue
        text = (ROOT / file).read_text()
        begin = text.index("<!-- begin: results -->")
        edited = text[:begin] + text[begin:].replace("\n| System", "\n| System, edited by hand", 1)
        assert edited != text
        assert with_blocks(edited, new, file) == text, f"{file}: what is edited by hand is written anew"


def test_every_system_has_its_results_and_its_lineage_in_a_card(generated, pipelines):
    systems = {name for name, pipeline in pipelines.items() if is_system(name, pipeline)} - {"__default__"}
    cards = [file for file in generated if file not in (README, GUIDE)]
    for system in systems:
        (card,) = [card for card in cards if system == card.parent.name or system.startswith(f"{card.parent.name}_")]
        assert set(generated[card]) == {"results", "lineage"}


def test_the_readme_names_every_pipeline(pipelines):
    text = (ROOT / README).read_text()
    for name in set(pipelines) - {"__default__"}:
        assert f"pipelines/{name}/README.md" in text if is_dataset(name) else f"`{name}`" in text, name


def test_the_readme_and_the_guide_are_read_in_one_sitting():
    assert len((ROOT / README).read_text().splitlines()) <= MAX_README_LINES
    assert len((ROOT / GUIDE).read_text().splitlines()) <= MAX_CONTRIBUTING_LINES


def test_the_readme_begins_with_a_picture_and_two_commands():
    first = "\n".join((ROOT / README).read_text().splitlines()[:25])
    assert f"]({PICTURE.as_posix()})" in first
    assert (ROOT / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert f"pip install -e . && kedro run --pipeline={DEFAULT_PIPELINE}" in first
    assert 'pip install -e ".[dev]" && pytest' in first


def test_every_file_that_the_readme_the_guide_and_the_cards_link_to_exists():
    for text in [ROOT / README, ROOT / GUIDE, *ROOT.glob("src/mien/pipelines/*/README.md")]:
        for target in re.findall(r"\]\(([^)\s]+)\)", text.read_text()):
            path = target.split("#")[0]
            if path and "://" not in path:
                assert (text.parent / path).exists(), f"{text} links to {target}, which does not exist"


def test_every_file_that_the_guide_names_exists():
    named = re.findall(r"`((?:src|tests|conf|data|models|\.ci)/[^`\s<…]*)`", (ROOT / GUIDE).read_text())
    missing = [name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "src/mien"))]
    assert len(named) > 15
    missing = [name for name in missing if name != "conf/local"]  # the user's own, which git ignores
    assert missing == []
