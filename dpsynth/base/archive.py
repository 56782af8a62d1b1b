"""A zip file of one JSON document and plain arrays. It holds no code, and reading it runs none."""

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
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # what zipfile raises for a member that is encrypted
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
)
"""What reading raises where a file is no archive, is damaged, or lacks what a reader looks for."""


def write_archive(
    file: str | Path | IO[bytes],
    member: str,
    document: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write the document, under the name `member`, and beside it a .npy file for each array."""
    # Names of arrays come from column names, which may not be file names: numbers stand for them.
    names = {name: f"{i}.npy" for i, name in enumerate(arrays)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        text = json.dumps({**document, "arrays": names}, indent=1, allow_nan=False)
        target.writestr(member, text)
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(array, order="C"), allow_pickle=False)
            target.writestr(names[name], buffer.getvalue())


def read_archive(path: str | Path, member: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The document and the arrays.

    Raises OSError where there is no file, and one of UNREADABLE where it is no such archive.
    """
    content = io.BytesIO(Path(path).read_bytes())
    with zipfile.ZipFile(content) as file:
        document = json.loads(file.read(member))
        arrays = {
            name: np.load(io.BytesIO(file.read(inside)), allow_pickle=False)
            for name, inside in document["arrays"].items()
        }
    return document, arrays


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The values that are no arrays, and those that are."""
    plain = {k: v for k, v in values.items() if not isinstance(v, np.ndarray)}
    arrays = {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
    return plain, arrays
