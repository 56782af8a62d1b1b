"""What holds private values, or a budget, cannot be copied; and for each such class a mutant that forgot it."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dpsynth.base.closed import Closed
from tests.rings import kernel
from tests.rings.kernel import Mutant
from tests.rings.laws import Kernel
from tests.rings.unkept import grant
from tests.structure.source import PACKAGE
from tests.structure.walls import RINGS

SIZES = (3, 5)


def rows(k: Kernel) -> Any:
    return k.SensitiveRows(np.zeros((4, 2), dtype=np.int64), sizes=SIZES, protects=k.PrivacyUnit())


def accountant(k: Kernel) -> Any:
    return k.opening.Accountant(k.Budget(1.0, 1e-6))


def table(k: Kernel) -> Any:
    domain = k.Domain((("a", 3), ("b", 5)))
    return k.PrivateTable.from_codes({"a": np.zeros(4, dtype=np.int64), "b": np.zeros(4, dtype=np.int64)}, domain)


def training(k: Kernel) -> Any:
    event = k.DpSgd(0.1, 1.0, 10)
    options = {"parameters": 4, "clip": 1.0, "assumed_rows": 1000.0}
    return k.Training(event.rate, event.noise_multiplier, grant(event, k, reads=rows), rows(k), **options)


def held(k: Kernel) -> Any:
    frame = pd.DataFrame({"code": ["a", "b"]})
    return k.held_texts(k.bound_table(lambda columns: [frame], k.PrivacyUnit()), "code", str)


def linked(k: Kernel) -> Any:
    frame = pd.DataFrame({"id": [1, 2]})
    return k.link_tables({"people": lambda columns: [frame]}, k.Root("people", "id"), {})


CLOSED: dict[str, tuple[str, Callable[[Kernel], Any]]] = {
    "Sensitive": ("sensitive.py", lambda k: k.Sensitive(np.arange(3), l1=1.0, l2=1.0)),
    "SensitiveRows": ("rows.py", rows),
    "PrivateTable": ("table.py", table),
    "Bounded": ("bounded.py", lambda k: k.bound_arrays((np.arange(3),), None, k.PrivacyUnit())),
    "LinkedRows": ("linked.py", lambda k: linked(k)),
    "HeldTexts": ("held.py", lambda k: held(k)),
    "Charge": ("accountant.py", lambda k: accountant(k).charge(k.Gaussian(50.0), "work")),
    "Accountant": ("accountant.py", accountant),
    "Ledger": ("ledger.py", lambda k: accountant(k).ledger),
    "Training": ("dpsgd.py", training),
    "Claims": ("steps.py", lambda k: k.Claims(grant(k.DpSgd(0.1, 1.0, 5), k, reads=rows))),
    "Teachers": ("teachers.py", lambda k: k.Teachers(rows(k), 7, k.noise.operating_system_bits)),
}
"""Every class of the rings that holds private values or a budget: its file, and how one is made."""

COPIES: dict[str, Callable[[Any], object]] = {"copy": copy.copy, "deepcopy": copy.deepcopy}
PICKLES: dict[str, Callable[[Any], object]] = {
    **{f"pickle {protocol}": lambda x, p=protocol: pickle.dumps(x, p) for protocol in range(6)},
    "__reduce__": lambda x: x.__reduce__(),
    **{f"__reduce_ex__ {protocol}": lambda x, p=protocol: x.__reduce_ex__(p) for protocol in range(6)},
    "__getstate__": lambda x: x.__getstate__(),
}


HOOKS = ("__copy__", "__deepcopy__", "__getstate__", "__reduce__", "__reduce_ex__")


def leaks(thing: Any) -> list[str]:
    """The ways by which a second one is made, its state is had, or the refusal says something else."""
    found = []
    for way, act in {**COPIES, **PICKLES}.items():
        try:
            made = act(thing)
        except TypeError as error:
            if str(error) != thing._closed_because:
                found.append(way)
        except Exception:
            found.append(way)
        else:
            if not (way in COPIES and made is thing and type(thing).__name__ == "Ledger"):
                found.append(way)
    return found


def is_closed(name: str) -> Callable[[Kernel], None]:
    """The law for one class."""

    def law(k: Kernel) -> None:
        _, make = CLOSED[name]
        found = leaks(make(k))
        assert not found, f"{name} is had by {found}"

    return law


BY = {"Training": ("steps.py", "Claims"), "HeldTexts": ("rows.py", "SensitiveRows")}
"""Classes that are closed since the class below them is."""

MUTANTS = [
    Mutant(name, file, f"class {closed}(Closed):\n", f"class {closed}:\n", is_closed(name))
    for name, (file, closed) in {name: BY.get(name, (file, name)) for name, (file, _) in CLOSED.items()}.items()
]


def holders(ring: str) -> set[str]:
    """Classes of a ring that keep something in a slot of their own, which is how private values are kept."""
    modules = (importlib.import_module(f"dpsynth.{ring}.{path.stem}") for path in (PACKAGE / ring).glob("*.py"))
    classes = {c for m in modules for c in vars(m).values() if isinstance(c, type) and c.__module__ == m.__name__}
    return {c.__name__ for c in classes if any(slot.startswith("__") for slot in getattr(c, "__slots__", ()))}


@pytest.mark.parametrize("name", CLOSED)
def test_what_holds_private_values_or_a_budget_cannot_be_copied(name):
    is_closed(name)(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_class_that_is_not_closed_is_seen(tmp_path, monkeypatch, mutant):
    with kernel.workshop(tmp_path, monkeypatch) as build:
        broken = build(mutant.file, mutant.old, mutant.new)
        with pytest.raises(AssertionError, match="is had by"):
            mutant.law(broken)


def test_every_class_with_slots_of_its_own_is_tried():
    assert set.union(*(holders(ring) for ring in RINGS)) == CLOSED.keys() - {"Accountant", "Ledger"}


class Whole(Closed):
    _closed_because = "no second one"


def test_a_closed_class_gives_no_way_to_copy_it():
    assert leaks(Whole()) == []


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_refuses_by_itself(hook):
    with pytest.raises(TypeError, match="no second one"):
        vars(Closed)[hook](Whole())
