"""References of a samples table lead to the image they name, never out of the folder, and fail with a reason."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.data.csv_files import FACE_SIZE
from mien.data.image_source import ImageSource
from mien.data.images import ImageError
from mien.data.video import write_video

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), PICTURE[..., ::-1])
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    save(tmp_path / "elsewhere" / "a.png")
    return save(tmp_path / "root" / "faces" / "a.png").parents[1]


@pytest.fixture
def video(root) -> str:
    levels = np.array([20, 120, 220], np.uint8)
    write_video(root / "clip.mp4", np.broadcast_to(levels[:, None, None, None], (3, 32, 48, 3)), 25)
    return "clip.mp4"


def reason(root: Path, reference: str) -> str:
    with pytest.raises(ImageError) as error:
        ImageSource(root).read(reference)
    assert str(error.value).endswith((".", "anew.")), "the message says what to do"
    return error.value.reason


@pytest.mark.parametrize("name", ["faces/a.png", "faces/a#1.png", "faces/b#byte=1.png", "faces/b#frame=", "#byte=1"])
def test_a_file_is_read_whatever_its_name(root, name):
    (root / name).write_bytes((root / "faces/a.png").read_bytes())
    assert np.array_equal(ImageSource(root).read(name), PICTURE)


def test_a_row_of_pixels_is_read_by_the_byte_where_it_begins(root):
    header, rows = "emotion,pixels\n", [np.full(FACE_SIZE**2, level) for level in (7, 99)]
    lines = [f"0,{' '.join(map(str, row))}\n" for row in rows]
    (root / "fer.csv").write_text(header + "".join(lines))
    offsets = [len(header), len(header) + len(lines[0])]
    source = ImageSource(root)
    assert [source.read(f"fer.csv#byte={offset}")[0, 0].tolist() for offset in offsets] == [[7] * 3, [99] * 3]


def test_frames_are_read_in_any_order_and_the_video_stays_open_meanwhile(root, video):
    source = ImageSource(root)
    levels = [source.read(f"{video}#frame={number}").mean() for number in (0, 2, 1)]
    np.testing.assert_allclose(levels, [20, 220, 120], atol=4)
    held = source._video
    source.read(f"{video}#frame=2")
    assert source._video is held
    source.close()
    assert source._video is None


@pytest.mark.parametrize(
    "reference",
    [
        "..",
        "faces/../..",
        "../elsewhere/a.png",
        "faces/../../elsewhere/a.png",
    ],
)
def test_no_reference_leads_out_of_the_folder(root, reference):
    assert reason(root, reference) == "outside_root"


def test_an_absolute_reference_is_outside_unless_it_names_a_file_of_the_folder(root):
    assert reason(root, str(root.parent / "elsewhere" / "a.png")) == "outside_root"
    assert np.array_equal(ImageSource(root).read(str(root / "faces/a.png")), PICTURE)


def test_links_inside_the_folder_and_a_link_for_the_folder_are_followed(root):
    (root / "link.png").symlink_to(root / "faces" / "a.png")
    (root.parent / "disk").symlink_to(root)
    assert np.array_equal(ImageSource(root.parent / "disk").read("link.png"), PICTURE)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("faces/b.png", "missing"),
        ("faces", "directory"),
        ("", "directory"),
        ("fer.csv#byte=0", "missing"),
        ("fer.csv#row=0", "missing"),
        ("fer.csv#byte=-1", "missing"),
        ("fer.csv#byte=" + "9" * 40, "missing"),
        ("faces/a.png#byte=" + "9" * 12, "missing"),
        ("clip.mp4#frame=0", "missing"),
        ("faces#byte=0", "directory"),
        ("faces#frame=0", "directory"),
        ("faces/a.png#frame=9", "frame_past_end"),
        ("a\0b.png", "missing"),
        ("a\0b.csv#byte=0", "missing"),
        ("a\0b.mp4#frame=0", "missing"),
        ("a" * 300, "unreadable"),
        ("a" * 300 + "#byte=0", "unreadable"),
        ("a" * 300 + "#frame=0", "unreadable"),
        ("faces/a.png/b.png", "missing"),
    ],
)
def test_what_cannot_be_read_has_a_reason(root, reference, why):
    assert reason(root, reference) == why


@pytest.mark.parametrize("fragment", ["", "#byte=0", "#frame=0"])
def test_a_pipe_is_named_and_not_waited_for(root, fragment):
    os.mkfifo(root / "pipe")
    assert reason(root, f"pipe{fragment}") == "not_a_file"


@pytest.mark.parametrize("fragment", ["", "#byte=0", "#frame=0"])
def test_links_in_a_circle_are_named(root, fragment):
    (root / "loop").symlink_to(root / "loop")
    assert reason(root, f"loop{fragment}") == "unreadable"


def test_a_frame_past_the_end_is_named_and_the_video_can_be_read_on(root, video):
    source = ImageSource(root)
    with pytest.raises(ImageError) as error:
        source.read(f"{video}#frame=3")
    assert error.value.reason == "frame_past_end"
    assert source.read(f"{video}#frame=0").shape == (32, 48, 3)


def test_a_name_that_is_not_utf_8_is_read_and_printable_where_it_fails(root):
    name = os.fsdecode(b"caf\xe9.png")
    (root / name).write_bytes((root / "faces/a.png").read_bytes())
    assert np.array_equal(ImageSource(root).read(name), PICTURE)
    (root / name).write_bytes(b"")
    with pytest.raises(ImageError, match=r"caf\\xe9\.png") as error:
        ImageSource(root).read(name)
    assert error.value.reason == "empty"


def test_links_out_of_the_folder_are_followed_as_into_a_cache(root):
    outside = root.parent / "elsewhere"
    (root / "link.png").symlink_to(outside / "a.png")
    (root / "folder").symlink_to(outside)
    assert np.array_equal(ImageSource(root).read("link.png"), ImageSource(outside).read("a.png"))
    assert np.array_equal(ImageSource(root).read("folder/a.png"), ImageSource(outside).read("a.png"))
