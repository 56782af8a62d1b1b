"""The names of mechanisms."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.external.base import ForeignMechanism
from dpsynth.mechanisms.external.command import External
from dpsynth.mechanisms.external.smartnoise import SmartNoise
from dpsynth.mechanisms.marginal.aim import AIM
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.independent import Independent
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import Hybrid
from dpsynth.mechanisms.neural.pate_gan import PATEGAN

MECHANISMS: dict[str, type[Any]] = {
    "independent": Independent,
    "mst": MST,
    "canopy": Canopy,
    "aim": AIM,
    "dp-ctgan": DPCTGAN,
    "hybrid": Hybrid,
    "pate-gan": PATEGAN,
}
AUTO = "canopy"
"""What "auto" stands for: our best marginal mechanism, whatever the data."""


def mechanism_for(mechanism: str | Mechanism, settings: dict[str, Any]) -> Mechanism:
    """The mechanism of this name with these settings, or the mechanism itself; ValueError if it is neither."""
    if not isinstance(mechanism, str):
        if isinstance(mechanism, type) or not isinstance(mechanism, Mechanism):
            raise ValueError(
                f"mechanism must be one of {_names()} or an object with fit, got {type(mechanism).__name__}"
            )
        if settings:
            raise ValueError(
                f"settings {sorted(settings)} belong to a mechanism's name: give them to the object instead"
            )
        return mechanism
    kind, named = _kind(mechanism)
    known = [f.name for f in fields(kind) if f.name not in named]
    if unknown := sorted(set(settings) - set(known)):
        raise ValueError(f"mechanism {mechanism!r} has the settings {known}, not {unknown}")
    return kind(**named, **settings)


def name_of(mechanism: Mechanism) -> str:
    """The registered name of a mechanism, or the name of its class."""
    if isinstance(mechanism, ForeignMechanism):
        return mechanism.name
    return next((name for name, kind in MECHANISMS.items() if type(mechanism) is kind), type(mechanism).__name__)


def _kind(name: str) -> tuple[type[Any], dict[str, Any]]:
    """The class of this name, and the settings that the name itself gives."""
    family, colon, own = name.partition(":")
    if family + colon == "smartnoise:":
        return SmartNoise, {"synthesizer": own}
    kinds: dict[str, type[Any]] = {**MECHANISMS, "auto": MECHANISMS[AUTO], "external:": External}
    if name not in kinds:
        raise ValueError(f"mechanism must be one of {_names()}, got {name!r}")
    return kinds[name], {}


def _names() -> list[str]:
    return ["auto", *MECHANISMS, "smartnoise:NAME", "external:"]
