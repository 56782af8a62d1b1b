"""JSON Schemas of the files that a release and a ledger consist of, for readers in any language.

Draft 2020-12. `schema_of` gives one that needs no other file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_WITHIN = {"certificate": ("ledger-line",)}
"""The schemas that another one refers to."""

KINDS = ("certificate", "manifest", "ledger-line", "signature")
"""The files that have one; a signature's is that of the statement in its envelope."""


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file, with those that it refers to under `$defs`."""
    if kind not in KINDS:
        raise ValueError(f"there is no schema of {kind!r}: ask for one of {', '.join(KINDS)}")
    schema = _read(kind)
    within = {name: _read(name) for name in _WITHIN.get(kind, ())}
    return {**schema, "$defs": {**schema.get("$defs", {}), **within}} if within else schema


def _read(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / f"{kind}.json").read_text(encoding="utf-8"))
    return found
