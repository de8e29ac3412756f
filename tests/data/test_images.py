"""Image files of every kind become RGB, or say why not."""

import struct

import cv2
import numpy as np
import pytest

from mien.data.images import ImageError, read_image

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
