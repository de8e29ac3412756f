"""What C libraries write to descriptor 2 is caught, reported with the file's name, and nothing else is lost."""

import logging
import os

import cv2
import numpy as np
import pytest

from mien.data.images import ImageError, read_image
from mien.data.native_stderr import caught_stderr

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_lines_are_caught_and_the_descriptor_is_itself_again(capfd):
    with caught_stderr() as reported:
        os.write(2, b"one\n\ntwo\n")
    os.write(2, b"three\n")
    assert reported == ["one", "two"]
    assert capfd.readouterr().err == "three\n"
    with pytest.raises(RuntimeError, match="inside"), caught_stderr():
        raise RuntimeError("inside")
    os.write(2, b"four\n")
    assert capfd.readouterr().err == "four\n"


def test_a_damaged_image_is_named_with_what_its_decoder_says(tmp_path, caplog, capfd):
    content = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    path = tmp_path / "damaged.jpg"
    path.write_bytes(content[:1000] + bytes(60) + content[1060:])
    with caplog.at_level(logging.WARNING, "mien"):
        assert read_image(path).shape == PICTURE.shape
    assert "damaged.jpg (Corrupt JPEG data" in caplog.text
    assert "Corrupt JPEG" not in capfd.readouterr().err.replace(caplog.text.strip(), "")
    caplog.clear()
    (tmp_path / "sound.jpg").write_bytes(content)
    read_image(tmp_path / "sound.jpg")
    assert not caplog.messages


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_the_depth_of_the_container_is_not_that_of_the_picture(tmp_path, bits):
    grey = np.linspace(0, 2**bits - 1, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    read = read_image(path)[..., 0].astype(float)
    assert abs(read - np.linspace(0, 255, 64 * 64).reshape(64, 64)).max() <= 1


def test_a_git_lfs_pointer_is_named_as_one(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ImageError, match=r"a\.jpg is a Git LFS pointer. Run `git lfs pull`") as error:
        read_image(path)
    assert error.value.reason == "git_lfs_pointer"
