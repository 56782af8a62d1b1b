"""The import rule of the package: a file imports at or below its own level, and nothing goes round in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.structure.source import PACKAGE, Source, plant, sources

LEVELS = (
    {"base"},
    {"kernel"},
    {"door"},
    {"prices"},
    {"discovery", "training", "programs"},
    {"accounting", "schema"},
    {"ledger"},
    {"data", "evidence", "models"},
    {"mechanisms"},
    {"synthesizers"},
    {"auditing", "evaluation"},
    {"jobs"},
    {"cli", "demo", "testing"},
    {"__init__", "__main__"},
)
ANYBODYS_DATA = ("auditing", "evaluation")
NOT_FOR_THEM = ("mechanisms", "synthesizers")


def level(module: str) -> int | None:
    """The level of a module of the package, given without the package's name; None if it has no place yet."""
    top = module.partition(".")[0]
    return next((number for number, names in enumerate(LEVELS) if top in names), None)


def broken_imports(package: Path) -> list[str]:
    files = sources(package)
    names = {source.name for source in files}
    return list(dict.fromkeys(sentence for source in files for sentence in _broken(source, names)))


def _broken(source: Source, names: set[str]) -> Iterator[str]:
    own = _place(source.name)
    if (mine := level(own)) is None:
        yield source.at(1, f"{own} has no level yet: give it one in LEVELS")
        return
    for line, module in _imported(source, names):
        other = _place(module)
        theirs = level(other)
        if theirs is None or theirs > mine:
            yield source.at(line, f"{own} imports {other}, which is above it")
        if own.startswith(ANYBODYS_DATA) and other.startswith(NOT_FOR_THEM):
            yield source.at(line, f"{own} imports {other}: evidence works on anybody's synthetic data")


def _imported(source: Source, names: set[str]) -> Iterator[tuple[int, str]]:
    """Modules of the package that this file imports, each with the line."""
    for use in source.imports:
        if use.target.partition(".")[0] == source.package.name:
            yield use.line, _module(use.target, names)


def _place(name: str) -> str:
    """ "dpsynth.kernel.unit" to "kernel.unit", "dpsynth" itself to "__init__"."""
    return name.partition(".")[2] or "__init__"


def _module(target: str, names: set[str]) -> str:
    """The module that an import runs: the longest leading part of the target that is one."""
    while target not in names and "." in target:
        target = target.rpartition(".")[0]
    return target


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The nodes of one circle, in order; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def files_imported(package: Path) -> dict[str, set[str]]:
    """For each module the modules that it imports, wherever in the file, under TYPE_CHECKING too."""
    files = sources(package)
    names = {source.name for source in files}
    return {s.name: {module for _, module in _imported(s, names)} - {s.name} for s in files if "." in s.name}


def test_every_file_imports_at_or_below_its_own_level() -> None:
    assert broken_imports(PACKAGE) == []


def test_no_file_imports_itself_by_way_of_others() -> None:
    assert circle(files_imported(PACKAGE)) == []


def folder_of(where: str) -> str:
    """The folder that a file lies in."""
    return where.rpartition("/")[0]


def folders_imported(package: Path) -> dict[str, set[str]]:
    """For each folder that holds files the folders that these import from. A folder and one inside it are two."""
    folders = {source.name: folder_of(source.where) for source in sources(package)}
    graph: dict[str, set[str]] = {}
    for name, modules in files_imported(package).items():
        others = {folders[module] for module in modules if module in folders}
        graph.setdefault(folders[name], set()).update(others - {folders[name]})
    return graph


def test_no_two_folders_import_each_other_directly_or_by_way_of_others() -> None:
    assert circle(folders_imported(PACKAGE)) == []


@pytest.mark.parametrize(
    "code",
    ["from dpsynth.models.exact.tree import b", "def late():\n    import dpsynth.models.exact.tree"],
    ids=["above", "late"],
)
def test_a_planted_circle_of_a_folder_and_one_inside_it_is_found(tmp_path: Path, code: str) -> None:
    files = {
        "models/__init__.py": "",
        "models/base.py": "",
        "models/names.py": code,
        "models/exact/__init__.py": "",
        "models/exact/tree.py": "from dpsynth.models.base import a",
    }
    package = plant(tmp_path, files)
    assert circle(files_imported(package)) == []
    assert set(circle(folders_imported(package))) == {"models", "models/exact"}


def test_at_most_two_modules_lie_loose_at_the_top() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"} <= {"errors"}


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("base/domain.py", "import dpsynth.kernel.budget"),
        ("kernel/__init__.py", "from dpsynth.data.tables import codec"),
        ("kernel/noise.py", "from ..data import values"),
        ("kernel/unit.py", "from dpsynth.schema.table import Schema"),
        ("kernel/rows.py", "from dpsynth.door.bounded import Bounded"),
        ("door/codes.py", "from dpsynth.data.values import read"),
        ("data/values.py", "def late():\n    from dpsynth.mechanisms.base import Mechanism"),
        (
            "data/values.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dpsynth.mechanisms import base",
        ),
        ("data/values.py", "from importlib import import_module\nimport_module('dpsynth.mechanisms.base')"),
        ("models/base.py", "from ..mechanisms.marginal.mst import MST"),
        ("mechanisms/marginal/mst.py", "from dpsynth.synthesizers import table"),
        ("mechanisms/marginal/mst.py", "import dpsynth"),
        ("synthesizers/sampled_rows.py", "from dpsynth import Synthesizer"),
        ("synthesizers/table.py", "from dpsynth.evaluation import fidelity"),
        ("evaluation/fidelity.py", "from dpsynth.mechanisms.marginal.mst import MST"),
        ("evaluation/fidelity.py", "from ..synthesizers import table"),
        ("auditing/claim.py", "import dpsynth.mechanisms.neural.networks as networks"),
        ("evidence/pages/html.py", "from dpsynth.cli import main"),
        ("newcomer.py", "x = 1"),
        ("cli/__init__.py", "from dpsynth.newcomer import x"),
    ],
)
def test_a_planted_import_that_points_up_is_found(tmp_path: Path, where: str, code: str) -> None:
    everything = {source.where: "" for source in sources(PACKAGE)}
    package = plant(tmp_path, {**everything, where: code})
    found = broken_imports(package)
    assert found
    assert all(sentence.startswith(f"{where}:") for sentence in found)


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    late = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dpsynth.models import a"
    files = {"models/__init__.py": "", "models/a.py": "from dpsynth.models import b", "models/b.py": late}
    assert set(circle(files_imported(plant(tmp_path, files)))) == {"dpsynth.models.a", "dpsynth.models.b"}


def test_imports_that_point_down_or_sideways_or_out_pass(tmp_path: Path) -> None:
    files = {
        "__init__.py": "from dpsynth.synthesizers.table import Synthesizer",
        "base/domain.py": "import math",
        "schema/table.py": "from dpsynth.kernel.unit import PrivacyUnit\nfrom dpsynth.kernel import unit\nimport numpy",
        "kernel/__init__.py": "",
        "kernel/unit.py": "from dataclasses import dataclass",
        "kernel/accountant.py": "from . import unit\nfrom ..base.domain import Domain",
        "data/rows.py": "from dpsynth.kernel.accountant import Accountant\nfrom .values import read",
        "data/values.py": "",
        "models/base.py": "from dpsynth.base.domain import Clique",
        "models/bins.py": "from dpsynth.models.base import Codes",
        "synthesizers/table.py": "from dpsynth.data import rows",
        "auditing/attack.py": "from dpsynth.evaluation.fidelity import distance",
        "evaluation/fidelity.py": "from dpsynth.models import base",
        "models/__init__.py": "",
        "data/__init__.py": "",
        "cli/__init__.py": "from dpsynth.demo import data\nfrom dpsynth.synthesizers import table",
        "demo/__init__.py": "",
        "demo/data.py": "from dpsynth.schema.table import Schema",
    }
    package = plant(tmp_path, files)
    assert broken_imports(package) == []
    assert circle(files_imported(package)) == []


def test_every_kind_of_import_statement_is_resolved(tmp_path: Path) -> None:
    code = "import a.b\nimport c as d\nfrom e import f as g\nfrom . import h\nfrom ..i import j\nd.k(a.l, g.m)"
    source = sources(plant(tmp_path, {"one/two.py": code}))[0]
    assert [use.target for use in source.imports] == ["a.b", "c", "e.f", "dpsynth.one.h", "dpsynth.i.j"]
    expressions = (node for node in source.nodes if isinstance(node, ast.Attribute))
    assert {source.dotted(node) for node in expressions} == {"a.l", "c.k", "e.f.m"}
