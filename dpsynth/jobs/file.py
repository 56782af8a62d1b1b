"""JOB.yaml: what a job does, read strictly, so that a slip ends before anything is spent."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.base.mappings import read_mapping
from dpsynth.base.places import expanded
from dpsynth.base.text import likely
from dpsynth.evidence.bundle.checks import SAMPLES
from dpsynth.evidence.mapped import STANDARDS

VERSION = 1
STEPS = {
    "fit": "a model of the real rows; it spends",
    "sample": "the synthetic rows",
    "quality": "a comparison with the real rows that may be published; it spends",
    "evaluate": "a comparison with the real rows",
    "audit": "attacks on the release",
    "certify": "a data card, and drafts of documents",
    "gate": "whether the release may leave",
    "sign": "a signature, only where the gate passed",
}
"""The steps of a job in the order in which they are done, and what each makes."""
VERDICTS = ("PASS", "INCONCLUSIVE", "FAIL", "INVALID")
_FORMATS = tuple(ending.removeprefix(".") for ending in SAMPLES["rows"])
_TOP = ("dpsynth_job", "data", "schema", "ledger", "output")
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "fit": ("epsilon", "delta", "mechanism", "settings", "purpose", "approvals", "holdback"),
    "sample": ("rows", "seed", "format"),
    "quality": ("epsilon", "delta", "groups", "numbers", "level"),
    "evaluate": ("holdout", "target", "event", "groups", "analyses"),
    "audit": ("holdout", "level", "policy", "sensitive", "seed"),
    "certify": ("card", "documents"),
    "gate": (
        *("epsilon", "account_epsilon", "distance", "outside_schema", "constraints", "analyses"),
        *("model_loss", "group_loss", "group_share", "group_outcome", "audit"),
    ),
    "sign": ("key", "signer", "role", "days", "supersedes"),
}
NOT_OF_A_MECHANISM = (
    *("schema", "mechanism", "epsilon", "delta", "ledger", "purpose", "approvals"),
    *("known", "unsafe_seed", "checkpoint", "holdback"),
)
"""What a synthesizer takes beside its mechanism's settings: stated elsewhere in a job, or never."""
_NEEDED = {"fit": ("epsilon",), "audit": ("holdout",), "sign": ("key", "signer")}
_PATHS = {"evaluate.holdout", "evaluate.analyses", "audit.holdout", "audit.policy", "sign.key"}
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True)
class JobFile:
    """What a job's file states; paths are taken from its folder, `${NAME}` from what was set.

    data: a path, or the address of a table. sections: of each step that the job has, its settings.
    """

    file: Path
    data: Path | str
    schema: Path
    ledger: Path
    output: Path
    sections: Mapping[str, Mapping[str, Any]]

    @property
    def ending(self) -> str:
        """Of the file of synthetic rows."""
        usual = self.data.suffix if isinstance(self.data, Path) else ".csv"
        stated = self.of("sample").get("format")
        return f".{stated}" if stated else usual if usual in (".csv", ".parquet") else ".csv"

    def of(self, section: str) -> Mapping[str, Any]:
        return self.sections.get(section, {})


def read_job(path: Path, values: Mapping[str, str] | None = None) -> JobFile:
    """The job in a file. values: of its variables. ValueError, in one sentence with the key."""
    try:
        return _job(path, _filled(read_mapping(path), dict(values or {})))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _job(path: Path, stated: Mapping[str, Any]) -> JobFile:
    if stated.get("dpsynth_job") != VERSION or isinstance(stated["dpsynth_job"], bool):
        raise ValueError(f"a job begins with dpsynth_job: {VERSION}: write that line")
    _refuse_unknown("a job", stated, (*_TOP, *_SECTIONS))
    for name in _TOP[1:]:
        if not isinstance(stated.get(name), str) or not stated[name]:
            raise ValueError(f"{name} must be a path, got {stated.get(name)!r}: name it")
    sections = {n: _section(path, n, stated[n]) for n in _SECTIONS if n in stated}
    if "fit" not in sections:
        raise ValueError("fit is missing, which says what may be spent: write fit: {epsilon: 1}")
    _check(sections)
    address = "://" in stated["data"]
    places = {name: _from(path, stated[name]) for name in ("schema", "ledger", "output")}
    data = stated["data"] if address else _from(path, stated["data"])
    return JobFile(path, data, **places, sections={"sample": {}, **sections})


def _section(path: Path, name: str, stated: Any) -> dict[str, Any]:
    """The settings of one step, with paths from the folder of the job's file."""
    found = {} if stated in (None, "") else stated  # a step that is only named
    if not isinstance(found, dict):
        raise ValueError(f"{name} must hold names and values, got {stated!r}: write name: value")
    _refuse_unknown(name, found, _SECTIONS[name])
    if name not in ("fit", "gate"):  # there a name without a value is a slip, not the usual one
        found = {key: value for key, value in found.items() if value is not None}
    for each in _NEEDED.get(name, ()):
        if each not in found:
            raise ValueError(f"{name}.{each} is missing: add it")
    paths = [key for key in found if f"{name}.{key}" in _PATHS]
    for each in paths:
        if not isinstance(found[each], str):
            raise ValueError(f"{name}.{each} must be a path, got {found[each]!r}: name a file")
    return {key: _from(path, v) if key in paths else v for key, v in found.items()}


def _check(sections: Mapping[str, Mapping[str, Any]]) -> None:
    """ValueError for a value of another kind, with its key."""
    for name, section in sections.items():
        for key, value in section.items():
            kind = _KINDS.get(f"{name}.{key}")
            if kind is not None and not kind[1](value):
                raise ValueError(f"{name}.{key} must be {kind[0]}, got {value!r}: correct it")
    for each in sections["fit"].get("settings", {}):
        if each in NOT_OF_A_MECHANISM:
            raise ValueError(f"fit.settings are those of the mechanism, got {each!r}: remove it")
    gate = sections.get("gate", {})
    if "distance" in gate and "evaluate" not in sections:
        raise ValueError("gate.distance needs a comparison with real rows: add evaluate")
    if "outside_schema" in gate and "evaluate" not in sections:
        raise ValueError("gate.outside_schema needs a comparison with real rows: add evaluate")
    asked = sections.get("evaluate", {})
    for each in ("group_loss", "group_share", "group_outcome"):
        if each in gate and not asked.get("groups"):
            raise ValueError(f"gate.{each} needs groups: add evaluate.groups")
    for each in ("model_loss", "group_loss", "group_outcome"):
        if each in gate and "target" not in asked:
            raise ValueError(f"gate.{each} needs a target of models: add evaluate.target")
    if "analyses" in gate and "analyses" not in asked:
        raise ValueError("gate.analyses needs analyses: add evaluate.analyses")
    if "audit" in gate and "audit" not in sections:
        raise ValueError("gate.audit needs an audit: add audit: {holdout: FILE}")


def _is_number(value: Any) -> bool:
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    return whole and math.isfinite(value) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_named_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_limits(value: Any) -> bool:
    limits = value.items() if isinstance(value, dict) else [(None, None)]
    return all(
        ways in ("columns", "pairs", "triples") and _is_number(most) for ways, most in limits
    ) and bool(value)


def _all_of(known: Sequence[str]) -> Callable[[Any], bool]:
    return lambda value: _are_texts(value) and set(value) <= set(known)


_NUMBER = ("a number of 0 or more", _is_number)
_SHARE = ("a share from 0 to 1", lambda value: _is_number(value) and value <= 1)
_COUNT = ("a whole number", _is_count)
_TEXT = ("text", _is_text)
_VERDICT = _all_of(VERDICTS)
_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "fit.epsilon": _NUMBER,
    "fit.delta": _NUMBER,
    "fit.mechanism": _TEXT,
    "fit.holdback": ("a part from 0 to 0.5", lambda value: _is_number(value) and value <= 0.5),
    "fit.settings": ("names and values", lambda value: isinstance(value, dict)),
    "fit.purpose": _TEXT,
    "fit.approvals": ("names and texts", _are_named_texts),
    "sample.rows": ("a whole number of 1 or more", lambda value: _is_count(value) and value > 0),
    "sample.seed": _COUNT,
    "sample.format": (f"one of {', '.join(_FORMATS)}", lambda value: value in _FORMATS),
    "quality.epsilon": _NUMBER,
    "quality.delta": _NUMBER,
    "quality.groups": ("a list of columns", _are_texts),
    "quality.numbers": ("a list of columns", _are_texts),
    "quality.level": ("a number from 0.5 to below 1", lambda v: _is_number(v) and 0.5 <= v < 1),
    "evaluate.target": _TEXT,
    "evaluate.event": _TEXT,
    "evaluate.groups": ("a list of columns", _are_texts),
    "audit.level": _TEXT,
    "audit.sensitive": ("a list of columns", _are_texts),
    "audit.seed": _COUNT,
    "certify.card": ("true or false", lambda value: isinstance(value, bool)),
    "certify.documents": (f"a list of names, each of {', '.join(STANDARDS)}", _all_of(STANDARDS)),
    "gate.epsilon": _NUMBER,
    "gate.account_epsilon": _NUMBER,
    "gate.distance": ("limits for columns, pairs or triples, as {pairs: 0.1}", _are_limits),
    "gate.outside_schema": _COUNT,
    "gate.model_loss": _NUMBER,
    "gate.group_loss": _NUMBER,
    "gate.group_share": _SHARE,
    "gate.group_outcome": _NUMBER,
    "gate.constraints": _SHARE,
    "gate.analyses": _SHARE,
    "gate.audit": (
        f"a list of verdicts, each of {', '.join(VERDICTS)}, as [PASS]",
        lambda value: _VERDICT(value) and bool(value),
    ),
    "sign.signer": _TEXT,
    "sign.role": _TEXT,
    "sign.days": _COUNT,
    "sign.supersedes": ("a list of heads", _are_texts),
}
"""What each setting must be, in words, and what tells it. Paths are told where they are read."""


def _filled(stated: Any, values: Mapping[str, str]) -> dict[str, Any]:
    """The document with its variables replaced; ValueError for one without a value, or unused."""
    used: set[str] = set()

    def replaced(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            raise ValueError(f"${{{name}}} has no value: give --set {name}=VALUE")
        used.add(name)
        return values[name]

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: walk(each) for name, each in value.items()}
        if isinstance(value, list):
            return list(map(walk, value))
        return _VARIABLE.sub(replaced, value) if isinstance(value, str) else value

    found: dict[str, Any] = walk(stated)
    if idle := sorted(values.keys() - used):
        raise ValueError(f"--set {idle[0]} is used nowhere: leave it out, or write ${{{idle[0]}}}")
    return found


def _refuse_unknown(what: str, stated: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in stated:
        if name not in known:
            raise ValueError(
                f"{what} has no key {name!r}: {likely(name, known)}it may have {', '.join(known)}"
            )


def _from(file: Path, path: str) -> Path:
    return file.parent / expanded(path)
