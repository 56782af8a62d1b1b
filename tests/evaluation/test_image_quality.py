"""Contact sheets are PNG files with nothing real in them, and the page holds them without reaching outside."""

from __future__ import annotations

import base64
import re
import struct
import zlib

import numpy as np
import pytest

from dpsynth.evaluation.images.quality import evaluate_images
from dpsynth.evaluation.images.sheets import contact_sheet
from tests.mechanisms.test_image_embedding import random_images


def decoded(file: bytes) -> np.ndarray:
    """A reader of grey PNG files without filters, from the standard: chunks with check sums, one deflate stream."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(file):
        (length,), kind = struct.unpack(">I", file[at : at + 4]), file[at + 4 : at + 8]
        data = file[at + 8 : at + 8 + length]
        assert struct.unpack(">I", file[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + data)
        chunks[kind], at = data, at + 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, rest) == (8, 0, [0, 0, 0])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:]


def test_a_sheet_shows_the_first_images_of_each_class():
    images, labels = random_images(60)
    sheet = decoded(contact_sheet(images, labels, per_class=4))
    scale = 720 // (4 * 5)
    assert sheet.shape == (3 * (6 * scale + 2) + 2, 4 * (5 * scale + 2) + 2)
    for i in range(3):
        for j in range(4):
            top, left = 2 + i * (6 * scale + 2), 2 + j * (5 * scale + 2)
            tile = sheet[top : top + 6 * scale : scale, left : left + 5 * scale : scale]
            np.testing.assert_array_equal(tile, images[labels == i][j])


def test_the_page_is_internal_and_shows_no_real_image_unless_asked(tmp_path):
    images, labels = random_images(60, 1)
    real, real_labels = random_images(80, 2)
    quality = evaluate_images(images, labels, real, real_labels)
    page = quality.to_html()
    assert "INTERNAL: DO NOT PUBLISH" in page
    assert "img-src data:" in page
    sources = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(s) for s in sources] == [contact_sheet(images, labels)]
    outside = re.sub(r'src="data:image/png;base64,[^"]+"', "", page)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:|<script", outside)
    shown = evaluate_images(images, labels, real, real_labels, show_real=True).to_html()
    sources = re.findall(r'<img src="data:image/png;base64,([^"]+)"', shown)
    assert base64.b64decode(sources[1]) == contact_sheet(real, real_labels)
    quality.save(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"images.json", "images.html"}


def test_errors_are_those_of_means_and_spreads():
    real, labels = np.full((10, 2, 2), 100, dtype=np.uint8), np.zeros(10, dtype=int)
    synthetic = real + np.tile([[[0]], [[10]]], (5, 1, 1)).astype(np.uint8)
    found = evaluate_images(synthetic, labels + (np.arange(10) == 9), real, labels)
    zero, one = found.classes
    assert (zero.share_real, zero.share_synthetic) == (1.0, 0.9)
    assert zero.mean_error == pytest.approx(40 / 9)
    assert zero.spread_error == pytest.approx(np.std([0, 10] * 4 + [0]))
    assert (zero.mean_floor, zero.spread_floor) == (0.0, 0.0)
    assert one.mean_error is None
    assert "class 1: error of the mean image -" in found.summary()


@pytest.mark.parametrize(
    "change",
    [
        lambda i, n: (i / 255, n), lambda i, n: (i[0], n[:1]), lambda i, n: (i[:0], n[:0]), lambda i, n: (i, n[:-1]),
        lambda i, n: (i, n.astype(str)), lambda i, n: (i[:, :3], n),
    ],
)  # fmt: skip
def test_arrays_of_another_form_are_refused(change):
    images, labels = random_images(20)
    with pytest.raises(ValueError, match=r"must be|need one|must have the same height"):
        evaluate_images(*change(images, labels), images, labels)
