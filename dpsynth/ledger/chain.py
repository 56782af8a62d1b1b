"""Chain: the lines of a ledger, each a JSON object that holds the hash of the line before it.

A line has one spelling, canonical JSON: keys sorted, no spaces, ASCII. `hash` is the SHA-256 of that spelling without
`hash`; `prev` is the hash of the line before; `seq` counts from 0. The spelling is the same in memory, in an account's
file and in an export. What a line says is data: it is compared with the tables below, and never imported, unpickled
or evaluated; what this version does not know is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dpsynth.base.errors import DPSynthError

GENESIS = "0" * 64
"""What stands for the hash before the first line."""

_CHAIN = {"kind", "seq", "prev", "hash"}
_FIELDS = {
    "open": {"format", "dataset", "account", "unit", "budget", "time"},
    "policy": {"policy", "time"},
    "run": {"run", "budget", "noise", "reserve", "mechanism", "purpose", "approvals", "schema", "time"},
    "drawing": {"run"},
    "charge": {"run", "purpose", "event"},
    "steps": {"run", "charge", "resumed", "lost", "upto"},
    "commit": {"run", "release", "time"},
    "void": {"run", "time"},
    "link": {"account", "dataset", "head", "through", "events", "time"},
    "forward": {"account", "dataset", "time"},
    "copy": {"time"},
    "only": {"by", "time"},
}
_OPTIONAL = {"run": {"max_records", "reading"}, "link": {"reading"}, "charge": {"code"}, "steps": {"code"}}
"""max_records: of a run that uses another number than the account was opened with. reading: what says whose a row is,
beside its ids, in a run or in those of an account that was joined. code: what saw raw rows."""

_TEXTS = ("dataset", "account", "noise", "run", "mechanism", "purpose", "schema", "head", "by", "code", "reading")
_TEXTS_OR_NULL = ("release", "time")


class LedgerCorruptError(DPSynthError, ValueError):
    """The file is not a ledger that this version wrote, or it was changed."""

    @classmethod
    def at(cls, seq: int, where: str, fault: str) -> LedgerCorruptError:
        return cls(f"line {seq + 1} of {where} {fault}: restore it from a copy, and compare the head")


@dataclass(frozen=True)
class Line:
    """A line that was found good: its fields, and its bytes (without a line feed)."""

    fields: dict[str, Any]
    raw: bytes

    @property
    def hash(self) -> str:
        return str(self.fields["hash"])


def encode(record: Mapping[str, Any]) -> bytes:
    """The one spelling of a record."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def line_hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode({k: v for k, v in record.items() if k != "hash"})).hexdigest()


def next_line(last: Line | None, kind: str, fields: Mapping[str, Any]) -> Line:
    """The line of these fields that follows `last`, checked as a reader would check it."""
    seq, prev = (last.fields["seq"] + 1, last.hash) if last else (0, GENESIS)
    said = {k: v for k, v in fields.items() if v is not None or k not in _OPTIONAL.get(kind, ())}
    record = {"kind": kind, "seq": seq, "prev": prev, **said}
    return follow(last, encode({**record, "hash": line_hash(record)}), "the ledger")


def follow(last: Line | None, raw: bytes, where: str) -> Line:
    """The line in `raw`, if it is whole, canonical, of a known form, and follows from the line before it."""
    seq, prev = (last.fields["seq"] + 1, last.hash) if last else (0, GENESIS)
    try:
        record = json.loads(raw)
        whole = encode(record) == raw and record["hash"] == line_hash(record)
        linked = record["prev"] == prev and record["seq"] == seq
        kind, fields = record["kind"], set(record) - _CHAIN
        known = fields - _OPTIONAL.get(kind, set()) == _FIELDS.get(kind) and record.keys() >= _CHAIN
    except (ValueError, TypeError, KeyError, RecursionError):
        raise LedgerCorruptError.at(seq, where, "is not a ledger line") from None
    if not whole or not linked:
        raise LedgerCorruptError.at(seq, where, "was changed, or does not follow from the line before it")
    if not known:
        raise LedgerCorruptError(f"line {seq + 1} of {where} is of a form not known here: update dpsynth")
    for name in (*_TEXTS, *_TEXTS_OR_NULL):
        if not isinstance(record.get(name, ""), str) and not (name in _TEXTS_OR_NULL and record[name] is None):
            raise LedgerCorruptError.at(seq, where, f"has {type(record[name]).__name__} as {name}, not text")
    return Line(record, raw)
