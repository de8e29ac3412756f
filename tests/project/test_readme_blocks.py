from pathlib import Path

from mien.pipeline_registry import register_pipelines
from mien.readme import blocks, with_blocks

ROOT = Path(__file__).parents[2]


def test_generated_blocks_of_the_readme_are_up_to_date():
    text = (ROOT / "README.md").read_text()
    new = with_blocks(text, blocks(ROOT, register_pipelines()))
    assert new == text, "README.md is out of date: run `kedro readme` and commit the file."


def test_an_edited_number_in_the_results_is_noticed():
    text = (ROOT / "README.md").read_text()
    begin = text.index("<!-- begin: results -->")
    edited = text[:begin] + text[begin:].replace("| SAE", "| SAE, edited by hand", 1)
    assert with_blocks(edited, blocks(ROOT, register_pipelines())) != edited


def test_the_readme_stays_readable_in_one_sitting():
    text = (ROOT / "README.md").read_text()
    written = with_blocks(text, dict.fromkeys(("lineage", "results"), ""))
    assert len(written.splitlines()) <= 200
