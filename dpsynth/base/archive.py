"""A file of one JSON document and plain arrays, as a zip: it holds no code, and reading it runs none."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError, IndexError, TypeError, ValueError, AttributeError,
)  # fmt: skip
"""What reading a file raises that is no archive, or damaged, or holds other things than its reader looks for."""


def write_archive(
    file: str | Path | IO[bytes], member: str, document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """member: what the document is called in the zip."""
    names = {name: f"{i}.npy" for i, name in enumerate(arrays)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(member, json.dumps({**document, "arrays": names}, indent=1, allow_nan=False))
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            target.writestr(names[name], buffer.getvalue())


def read_archive(path: str | Path, member: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Document and arrays. Raises OSError where there is no file, one of UNREADABLE where it holds no such thing."""
    content = io.BytesIO(Path(path).read_bytes())
    with zipfile.ZipFile(content) as file:
        document = json.loads(file.read(member))
        arrays = {
            name: np.load(io.BytesIO(file.read(inside)), allow_pickle=False)
            for name, inside in document["arrays"].items()
        }
    return document, arrays


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What is plain, and what is an array."""
    plain = {k: v for k, v in values.items() if not isinstance(v, np.ndarray)}
    return plain, {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
