"""Grey images as PNG files (ISO/IEC 15948), and many of them on one sheet."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def png(grey: np.ndarray) -> bytes:
    """The bytes of a PNG file of a grey image, uint8 of shape (height, width)."""
    height, width = grey.shape
    lines = np.zeros((height, width + 1), dtype=np.uint8)  # each line begins with its filter: 0, none
    lines[:, 1:] = grey
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey, not interlaced
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def sheet(rows: list[np.ndarray], scale: int) -> np.ndarray:
    """Images side by side, one list of them (uint8, (n, height, width)) a row, enlarged and with
    white gaps.
    """
    height, width = (side * scale for side in rows[0].shape[1:])
    gap = 2
    most = max(len(images) for images in rows)
    found = np.full((len(rows) * (height + gap) + gap, most * (width + gap) + gap), 255, dtype=np.uint8)
    for i, images in enumerate(rows):
        for j, image in enumerate(images):
            top, left = gap + i * (height + gap), gap + j * (width + gap)
            found[top : top + height, left : left + width] = image.repeat(scale, axis=0).repeat(scale, axis=1)
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
