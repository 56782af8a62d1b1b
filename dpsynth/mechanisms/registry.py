"""The names of mechanisms: ours in a table, those of installed packages as they declare them.

A package adds a mechanism by one line of its own metadata, an entry point of the group
`dpsynth.mechanisms`:

    [project.entry-points."dpsynth.mechanisms"]
    my-mechanism = "my_package.my_module:MyMechanism"

Importing this module imports no mechanism; the one that is asked for is loaded then. Only what is
declared can be loaded: a name from a file or a user is looked up, never imported. A name with a
colon is a family: the class of "smartnoise:NAME" says what each NAME stands for
(`Mechanism.family_settings`), and a family with nothing behind its colon has one member. No package
may take a name, or a family, of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from dpsynth.mechanisms.base import Bare, Mechanism

GROUP = "dpsynth.mechanisms"
IMAGE_GROUP = "dpsynth.mechanisms.images"
AUTO = "auto"
"""The name that stands for the first choice of a registry, whatever the data."""

MECHANISMS: Mapping[str, EntryPoint] = {
    entry.name: entry
    for entry in (
        EntryPoint("independent", "dpsynth.mechanisms.marginal.independent:Independent", GROUP),
        EntryPoint("mst", "dpsynth.mechanisms.marginal.mst:MST", GROUP),
        EntryPoint("canopy", "dpsynth.mechanisms.marginal.canopy:Canopy", GROUP),
        EntryPoint("aim", "dpsynth.mechanisms.marginal.aim:AIM", GROUP),
        EntryPoint("dp-ctgan", "dpsynth.mechanisms.neural.dp_ctgan:DPCTGAN", GROUP),
        EntryPoint("hybrid", "dpsynth.mechanisms.neural.hybrid:Hybrid", GROUP),
        EntryPoint("pate-gan", "dpsynth.mechanisms.neural.pate_gan:PATEGAN", GROUP),
    )
}
FAMILIES: Mapping[str, EntryPoint] = {
    entry.name: entry
    for entry in (
        EntryPoint("smartnoise:NAME", "dpsynth.mechanisms.external.smartnoise:SmartNoise", GROUP),
        EntryPoint("external:", "dpsynth.mechanisms.external.command:External", GROUP),
    )
}
IMAGE_MECHANISMS: Mapping[str, EntryPoint] = {
    entry.name: entry
    for entry in (
        EntryPoint(
            "image-embedding", "dpsynth.mechanisms.image.embedding:ImageEmbedding", IMAGE_GROUP
        ),
        EntryPoint("dp-gan", "dpsynth.mechanisms.image.dp_gan:ImageGAN", IMAGE_GROUP),
    )
}


@dataclass(frozen=True)
class Registry:
    """Names of one kind of mechanism.

    Parameters
    ----------
    group : str
        Of entry points, by which packages declare theirs.
    ours : mapping of str to EntryPoint
        The table of our own.
    first : str
        The one of them that "auto" stands for.

    Examples
    --------
    >>> TABLES.resolved("auto")
    'canopy'
    >>> TABLES.load("mst")[0].__name__
    'MST'
    >>> TABLES.knows("no-such-thing")
    False
    """

    group: str
    ours: Mapping[str, EntryPoint]
    first: str

    def names(self) -> list[str]:
        """Every name: "auto", ours, and those of installed packages."""
        return [AUTO, *self.entries()]

    def entries(self) -> dict[str, EntryPoint]:
        """Every entry by its name.

        Raises
        ------
        ValueError
            Where a package declares a name of ours, or two declare the same.
        """
        found = dict(self.ours)
        for entry in self._declared():
            if _stem(entry.name) in {AUTO, *map(_stem, found)}:
                raise ValueError(
                    f"{_whose(entry)} declares a mechanism {entry.name!r}, a name that is taken:"
                    " uninstall the package,"
                    " or have it choose another name"
                )
            found[entry.name] = entry
        return found

    def knows(self, name: str) -> bool:
        """Whether a mechanism goes by this name. "auto" is none: it stands for another."""
        return self._entry(name) is not None

    def resolved(self, name: str) -> str:
        """The name that a certificate gives: "auto" resolved."""
        return self.first if name == AUTO else name

    def load(self, name: str) -> tuple[type[Any], dict[str, Any]]:
        """The class of this name, and the settings that the name itself gives.

        Raises
        ------
        ValueError
            For no such name.
        """
        kind = loaded(self.entry(name))
        member = name.partition(":")[2]
        return kind, kind.family_settings(member) if member else {}

    def entry(self, name: str) -> EntryPoint:
        """The entry of this name, whose class is not loaded.

        Raises
        ------
        ValueError
            For no such name.
        """
        entry = self._entry(self.resolved(name))
        if entry is None:
            raise ValueError(
                f"mechanism must be one of {self.names()}, got {name!r}: name one of these, or"
                " install the package that declares it"
            )
        return entry

    def name_of(self, kind: type[Any]) -> str | None:
        """The name under which just this class is registered; None for a member of a family."""
        value = f"{kind.__module__}:{kind.__qualname__}"
        known = (*self.ours.values(), *self._declared())
        return next(
            (entry.name for entry in known if entry.value == value and ":" not in entry.name), None
        )

    def those(self, property_of_class: str) -> list[str]:
        """Names of the mechanisms whose class has this flag. It loads every mechanism: for
        messages.
        """
        return [
            n
            for n, entry in self.entries().items()
            if getattr(loaded(entry), property_of_class, False)
        ]

    def _entry(self, name: str) -> EntryPoint | None:
        entries = self.entries()
        if ":" not in name:
            return entries.get(name)
        family, _, member = name.partition(":")
        found = next((e for n, e in entries.items() if _stem(n) == family + ":"), None)
        takes_members = found is not None and not found.name.endswith(":")
        return found if takes_members == bool(member) else None

    def _declared(self) -> tuple[EntryPoint, ...]:
        return _installed(self.group, tuple(sys.path))


@cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """What packages on this path declare, in an order that does not depend on the file system.
    It reads a file of every installed package: once for each path.
    """
    return tuple(sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value)))


TABLES = Registry(GROUP, {**MECHANISMS, **FAMILIES}, first="canopy")
IMAGES = Registry(IMAGE_GROUP, IMAGE_MECHANISMS, first="image-embedding")


def mechanism_for(mechanism: str | Mechanism, settings: dict[str, Any]) -> Mechanism:
    """The mechanism of this name with these settings, or the mechanism itself.

    Parameters
    ----------
    mechanism : str or Mechanism
        A registered name, or an object with `fit`.
    settings : dict
        Of the name's class, by name; none for an object.

    Returns
    -------
    Mechanism
        With the defaults for what it lacks.

    Raises
    ------
    ValueError
        For no such name, no such settings, or an object that is no mechanism.

    Examples
    --------
    >>> mechanism_for("mst", {"select_share": 0.1})
    MST(total_share=0.01, oneway_share=0.25, select_share=0.1)
    """
    if not isinstance(mechanism, str):
        if isinstance(mechanism, type) or not callable(getattr(mechanism, "fit", None)):
            raise ValueError(
                f"mechanism must be one of {TABLES.names()} or an object with fit, got"
                f" {type(mechanism).__name__}"
            )
        if settings:
            raise ValueError(
                f"settings {sorted(settings)} belong to a mechanism's name: give them to the object"
                " instead"
            )
        return mechanism if isinstance(mechanism, Mechanism) else Bare(mechanism)
    kind, named = TABLES.load(mechanism)
    return made(mechanism, _complete(mechanism, kind), named, settings)


def made(name: str, kind: type[Any], named: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """An object of the class; ValueError for settings that it lacks or cannot be made with."""
    known = [f.name for f in fields(kind) if f.name not in named] if is_dataclass(kind) else []
    if unknown := sorted(set(settings) - set(known)):
        raise ValueError(f"mechanism {name!r} has the settings {known}, not {unknown}: use these")
    try:
        return kind(**named, **settings)
    except TypeError as error:
        raise ValueError(
            f"mechanism {name!r} cannot be made with the settings {dict(settings)}: {error}"
        ) from None


def name_of(mechanism: Mechanism) -> str:
    """The registered name of a mechanism, or what it calls itself."""
    return TABLES.name_of(type(mechanism)) or mechanism.name


def loaded(entry: EntryPoint) -> type[Any]:
    """The class that an entry names; ValueError in one sentence for one that cannot be had."""
    try:
        kind = entry.load()
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"the mechanism {entry.name!r} of {_whose(entry)} cannot be loaded from {entry.value}:"
            f" {error}"
        ) from None
    if not isinstance(kind, type):
        raise ValueError(
            f"the mechanism {entry.name!r} of {_whose(entry)} is {entry.value}, which is no class"
        )
    return kind


def _complete(name: str, kind: type[Any]) -> type[Mechanism]:
    """The class, once nothing of a mechanism is missing from it."""
    if not issubclass(kind, Mechanism):
        raise ValueError(
            f"mechanism {name!r} is the class {kind.__name__}, which is not derived from"
            " dpsynth.mechanisms.base.Mechanism: derive it, and it has all but fit"
        )
    if lacking := sorted(kind.__abstractmethods__):
        raise ValueError(
            f"mechanism {name!r} is the class {kind.__name__}, which lacks {', '.join(lacking)}:"
            " write it"
        )
    return kind


def _stem(name: str) -> str:
    """A name, or a family with its colon."""
    family, colon, _ = name.partition(":")
    return family + colon


def _whose(entry: EntryPoint) -> str:
    return (
        "dpsynth"
        if entry.dist is None
        else f"the installed package {entry.dist.name} {entry.dist.version}"
    )
