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


def rows_of(k: SimpleNamespace, rows) -> pd.DataFrame:
    return pd.concat([part[kept] for part, kept in k.bounded._parts(rows, [])])


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
            unit = k.PrivacyUnit("who", most)
            assert counts(k, ROWS, cuts, unit).sum() == sum(min(n, most) for n in held.values())
            kept = rows_of(k, bounded(k, ROWS, cuts, unit))
            assert Counter(kept["who"].fillna(-1)) == {who: min(n, most) for who, n in held.items()}


def a_unit_more_leaves_the_rows_of_others(k: SimpleNamespace) -> None:
    unit, tagged = k.PrivacyUnit("who", 2), ROWS.assign(row=range(len(ROWS)))
    new = pd.DataFrame({"who": [99] * 50, "a": [1] * 50, "b": ["b1"] * 50, "row": [-1] * 50})

    def kept(table, cuts):
        found = rows_of(k, bounded(k, table, cuts, unit))
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
        for most in (1, 1000):
            reads = iter([[ROWS], later])
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
ALIKE_IN_BITS = (
    (pa.array([0]), pa.array([None], pa.int64())),
    (pa.array([0, None]), pa.array([None, 0])),
    (pa.array([-1]), pa.array([2**64 - 1], pa.uint64())),
    (pa.array([0.0]), pa.array([0])),
    (np.array([7], "M8[s]"), np.array([7], "M8[D]")),
    ([""], [None]),
    (["t1"], [1]),
    (pa.array([""]), pa.array([None], pa.string())),
    (pa.array([True, None]), pa.array([None, True])),
)
"""Ids that are not the same, of which a hash of the value alone is."""


def a_digest_tells_two_readings_apart_and_not_their_chunks(k: SimpleNamespace) -> None:
    for alike in SAME:
        assert len({k.ids.digest(column) for column in alike[1:]} | {k.ids.digest(alike[1])}) == 1
    assert len({k.ids.digest(column) for column in OTHERS}) == len(OTHERS)
    for some, others in ALIKE_IN_BITS:
        assert k.ids.digest(some) != k.ids.digest(others)
        assert k.ids.digest(k.ids.Joint((some, ["a"]))) != k.ids.digest(k.ids.Joint((others, ["a"])))
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
        few = bounded(k, ROWS, cuts, k.PrivacyUnit("who", 2))
        assert k.sensitive._integers(k.unit_sizes(few, [1, 3])).tolist() == [len(sizes), 0]
        assert k.held._exact_counts(k.held_texts(few, "b", str))[1].sum() <= 2 * len(sizes)


RUNS = pa.RunEndEncodedArray.from_arrays(pa.array([7, 307], pa.int32()), pa.array(["b0", "b1"]))
VIEWS = pa.ExtensionArray.from_storage(
    pa.opaque(pa.string_view(), "a", "b"), pa.array(["b0", "b1", "b2"] * 102 + ["b1"]).cast(pa.string_view())
)


def a_unit_with_too_many_rows_ends_nothing_whatever_the_columns_are(k: SimpleNamespace) -> None:
    """Of some types Arrow takes no rows out of a column: whether one has to be taken out is private."""
    for b in (RUNS, VIEWS):
        table = pa.Table.from_pandas(ROWS[["who", "a"]]).append_column("b", b).append_column("else", RUNS)
        for unit in units_of(k):
            assert not raises(k.RowsError, lambda table=table, unit=unit: counts(k, table, [], unit))
            found = counts(k, table, [], unit)
            plain = ROWS.assign(b=[k.columns._text(x.encode()) for x in (b.storage if b is VIEWS else b).to_pylist()])
            np.testing.assert_array_equal(found, counts(k, plain, [], unit))


def a_table_is_read_as_often_whether_or_not_a_unit_has_too_many_rows(k: SimpleNamespace) -> None:
    for columns in (["who"], ["who", "a"]):
        reads = []
        for who in (range(len(ROWS)), [0] * len(ROWS)):
            unit, seen = k.PrivacyUnit(columns, 2), []
            table = ROWS.assign(who=who)

            def read(columns, seen=seen, table=table):
                seen.append(tuple(columns))
                return [table]

            k.PrivateTable.encoded(k.bound_table(read, unit, {}, codings(k)), codings(k), DOMAIN)
            reads.append(seen)
        assert reads[0] == reads[1]


LAWS = (
    a_unit_with_too_many_rows_ends_nothing_whatever_the_columns_are,
    a_table_is_read_as_often_whether_or_not_a_unit_has_too_many_rows,
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
        "keeping.py",
        "many = crowded(number, unit)",
        "many = np.concatenate([crowded(each, unit) for each in numbers])",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "rows of units with too many are kept",
        "keeping.py",
        "kept[many] = chosen(numbering.keys, number[many], np.concatenate(said)[many], unit)",
        "kept[many] = True",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "the bounding is forgotten when a table is read again",
        "bounded.py",
        "yield from _taken(table, columns)",
        "yield from ((part, slice(None)) for part in table.read(columns))",
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
        "a missing id is the number 0",
        "ids.py",
        "np.append(each, np.zeros(1, dtype=_HASH))[places]",
        "np.append(np.append(each, np.zeros(1, dtype=_HASH)), each[:1])[places]",
        a_digest_tells_two_readings_apart_and_not_their_chunks,
    ),
    Mutant(
        "a number is told by its bits, whatever type it has",
        "ids.py",
        'found["kind"] = zlib.crc32(values.dtype.str.encode())',
        'found["kind"] = 3',
        a_digest_tells_two_readings_apart_and_not_their_chunks,
    ),
    Mutant(
        "rows are taken out of the columns themselves",
        "table.py",
        "codes_of(part[a], self._codings[a])[kept]",
        "codes_of(part[a][kept] if isinstance(kept, slice) else part[a].filter(kept), self._codings[a])",
        a_unit_with_too_many_rows_ends_nothing_whatever_the_columns_are,
    ),
    Mutant(
        "codes of rows that were not kept are counted",
        "table.py",
        "codes_of(part[a], self._codings[a])[kept]",
        "codes_of(part[a], self._codings[a])",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "sizes are of rows that were not kept",
        "sizes.py",
        "(ids_of(part, unit, dates))[kept]",
        "(ids_of(part, unit, dates))",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
    Mutant(
        "texts are held in rows that were not kept",
        "held.py",
        "(unit << 32 | held)[kept][held[kept] >= 0]",
        "(unit << 32 | held)[held >= 0]",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
    Mutant(
        "a table is read once more where a unit has too many rows",
        "keeping.py",
        "    kept = ~many\n",
        "    kept = ~many\n    _ = many.any() and read([*records, *unit.columns])\n",
        a_table_is_read_as_often_whether_or_not_a_unit_has_too_many_rows,
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
