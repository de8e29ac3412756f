"""Image files of every kind become RGB, or say why not.

The declared size equals the decoded one in every format, and hostile headers give none.

What C libraries write to descriptor 2 is caught, reported with the file's name, and nothing else is lost.
"""

import logging
import os
import pickle
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.data import images
from mien.data.images import ImageError, caught_stderr, declared_size, png_is_cut_off, printable, read_image

H, W = 24, 36


def picture() -> np.ndarray:
    """(H, W, 3) RGB: red left, green top right, blue bottom right; channel and orientation mistakes show."""
    image = np.zeros((H, W, 3), np.uint8)
    image[:, : W // 2, 0] = 250
    image[: H // 2, W // 2 :, 1] = 250
    image[H // 2 :, W // 2 :, 2] = 250
    return image


def save(path, rgb, *params):
    assert cv2.imwrite(str(path), rgb[..., [2, 1, 0, *range(3, rgb.shape[2])]] if rgb.ndim == 3 else rgb, list(params))
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_formats_come_back_as_rgb(tmp_path, suffix):
    image = read_image(save(tmp_path / f"a{suffix}", picture()))
    assert image.dtype == np.uint8
    assert np.array_equal(image, picture())


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_come_back_as_rgb(tmp_path, suffix):
    image = read_image(save(tmp_path / f"a{suffix}", picture()))
    assert image.shape == (H, W, 3)
    assert abs(image[H // 4, W // 4].astype(int) - (250, 0, 0)).max() < 25


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = np.arange(H * W, dtype=np.uint16).reshape(H, W).astype(np.uint8)
    image = read_image(save(tmp_path / "a.png", grey))
    assert np.array_equal(image, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_rounded_to_eight(tmp_path, channels):
    deep = np.array([0, 128, 129, 257, 32768, 65406, 65407, 65535], np.uint16)
    deep = deep.reshape(1, 8) if channels == 1 else np.repeat(deep.reshape(1, 8, 1), 3, axis=2)
    image = read_image(save(tmp_path / "a.png", deep))
    assert image.dtype == np.uint8
    assert image[0, :, 0].tolist() == [0, 0, 1, 1, 128, 254, 255, 255]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_alpha_is_flattened_on_white(tmp_path, depth):
    full = np.iinfo(depth).max
    rgba = np.zeros((1, 3, 4), depth)
    rgba[0, :, 0] = full  # red, whatever the opacity
    rgba[0, :, 3] = 0, full // 2, full
    image = read_image(save(tmp_path / "a.png", rgba))
    assert image[0].tolist() == [[255, 255, 255], [255, 128, 128], [255, 0, 0]]


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF block with one entry, the orientation (tag 0x0112), behind the JPEG's first marker."""
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + jpeg[2:]


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, lambda a: a), (2, np.fliplr), (3, lambda a: np.rot90(a, 2)), (6, lambda a: np.rot90(a, -1)), (8, np.rot90)],
)
def test_the_orientation_of_exif_is_honoured(tmp_path, orientation, upright):
    plain = save(tmp_path / "plain.jpg", picture(), cv2.IMWRITE_JPEG_QUALITY, 95)
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(with_orientation(plain.read_bytes(), orientation))
    assert np.array_equal(read_image(turned), upright(read_image(plain)))


def reason(path, **options) -> str:
    with pytest.raises(ImageError) as error:
        read_image(path, **options)
    assert str(path) in str(error.value)
    return error.value.reason


def test_what_is_no_file_or_empty_is_named(tmp_path):
    assert reason(tmp_path / "nowhere.jpg") == "missing"
    assert reason(tmp_path) == "directory"
    (tmp_path / "empty.jpg").touch()
    assert reason(tmp_path / "empty.jpg") == "empty"


@pytest.mark.parametrize(
    "content", [b"x", b"not an image at all" * 99, b"%PDF-1.7 ...", b"RIFF....WAVEfmt ", b"BMW\n" * 20]
)
def test_what_is_not_an_image_is_named(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert reason(tmp_path / "a.jpg") == "not_an_image"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".gif", ".ppm"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_is_cut_off_is_named_and_not_padded_with_grey(tmp_path, suffix, share):
    rng = np.random.default_rng(0)
    whole = save(tmp_path / f"whole{suffix}", rng.integers(0, 256, (H, W, 3)).astype(np.uint8))
    assert read_image(whole).shape == (H, W, 3)
    content = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(content[: int(share * len(content))])
    assert reason(cut) == "truncated"


def test_a_png_whose_chunk_announces_two_gigabytes_is_named_before_it_is_decoded(tmp_path, monkeypatch):
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    place = data.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(data[:place] + b"\x7f\xff\xff\xff" + data[place + 4 :])
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it takes the memory that is announced"))
    with pytest.raises(ImageError, match="begins well but is cut off") as error:
        read_image(tmp_path / "a.png")
    assert error.value.reason == "truncated"


def test_a_progressive_jpeg_that_is_cut_off_is_named(tmp_path):
    content = save(tmp_path / "a.jpg", picture(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1).read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-40])
    assert reason(tmp_path / "a.jpg") == "truncated"


def test_a_side_above_the_limit_is_named(tmp_path):
    wide = save(tmp_path / "wide.png", np.zeros((1, 20_001), np.uint8))
    assert reason(wide) == "too_large"
    assert read_image(wide, max_side=20_001).shape == (1, 20_001, 3)
    assert reason(save(tmp_path / "a.png", picture()), max_side=W - 1) == "too_large"


def test_a_side_above_opencvs_own_limit_is_named(tmp_path):
    # Only the header of a bitmap 2^21 pixels wide: OpenCV refuses it before it reads pixels.
    header = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 1 << 21, 1, 1, 24, 0, 0, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(header + bytes(100))
    assert reason(tmp_path / "a.bmp") == "too_large"


def test_floating_point_pixels_are_named(tmp_path):
    assert reason(save(tmp_path / "a.tif", np.zeros((H, W, 3), np.float32))) == "unsupported_depth"


def test_a_name_outside_ascii_is_read(tmp_path):
    (tmp_path / "gesicht_é_顔.png").write_bytes(save(tmp_path / "a.png", picture()).read_bytes())
    assert np.array_equal(read_image(tmp_path / "gesicht_é_顔.png"), picture())


def test_alpha_is_rounded_to_the_nearest_grey_level(tmp_path):
    """Every colour under every opacity, against the same sum in floating point."""
    colour, alpha = (array.astype(np.uint8) for array in np.meshgrid(np.arange(256), np.arange(256)))
    expected = np.rint(colour * (alpha / 255) + 255 * (1 - alpha / 255))
    image = read_image(save(tmp_path / "a.png", np.dstack([colour, colour, colour, alpha])))
    assert np.array_equal(image[..., 0], expected)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_rgb(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(picture()).convert("CMYK").save(path)
    for row, column in ((H // 4, W // 4), (H // 4, 3 * W // 4), (3 * H // 4, 3 * W // 4)):
        assert abs(read_image(path)[row, column].astype(int) - picture()[row, column]).max() < 25


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, suffix):
    frames = [Image.fromarray(np.full((H, W, 3), value, np.uint8)) for value in (10, 100, 200)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    image = read_image(tmp_path / f"a{suffix}")
    assert image.shape == (H, W, 3)
    assert abs(image.astype(int) - 10).max() <= 2


def test_a_gifs_transparent_pixels_are_white(tmp_path):
    indices = np.zeros((H, W), np.uint8)
    indices[:, W // 2 :] = 1
    gif = Image.fromarray(indices, mode="P")
    gif.putpalette([250, 0, 0, 0, 0, 250])
    gif.save(tmp_path / "a.gif", transparency=1)
    image = read_image(tmp_path / "a.gif")
    assert image[0, 0].tolist() == [250, 0, 0]
    assert image[0, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".bmp"])
def test_a_single_pixel_is_an_image(tmp_path, suffix):
    image = read_image(save(tmp_path / f"a{suffix}", np.full((1, 1, 3), 90, np.uint8)))
    assert image.shape == (1, 1, 3)
    assert abs(image.astype(int) - 90).max() < 20  # GIF: the nearest of 256 colours


def test_the_content_counts_and_not_the_ending(tmp_path):
    save(tmp_path / "a.png", picture()).rename(tmp_path / "a.jpg")
    assert np.array_equal(read_image(tmp_path / "a.jpg"), picture())


def test_a_large_block_of_exif_is_skipped(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000  # a segment of a JPEG holds 64 kB
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert (tmp_path / "a.jpg").stat().st_size > 60_000
    assert read_image(tmp_path / "a.jpg").shape == (H, W, 3)


def test_an_avif_that_is_cut_off_is_named(tmp_path):
    ok, encoded = cv2.imencode(".avif", picture())
    if not ok:
        pytest.skip("this OpenCV writes no AVIF")
    (tmp_path / "a.avif").write_bytes(encoded.tobytes()[:-20])
    assert reason(tmp_path / "a.avif") == "truncated"


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp", ".bmp", ".tif", ".jpg"])
def test_a_small_file_that_declares_a_huge_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch, suffix):
    path = save(tmp_path / f"a{suffix}", np.zeros((H, W, 3), np.uint8))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    assert reason(path, max_side=W - 1) == "too_large"
    assert reason(path, max_pixels=H * W - 1) == "too_large"


def test_twenty_thousand_pixels_a_side_are_refused_as_a_square_and_read_as_a_line(tmp_path):
    bomb = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + bytes(200))
    assert reason(bomb) == "too_large"
    assert read_image(save(tmp_path / "line.png", np.zeros((1, 20_000), np.uint8))).shape == (1, 20_000, 3)


def test_a_file_larger_than_any_image_is_not_opened(tmp_path, monkeypatch):
    with (tmp_path / "disk.jpg").open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)  # a hole, which takes no room
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read"))
    assert reason(tmp_path / "disk.jpg") == "too_large"


def test_pipes_and_devices_are_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason(tmp_path / "pipe.jpg") == "not_a_file"
    assert reason(Path("/dev/zero")) == "not_a_file"


def test_links_are_followed_and_broken_ones_named(tmp_path):
    (tmp_path / "link.png").symlink_to(save(tmp_path / "a.png", picture()))
    assert np.array_equal(read_image(tmp_path / "link.png"), picture())
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    assert reason(tmp_path / "dangling.png") == "missing"
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert reason(tmp_path / "loop.png") == "unreadable"


def test_a_file_that_the_system_will_not_give_out_is_named_with_the_systems_words(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", picture())

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageError, match=r"Permission denied.*Check its rights") as error:
        read_image(path)
    assert error.value.reason == "unreadable"


@pytest.mark.parametrize(
    ("name", "why"), [("a" * 300, "unreadable"), ("a\0b", "missing"), ("a.png/b.png", "missing"), ("\udcff", "missing")]
)
def test_a_name_that_cannot_be_is_named(tmp_path, name, why):
    save(tmp_path / "a.png", picture())
    with pytest.raises(ImageError) as error:
        read_image(tmp_path / name)
    assert error.value.reason == why


def test_a_name_that_is_not_utf_8_is_read_and_written_out_in_messages(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(save(tmp_path / "a.png", picture()).read_bytes())
    assert np.array_equal(read_image(path), picture())
    path.write_bytes(b"")
    with pytest.raises(ImageError, match=r"caf\\xe9\.png") as error:
        read_image(path)
    str(error.value).encode("utf-8")  # a log can hold it


def test_ordinary_paths_are_printed_as_they_are():
    assert printable(Path("gesicht_é_顔.png")) == "gesicht_é_顔.png"


def test_an_image_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(ImageError("empty", "Empty image: a.jpg.")))
    assert (error.reason, str(error)) == ("empty", "Empty image: a.jpg.")


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
