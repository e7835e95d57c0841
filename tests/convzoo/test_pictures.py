"""The one reader of pictures: every mode, every orientation, and whatever else a folder holds, in files made here."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from convzoo import pictures


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def array(picture):
    image = np.asarray(picture.image)
    return pictures.as_floats(image.reshape(*image.shape[:2], -1))


def halves(left, right, mode):
    image = Image.new(mode, (8, 8), right)
    image.paste(left, (0, 0, 4, 8))
    return image


def palette():
    image = halves(0, 1, "P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    return image


RED, BLUE, WHITE = [1.0, 0, 0], [0, 0, 1.0], [1.0, 1, 1]
DEEP = Image.fromarray(np.repeat(np.array([[3000, 40000]], np.uint16), 4, 1).repeat(8, 0))
PICTURES = {
    "gray": (saved(halves(51, 255, "L")), [0.2], [1.0]),
    "gray with alpha": (saved(halves((51, 255), (51, 0), "LA")), [0.2], [1.0]),
    "16 bits": (saved(DEEP), [0.0458], [0.6104]),
    "16 bits, TIFF": (saved(DEEP, "TIFF"), [0.0458], [0.6104]),
    "16 bits, PGM": (saved(DEEP, "PPM"), [0.0458], [0.6104]),
    "floats, TIFF": (saved(halves(0.25, 1.0, "F"), "TIFF"), [0.25], [1.0]),
    "palette": (saved(palette()), RED, BLUE),
    "palette with a transparent colour": (saved(palette(), transparency=1), RED, WHITE),
    "colour with a transparent colour": (
        saved(halves((255, 0, 0), (0, 0, 255), "RGB"), transparency=(0, 0, 255)),
        RED,
        WHITE,
    ),
    "half transparent": (saved(halves((255, 0, 0, 255), (0, 0, 0, 51), "RGBA")), RED, [0.8] * 3),
    "CMYK": (saved(halves((0, 255, 255, 0), (255, 255, 0, 0), "CMYK"), "JPEG", quality=100), RED, BLUE),
    "CMYK, TIFF": (saved(halves((0, 255, 255, 0), (255, 255, 0, 0), "CMYK"), "TIFF"), RED, BLUE),
    "bilevel": (saved(halves(0, 1, "1")), [0.0] * 3, WHITE),
    "frames": (saved(palette(), "GIF", save_all=True, append_images=[halves(1, 0, "P")]), RED, BLUE),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_mode_shows_its_colours(name):
    content, left, right = PICTURES[name]
    image = array(pictures.decode(content))
    assert image.shape == (8, 8, len(left))
    assert image.dtype == np.float32
    tolerance = 0.02 if "CMYK" in name else 1e-4
    np.testing.assert_allclose(image[:, 0], np.tile(np.float32(left), (8, 1)), atol=tolerance)
    np.testing.assert_allclose(image[:, -1], np.tile(np.float32(right), (8, 1)), atol=tolerance)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_camera_was_held(orientation):
    upright = Image.fromarray(np.arange(0, 192, 3, dtype=np.uint8).reshape(8, 8))
    stored = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(upright if stored is None else upright.transpose(stored), exif=exif)
    np.testing.assert_array_equal(np.asarray(pictures.decode(content).image), np.asarray(upright))


def oversized():
    """A PNG of a few bytes that says it has 20000×20000 pixels."""
    content = bytearray(saved(Image.new("L", (1, 1))))
    content[16:24] = struct.pack(">II", 20_000, 20_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture"),
        (b"plain text", "not a picture"),
        (saved(Image.effect_noise((64, 64), 99))[:600], "truncated"),
        (saved(Image.effect_noise((64, 64), 99), "JPEG")[:600], "truncated"),
        (saved(Image.new("F", (4, 4), 1.5), "TIFF"), "values from 1.5 to 1.5: expected floats in .0, 1."),
        (saved(Image.new("F", (4, 4), float("nan")), "TIFF"), "values from nan to nan"),
        (saved(Image.new("I", (4, 4), 70_000), "TIFF"), "expected 8 or 16 bits a channel"),
        (oversized(), r"Image size \(400000000 pixels\) exceeds limit"),
        (b"DDS " + struct.pack("<31I", 124, *[0] * 17, 32, 4, 0x30304B5A, *[0] * 10), "pixel format"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(content, reason):
    with pytest.raises(pictures.UnreadableError, match=reason):
        pictures.decode(content)
    with pytest.raises(pictures.UnreadableError, match=r"^[^\n]+$"):
        pictures.decode(content)


@pytest.mark.parametrize("error", [NotImplementedError("DDS"), KeyError(7), RecursionError(), struct.error("x\ny")])
def test_whatever_a_decoder_raises_becomes_one_line(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(pictures.UnreadableError, match=r"^[^\n]+$"):
        pictures.decode(b"")


def test_the_first_of_several_pictures_is_taken_and_told():
    frames = {"save_all": True, "append_images": [halves(1, 0, "P")]}
    assert pictures.decode(saved(palette(), "GIF", **frames)).several
    assert not pictures.decode(saved(palette(), "GIF")).several
    torn = saved(palette(), "GIF", **frames)[:-8]
    np.testing.assert_array_equal(array(pictures.decode(torn))[0, 0], RED)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 51, 255]], np.uint8), [0, 0.2, 1]),
        (np.array([[3000, 40000]], np.uint16), [0.0458, 0.6104]),
        (np.array([[3000, 40000]], ">u2"), [0.0458, 0.6104]),
        (np.array([[False, True]]), [0, 1]),
        (np.array([[0.25, 1.0]]), [0.25, 1.0]),
    ],
)
def test_arrays_are_scaled_by_their_type(values, expected):
    floats = pictures.scaled(values)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats[0, :, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((2, 2), complex), "holds complex128"),
        (np.zeros((2, 2), np.int64), "holds int64"),
        (np.full((2, 2), np.nan), "holds NaN"),
        (np.full((2, 2), 255.0), r"spans \[255, 255\]"),
        (np.zeros((2, 2, 3, 1), np.uint8), "has shape"),
        (np.zeros((0, 2), np.uint8), "has shape"),
    ],
)
def test_arrays_without_a_scale_are_refused(values, reason):
    with pytest.raises(pictures.UnreadableError, match=reason):
        pictures.scaled(values)


def test_what_is_no_data_is_not_listed_at_any_depth(tmp_path):
    data = ("a/x.png", "a/b/y.JPG")
    litter = (
        *("._x.png", "a/.ipynb_checkpoints/x-checkpoint.png", "__MACOSX/a/x.png", "a/b/__MACOSX/._y.jpg"),
        *("Thumbs.db", "a/Thumbs.db", "a/@eaDir/x.png/SYNOPHOTO_THUMB_M.jpg", "a/.DS_Store", "$RECYCLE.BIN/x.png"),
    )
    for name in (*data, *litter):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(file.relative_to(tmp_path).as_posix() for file in pictures.below(tmp_path)) == sorted(data)


def test_a_pipe_with_the_name_of_a_picture_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(pictures.UnreadableError, match="not a regular file"):
        pictures.content(tmp_path / "x.png")
    with pytest.raises(pictures.UnreadableError, match="No such file"):
        pictures.content(tmp_path / "none.png")


def test_a_file_that_the_user_may_not_read_is_refused(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "x.png").touch()
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(pictures.UnreadableError, match="^Permission denied$"):
        pictures.content(tmp_path / "x.png")
