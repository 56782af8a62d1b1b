"""YAML and JSON files that hold one mapping, read strictly.

YAML follows the core schema of YAML 1.2: `no`, `2020-01-31` and `0123` stay the text that was written, where
YAML 1.1 would make a boolean, a date and an octal number of them. A key given twice is refused, not overwritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

_CORE = {  # tag: pattern, characters it may begin with
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
}


def read_mapping(path: str | Path) -> dict[str, Any]:
    """The mapping in a .yaml, .yml or .json file; ValueError with one sentence if there is none."""
    path = Path(path)
    kind = _kind(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist, or is not a file")
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_unique) if kind == "json" else yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError("not readable as YAML: " + " ".join(str(error).split())) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"the file must hold a mapping, got {type(content).__name__}")
    return content


def write_mapping(path: str | Path, content: Mapping[str, Any], *, comment: str | None = None) -> None:
    """Write a mapping in its own order; the comment is kept in YAML only."""
    path = Path(path)
    if _kind(path) == "json":
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = f"# {comment}\n" if comment else ""
        text += yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    path.write_text(text, encoding="utf-8")


def _kind(path: Path) -> str:
    kinds = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
    if path.suffix.lower() not in kinds:
        raise ValueError(f"a file name must end in .yaml, .yml or .json, got {path.name!r}")
    return kinds[path.suffix.lower()]


def _unique(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise ValueError(f"the name {key!r} must be text: put it in quotes")
        if key in mapping:
            raise ValueError(f"the name {key!r} is given twice")
        mapping[key] = value
    return mapping


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        return _unique(
            (self.construct_object(k, deep=True), self.construct_object(v, deep=True)) for k, v in node.value
        )


class _Dumper(yaml.SafeDumper):
    """Quotes whatever either version of YAML would read as something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Escape what is not printable: unquoted or in single quotes PyYAML reads a line break back as a space."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)

for _tag, (_pattern, _first) in _CORE.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
