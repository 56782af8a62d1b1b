"""Nobody but the mechanisms themselves and their registry knows one by its name or its class."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpsynth.mechanisms.registry import FAMILIES, IMAGE_MECHANISMS, MECHANISMS
from tests.structure.source import Source, plant, sources

OF_A_FIT = ("plan", "preflight", "looks", "fitted", "table")
ASKS = (*(f"synthesizers/{name}.py" for name in OF_A_FIT), "cli/", "evidence/")
"""Files and folders that are to ask a mechanism, whichever it is."""

ENTRIES = {**MECHANISMS, **FAMILIES, **IMAGE_MECHANISMS}
NAMES = {name.removesuffix("NAME") for name in ENTRIES}
MODULES = {entry.module for entry in ENTRIES.values()} | {
    "dpsynth.mechanisms.external.base",
    "dpsynth.mechanisms.neural.settled",
}
IN_HELP = {"Option", "Argument", "Typer"}
"""Of typer: what these are given is text for people."""


def known_mechanisms(source: Source) -> Iterator[str]:
    if not source.where.startswith(ASKS):
        return
    for use in source.imports:
        if any(f"{use.target}.".startswith(f"{module}.") for module in MODULES):
            yield source.at(use.line, f"{use.target} is a mechanism")
    texts = set(_texts_for_people(source))
    for node in source.nodes:
        if isinstance(node, ast.Constant) and node not in texts and _names_one(node.value):
            yield source.at(node.lineno, f"{node.value!r} is the name of a mechanism")


def _names_one(value: object) -> bool:
    return isinstance(value, str) and (value in NAMES or value.startswith(("smartnoise:", "external:")))


def _texts_for_people(source: Source) -> Iterator[ast.AST]:
    """Docstrings, and all that typer's options say."""
    for node in source.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        if isinstance(node, ast.Call) and (source.dotted(node.func) or "").rpartition(".")[2] in IN_HELP:
            yield from ast.walk(node)


@pytest.mark.parametrize("source", [s for s in sources() if s.where.startswith(ASKS)], ids=lambda s: s.where)
def test_no_mechanism_is_named_where_mechanisms_are_asked(source: Source) -> None:
    assert list(known_mechanisms(source)) == []


@pytest.mark.parametrize(
    "code",
    [
        "from dpsynth.mechanisms.marginal.aim import AIM",
        "def late():\n    import dpsynth.mechanisms.neural.hybrid",
        "from dpsynth.mechanisms.marginal import canopy",
        "from dpsynth.mechanisms.external.base import ExternalMechanism",
        "if name == 'mst': pass",
        "quick = {'pate-gan': 2.0}",
        "name.startswith(('smartnoise:', 'other:'))",
        "def f(mechanism='dp-gan'): pass",
    ],
)
@pytest.mark.parametrize("where", ["synthesizers/plan.py", "cli/new.py", "evidence/certificate.py"])
def test_a_planted_name_is_found(tmp_path: Path, where: str, code: str) -> None:
    found = [s for source in sources(plant(tmp_path, {where: code})) for s in known_mechanisms(source)]
    assert len(found) == 1


def test_auto_help_and_docstrings_may_stay(tmp_path: Path) -> None:
    code = (
        "'''smartnoise:mst'''\nimport typer\nfrom dpsynth.mechanisms.registry import TABLES\n"
        "def fit(mechanism=typer.Option('auto', help='canopy')):\n    'aim'\n    return 'auto'"
    )
    files = {"cli/release.py": code, "mechanisms/registry.py": "MECHANISMS = {'mst': 1}"}
    assert [s for source in sources(plant(tmp_path, files)) for s in known_mechanisms(source)] == []
