"""A media file that cannot be opened says why, in one word for tables and one sentence for people."""

import os
import struct

import numpy as np
import pytest

from mien.data.audio import AudioError, write_wav
from mien.data.images import ImageError
from mien.data.media_file import is_lfs_pointer, open_media

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:c6f94b\nsize 72862\n"
WAV = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt "


@pytest.mark.parametrize(
    ("content", "reason", "to_do"),
    [
        (None, "missing", "Check the path"),
        (b"", "empty", "Copy it again"),
        (POINTER, "git_lfs_pointer", "git lfs pull"),
        (WAV, "truncated", "Copy it again"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "truncated", "Copy it again"),
        (b"FLV\x01", "truncated", "Copy it again"),
        (b"a page of text " * 40, "not_a_video", "Remove or convert it"),
    ],
)
def test_a_file_that_cannot_be_opened_has_a_reason_and_says_what_to_do(tmp_path, content, reason, to_do):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError) as error:
        open_media(path, ImageError, "video").close()
    assert error.value.reason == reason
    assert str(path) in str(error.value)
    assert to_do in str(error.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(AudioError) as error:
        open_media(tmp_path, AudioError, "audio")
    assert error.value.reason == "directory"


def test_a_link_in_a_circle_is_unreadable(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "b.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    with pytest.raises(AudioError) as error:
        open_media(tmp_path / "a.wav", AudioError, "audio")
    assert error.value.reason == "unreadable"


def test_a_name_that_is_not_utf8_is_reported_in_words_that_a_log_can_hold(tmp_path):
    write_wav(tmp_path / "a.wav", np.zeros(800, np.int16), 16_000)
    odd = (tmp_path / "a.wav").rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    with pytest.raises(AudioError) as error:
        open_media(odd, AudioError, "audio")
    assert error.value.reason == "unreadable"
    assert "caf\\xe9.wav" in str(error.value)
    str(error.value).encode("utf-8")


def test_only_small_files_that_begin_as_the_specification_says_are_pointers(tmp_path):
    for name, content, pointer in (
        ("pointer", POINTER, True),
        ("text", b"version 2\n" * 5, False),
        ("large", POINTER + bytes(1000), False),
    ):
        (tmp_path / name).write_bytes(content)
        assert is_lfs_pointer(tmp_path / name) is pointer, name
