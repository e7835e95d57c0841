"""Pictures of every mode, in files that the test makes."""

import io

import numpy as np
import pytest
from PIL import Image

from train.datasets import decoding


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def halves(left, right, mode):
    image = Image.new(mode, (8, 8), right)
    image.paste(left, (0, 0, 4, 8))
    return image


def palette():
    image = halves(0, 1, "P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    return image


RED, BLUE, WHITE = [1.0, 0, 0], [0, 0, 1.0], [1.0, 1, 1]
DEEP = Image.fromarray(np.repeat(np.array([[1000, 40001]], np.uint16), 4, 1).repeat(8, 0))
PICTURES = {
    "gray": (saved(halves(51, 255, "L")), [0.2], [1.0]),
    "gray with alpha": (saved(halves((51, 255), (51, 0), "LA")), [0.2], [1.0]),
    "16 bits": (saved(DEEP), [1000 / 65535], [40001 / 65535]),
    "16 bits, TIFF": (saved(DEEP, "TIFF"), [1000 / 65535], [40001 / 65535]),
    "16 bits, PGM": (saved(DEEP, "PPM"), [1000 / 65535], [40001 / 65535]),
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
    image = decoding.as_floats(decoding.decode(content, 8))
    assert image.shape == (8, 8, len(left))
    assert image.dtype == np.float32
    tolerance = 0.02 if "CMYK" in name else 1e-6
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
    np.testing.assert_array_equal(decoding.decode(content, 8)[..., 0], np.asarray(upright))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture"),
        (b"plain text", "not a picture"),
        (saved(Image.effect_noise((64, 64), 99))[:600], "truncated"),
        (saved(Image.effect_noise((64, 64), 99), "JPEG")[:600], "truncated"),
        (saved(Image.new("F", (4, 4)), "TIFF"), "expected 8 or 16 bits a channel"),
        (saved(Image.new("I", (4, 4), 70_000), "TIFF"), "expected 8 or 16 bits a channel"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(content, reason):
    with pytest.raises(decoding.UnreadableError, match=reason):
        decoding.decode(content, 4)
