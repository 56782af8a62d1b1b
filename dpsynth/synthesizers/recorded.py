"""The arguments of a fit, as its certificate records them: what a loaded synthesizer is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dpsynth.base.domain import Clique
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.programs.external import ExternalProgram

_KINDS: dict[str, type[Any]] = {"workload": Workload, "network": DPCTGAN, "claim": ExternalProgram}
"""Settings that are objects."""
_IN_THE_NAME = "synthesizer"
"""A setting that the mechanism's name gives: smartnoise:mst."""


@dataclass(frozen=True)
class RecordedMarginal:
    """A known marginal as a certificate tells of it: its counts are not in a model file. unit: rows or shares."""

    columns: Clique
    source: str
    stddev: float
    unit: str


def recorded_arguments(record: Mapping[str, Any]) -> dict[str, Any]:
    """Budget, mechanism, purpose, approvals and settings of a certificate's record, as a constructor takes them."""
    run = record["run"]["line"]
    settings = {k: v for k, v in record["mechanism"]["settings"].items() if k not in ("known", _IN_THE_NAME)}
    return {
        "mechanism": record["mechanism"]["name"],
        "epsilon": record["budget"]["epsilon"],
        "delta": record["budget"]["delta"],
        "purpose": run["purpose"],
        "approvals": dict(run["approvals"]) or None,
        **{name: _setting(name, value) for name, value in settings.items()},
    }


def recorded_marginals(record: Mapping[str, Any]) -> tuple[RecordedMarginal, ...]:
    """What was known beforehand."""
    told = record["mechanism"]["settings"].get("known", ())
    return tuple(RecordedMarginal(tuple(k["columns"]), k["source"], k["stddev"], k["in"]) for k in told)


def _setting(name: str, value: Any) -> Any:
    """A setting as JSON holds it, as the mechanism had it: lists were tuples, some mappings were objects."""
    if name in _KINDS and isinstance(value, Mapping):
        return _KINDS[name](**{key: _tuples(item) for key, item in value.items()})
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
