"""The declared size equals the decoded one in every format, and hostile headers give none."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.data.image_header import declared_size, png_is_cut_off

H, W = 23, 37


def encoded(suffix: str, *params: int) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
    return cv2.imencode(suffix, picture, list(params))[1].tobytes()


@pytest.mark.parametrize(
    ("suffix", "params"),
    [
        (".png", ()),
        (".jpg", ()),
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".jpg", (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
        (".gif", ()),
        (".bmp", ()),
        (".tif", ()),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),  # above 100: lossless
    ],
)
def test_the_header_declares_the_size_that_is_decoded(suffix, params):
    assert declared_size(encoded(suffix, *params)) == (H, W)


def test_a_webp_with_an_animation_declares_its_canvas(tmp_path):
    frames = [Image.new("RGB", (W, H), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    content = (tmp_path / "a.webp").read_bytes()
    assert content[12:16] == b"VP8X"
    assert declared_size(content) == (H, W)


def test_a_tiff_of_motorolas_byte_order_is_read(tmp_path):
    entries = struct.pack(">HHHIHHHHII", 2, 256, 3, 1, W, 0, 257, 4, 1, H)
    assert declared_size(b"MM\0*" + struct.pack(">I", 8) + entries) == (H, W)


def test_a_bitmap_stored_from_the_top_down_has_a_positive_height():
    header = b"BM" + struct.pack("<IIIIii", 0, 0, 54, 40, W, -H)
    assert declared_size(header) == (H, W)


def test_a_jpegs_thumbnail_is_not_taken_for_the_picture(tmp_path):
    exif = b"\xff\xe1" + struct.pack(">H", 2 + len(encoded(".jpg"))) + encoded(".jpg")
    large = cv2.imencode(".jpg", np.zeros((90, 80, 3), np.uint8))[1].tobytes()
    assert declared_size(large[:2] + exif + large[2:]) == (90, 80)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".tif", ".webp"])
def test_a_header_that_is_cut_off_at_any_byte_gives_its_size_or_none(suffix):
    content = encoded(suffix)
    assert {declared_size(content[:length]) for length in range(min(700, len(content)))} <= {None, (H, W)}


@given(
    st.sampled_from(
        [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF....WEBP", b"II*\0", b"MM\0*", b""]
    ),
    st.binary(max_size=200),
)
def test_no_bytes_make_it_fail(start, rest):
    size = declared_size(start + rest)
    assert size is None or min(size) >= 0


def test_a_png_is_cut_off_where_a_chunk_announces_more_than_there_is():
    whole = cv2.imencode(".png", np.arange(192, dtype=np.uint8).reshape(8, 8, 3))[1].tobytes()
    assert not png_is_cut_off(whole)
    assert not png_is_cut_off(whole + b"something after its end")
    assert not png_is_cut_off(whole[:-3]), "the end's checksum is no picture"
    assert not png_is_cut_off(b"\xff\xd8\xff" + whole)
    assert png_is_cut_off(whole[:-20])
    for length in (0x7FFFFFFF, 0x10000):
        place = whole.index(b"IDAT") - 4
        assert png_is_cut_off(whole[:place] + length.to_bytes(4, "big") + whole[place + 4 :])
    assert png_is_cut_off(whole[:33] + bytes([127, 255, 255, 255]) + b"zzzz"), "eight bytes announce two gigabytes"
