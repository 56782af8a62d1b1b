"""The kernel's modules by name, so that one law can be tried on the real kernel and on a broken copy of it."""

from __future__ import annotations

import importlib
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import dpsynth.privacy

SOURCE = Path(dpsynth.privacy.__file__).parent
MODULES = ("unit", "events", "curves", "budget", "noise", "sensitive", "ledger", "accountant")


def load(package: str = "dpsynth") -> SimpleNamespace:
    """Everything that the modules of `package`.privacy define, and the modules themselves under their own names."""
    modules = {name: importlib.import_module(f"{package}.privacy.{name}") for name in MODULES}
    names = {k: v for m in modules.values() for k, v in vars(m).items() if not k.startswith("__")}
    return SimpleNamespace(**{**names, **modules})


def copy_with(folder: Path, package: str, file: str, old: str, new: str) -> None:
    """A copy of the kernel as `folder`/`package`/privacy, in which `old` (found exactly once in `file`) reads `new`."""
    copy = folder / package / "privacy"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / package / "__init__.py").touch()
    text = (copy / file).read_text()
    assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times: bring the mutant up to date"
    (copy / file).write_text(text.replace(old, new))
    for path in copy.glob("*.py"):
        path.write_text(re.sub(r"\bdpsynth\.privacy\b", f"{package}.privacy", path.read_text()))
