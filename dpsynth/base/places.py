"""Places for results: what could not be written after a budget is spent is refused before."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def keep_apart(files: Mapping[str, Any]) -> None:
    """ValueError where one file would be written over another, or a folder is wanted where a file goes."""
    places = {name: Path(path).resolve() for name, path in files.items() if isinstance(path, str | Path)}
    for name, place in places.items():
        for other, there in places.items():
            if name != other and place in (there, *there.parents):
                raise ValueError(f"{name} and {other} cannot both be written at {files[name]}: give each its own place")


def new_file(path: Path, remedy: str = "remove it, or choose another name with --output") -> None:
    """Refuses early what could not be written after the budget is spent. remedy: for a file that is there."""
    if path.exists() or path.is_symlink():
        raise ValueError(f"{path} exists already: {remedy}")
    if not path.parent.is_dir():
        raise ValueError(f"the directory {path.parent} does not exist: make it first")
    _try_to_open(path)
    path.unlink()


def old_file(path: Path) -> None:
    """Refuses early a file that is there and could not be replaced."""
    if path.exists() or path.is_symlink():
        _try_to_open(path)


def new_folder(path: Path) -> None:
    """Refuses early a folder that could not be made or written in. It need not be new; nothing is left behind."""
    above = next(place for place in (path, *path.absolute().parents) if place.exists() or place.is_symlink())
    if not above.is_dir():
        raise ValueError(f"{above} is no folder, and {path} should be one: choose another name")
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError:
        raise ValueError(f"nothing can be written in {above}: choose another place than {path}") from None


def _try_to_open(path: Path) -> None:
    try:
        with path.open("ab"):
            pass
    except OSError:
        raise ValueError(f"{path} cannot be written: choose another place") from None
