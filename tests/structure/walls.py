"""The privacy walls that can be seen in the text of a file. They stop honest mistakes, not malice.

Each wall is a function from a Source to sentences, one for each breach.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tests.structure.source import ROOT, Source, Use, first_argument, sources

Wall = Callable[[Source], Iterator[str]]

OS_RANDOMNESS = {"os.urandom", "os.getrandom"}
RANDOM_MODULES = {"random", "secrets"}
GENERATORS = {"BitGenerator", "Generator", "MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64", "SeedSequence"}
NUMPY_RANDOM = "numpy.random."
RINGS = ("kernel", "door", "prices", "discovery", "training", "programs", "ledger")
DRAWING = {*RINGS} - {"door", "prices"}
"""Rings that may ask the operating system for randomness."""
MAKES_SENSITIVE = {*RINGS}
GUARDED = (*RINGS, "data")
"""Folders whose classes hold private values in slots of their own."""
OPTIONAL = {
    "adbc_driver_postgresql": ("data/engines/databases.py", "data/engines/database_writers.py"),
    "cryptography": ("evidence/signing/ed25519.py",),
    "deltalake": ("data/engines/lakes.py",),
    "duckdb": ("data/engines/databases.py", "data/engines/database_writers.py"),
    "faker": ("data/tables/faked.py",),
    "matplotlib": ("evaluation/plots.py",),
    "narwhals": ("data/engines/known_frames.py",),
    "openpyxl": ("data/engines/workbooks.py", "schema/importing/sheets.py"),
    "polars": ("data/engines/frames.py",),
    "pyiceberg": ("data/engines/lakes.py",),
    "pyspark": ("data/engines/spark.py", "data/engines/spark_shares.py"),
    "pyreadstat": ("data/engines/statistical.py", "schema/importing/labels.py"),
    "sklearn": ("auditing/attacks/scikit_learn.py", "evaluation/learners.py"),
    "snsynth": ("mechanisms/external/smartnoise_worker.py",),
    "sqlglot": ("schema/importing/ddl.py",),
    "statsmodels": ("demo/data.py",),
    "torch": ("evaluation/images/network.py", "mechanisms/neural/", "mechanisms/image/"),
}
"""Optional packages, and the file or folder named for each."""
STARTS_PROGRAMS = "programs/run.py"
PROGRAM_MODULES = {"multiprocessing", "pty", "subprocess"}
STARTERS = re.compile(r"os\.(system|popen|fork\w*|exec\w+|spawn\w+|posix_spawn\w*)|asyncio\.create_subprocess_\w+")
EXECUTING_MODULES = {"cloudpickle", "dill", "imp", "joblib", "marshal", "pickle", "runpy", "shelve", "zipimport"}
IMPORTING_CALLS = {
    "importlib.reload",
    "importlib.util.module_from_spec",
    "importlib.util.spec_from_file_location",
    "pkgutil.resolve_name",
}
DECLARATIONS = {"EntryPoint", "EntryPoints", "entry_points"}
LOADS_DECLARED = "mechanisms/registry.py"
"""The one file that may load what a name stands for. What it loads is stated there, word for word, or is an entry point
of an installed package: a line of that package's own metadata, put there by whoever installed it with pip, who might
have run anything by that. A name from a file, a job or a user is looked up among these and is never imported."""

EXECUTING_BUILTINS = {"__import__", "compile", "eval", "exec"}
EXECUTING_METHODS = {"query", "read_pickle", "to_pickle"}
SAFE_LOADERS = {"yaml.CSafeLoader", "yaml.SafeLoader"}


def randomness(source: Source) -> Iterator[str]:
    """Entropy and privacy noise live in the rings; elsewhere only generators that somebody seeded."""
    if source.folder in DRAWING:
        return
    for use in source.uses:
        if use.target in OS_RANDOMNESS or use.target.partition(".")[0] in RANDOM_MODULES:
            yield source.at(use.line, f"{use.target} draws from outside any seed")
        if use.target.startswith(NUMPY_RANDOM) and _legacy(use.target):
            yield source.at(use.line, f"{use.target} is numpy's global or legacy randomness")
        if f"{use.target}.".startswith("dpsynth.kernel.noise.") or _drawer(source, use.target):
            yield source.at(use.line, f"{use.target} is privacy noise, which only a charge draws")
    for call in source.calls:
        if call.target.startswith(NUMPY_RANDOM) and not call.target.endswith(".Generator") and _unseeded(call.node):
            yield source.at(call.line, f"{call.target} is called without a seed")
    for node in source.nodes:
        if _method(node) == "rvs" and "random_state" not in _keywords(node):
            yield source.at(node.lineno, "rvs is called without random_state=")


def private_slots(source: Source) -> Iterator[str]:
    """Exact values are reached where they are kept; Sensitive is made from private rows only where rows are."""
    for use in source.uses:
        if (name := _foreign_private(source, use)) is not None:
            yield source.at(use.line, f"{name} is private to another folder")
    for call in source.calls:
        if (
            call.target.endswith((".Sensitive", ".SensitiveRows", ".HeldTexts"))
            and source.folder not in MAKES_SENSITIVE
        ):
            yield source.at(call.line, "Sensitive is made in the rings only")
    slots = _slots(source.package, tuple(folder for folder in GUARDED if _home(folder) != _home(source.folder)))
    readers = _readers(source.package) if source.folder not in RINGS else frozenset()
    for node in source.nodes:
        name = _name_or_text(node)
        if name is not None and (name in readers or slots.fullmatch(name)):
            yield source.at(node.lineno, f"{name} reaches an exact value")


def dependencies(source: Source) -> Iterator[str]:
    """A core dependency, or an optional one in the file or folder that is named for it."""
    for use in source.imports:
        top = use.target.partition(".")[0]
        if top in sys.stdlib_module_names or top == source.package.name or top in core_packages():
            continue
        if not source.where.startswith(OPTIONAL.get(top, ())):
            yield source.at(use.line, f"{top} may be imported only in {list(OPTIONAL.get(top, ())) or 'tests'}")


def no_code_from_files(source: Source) -> Iterator[str]:
    """Nothing that is read from a file, or typed by a user, is run, unpickled or imported."""
    for use in source.imports:
        if use.target.partition(".")[0] in EXECUTING_MODULES:
            yield source.at(use.line, f"{use.target} runs what a file says")
    for call in source.calls:
        if call.target in {"yaml.full_load", "yaml.load_all", "yaml.unsafe_load"} or _unsafe_yaml(source, call):
            yield source.at(call.line, f"{call.target} builds objects that a file names")
        if call.target == "torch.load" and _keywords(call.node).get("weights_only") is not True:
            yield source.at(call.line, "torch.load needs weights_only=True")
        if (
            call.target == "importlib.import_module"
            and first_argument(call.node) is ...
            and source.where != "__init__.py"
        ):
            yield source.at(call.line, "import_module takes a literal name, so that checks can read it")
        if call.target in IMPORTING_CALLS:
            yield source.at(call.line, f"{call.target} imports what it is given")
        if call.target == "importlib.metadata.EntryPoint" and not _names_ours(call.node):
            yield source.at(call.line, "EntryPoint takes literals, and a module of ours")
    for node in source.nodes:
        if source.where != LOADS_DECLARED and (name := _declaration(node)) is not None:
            yield source.at(node.lineno, f"{name} leads to what packages declare: that is for {LOADS_DECLARED}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EXECUTING_BUILTINS:
            yield source.at(node.lineno, f"{node.func.id} runs text")
        if _method(node) in EXECUTING_METHODS or (_method(node) == "eval" and node.args):
            yield source.at(node.lineno, f"{_method(node)} runs what it is given")
        if _keywords(node).get("allow_pickle", False) is not False:
            yield source.at(node.lineno, "allow_pickle must be False")


def programs(source: Source) -> Iterator[str]:
    """Other programs are started in programs/run.py, by a charge, and nowhere else."""
    if source.where == STARTS_PROGRAMS:
        return
    for use in source.uses:
        if use.target.partition(".")[0] in PROGRAM_MODULES or STARTERS.fullmatch(use.target):
            yield source.at(use.line, f"{use.target} starts a program")


WALLS: dict[str, Wall] = {
    wall.__name__: wall for wall in (randomness, private_slots, dependencies, no_code_from_files, programs)
}


@cache
def core_packages() -> frozenset[str]:
    """Import names of the core dependencies that pyproject.toml declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w-]", line, maxsplit=1)[0] for line in project["dependencies"]}
    return frozenset({"pyyaml": "yaml"}.get(name, name) for name in names)


def _legacy(target: str) -> bool:
    return target.removeprefix(NUMPY_RANDOM).partition(".")[0] not in {*GENERATORS, "default_rng"}


def _drawer(source: Source, target: str) -> bool:
    """A function of noise.py, through whatever module of the rings it is reached."""
    return target.startswith(tuple(f"dpsynth.{ring}." for ring in RINGS)) and target.rpartition(".")[2] in _drawers(
        source.package
    )


def _unseeded(call: ast.AST) -> bool:
    assert isinstance(call, ast.Call)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return not given or (isinstance(given[0], ast.Constant) and given[0].value is None)


def _method(node: ast.AST) -> str | None:
    """The name of the method that a call calls."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None


def _declaration(node: ast.AST) -> str | None:
    """The name by which a node imports or reaches entry points, if it does."""
    if isinstance(node, ast.alias | ast.Name | ast.Attribute):
        name = node.name if isinstance(node, ast.alias) else node.id if isinstance(node, ast.Name) else node.attr
        return name if name in DECLARATIONS else None
    return None


def _names_ours(call: ast.AST) -> bool:
    """Whether an EntryPoint is made of a literal name and a literal module of this package."""
    assert isinstance(call, ast.Call)
    literals = [a.value for a in call.args[:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return len(literals) == 2 and literals[1].startswith("dpsynth.") and not call.keywords


def _keywords(node: ast.AST) -> dict[str, object]:
    """Keyword arguments of a call: a literal's value, or ... for anything computed."""
    if not isinstance(node, ast.Call):
        return {}
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    return {name: value.value if isinstance(value, ast.Constant) else ... for name, value in given.items()}


def _name_or_text(node: ast.AST) -> str | None:
    """The attribute that is reached, or a text that might be handed to getattr."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _foreign_private(source: Source, use: Use) -> str | None:
    """The underscored name of another folder's module that a use reaches, if any."""
    package, *parts = use.target.split(".")
    hidden = [part for part in parts if part.startswith("_") and not part.endswith("__")]
    if package != source.package.name or not hidden:
        return None
    home = parts[0] if (source.package / parts[0]).is_dir() else ""
    return hidden[0] if _home(home) != _home(source.folder) else None


def _home(folder: str) -> str:
    """The rings share what is private to them."""
    return "rings" if folder in RINGS else folder


def _unsafe_yaml(source: Source, call: Use) -> bool:
    if call.target != "yaml.load":
        return False
    assert isinstance(call.node, ast.Call)
    loaders = [*call.node.args[1:], *(keyword.value for keyword in call.node.keywords if keyword.arg == "Loader")]
    classes = (node for node in source.nodes if isinstance(node, ast.ClassDef))
    derived = {c.name for c in classes if any(source.dotted(base) in SAFE_LOADERS for base in c.bases)}
    names = [source.dotted(node) or getattr(node, "id", None) for node in loaders]
    return not names or not {*names} <= SAFE_LOADERS | derived


@cache
def _drawers(package: Path) -> frozenset[str]:
    """Functions of noise.py."""
    return frozenset(function.name for function in _functions(package / "kernel" / "noise.py"))


@cache
def _readers(package: Path) -> frozenset[str]:
    """Functions outside the classes of sensitive.py and rows.py that are given a Sensitive: they read exact values."""
    functions = [f for file in ("sensitive.py", "rows.py") for f in _functions(package / "kernel" / file)]
    return frozenset(f.name for f in functions if "Sensitive" in ast.unparse(f.args))


def _functions(path: Path) -> list[ast.FunctionDef]:
    """Functions at the top of a file; none if there is no such file."""
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.exists() else []
    return [node for node in body if isinstance(node, ast.FunctionDef)]


@cache
def _slots(package: Path, folders: tuple[str, ...]) -> re.Pattern[str]:
    """What Python makes of `self.__name` in any class of these folders: _Class__name."""
    files = (source for source in sources(package) if source.folder in folders)
    classes = {n.name for source in files for n in source.nodes if isinstance(n, ast.ClassDef)}
    names = "|".join(sorted(re.escape(name.lstrip("_")) for name in classes))
    return re.compile(rf"_({names})__\w+")
