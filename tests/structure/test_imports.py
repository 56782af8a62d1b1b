"""The import rule of the package: a file imports at or below its own level only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.source import PACKAGE, Source, plant, sources

LEVELS = (
    # `privacy.unit` says what a record is, which a schema must name; it drags in only privacy's own (empty) __init__.
    # `report` only turns plain dicts into pages, so that whatever has something to show may use it.
    {"archive", "columns", "describe", "domain", "files", "image_schema", "report", "schema", "verify"}
    | {"privacy.__init__", "privacy.unit"},
    {"privacy"},
    {"data"},
    {"encode", "models"},
    {"gan", "mechanisms", "sample"},
    {"certificate", "checks", "images", "plan", "statement", "store", "synthesizer"},
    {"auditing", "evaluation"},
    {"cli", "demo", "demo_data"},
    {"__init__", "__main__"},
)
ANYBODYS_DATA = ("auditing", "evaluation")
MECHANISMS = ("gan", "mechanisms", "checks", "synthesizer")


def level(module: str) -> int | None:
    """The level of a module of the package, given without the package's name; None if it has no place yet."""
    for name in (module, module.partition(".")[0]):
        for number, names in enumerate(LEVELS):
            if name in names:
                return number
    return None


def broken_imports(package: Path) -> list[str]:
    files = sources(package)
    names = {source.name for source in files}
    return list(dict.fromkeys(sentence for source in files for sentence in _broken(source, names)))


def _broken(source: Source, names: set[str]) -> Iterator[str]:
    own = _place(source.name, source.path.stem == "__init__")
    if (mine := level(own)) is None:
        yield source.at(1, f"{own} has no level yet: give it one in LEVELS")
        return
    for use in source.imports:
        if use.target.partition(".")[0] != source.package.name:
            continue
        module = _module(use.target, names)
        other = _place(module, (source.package.parent / module.replace(".", "/") / "__init__.py").exists())
        theirs = level(other)
        if theirs is None or theirs > mine:
            yield source.at(use.line, f"{own} imports {other}, which is above it")
        if own.startswith(ANYBODYS_DATA) and other.startswith(MECHANISMS):
            yield source.at(use.line, f"{own} imports {other}: evidence works on anybody's synthetic data")


def _place(name: str, is_folder: bool) -> str:
    """ "dpsynth.privacy.unit" to "privacy.unit", "dpsynth.data" to "data.__init__"."""
    return ".".join([*name.split(".")[1:], *(["__init__"] if is_folder else [])])


def _module(target: str, names: set[str]) -> str:
    """The module that an import runs: the longest leading part of the target that is one."""
    while target not in names and "." in target:
        target = target.rpartition(".")[0]
    return target


def test_every_file_imports_at_or_below_its_own_level() -> None:
    assert broken_imports(PACKAGE) == []


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("domain.py", "import dpsynth.privacy.budget"),
        ("schema.py", "from dpsynth.privacy import accountant"),
        ("privacy/__init__.py", "from dpsynth.privacy.accountant import Accountant"),
        ("privacy/noise.py", "from ..data import table"),
        ("data/table.py", "def late():\n    from dpsynth.models.base import Model"),
        ("data/table.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dpsynth.encode import bins"),
        ("data/table.py", "from importlib import import_module\nimport_module('dpsynth.models.base')"),
        ("models/base.py", "from ..mechanisms.mst import MST"),
        ("mechanisms/mst.py", "from dpsynth import synthesizer"),
        ("mechanisms/mst.py", "import dpsynth"),
        ("sample/decoding.py", "from dpsynth import Synthesizer"),
        ("synthesizer.py", "from dpsynth.evaluation import fidelity"),
        ("evaluation/fidelity.py", "from dpsynth.mechanisms.mst import MST"),
        ("evaluation/fidelity.py", "from .. import synthesizer"),
        ("auditing/attack.py", "import dpsynth.gan.networks as networks"),
        ("report/html.py", "from dpsynth.cli import main"),
        ("newcomer.py", "x = 1"),
        ("cli/__init__.py", "from dpsynth.newcomer import x"),
    ],
)
def test_a_planted_import_that_points_up_is_found(tmp_path: Path, where: str, code: str) -> None:
    everything = {source.where: "" for source in sources(PACKAGE)}
    others = ("privacy/accountant.py", "privacy/budget.py", "data/table.py", "encode/bins.py", "models/base.py")
    more = (
        "mechanisms/mst.py",
        "gan/networks.py",
        "synthesizer.py",
        "evaluation/__init__.py",
        "report/html.py",
        "cli/__init__.py",
    )
    package = plant(tmp_path, {**everything, **dict.fromkeys((*others, *more), ""), where: code})
    found = broken_imports(package)
    assert found
    assert all(sentence.startswith(f"{where}:") for sentence in found)


def test_imports_that_point_down_or_sideways_or_out_pass(tmp_path: Path) -> None:
    files = {
        "__init__.py": "from dpsynth.synthesizer import Synthesizer",
        "domain.py": "import math",
        "schema.py": "from dpsynth.privacy.unit import PrivacyUnit\nfrom dpsynth.privacy import unit\nimport numpy",
        "privacy/__init__.py": "",
        "privacy/unit.py": "from dataclasses import dataclass",
        "privacy/accountant.py": "from . import unit\nfrom ..domain import Domain",
        "data/__init__.py": "",
        "data/table.py": "from dpsynth.privacy.accountant import Accountant\nfrom .backend import count",
        "data/backend.py": "",
        "models/base.py": "from dpsynth.domain import Clique",
        "encode/bins.py": "from dpsynth.models.base import Codes",
        "synthesizer.py": "from dpsynth.data import table",
        "auditing/attack.py": "from dpsynth.evaluation.fidelity import distance",
        "evaluation/fidelity.py": "from dpsynth.sample import decoding",
        "sample/decoding.py": "from dpsynth.models import base",
        "sample/__init__.py": "",
        "cli/__init__.py": "from dpsynth import demo_data, synthesizer",
        "demo_data.py": "from dpsynth.schema import Schema",
    }
    assert broken_imports(plant(tmp_path, files)) == []


def test_every_kind_of_import_statement_is_resolved(tmp_path: Path) -> None:
    code = "import a.b\nimport c as d\nfrom e import f as g\nfrom . import h\nfrom ..i import j\nd.k(a.l, g.m)"
    source = sources(plant(tmp_path, {"one/two.py": code}))[0]
    assert [use.target for use in source.imports] == ["a.b", "c", "e.f", "dpsynth.one.h", "dpsynth.i.j"]
    expressions = (node for node in source.nodes if isinstance(node, ast.Attribute))
    assert {source.dotted(node) for node in expressions} == {"a.l", "c.k", "e.f.m"}
