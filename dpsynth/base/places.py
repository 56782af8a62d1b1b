"""Places for results: a place that cannot be written is refused before any budget is spent."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def expanded(path: str | Path) -> Path:
    """The path with its `~` expanded; as it is where no such home is known."""
    return Path(os.path.expanduser(path))


def keep_apart(files: Mapping[str, Any]) -> None:
    """ValueError where one file would replace another, or a file and a folder share a path."""
    given = {name: path for name, path in files.items() if isinstance(path, str | Path)}
    places = {name: Path(path).resolve() for name, path in given.items()}
    for name, place in places.items():
        for other, there in places.items():
            if name != other and place in (there, *there.parents):
                raise ValueError(
                    f"{name} and {other} cannot both be written at {files[name]}: give each its own"
                    " place"
                )


def new_file(path: Path, remedy: str = "remove it, or choose another name with --output") -> None:
    """ValueError where no new file can be written. remedy: what to do where the file exists."""
    if path.exists() or path.is_symlink():
        raise ValueError(f"{path} exists already: {remedy}")
    if not path.parent.is_dir():
        raise ValueError(f"the directory {path.parent} does not exist: make it first")
    _try_to_open(path)
    path.unlink()


def old_file(path: Path) -> None:
    """ValueError for a file that exists and cannot be replaced."""
    if path.exists() or path.is_symlink():
        _try_to_open(path)


def new_folder(path: Path) -> None:
    """ValueError for a folder that cannot be made or written in.

    The folder may exist already. Nothing is left behind.
    """
    upwards = (path, *path.absolute().parents)
    above = next(place for place in upwards if place.exists() or place.is_symlink())
    if not above.is_dir():
        raise ValueError(f"{above} is no folder, and {path} must be one: choose another place")
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError:
        raise ValueError(
            f"nothing can be written in {above}: choose another place than {path}"
        ) from None


@contextlib.contextmanager
def whole_or_gone(path: Path) -> Iterator[None]:
    """Removes the file where writing it ends early."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _try_to_open(path: Path) -> None:
    try:
        with path.open("ab"):
            pass
    except OSError:
        raise ValueError(f"{path} cannot be written: choose another place") from None
