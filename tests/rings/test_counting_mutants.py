"""From rows to Sensitive counts: laws, and for each wall on the way a mutant that the law must see."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from tests.rings import kernel
from tests.rings.kernel import Mutant

CODES = {"a": np.array([0, 1, 1, 2, 2, 2, 0, 1]), "b": np.array([0, 0, 1, 1, 0, 1, 1, 1])}
IDS = ["x", "x", "x", "y", "y", "z", None, None]


def table(k: SimpleNamespace, unit, codes=CODES, ids=None):
    from dpsynth.base.domain import Domain

    return k.PrivateTable.from_codes(codes, Domain.of({"a": 3, "b": 2}), unit, ids)


def exact(k: SimpleNamespace, private, clique):
    return k.sensitive._integers(private.marginals([clique])[clique])


def a_unit_keeps_as_many_rows_as_it_may(k: SimpleNamespace) -> None:
    for most in (1, 2, 3):
        kept = k.bounding.bounded_rows(IDS, k.PrivacyUnit("who", most))
        assert Counter(IDS[i] for i in kept) == {who: min(n, most) for who, n in Counter(IDS).items()}


def counts_are_those_of_the_rows(k: SimpleNamespace) -> None:
    private = table(k, k.PrivacyUnit())
    for clique in (("a",), ("a", "b"), ("b", "a")):
        counted = Counter(zip(*(CODES[c].tolist() for c in clique), strict=True))
        found = exact(k, private, clique)
        assert found.sum() == len(IDS)
        assert all(found[cell] == n for cell, n in counted.items())


def no_unit_moves_counts_further_than_they_say(k: SimpleNamespace) -> None:
    for most in (1, 2, 3):
        unit = k.PrivacyUnit("who", most)
        for gone in {*IDS}:
            stay = [i for i, who in enumerate(IDS) if who != gone]
            fewer = {a: codes[stay] for a, codes in CODES.items()}
            with_unit, without = table(k, unit, ids=IDS), table(k, unit, fewer, [IDS[i] for i in stay])
            for clique in (("a",), ("a", "b")):
                moved = exact(k, with_unit, clique) - exact(k, without, clique)
                said = with_unit.marginals([clique])[clique]
                assert np.abs(moved).sum() <= said.l1
                assert np.linalg.norm(moved) <= said.l2


LAWS = (
    a_unit_keeps_as_many_rows_as_it_may,
    counts_are_those_of_the_rows,
    no_unit_moves_counts_further_than_they_say,
)
MUTANTS = [
    Mutant(
        "as many rows of a unit as there are",
        "bounding.py",
        "< unit.max_records",
        "< 10**9",
        a_unit_keeps_as_many_rows_as_it_may,
    ),
    Mutant(
        "rows not bounded",
        "table.py",
        "(places,) = _raw(bound_arrays((np.arange(len(ids)),), ids, unit))",
        "places = np.arange(len(ids))",
        no_unit_moves_counts_further_than_they_say,
    ),
    Mutant(
        "every row counts a thousand times",
        "counting.py",
        "table += np.bincount(",
        "table += 1000 * np.bincount(",
        counts_are_those_of_the_rows,
    ),
    Mutant(
        "counts that are said to move by a millionth",
        "table.py",
        "l1=bounds[c][0], l2=bounds[c][1]",
        "l1=1e-6, l2=1e-6",
        no_unit_moves_counts_further_than_they_say,
    ),
    Mutant(
        "a unit that is said to move counts by a millionth",
        "unit.py",
        "k = float(self.max_records)",
        "k = 1e-6",
        no_unit_moves_counts_further_than_they_say,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_obeys_every_law(law) -> None:
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant: Mutant, tmp_path, monkeypatch) -> None:
    with kernel.workshop(tmp_path, monkeypatch) as build:
        broken = build(mutant.file, mutant.old, mutant.new)
        with pytest.raises(AssertionError):
            mutant.law(broken)
