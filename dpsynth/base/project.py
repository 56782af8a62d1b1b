"""Project: the file `dpsynth.toml`, which says where a project's ledger, schema and policy are."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dpsynth.base.places import expanded

NAME = "dpsynth.toml"
KEYS = ("ledger", "schema", "policy", "trust")
"""The paths that the file may state: the policy is one for audits, trust says who signs."""


@dataclass(frozen=True)
class Project:
    """The project file, and the paths that it states, each taken from the file's own folder."""

    file: Path
    places: Mapping[str, Path]


def find_project() -> Project | None:
    """The nearest project file: in the working folder, or else in its parents, one by one.

    The search ends at the home folder, where that is a parent, or else at the root of the file
    system. ValueError, in one sentence, for a file that exists and is not a project file.
    """
    here = Path.cwd()
    home = _home()
    for folder in (here, *here.parents):
        file = folder / NAME
        if file.exists() or file.is_symlink():
            return _read(file)
        if folder == home:
            break
    return None


def place_of(what: str) -> Path | None:
    """The path that the project file states for one of KEYS; None where there is none."""
    project = find_project()
    return None if project is None else project.places.get(what)


def write_project(folder: Path, places: Mapping[str, str]) -> Path:
    """Writes a new project file with these paths, which are relative to its folder."""
    file = folder / NAME
    lines = [f"{key} = {json.dumps(path, ensure_ascii=False)}\n" for key, path in places.items()]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def _home() -> Path | None:
    """The home folder; None for a user who has none, as in some containers."""
    try:
        return Path.home().resolve()
    except (RuntimeError, OSError):
        return None


def _read(file: Path) -> Project:
    try:
        stated = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"{file} cannot be read ({error.strerror}): correct it, or remove it"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{file} must be a TOML file, and reading it says: {error}; correct it, or remove it"
        ) from None
    if unknown := sorted(set(stated) - set(KEYS)):
        raise ValueError(
            f"{file} has the keys {unknown}, and may have only {', '.join(KEYS)}: remove the others"
        )
    for key, path in stated.items():
        if not isinstance(path, str) or not path:
            raise ValueError(
                f'{file} must name a path as text, as in {key} = "claims.{key}", got {path!r}'
            )
    return Project(file, {key: file.parent / expanded(path) for key, path in stated.items()})
