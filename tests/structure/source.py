"""Package files as syntax trees: what each file imports, and the dotted name that an expression stands for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dpsynth"


@dataclass(frozen=True)
class Use:
    """One mention of something that lives elsewhere: `target` is its full dotted name, `node` where it is mentioned."""

    node: ast.AST
    target: str

    @property
    def line(self) -> int:
        return getattr(self.node, "lineno", 0)


@dataclass(frozen=True)
class Source:
    """One file of a package; `package` is the folder that bears the package's name."""

    package: Path
    path: Path

    @property
    def where(self) -> str:
        """The path inside the package: "data/table.py"."""
        return self.path.relative_to(self.package).as_posix()

    @property
    def folder(self) -> str:
        """The zone that the file belongs to: "data", or "" for a file at the top."""
        return self.where.rpartition("/")[0].partition("/")[0]

    @cached_property
    def name(self) -> str:
        """The module's dotted name: "dpsynth.door.table"; a folder's own file has the folder's name."""
        parts = (self.package.name, *self.path.relative_to(self.package).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[Use, ...]:
        """Everything imported, anywhere in the file: in functions, under TYPE_CHECKING, through import_module."""
        return tuple(self._imports())

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Imports, and every expression that leads to something imported."""
        dotted = (Use(node, name) for node in self.nodes if (name := self.dotted(node)) is not None)
        return (*self.imports, *dotted)

    @cached_property
    def calls(self) -> tuple[Use, ...]:
        """Calls whose function has a dotted name; `node` is the ast.Call."""
        found = ((node, self.dotted(node.func)) for node in self.nodes if isinstance(node, ast.Call))
        return tuple(Use(node, name) for node, name in found if name is not None)

    def dotted(self, node: ast.AST) -> str | None:
        """The full name behind `np.random.rand` or `rand`, following this file's own imports; else None."""
        if isinstance(node, ast.Name):
            return self._aliases.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := self.dotted(node.value)) is not None:
            return f"{owner}.{node.attr}"
        return None

    def at(self, line: int, sentence: str) -> str:
        return f"{self.where}:{line}: {sentence}"

    @cached_property
    def _aliases(self) -> dict[str, str]:
        aliases: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                aliases |= {a.asname or a.name.partition(".")[0]: _bound(a) for a in node.names}
            if isinstance(node, ast.ImportFrom):
                aliases |= {a.asname or a.name: f"{self._base(node)}.{a.name}" for a in node.names}
        return aliases

    def _imports(self) -> Iterator[Use]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (Use(node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (Use(node, f"{self._base(node)}.{alias.name}") for alias in node.names)
        for call in self.calls:
            if call.target == "importlib.import_module" and isinstance(literal := first_argument(call.node), str):
                yield Use(call.node, literal)

    def _base(self, node: ast.ImportFrom) -> str:
        """The module after `from`, with leading dots resolved."""
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.path.stem == "__init__" else self.name.split(".")[:-1]
        kept = package[: len(package) - node.level + 1]
        return ".".join([*kept, node.module] if node.module else kept)


def sources(package: Path = PACKAGE) -> list[Source]:
    return [*_ours()] if package == PACKAGE else _sources(package)


@cache
def _ours() -> tuple[Source, ...]:
    """Each file of ours is read once; those of a planted package may change."""
    return tuple(_sources(PACKAGE))


def _sources(package: Path) -> list[Source]:
    return [Source(package, path) for path in sorted(package.rglob("*.py"))]


def plant(folder: Path, files: Mapping[str, str]) -> Path:
    """A package named dpsynth with these files, for checks of the checks."""
    package = folder / "dpsynth"
    for where, code in files.items():
        path = package / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    return package


def first_argument(call: ast.AST) -> object:
    """The first positional argument of a call if it is a literal; ... if it is computed, None if there is none."""
    assert isinstance(call, ast.Call)
    if not call.args:
        return None
    return call.args[0].value if isinstance(call.args[0], ast.Constant) else ...


def _bound(alias: ast.alias) -> str:
    """What `import a.b` binds (a), and what `import a.b as c` binds (a.b)."""
    return alias.name if alias.asname else alias.name.partition(".")[0]
