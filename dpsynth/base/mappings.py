"""YAML and JSON files that hold one mapping, read strictly.

YAML is read by the core schema of YAML 1.2: `no`, `2020-01-31` and `0123` stay the text that was
written, where YAML 1.1 reads a boolean, a date and an octal number. A name given twice is refused,
not overwritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

_CORE = {  # for each tag its pattern, and the characters that it may begin with
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
}


def read_mapping(path: str | Path) -> dict[str, Any]:
    """The mapping in a .yaml, .yml or .json file; ValueError with one sentence if there is none."""
    path = Path(path)
    parse = _parse_json if _kind(path) == "json" else _parse_yaml
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist, or is not a file: give the path of a YAML or JSON file"
        )
    content = parse(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(
            f"the file must hold a mapping, got {type(content).__name__}: write `name: value`"
        )
    return content


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"not readable as JSON, correct it: {error}") from None


def _parse_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())  # PyYAML's messages have several lines
        raise ValueError(f"not readable as YAML, correct it: {said}") from None


def write_mapping(
    path: str | Path, content: Mapping[str, Any], *, comment: str | None = None
) -> None:
    """Write a mapping in its own order; the comment is kept in YAML only."""
    path = Path(path)
    if _kind(path) == "json":
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = f"# {comment}\n" if comment else ""
        text += yaml.dump(
            dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
        )
    path.write_text(text, encoding="utf-8")


def _kind(path: Path) -> str:
    """The format that the file's name asks for."""
    kinds = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
    if path.suffix.lower() not in kinds:
        raise ValueError(
            f"a file name must end in .yaml, .yml or .json, got {path.name!r}: rename the file"
        )
    return kinds[path.suffix.lower()]


def _unique(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """The mapping of these pairs; ValueError for a name that is no text, or is there twice."""
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise ValueError(f"the name {key!r} must be text: put it in quotes")
        if key in mapping:
            raise ValueError(f"the name {key!r} is given twice: keep one of the two")
        mapping[key] = value
    return mapping


class _Loader(yaml.SafeLoader):
    """Reads only what is plain data, and only by the patterns of `_CORE`."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        return _unique((self._name(k), self.construct_object(v, deep=True)) for k, v in node.value)

    def _name(self, node: yaml.Node) -> Any:
        """A name as it is written where it is `true` or `false`: Boolean columns have such."""
        if node.tag == "tag:yaml.org,2002:bool":
            return node.value
        return self.construct_object(node, deep=True)


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes that either version of YAML would not read as text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whether what occurs twice is written in full both times: yes, for people to read."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Text, in double quotes where not all of it is printable.

        PyYAML reads a line break back as a space where it stands unquoted or in single quotes.
        """
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)

for _tag, (_pattern, _first) in _CORE.items():
    _whole = re.compile(rf"^(?:{_pattern})$")
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _whole, list(_first))
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _whole, list(_first))
