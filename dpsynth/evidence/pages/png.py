"""Grey images as PNG files (ISO/IEC 15948), and many of them on one sheet."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def png(grey: np.ndarray) -> bytes:
    """The bytes of a PNG file of a grey image, uint8 of shape (height, width)."""
    height, width = grey.shape
    # each line begins with the number of its filter: 0 is none
    lines = np.zeros((height, width + 1), dtype=np.uint8)
    lines[:, 1:] = grey
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey, not interlaced
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def sheet(rows: list[np.ndarray], scale: int) -> np.ndarray:
    """Images side by side, enlarged, with white gaps: uint8 of shape (height, width).

    rows: for each row of the sheet its images, uint8 of shape (n, height, width). scale: how many
    pixels of the sheet are the side of one pixel.
    """
    height, width = (side * scale for side in rows[0].shape[1:])
    gap = 2
    most = max(len(images) for images in rows)
    shape = (len(rows) * (height + gap) + gap, most * (width + gap) + gap)
    found = np.full(shape, 255, dtype=np.uint8)
    for i, images in enumerate(rows):
        for j, image in enumerate(images):
            top = gap + i * (height + gap)
            left = gap + j * (width + gap)
            enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
            found[top : top + height, left : left + width] = enlarged
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file: length, kind, data, and a checksum of the last two."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
