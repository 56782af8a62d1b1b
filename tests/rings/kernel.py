"""The kernel's modules by name, so that one law can be tried on the real kernel and on a broken copy of it."""

from __future__ import annotations

import contextlib
import importlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

import dpsynth

_NUMBERS = count()
SOURCE = Path(dpsynth.__file__).parent
RINGS = {
    "kernel": (
        "unit", "cost", "gaussian_dp", "events", "budget", "noise", "sensitive", "rows", "wall",
        "account", "accountant",
    ),
    "door": (
        "columns", "ids", "bounding", "keeping", "shares", "bounded", "codes", "counting", "table", "sizes",
        "ties", "linked",
    ),
    "prices": ("loss_grid", "pld", "gdp_upper_bound"),
    "discovery": ("held", "discovery"),
    "training": ("steps", "clipping", "dpsgd", "event", "teachers", "embedding"),
    "programs": ("run", "external"),
    "ledger": ("chain", "names", "shared", "store", "reader", "linking", "ledger", "opening"),
    "accounting": ("ledger_policy", "joint", "nonadaptive", "calibrate", "currencies"),
}  # fmt: skip


def load(package: str = "dpsynth") -> SimpleNamespace:
    """Everything that the rings of `package` define, and their modules under their own names."""
    modules = {
        name: importlib.import_module(f"{package}.{ring}.{name}") for ring, names in RINGS.items() for name in names
    }
    names = {k: v for m in modules.values() for k, v in vars(m).items() if not k.startswith("__")}
    return SimpleNamespace(**{**names, **modules})


def copy_with(folder: Path, package: str, file: str, old: str, new: str) -> None:
    """A copy of the rings in `folder`/`package`, in which `old` (found exactly once in `file`) reads `new`."""
    for ring in RINGS:
        shutil.copytree(SOURCE / ring, folder / package / ring, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / package / "__init__.py").touch()
    files = [path for ring in RINGS for path in (folder / package / ring).glob("*.py")]
    (broken,) = (path for path in files if path.name == file)
    text = broken.read_text()
    assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times: bring the mutant up to date"
    broken.write_text(text.replace(old, new))
    for path in files:
        path.write_text(re.sub(rf"\bdpsynth\.({'|'.join(RINGS)})\b", rf"{package}.\1", path.read_text()))


class Mutant(NamedTuple):
    """A break of one wall: in `file`, `old` reads `new`; `law` is the one that must see it."""

    name: str
    file: str
    old: str
    new: str
    law: Callable[[SimpleNamespace], None]


Build = Callable[[str, str, str], SimpleNamespace]


@contextlib.contextmanager
def workshop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Builds and imports copies of the kernel under names of their own, in each of which one thing is changed."""
    package = f"dpsynth_mutant_{next(_NUMBERS)}"
    monkeypatch.syspath_prepend(folder)

    def build(file: str, old: str, new: str) -> SimpleNamespace:
        copy_with(folder, package, file, old, new)
        return load(package)

    yield build
    for name in [m for m in sys.modules if m.split(".")[0] == package]:
        del sys.modules[name]


def kill(mutant: Mutant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails unless the mutant's law sees that the kernel is broken."""
    with workshop(folder, monkeypatch) as build:
        broken = build(mutant.file, mutant.old, mutant.new)
        with pytest.raises(AssertionError):
            mutant.law(broken)
