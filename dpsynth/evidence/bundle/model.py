"""What a model file holds, read with Python's standard library only: no code of ours, no numpy."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

_HEADER = re.compile(
    rb"\{'descr': '([<>|]\w+)', 'fortran_order': False, 'shape': \(([\d, ]*)\), \}[ ]*\n"
)
"""How numpy begins an array of plain numbers, after its magic word and the header's length."""


def content_of(path: Path) -> tuple[str, Any]:
    """The SHA-256 of all that sampling from a model depends on, and the certificate in its file.

    ValueError for a file that is no model, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            document = json.loads(file.read("model.json"))
            places = document.pop("arrays")
            whole = sorted(file.namelist()) == sorted(["model.json", *places.values()])
            arrays = {name: file.read(inside) for name, inside in places.items()}
        certificate = document.pop("certificate")
        digest = hashlib.sha256(_canonical(document))
        for name in sorted(arrays):
            kind, shape, values = _array(arrays[name])
            digest.update(_canonical([name, kind, shape]) + values)
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, LookupError, AttributeError):
        raise ValueError("it is not a model file, or is damaged") from None
    except (TypeError, RuntimeError, EOFError, zipfile.zlib.error):  # type: ignore[attr-defined]
        raise ValueError("it is not a model file, or is damaged") from None
    if not whole:
        raise ValueError("it holds files that no model has")
    return digest.hexdigest(), certificate


def _array(raw: bytes) -> tuple[str, list[int], bytes]:
    """The type, the shape and the bytes of an array as numpy stores it."""
    start, length = (10, 2) if raw[6:7] == b"\x01" else (12, 4)
    end = start + int.from_bytes(raw[start - length : start], "little")
    found = _HEADER.fullmatch(raw[start:end])
    if raw[:6] != b"\x93NUMPY" or found is None:
        raise ValueError("it holds an array that no model has")
    shape = [int(size) for size in found[2].decode().split(",") if size.strip()]
    return found[1].decode(), shape, raw[end:]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
