"""The arguments of a fit, read from its certificate, for a synthesizer that is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dpsynth.base.domain import Clique
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.programs.external import ExternalProgram

_KINDS: dict[str, type[Any]] = {
    "workload": Workload,
    "network": DPCTGAN,
    "claim": ExternalProgram,
}
"""Settings that are objects."""
_RENAMED = {"most_cells": "max_cells"}
"""Settings that earlier certificates call otherwise."""
_IN_THE_NAME = "synthesizer"
"""A setting that stands in the mechanism's name, as mst in smartnoise:mst."""


@dataclass(frozen=True)
class RecordedMarginal:
    """A known marginal as a certificate describes it, without its counts.

    Parameters
    ----------
    columns : tuple of str
        Its columns.
    source : str
        Where its counts were published.
    stddev : float
        The standard deviation that was stated for them.
    unit : str
        What they count: "rows" or "shares".

    Examples
    --------
    >>> RecordedMarginal(("sex",), "Census", 5.0, "rows").source
    'Census'
    """

    columns: Clique
    source: str
    stddev: float
    unit: str


def recorded_arguments(record: Mapping[str, Any]) -> dict[str, Any]:
    """Budget, mechanism, purpose, approvals and settings, as a constructor takes them."""
    run = record["run"]["line"]
    stated = record["mechanism"]["settings"]
    settings = _renamed({k: v for k, v in stated.items() if k not in ("known", _IN_THE_NAME)})
    return {
        "mechanism": record["mechanism"]["name"],
        "epsilon": record["budget"]["epsilon"],
        "delta": record["budget"]["delta"],
        "purpose": run["purpose"],
        "approvals": dict(run["approvals"]) or None,
        **{name: _setting(name, value) for name, value in settings.items()},
    }


def recorded_marginals(record: Mapping[str, Any]) -> tuple[RecordedMarginal, ...]:
    """The known marginals that the fit started from."""
    stated = record["mechanism"]["settings"].get("known", ())
    return tuple(
        RecordedMarginal(tuple(each["columns"]), each["source"], each["stddev"], each["in"])
        for each in stated
    )


def _setting(name: str, value: Any) -> Any:
    """A setting from JSON, as the mechanism takes it: lists were tuples, some mappings objects."""
    if name in _KINDS and isinstance(value, Mapping):
        return _KINDS[name](**{key: _tuples(item) for key, item in _renamed(value).items()})
    return _tuples(value)


def _renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in settings.items()}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
