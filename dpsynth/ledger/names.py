"""The names by which a ledger's lines call events.

A fixed table: nothing that a file says is imported or evaluated, and an unknown name is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dpsynth.discovery.discovery import Discovery
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.programs.external import ExternalProgram
from dpsynth.training.event import DpSgd

_NAMES: dict[str, type[Gaussian] | type[DpSgd] | type[Discovery] | type[ExternalProgram]] = {
    "gaussian": Gaussian,
    "dp_sgd": DpSgd,
    "discovery": Discovery,
    "external_program": ExternalProgram,
}


def event_to_dict(event: Event) -> dict[str, Any]:
    for name, kind in _NAMES.items():
        if type(event) is kind:
            return {"event": name, **asdict(event)}
    raise TypeError(f"a charge pays for one of {sorted(_NAMES)}, got {type(event).__name__}")


def event_from_dict(record: Mapping[str, Any]) -> Event:
    fields = dict(record)
    name = fields.pop("event", None)
    if name not in _NAMES:
        raise ValueError(f"the ledger names an event {name!r}; this version knows {sorted(_NAMES)}: update dpsynth")
    try:
        return _NAMES[name](**fields)
    except TypeError:
        raise ValueError(f"event {name!r} has no such fields as the ledger gives it: {sorted(fields)}") from None
