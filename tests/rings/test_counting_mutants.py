"""From rows to Sensitive counts: laws, and for each wall on the way a mutant that the law must see."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
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


PAIRS = (
    ("a", "bc"), ("ab", "c"), ("a", None), (None, "a"), (None, None), ("", "a"), ("a", ""),
    ("t1", "1:"), ("1:t", "1"), ("a1:t", "b"), ("a", "1:tb"), (1, 11), (11, 1), (b"a\0", "c"), ("a", b"\0c"),
)  # fmt: skip


def no_two_lists_of_ids_have_one_key(k: SimpleNamespace) -> None:
    names = {  # what each id says by itself: None and NULs at the end say nothing, 1 says what "1" says
        tuple(
            None if part is None else str(part.decode() if isinstance(part, bytes) else part).rstrip("\0") for part in p
        )
        for p in PAIRS
    }
    keys, numbers = k.ids.units(k.ids.Joint((column(PAIRS, 0), column(PAIRS, 1))))
    assert len({keys[n] for n in numbers}) == len(set(numbers.tolist())) == len(names)


def column(rows, place):
    values = np.empty(len(rows), dtype=object)
    values[:] = [row[place] for row in rows]
    return values


def the_key_of_several_ids_says_nothing_of_other_rows(k: SimpleNamespace) -> None:
    alone = {}
    for first, second in ((7, "x"), (8, None), (None, None)):
        keys, numbers = k.ids.units(k.ids.Joint((column([(first,)], 0), column([(second,)], 0))))
        alone[first, second] = keys[numbers[0]]
    rows = [(7, "x"), (8, None), (None, None)]
    for odd in ((9, "y"), (1.5, "y"), ("word", b"\xff"), (None, None), ((1, 2), 3), (7, "y")):
        several = [*rows, odd]
        frame = pd.DataFrame({"a": [r[0] for r in several], "b": [r[1] for r in several]})
        keys, numbers = k.ids.units(k.ids.Joint((frame["a"], frame["b"])))
        assert [keys[n] for n in numbers[:3]] == [alone[row] for row in rows]


HOUSES = pd.DataFrame(
    {"who": ["x", "x", "x", "x", "y", "y", None, None], "where": [1, 1, 2, None, 1, 1, 1, None], "n": range(8)}
)


def a_household_keeps_as_many_rows_as_it_may(k: SimpleNamespace) -> None:
    for most in (1, 2):
        unit = k.PrivacyUnit(["who", "where"], most)
        ((part, kept),) = k.bounded._parts(k.bound_table(lambda columns: [HOUSES], unit), [])
        kept = part[kept]
        per_house = Counter(map(str, HOUSES[["who", "where"]].to_numpy()))
        assert Counter(map(str, kept[["who", "where"]].to_numpy())) == {
            house: min(n, most) for house, n in per_house.items()
        }


class Months:
    """The coding of texts such as "2020-03" by their month."""

    size, null, bad = 14, 13, 13

    def __init__(self, k: SimpleNamespace) -> None:
        self.numbers = self.datetimes = k.Cuts([], [13])

    def code(self, value):
        return int(value[5:7])


def a_month_of_a_person_is_a_unit(k: SimpleNamespace) -> None:
    visits = ["2020-03-01", "2020-03-31", "2020-04-01", "no date", None]
    table = pd.DataFrame({"who": ["x"] * 5 + ["y"] * 5, "visit": visits * 2})
    unit = k.PrivacyUnit(["who", "month(visit)"], 1)
    ((part, kept),) = k.bounded._parts(k.bound_table(lambda columns: [table], unit, {"visit": Months(k)}), [])
    kept = part[kept]
    assert len(kept) == 6  # March, April and what is no date, of two people


SIZES = (1, 3, 10, 100)
CROWD = [*(f"u{i}" for i in range(6)), *["few"] * 3, *["many"] * 10_000, *[None] * 12]


def sizes_of(k: SimpleNamespace, ids, adjacency="add-remove", ceiling=200):
    unit = k.PrivacyUnit("who", ceiling, adjacency)
    column = ids if isinstance(ids, pd.Categorical) else pd.Series(ids, dtype=object)
    rows = k.bound_table(lambda columns: [pd.DataFrame({"who": column})], unit)
    return k.unit_sizes(rows, SIZES)


def a_unit_is_in_one_count_of_sizes_however_many_rows_it_has(k: SimpleNamespace) -> None:
    whole = sizes_of(k, CROWD)
    counts = k.sensitive._integers(whole)
    assert counts.tolist() == [6, 1, 1, 1]
    assert k.sensitive._integers(sizes_of(k, CROWD, ceiling=50)).tolist() == [6, 1, 2, 0]  # cut at the ceiling
    assert k.sensitive._integers(sizes_of(k, [])).tolist() == [0, 0, 0, 0]
    unused = pd.Categorical(["b", "b"], categories=["a", "b", "c"])
    assert k.sensitive._integers(sizes_of(k, unused)).tolist() == [1, 0, 0, 0]
    without = {gone: [who for who in CROWD if who != gone] for gone in ("u0", "few", "many", None)}
    for one in without.values():
        moved = counts - k.sensitive._integers(sizes_of(k, one))
        assert np.abs(moved).sum() == 1 == whole.l1 == whole.l2
    replaced = sizes_of(k, CROWD, "replace")
    for gone, other in (("many", ["new"]), ("few", ["new"] * 10_000), (None, ["new"] * 3)):
        moved = counts - k.sensitive._integers(sizes_of(k, without[gone] + other))
        assert np.abs(moved).sum() == 2 == replaced.l1
        assert np.linalg.norm(moved) <= replaced.l2 <= 1.4143


class Answers:
    """A codec of two codes, whose answers lie anywhere, and fail for one text."""

    size, null, bad = 3, 2, 2

    def __init__(self, k: SimpleNamespace) -> None:
        self.numbers = self.datetimes = k.Cuts([0], [-9, 9])

    def code(self, value):
        return {"low": -5, "high": 77}[value]


FAR = np.array(["2020-01-01", "20000-01-01", "30000-01-01", "-0500-01-01"], dtype="datetime64[s]")
LONG = np.array([2**53, 2**53 + 1, 3])


def a_value_has_one_key_in_every_container(k: SimpleNamespace) -> None:
    for typed in (FAR, LONG):
        alone = [k.ids.key(value) for value in typed]
        assert len({*alone}) == len(typed)
        with_null = pa.concat_arrays([pa.array(typed), pa.nulls(1, pa.array(typed).type)])
        objects = pd.Series([*pd.Series(typed).astype(object), "word"], dtype=object)
        for column in (typed, with_null, objects):
            keys, numbers = k.ids.units(column)
            assert [keys[n] for n in numbers[: len(typed)]] == alone


SPAN = timedelta(seconds=5)
WIDENED = (
    ([Decimal("1.5")], pa.array([Decimal("1.5"), Decimal("2.25")])),
    ([7], pa.array([7, Decimal("2.25")])),
    ([Decimal("0.1")], [0.1]),
    (["a", "\udcff"], pa.array([b"a", b"\xff"])),
    ([["\udcff"]], pa.array([[b"\xff"]])),
    ([7], np.array([7, "word"])),
    (np.array([b"a\0"]), np.array([b"a\0", None])),
    ([frozenset([1])], [frozenset([1.0])]),
    ([object()], [object()]),
    ([SPAN], pd.Series([SPAN, "word"])),
    ([SPAN], pa.array([SPAN], pa.duration("ns"))),
    ([[1]], pa.array([[1], [2.5]])),
    ([{"a": 1}], pa.array([{"a": 1}, {"b": 0.5}])),
    ([pd.Interval(0, 1)], pd.Series([pd.Interval(0, 1), pd.Interval(0.5, 1)])),
)


def a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column(k: SimpleNamespace) -> None:
    for alone, widened in WIDENED:
        keys, numbers = k.ids.units(widened)
        assert [keys[n] for n in numbers[: len(alone)]] == [k.ids.key(value) for value in alone]


def bytes_say_the_text_that_they_are(k: SimpleNamespace) -> None:
    texts, asked = ["a", "b", None, "\udcff"], []
    coding = SimpleNamespace(size=300, null=0, bad=1, code=lambda value: asked.append(value) or ord(value[0]))
    for widened in (pa.array([b"a", b"b", None, b"\xff"]), [b"a", b"b", None, b"\xff"]):
        np.testing.assert_array_equal(k.codes.codes_of(widened, coding), k.codes.codes_of(texts, coding))
    assert {*map(type, asked)} == {str}


def a_code_lies_in_the_public_range_and_no_value_ends_a_fit(k: SimpleNamespace) -> None:
    column = ["low", "high", "high", "unknown", None, -1, 1.5, np.datetime64("2020"), "low"]
    try:
        codes = k.codes_of(column, Answers(k)).tolist()
    except KeyError as error:
        raise AssertionError from error
    assert codes == [0, 2, 2, 2, 2, 0, 2, 2, 0]
    assert k.codes_of(np.array([-1.0, 1.0, np.nan]), Answers(k)).tolist() == [0, 2, 2]


def a_number_has_the_code_of_its_interval(k: SimpleNamespace) -> None:
    edges = np.arange(-20.0, 20.0)
    cuts = k.Cuts(edges, np.arange(len(edges) + 1))
    values = np.array([*edges, *(edges + 0.5), -np.inf, np.inf, 1e300, -1e300])
    assert cuts.at(values).tolist() == [int((edges <= value).sum()) for value in values]
    assert [cuts.of(value) for value in values.tolist()] == cuts.at(values).tolist()


def a_number_has_the_decimals_that_write_it(k: SimpleNamespace) -> None:
    texts = [
        "0",
        "-7",
        "1e6",
        "0.1",
        "-0.1",
        "0.29",
        "45.25",
        "123456.785",
        "0.00001",
        "0.000001",
        "3e-9",
        "1e17",
        "-5",
    ]
    numbers = np.array([*map(float, texts)])
    written = [max(0, -int(Decimal(text).normalize().as_tuple().exponent)) for text in texts]
    decimals = k.codes.Decimals(5, -5.0, 7)
    expected = [7 if text == "-5" else min(places, 6) for text, places in zip(texts, written, strict=True)]
    assert decimals.at(numbers).tolist() == expected
    assert [decimals.of(number) for number in numbers.tolist()] == expected
    assert k.codes.Decimals(5, np.nan, 7).at(np.array([-5.0, 0.5])).tolist() == [0, 1]


def a_whole_number_lies_on_its_coarsest_grid(k: SimpleNamespace) -> None:
    numbers = [3.0, 5.0, -15.0, 50.0, 100.0, 0.0, 5.5, 1e6, -10.0, 35.0, 2.5, 1e15 + 5]
    grids = (5, 10, 100)
    decimals = k.codes.Decimals(1, -10.0, 9, grids)
    whole = [[place for place, grid in enumerate(grids, 3) if number % grid == 0] for number in numbers]
    expected = [9 if n == -10 else on[-1] if on else int(n % 1 > 0) for n, on in zip(numbers, whole, strict=True)]
    assert decimals.at(np.array(numbers)).tolist() == expected
    assert [decimals.of(number) for number in numbers] == expected


LAWS = (
    a_number_has_the_decimals_that_write_it,
    a_whole_number_lies_on_its_coarsest_grid,
    a_value_has_one_key_in_every_container,
    a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    bytes_say_the_text_that_they_are,
    a_code_lies_in_the_public_range_and_no_value_ends_a_fit,
    a_number_has_the_code_of_its_interval,
    a_unit_keeps_as_many_rows_as_it_may,
    counts_are_those_of_the_rows,
    no_unit_moves_counts_further_than_they_say,
    no_two_lists_of_ids_have_one_key,
    the_key_of_several_ids_says_nothing_of_other_rows,
    a_household_keeps_as_many_rows_as_it_may,
    a_month_of_a_person_is_a_unit,
    a_unit_is_in_one_count_of_sizes_however_many_rows_it_has,
)
MUTANTS = [
    Mutant(
        "a unit counts once for each of its rows",
        "sizes.py",
        "np.bincount(cells, minlength=len(starts))",
        "np.bincount(cells, held[held > 0], len(starts)).astype(np.int64)",
        a_unit_is_in_one_count_of_sizes_however_many_rows_it_has,
    ),
    Mutant(
        "a unit counts in all sizes up to its own",
        "sizes.py",
        "np.bincount(cells, minlength=len(starts))",
        "np.bincount(cells, minlength=len(starts))[::-1].cumsum()[::-1]",
        a_unit_is_in_one_count_of_sizes_however_many_rows_it_has,
    ),
    Mutant(
        "units without rows count",
        "sizes.py",
        "np.searchsorted(starts, held[held > 0]",
        "np.searchsorted(starts, np.maximum(held, 1)",
        a_unit_is_in_one_count_of_sizes_however_many_rows_it_has,
    ),
    Mutant(
        "a unit in another's place moves one count",
        "sizes.py",
        "rows.unit.using(1).count_sensitivity(len(starts))",
        "1.0, 1.0",
        a_unit_is_in_one_count_of_sizes_however_many_rows_it_has,
    ),
    Mutant(
        "sizes that are said to move by all rows of a unit",
        "sizes.py",
        "rows.unit.using(1).count_sensitivity(len(starts))",
        "rows.unit.count_sensitivity(len(starts))",
        a_unit_is_in_one_count_of_sizes_however_many_rows_it_has,
    ),
    Mutant(
        "keys of several ids without their lengths",
        "ids.py",
        "+ _sized(more[pair % len(more)])",
        "+ more[pair % len(more)]",
        no_two_lists_of_ids_have_one_key,
    ),
    Mutant(
        "keys of several ids with a sign between them",
        "ids.py",
        "+ _sized(more[pair % len(more)])",
        '+ b"1:" + more[pair % len(more)]',
        no_two_lists_of_ids_have_one_key,
    ),
    Mutant(
        "a unit by its number among all of them",
        "ids.py",
        "+ _sized(more[pair % len(more)])",
        '+ b"%d:" % (pair % len(more))',
        the_key_of_several_ids_says_nothing_of_other_rows,
    ),
    Mutant(
        "ids by what pandas makes of their column",
        "ids.py",
        "in map(units, ids.columns):",
        "in (units([str(each) for each in column]) for column in ids.columns):",
        the_key_of_several_ids_says_nothing_of_other_rows,
    ),
    Mutant(
        "only the first of several columns",
        "keeping.py",
        "return Joint(tuple(found)) if len(found) > 1",
        "return found[0] if len(found) > 1",
        a_household_keeps_as_many_rows_as_it_may,
    ),
    Mutant(
        "rows that lack an id are nobody's together",
        "ids.py",
        "            return self._known(joint)[number]\n",
        "            return np.where([b'0:' in joint[n] for n in number], 0, self._known(joint)[number])\n",
        a_household_keeps_as_many_rows_as_it_may,
    ),
    Mutant(
        "dates as they are in place of their months",
        "keeping.py",
        "codes_of(table[c], dates[c]) if period else table[c]",
        "table[c]",
        a_month_of_a_person_is_a_unit,
    ),
    Mutant(
        "decimals beside the largest number of the column",
        "codes.py",
        "== numbers] = places",
        "- numbers <= 1e-14 * np.max(np.abs(numbers))] = places",
        a_number_has_the_decimals_that_write_it,
    ),
    Mutant(
        "multiples counted from the least number of the column",
        "codes.py",
        "codes[np.rint(numbers / grid) * grid == numbers] = place",
        "codes[(numbers - numbers.min()) % grid == 0] = place",
        a_whole_number_lies_on_its_coarsest_grid,
    ),
    Mutant(
        "the finest grid, where a number lies on several",
        "codes.py",
        "in enumerate(self._grids, start=self.most + 2)",
        "in reversed([*enumerate(self._grids, start=self.most + 2)])",
        a_whole_number_lies_on_its_coarsest_grid,
    ),
    Mutant(
        "nearly multiples, too",
        "codes.py",
        "codes[np.rint(numbers / grid) * grid == numbers] = place",
        "codes[np.abs(np.rint(numbers / grid) * grid - numbers) < 1] = place",
        a_whole_number_lies_on_its_coarsest_grid,
    ),
    Mutant(
        "the number that stands for missing among the others",
        "codes.py",
        "np.where(numbers == self._number, self._code, codes)",
        "codes",
        a_number_has_the_decimals_that_write_it,
    ),
    Mutant(
        "the most decimals, where fewer write the number",
        "codes.py",
        "in reversed(range(self.most + 1))",
        "in range(self.most + 1)",
        a_number_has_the_decimals_that_write_it,
    ),
    Mutant(
        "decimals apart from whole numbers",
        "ids.py",
        "            return _number(plain)\n        written",
        '            return b"e" + _number(plain)\n        written',
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "decimals to their last digit",
        "ids.py",
        "float(number).hex().encode()",
        'b"%x/%x" % (top, bottom)',
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "whole numbers apart from their digits",
        "ids.py",
        'b"t%d" % top',
        'b"i%d" % top',
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "NULs at the end of a text",
        "ids.py",
        'raw.rstrip(b"\\0")',
        "raw",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "bytes that are no UTF-8 apart from what is read of them",
        "columns.py",
        'str.encode(text, "utf-8", "surrogateescape")',
        'str.encode(text, "utf-8", "surrogatepass")',
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "sets by how they are written",
        "ids.py",
        "if isinstance(plain, set | frozenset):",
        "if False:",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "addresses",
        "ids.py",
        'if " at 0x" in written:',
        "if False:",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "bytes of a list as no text",
        "columns.py",
        "_text(each) if isinstance(each, bytes) else each",
        "each",
        bytes_say_the_text_that_they_are,
    ),
    Mutant(
        "bytes of Arrow as no text",
        "columns.py",
        "_text(found) if isinstance(found, bytes) else found",
        "found",
        bytes_say_the_text_that_they_are,
    ),
    Mutant(
        "decimals by how they are written",
        "ids.py",
        "isinstance(plain, Decimal) and",
        "False and",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "spans by how they are written",
        "ids.py",
        "if isinstance(value, timedelta | np.timedelta64):",
        "if False:",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "fields without a value as part of a record",
        "ids.py",
        "for name in sorted(plain) if key(plain[name])",
        "for name in sorted(plain)",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "lists by how they are written",
        "ids.py",
        "if isinstance(plain, list | tuple | np.ndarray):",
        "if False:",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "intervals by how they are written",
        "ids.py",
        "if isinstance(value, pd.Interval):",
        "if False:",
        a_key_says_nothing_of_the_scale_unit_or_fields_of_its_column,
    ),
    Mutant(
        "datetimes beyond the years of Python told apart by their container",
        "columns.py",
        "if isinstance(value, pd.Timestamp):",
        "if False:",
        a_value_has_one_key_in_every_container,
    ),
    Mutant(
        "whole numbers beside a null as floating-point numbers",
        "columns.py",
        "values.fill_null(0).to_numpy(zero_copy_only=False), places",
        "values.to_numpy(zero_copy_only=False), None",
        a_value_has_one_key_in_every_container,
    ),
    Mutant(
        "answers of a codec as they are",
        "codes.py",
        "np.clip(np.asarray(codes, dtype=np.int64), 0, coding.size - 1).astype(kind)",
        "np.asarray(codes, dtype=np.int64).astype(kind)",
        a_code_lies_in_the_public_range_and_no_value_ends_a_fit,
    ),
    Mutant(
        "a value that a codec cannot read ends the fit",
        "codes.py",
        "    except Exception:\n        return coding.bad",
        "    except MemoryError:\n        return coding.bad",
        a_code_lies_in_the_public_range_and_no_value_ends_a_fit,
    ),
    Mutant(
        "buckets with an edge in them not searched",
        "codes.py",
        'interval[unsure] = np.searchsorted(self.edges, numbers[unsure], side="right")',
        "interval[unsure] = 0",
        a_number_has_the_code_of_its_interval,
    ),
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
    kernel.kill(mutant, tmp_path, monkeypatch)
