"""The Python of README and docs is of today: what it imports is there, and every name of `dpsynth` that it uses."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

import dpsynth
from tests.structure.pages import pages
from tests.structure.source import ROOT

PAGES = [page for page in pages() if page.name != "CHANGELOG.md"]  # which tells of names that are gone, too


def blocks(page: Path) -> list[str]:
    """The fenced Python of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def named(page: Path) -> list[str]:
    """Names like `dpsynth.evidence.verify` in the text of a page; `dpsynth.toml` is a file."""
    found = re.findall(r"`(dpsynth(?:\.\w+)+)", page.read_text(encoding="utf-8"))
    return [name for name in found if name != "dpsynth.toml"]


def missing(code: str) -> list[str]:
    """What the code takes from dpsynth and dpsynth does not have."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "dpsynth":
            found += [f"{node.module}.{name.name}" for name in node.names if not _has(str(node.module), name.name)]
        if isinstance(node, ast.Import):
            found += [n.name for n in node.names if n.name.startswith("dpsynth") and not _has(n.name, "__name__")]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dpsynth":
            found += [f"dpsynth.{node.attr}"] * (not _has("dpsynth", node.attr))
    return found


def _leads_somewhere(name: str) -> bool:
    """Whether it is a module, or a name in one or in a class of one."""
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def _has(module: str, name: str) -> bool:
    try:
        home = import_module(module)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("dpsynth"):
            pytest.skip(f"{module} needs {error.name}")
        return False
    return hasattr(home, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_takes_from_dpsynth_is_there(page: Path) -> None:
    assert [name for code in blocks(page) for name in missing(code)] == []
    assert [name for name in named(page) if not _leads_somewhere(name)] == []


def test_the_pages_have_python_and_what_is_missing_is_seen() -> None:
    assert sum(len(blocks(page)) for page in PAGES) >= 10
    assert missing("from dpsynth.domain import Domain\nimport dpsynth.nothing\ndpsynth.Synthesiser(1)") == [
        "dpsynth.domain.Domain",
        "dpsynth.nothing",
        "dpsynth.Synthesiser",
    ]


def test_a_name_in_the_text_that_leads_nowhere_is_seen() -> None:
    assert _leads_somewhere("dpsynth.Synthesizer.load")
    assert _leads_somewhere("dpsynth.auditing.mechanism.one_run")
    assert not _leads_somewhere("dpsynth.auditing.one_run")
    assert not _leads_somewhere("dpsynth.Synthesizer.lod")


def test_the_model_of_noisy_marginals_is_made_and_sampled() -> None:
    (code,) = [each for each in blocks(ROOT / "docs" / "choose-mechanism.md") if "estimate(" in each]
    names = {"dpsynth": dpsynth, "noisy_counts": np.full((101, 2), 50.0), "rng": np.random.default_rng(0)}
    exec(code, names)
    assert {a: len(codes) for a, codes in names["codes"].items()} == {"age": 1000, "sex": 1000}


def test_what_the_reference_describes_is_there() -> None:
    found = [name for page in (ROOT / "docs" / "api").glob("*.md") for name in described(page)]
    assert len(found) > len(dpsynth.__all__)
    assert [name for name in found if not _leads_somewhere(name)] == []
    assert sorted(found) == sorted({*found})


def described(page: Path) -> list[str]:
    """The names whose docstrings a page of the reference shows."""
    return re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
