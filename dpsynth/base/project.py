"""Project: the file `dpsynth.toml`, which says once where a project's ledger, schema and audit policy lie."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "dpsynth.toml"
KEYS = ("ledger", "schema", "policy")


@dataclass(frozen=True)
class Project:
    """What the file names; every place is a whole path."""

    file: Path
    places: Mapping[str, Path]


def find_project() -> Project | None:
    """The nearest project file: in the working folder, or else in its parents, one by one.

    The last folder that is looked in is the home folder, where that is a parent, or else the root of the file system.
    ValueError, in one sentence, for a file that is there and is none.
    """
    here, home = Path.cwd(), _home()
    for folder in (here, *here.parents):
        file = folder / NAME
        if file.exists() or file.is_symlink():
            return _read(file)
        if folder == home:
            break
    return None


def place_of(what: str) -> Path | None:
    """Where the project file says that the ledger, the schema or the policy lies; None where nothing says so."""
    project = find_project()
    return None if project is None else project.places.get(what)


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except (RuntimeError, OSError):  # nobody knows whose home
        return None


def _read(file: Path) -> Project:
    try:
        stated = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror}): mend it, or remove it") from None
    except ValueError as error:
        raise ValueError(f"{file} is not TOML as a project file needs it: {error}") from None
    if unknown := sorted(set(stated) - set(KEYS)):
        raise ValueError(f"{file} has the keys {unknown}, where it may have {', '.join(KEYS)}: remove the others")
    for key, path in stated.items():
        if not isinstance(path, str) or not path:
            raise ValueError(f'{file} must name a path as text, as in {key} = "claims.{key}", got {path!r}')
    return Project(file, {key: file.parent / path for key, path in stated.items()})
