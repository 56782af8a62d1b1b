"""Tables that come in parts: laws of bounding and counting whatever the parts are, and their mutants."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dpsynth.base.domain import Domain
from tests.rings import kernel
from tests.rings.kernel import Mutant

RNG = np.random.default_rng(11)
ROWS = pd.DataFrame(
    {
        "who": [*RNG.integers(0, 40, 300), *[None] * 7],
        "a": RNG.integers(0, 3, 307),
        "b": [f"b{code}" for code in RNG.integers(0, 4, 307)],
    }
)
DOMAIN = Domain.of({"a": 4, "b": 5})
CUTS = ([], [1], [150], [10, 10, 200], [306], [*range(1, 307)])
"""Places where a table is cut into parts, which may be empty."""


class Classes:
    """Codes of small whole numbers, or of texts such as "b3"; the last is of what is missing."""

    def __init__(self, k: SimpleNamespace, size: int) -> None:
        self.size, self.null, self.bad = size, size - 1, size - 1
        self.numbers = k.Cuts(np.arange(1, size), np.arange(size))
        self.datetimes = k.Cuts([], [self.bad])

    def code(self, value):
        return int(value[1:])


def codings(k: SimpleNamespace):
    return {"a": Classes(k, 4), "b": Classes(k, 5)}


def parts_of(table, cuts):
    ends = [0, *cuts, len(table)]
    for start, end in pairwise(ends):
        yield table[start:end] if isinstance(table, pd.DataFrame) else table.slice(start, end - start)


def bounded(k: SimpleNamespace, table, cuts, unit):
    return k.bound_table(lambda columns: parts_of(table, cuts), unit, {}, codings(k))


def counts(k: SimpleNamespace, table, cuts, unit) -> np.ndarray:
    private = k.PrivateTable.encoded(bounded(k, table, cuts, unit), codings(k), DOMAIN)
    return k.sensitive._integers(private.marginals([("a", "b")])["a", "b"])


def units_of(k: SimpleNamespace):
    return [k.PrivacyUnit(), *(k.PrivacyUnit("who", most) for most in (1, 3, 1000))]


def parts_and_order_say_nothing(k: SimpleNamespace) -> None:
    shuffled = ROWS.sample(frac=1, random_state=3).reset_index(drop=True)
    for unit in units_of(k):
        whole = counts(k, ROWS, [], unit)
        for table in (ROWS, shuffled, pa.Table.from_pandas(ROWS), shuffled.assign(b=pd.Categorical(shuffled["b"]))):
            for cuts in CUTS:
                np.testing.assert_array_equal(counts(k, table, cuts, unit), whole)


def a_unit_keeps_as_many_rows_as_it_may_over_all_parts(k: SimpleNamespace) -> None:
    held = Counter(ROWS["who"].fillna(-1))
    for most in (1, 3):
        for cuts in CUTS:
            kept = [*k.bounded._parts(bounded(k, ROWS, cuts, k.PrivacyUnit("who", most)), [])]
            assert Counter(pd.concat(kept)["who"].fillna(-1)) == {who: min(n, most) for who, n in held.items()}


def a_unit_more_leaves_the_rows_of_others(k: SimpleNamespace) -> None:
    unit, tagged = k.PrivacyUnit("who", 2), ROWS.assign(row=range(len(ROWS)))
    new = pd.DataFrame({"who": [99] * 50, "a": [1] * 50, "b": ["b1"] * 50, "row": [-1] * 50})

    def kept(table, cuts):
        found = pd.concat([*k.bounded._parts(bounded(k, table, cuts, unit), [])])
        return {*found.loc[found["who"] != 99, "row"]}

    before = kept(tagged, [])
    for cuts in CUTS:
        assert kept(pd.concat([tagged[:100], new, tagged[100:]]), cuts) == before


def every_row_of_a_unit_is_as_likely_kept(k: SimpleNamespace) -> None:
    """Nine rows of ten of each person say the same: so do nine of ten that are kept, within five standard errors."""
    people = 4_000
    for often, once in ((0, 1), (1, 0)):
        rows = np.tile([often] * 9 + [once], people)
        table = pd.DataFrame({"who": np.repeat(range(people), 10), "a": rows, "b": "b0"})
        for most in (1, 5):
            found = counts(k, table, [], k.PrivacyUnit("who", most))
            assert found.sum() == most * people
            share = most / 10
            assert abs(found[once].sum() / people - share) < 5 * np.sqrt(share * (1 - share) / people)


def rows_that_are_others_than_before_are_refused(k: SimpleNamespace) -> None:
    swapped = ROWS.assign(who=ROWS["who"].tolist()[::-1])
    for later in ([], [ROWS[:100]], [ROWS, ROWS[:1]], [ROWS[:306]], [swapped], [swapped[:100], swapped[100:]]):
        for most, before in ((1, [[ROWS], [ROWS]]), (1000, [[ROWS]])):
            reads = iter([*before, later])
            rows = k.bound_table(lambda columns, reads=reads: next(reads), k.PrivacyUnit("who", most), {}, codings(k))
            assert raises(k.RowsError, lambda rows=rows: k.PrivateTable.encoded(rows, codings(k), DOMAIN))


SAME = (
    (["a", "b", "a"], pa.chunked_array([["a"], ["b", "a"]]), pa.array(["a", "b", "a"]).dictionary_encode()),
    ([1, None, 3], pd.array([1, None, 3], dtype="Int64"), pa.chunked_array([[1, None], [3]], pa.int64())),
)
OTHERS = (
    ["a", "b"], ["b", "a"], ["a", "b", None], ["ab", ""], ["a", "b", "b"], [], [None], [0.0, 1.0], [0.5], ["a\0b"],
    pa.array([1, 2]), pa.array([2, 1]), [b"a", b"c"], [(1, 2)], [(2, 1)],
)  # fmt: skip


def a_digest_tells_two_readings_apart_and_not_their_chunks(k: SimpleNamespace) -> None:
    for alike in SAME:
        assert len({k.ids.digest(column) for column in alike[1:]} | {k.ids.digest(alike[1])}) == 1
    assert len({k.ids.digest(column) for column in OTHERS}) == len(OTHERS)
    joint = k.ids.Joint
    assert k.ids.digest(joint((["a"], ["b"]))) != k.ids.digest(joint((["b"], ["a"])))


def raises(error: type[Exception], work) -> bool:
    try:
        work()
    except error:
        return True
    return False


def codes_that_are_not_held_are_made_anew(k: SimpleNamespace) -> None:
    held = k.table.MAX_HELD
    for unit in units_of(k):
        whole = counts(k, ROWS, [], unit)
        for most in (0, 100):
            k.table.MAX_HELD = most
            np.testing.assert_array_equal(counts(k, ROWS, [150], unit), whole)
            k.table.MAX_HELD = held


def a_unit_has_one_size_and_holds_a_text_once_over_all_parts(k: SimpleNamespace) -> None:
    unit = k.PrivacyUnit("who", 500)
    sizes = [*Counter(ROWS["who"].fillna(-1)).values()]
    holders = Counter(ROWS.drop_duplicates(["who", "b"])["b"])
    for cuts in CUTS:
        found = k.sensitive._integers(k.unit_sizes(bounded(k, ROWS, cuts, unit), [1, 5, 10]))
        assert found.tolist() == [sum(low <= n < high for n in sizes) for low, high in ((1, 5), (5, 10), (10, 999))]
        texts, counted = k.held._exact_counts(k.held_texts(bounded(k, ROWS, cuts, unit), "b", str))
        assert dict(zip(texts, counted.tolist(), strict=True)) == holders


LAWS = (
    parts_and_order_say_nothing,
    a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    a_unit_more_leaves_the_rows_of_others,
    every_row_of_a_unit_is_as_likely_kept,
    rows_that_are_others_than_before_are_refused,
    codes_that_are_not_held_are_made_anew,
    a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    a_digest_tells_two_readings_apart_and_not_their_chunks,
)
MUTANTS = [
    Mutant(
        "units have too many rows in one part, or not at all",
        "bounded.py",
        "many = crowded(number, unit)",
        "many = np.concatenate([crowded(each, unit) for each in numbers])",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "rows of units with too many are kept",
        "bounded.py",
        "kept[many] = chosen(numbering.keys, number[many], np.concatenate(said), unit)",
        "kept[many] = True",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "the bounding is forgotten when a table is read again",
        "bounded.py",
        "yield from _taken(table, columns)",
        "yield from table.read(columns)",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "rows stand in the order in which they come",
        "bounding.py",
        "alike = np.lexsort((said, number))",
        'alike = np.argsort(number, kind="stable")',
        parts_and_order_say_nothing,
    ),
    Mutant(
        "what rows say does not decide",
        "bounding.py",
        "_mixed(said[alike])",
        "_mixed(said[alike] * np.uint64(0))",
        every_row_of_a_unit_is_as_likely_kept,
    ),
    Mutant(
        "rows that say the same are kept or dropped together",
        "bounding.py",
        "+ copy.astype(np.uint64) * _ODD)",
        ")",
        every_row_of_a_unit_is_as_likely_kept,
    ),
    Mutant(
        "the number of a unit decides, which others move",
        "bounding.py",
        "hashes[number[alike]] + _mixed(",
        "number[alike].astype(np.uint64) + _mixed(",
        a_unit_more_leaves_the_rows_of_others,
    ),
    Mutant(
        "other people's rows are taken in the place of those that were bounded",
        "bounded.py",
        "if before.ids not in (None, digest(ids_of(part, table.unit, table.dates))):",
        "if False:",
        rows_that_are_others_than_before_are_refused,
    ),
    Mutant(
        "ids are told apart by how often each comes",
        "ids.py",
        "found.update(len(whole).to_bytes(8) + whole.tobytes())",
        "found.update(np.sort(whole).tobytes())",
        a_digest_tells_two_readings_apart_and_not_their_chunks,
    ),
    Mutant(
        "fewer rows than before are taken",
        "bounded.py",
        "    if next(left, None) is not None:\n",
        "    if False:\n",
        rows_that_are_others_than_before_are_refused,
    ),
    Mutant(
        "the codes that were held stand for all",
        "table.py",
        "                self._held = None\n",
        "",
        codes_that_are_not_held_are_made_anew,
    ),
    Mutant(
        "units have a size in each part",
        "sizes.py",
        "np.bincount(numbering.of(",
        "np.bincount(Numbering().of(",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
    Mutant(
        "units hold a text once in each part",
        "held.py",
        "unit = numbering.of(",
        "unit = Numbering().of(",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_door_obeys_every_law(law) -> None:
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant: Mutant, tmp_path, monkeypatch) -> None:
    kernel.kill(mutant, tmp_path, monkeypatch)
