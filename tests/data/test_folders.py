"""Class folders mean what a table says, whatever their order, and what lies beside them is distinguished."""

import os
from pathlib import Path

import pytest

from mien.data.folders import class_folders, image_names, subfolders
from mien.labels import EXPRESSION_SPELLINGS, EXPRESSIONS

CLASSES = {"1": "surprise", "2": "fear", "surprised": "surprise", "afraid": "fear"}


def put(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def test_classes_come_in_the_order_of_the_table_not_of_the_alphabet(tmp_path):
    put(tmp_path, "AFRAID/a.png", "Surprised/b.png")
    found = class_folders(tmp_path, CLASSES, "Faces")
    assert list(found.items()) == [("surprise", tmp_path / "Surprised"), ("fear", tmp_path / "AFRAID")]


def test_a_folder_without_class_folders_has_none(tmp_path):
    put(tmp_path, "wrapper/1/a.png", "b.png", "3/c.png")
    assert class_folders(tmp_path, CLASSES, "Faces") == {}


def test_folders_without_images_and_hidden_ones_may_lie_beside(tmp_path):
    put(tmp_path, "1/a.png", "Annotations/a.txt", "wrapper/2/b.png", ".cache/c.png", "__MACOSX/d.png", "2.txt")
    assert list(class_folders(tmp_path, CLASSES, "Faces")) == ["surprise"]


def test_a_folder_of_images_that_names_no_class_is_refused(tmp_path):
    put(tmp_path, "1/a.png", "contempt/b.JPG")
    with pytest.raises(
        ValueError, match=r"folder of Faces names no class: .*contempt/ .*Rename it to one of 1, 2, surp"
    ):
        class_folders(tmp_path, CLASSES, "Faces")


def test_two_folders_of_one_class_are_refused(tmp_path):
    put(tmp_path, "1/a.png", "surprised/b.png")
    with pytest.raises(
        ValueError, match=r"Two folders of Faces mean the class surprise: 1/ and surprised/ in .*Keep one"
    ):
        class_folders(tmp_path, CLASSES, "Faces")


def test_images_are_reported_by_their_endings_and_sorted(tmp_path):
    put(tmp_path, "b.PNG", "a.jpeg", "Thumbs.db", "list.txt", "._a.jpeg", "c.png/inside.txt")
    assert image_names(tmp_path, "Faces") == ["a.jpeg", "b.PNG", "c.png"]
    assert subfolders(put(tmp_path, "x/y.png"), "Faces") == ["x"]


def test_a_link_that_leads_in_a_circle_is_no_folder(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert subfolders(tmp_path, "Faces") == []


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_what_cannot_be_listed_is_named(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=rf"folder of Faces cannot be listed: .*{place} \(.*\)\. Check"):
        image_names(tmp_path / place, "Faces")


def test_a_name_that_is_not_utf_8_is_reported_in_characters_that_print(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.png")).touch()
    with pytest.raises(ValueError, match=r"not UTF-8: 'caf\\udce9\.png' in .*Rename it") as error:
        image_names(tmp_path, "Faces")
    assert str(error.value).isascii()


def test_spellings_lead_to_the_projects_own_names():
    assert set(EXPRESSION_SPELLINGS.values()) == set(EXPRESSIONS)
    assert all(EXPRESSION_SPELLINGS[name] == name for name in EXPRESSIONS)
    assert all(spelling == spelling.lower() for spelling in EXPRESSION_SPELLINGS)


def test_every_spelling_begins_as_its_class_does():
    begins = {spelling: spelling[:3] == name[:3] for spelling, name in EXPRESSION_SPELLINGS.items()}
    assert [spelling for spelling, same in begins.items() if not same] == ["afraid"]
