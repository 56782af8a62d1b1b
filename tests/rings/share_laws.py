"""Tables that lie in shares on other machines: laws of bounding and counting whatever the shares are.

`Local` does in this process what a cluster does, and as badly as one is allowed to: it tries tasks again, forgets what
it kept, gives pieces in any order, and cuts the table anywhere.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.rings.part_laws import DOMAIN, ROWS, codings, counts, raises

TABLE = pa.Table.from_pandas(ROWS, preserve_index=False)
CUTS = ([], [150], [10, 10, 200], [*range(1, 307, 20)])


def cut(table, places):
    ends = [0, *places, len(table)]
    return [[table.slice(a, b - a)] if b > a else [] for a, b in pairwise(ends)]


class Local:
    """Shares in this process. Each attempt but the last is thrown away, and what is kept is lost now and then."""

    groups = 12

    def __init__(self, shares, seed=0, tries=2):
        self._made, self.rng, self.tries = shares, np.random.default_rng(seed), tries

    def shares(self, columns):
        return self.then(lambda: [[part.select([*dict.fromkeys(columns)]) for part in share] for share in self._made()])

    def then(self, made):
        other = type(self)(made, 0, self.tries)
        other.rng = self.rng
        return other

    def attempts(self, work, number, share):
        for attempt in range(self.tries):
            found = work(number, iter(share))
            if attempt == self.tries - 1:
                return [*found]
            next(iter(found), None)
        raise AssertionError

    def numbered(self, work):
        return [self.attempts(work, number, share) for number, share in enumerate(self._made())]

    def made(self, work):
        return self.then(lambda: [[table for _, table in share] for share in self.numbered(work)]).with_work(self, work)

    def with_work(self, before, work):
        self.before, self.work = before, work
        return self

    def gathered(self):
        def made():
            pieces = self.exchanged([piece for share in self.before.numbered(self.work) for piece in share])
            pieces = [pieces[place] for place in self.rng.permutation(len(pieces))]
            return [[sent_over(table) for number, table in pieces if number % 3 == share] for share in range(3)]

        return self.then(made)

    def exchanged(self, pieces):
        return pieces

    def kept(self):
        held = []

        def made():
            if not held or self.rng.random() < 0.6:  # what was kept is lost now and then
                held[:] = [[[sent_over(table) for table in share] for share in self._made()]]
            return held[0]

        return self.then(made)

    def told(self, work):
        return [work(iter(share)) for share in self._made()]


def sent_over(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


class Duplicating(Local):
    """An exchange that sends one piece with rows twice, as a retried task may."""

    def exchanged(self, pieces):
        return [*pieces, next(piece for piece in pieces if len(piece[1]))]


class Losing(Local):
    def exchanged(self, pieces):
        lost = next(place for place, piece in enumerate(pieces) if len(piece[1]))
        return [piece for place, piece in enumerate(pieces) if place != lost]


class Misleading(Local):
    """An exchange that brings half of the pieces of a group elsewhere."""

    def exchanged(self, pieces):
        return [(number + place % 2, table) for place, (number, table) in enumerate(pieces)]


class Repeating(Local):
    """A cluster that gives the result of one task twice: as accumulators do, which count each attempt."""

    def told(self, work):
        found = super().told(work)
        return [*found, found[0]]


class Forgetful(Local):
    """A cluster that loses one result, from the second time on."""

    asked = 0

    def told(self, work):
        type(self).asked += 1
        return super().told(work)[type(self).asked > 1 :]


def spread(table, cuts=(), seed=0, kind=Local):
    return kind(lambda: cut(table, cuts), seed)


def bounded(k: SimpleNamespace, table, unit, cuts=(), seed=0, kind=Local):
    return k.bound_table(spread(table, cuts, seed, kind), unit, {}, codings(k))


def shared_counts(k: SimpleNamespace, table, unit, cuts=(), seed=0, kind=Local) -> np.ndarray:
    private = k.PrivateTable.encoded(bounded(k, table, unit, cuts, seed, kind), codings(k), DOMAIN)
    for _ in range(2):  # a second pass is of the same rows
        found = k.sensitive._integers(private.marginals([("a", "b")])["a", "b"])
    return found


def unended(k: SimpleNamespace, work):
    try:
        return work()
    except k.RowsError:
        raise AssertionError("a fit ended that need not") from None


def units_of(k: SimpleNamespace):
    return [k.PrivacyUnit(), *(k.PrivacyUnit("who", most) for most in (1, 3, 1000)), k.PrivacyUnit(["who", "a"], 2)]


def shares_and_retries_say_nothing(k: SimpleNamespace) -> None:
    for unit in units_of(k):
        whole = counts(k, ROWS, [], unit)
        for seed, cuts in enumerate(CUTS):
            found = unended(k, lambda unit=unit, cuts=cuts, seed=seed: shared_counts(k, TABLE, unit, cuts, seed))
            np.testing.assert_array_equal(found, whole)


def cells_are_merged_where_the_rows_lie(k: SimpleNamespace) -> None:
    groups = {"b": np.array([0, 0, 1, 1, 1])}
    for unit in units_of(k):
        there = k.PrivateTable.encoded(bounded(k, TABLE, unit, CUTS[1]), codings(k), DOMAIN).coarsen(groups)
        found = k.sensitive._integers(there.marginals([("b", "a")])["b", "a"])
        whole = counts(k, ROWS, [], unit)
        np.testing.assert_array_equal(found, np.stack([whole[:, :2].sum(axis=1), whole[:, 2:].sum(axis=1)]))


def a_unit_counts_no_more_rows_over_all_shares(k: SimpleNamespace) -> None:
    """Somebody with a hundred thousand rows moves the counts by as many as are allowed, and nobody else's."""
    new = pd.DataFrame({"who": [99.0] * 100_000, "a": 1, "b": [f"b{code % 4}" for code in range(100_000)]})
    more = pa.Table.from_pandas(pd.concat([ROWS[:100], new, ROWS[100:]]), preserve_index=False)
    for most in (1, 3):
        unit = k.PrivacyUnit("who", most)
        moved = unended(k, lambda unit=unit: shared_counts(k, more, unit, [50, 60_000])) - shared_counts(k, TABLE, unit)
        assert (moved.sum(), moved.min()) == (most, 0)


ALIKE = (
    pa.array([0.0, -0.0, np.nan, None, 0.0, np.nan] * 50),
    pa.array(["a", "a\0", "b", None, "a", "c"] * 50),
    pa.array([1, 2, None, 1, 2, 1] * 50, pa.decimal128(5, 2)),
    pa.array([0, 86_400_000, None, 0, 1, 1] * 50, pa.date64()),
    pa.array([b"a", b"\xff", None, b"a", b"", b"a"] * 50, pa.binary()),
    pa.array([2**63 - 1, -(2**63), None, 0, 1, 1] * 50, pa.timestamp("us", "UTC")),
)


def ids_that_say_the_same_come_into_one_share(k: SimpleNamespace) -> None:
    for ids in ALIKE:
        table = TABLE.slice(0, 300).set_column(0, "who", ids)
        for unit in (k.PrivacyUnit("who", 2), k.PrivacyUnit(["who", "b"], 2)):
            whole = counts(k, table, [], unit)
            for seed, cuts in enumerate(([], [1, 2, 3], [100, 200])):
                found = unended(k, lambda u=unit, t=table, c=cuts, s=seed: shared_counts(k, t, u, c, s))
                np.testing.assert_array_equal(found, whole)


def an_exchange_that_loses_rows_or_brings_them_twice_is_refused(k: SimpleNamespace) -> None:
    unit = k.PrivacyUnit("who", 500)
    for kind in (Duplicating, Losing):
        assert raises(k.RowsError, lambda kind=kind: shared_counts(k, TABLE, unit, [150], kind=kind))


def rows_of_a_unit_in_two_shares_are_refused(k: SimpleNamespace) -> None:
    assert raises(k.RowsError, lambda: shared_counts(k, TABLE, k.PrivacyUnit("who", 2), CUTS[-1], kind=Misleading))


def a_result_that_is_given_twice_is_refused(k: SimpleNamespace) -> None:
    for unit in units_of(k):
        assert raises(k.RowsError, lambda unit=unit: shared_counts(k, TABLE, unit, [150], kind=Repeating))


def rows_that_are_others_than_at_the_first_telling_are_refused(k: SimpleNamespace) -> None:
    """A table that was written anew, where what was kept of it is lost; and a result that is lost."""
    swapped = TABLE.set_column(0, "who", TABLE["who"].take(pa.array([*range(306, -1, -1)])))
    changed = TABLE.set_column(1, "a", pa.array([0] * 307))
    ids = [unit for unit in units_of(k) if unit.id_column is not None]
    for unit, later in [*((unit, swapped) for unit in ids), (k.PrivacyUnit(), changed), *((u, TABLE[1:]) for u in ids)]:
        reads = iter([TABLE])
        table = Local(lambda reads=reads, later=later: cut(next(reads, later), [150]), seed=3)  # loses soon
        rows = k.bound_table(table, unit, {}, codings(k))
        private = k.PrivateTable.encoded(rows, codings(k), DOMAIN)
        assert raises(k.RowsError, lambda private=private: [private.marginals([("a",)]) for _ in range(30)])
    Forgetful.asked = 0
    assert raises(k.RowsError, lambda: shared_counts(k, TABLE, k.PrivacyUnit(), [150], kind=Forgetful))


def sizes_and_texts_are_those_of_memory(k: SimpleNamespace) -> None:
    for most in (2, 500):
        unit = k.PrivacyUnit("who", most)
        here = k.bound_table(k.Held(lambda: ROWS), unit, {}, codings(k))
        for seed, cuts in enumerate(CUTS):
            there = bounded(k, TABLE, unit, cuts, seed)
            sizes = [k.sensitive._integers(k.unit_sizes(rows, [1, 5, 10])).tolist() for rows in (here, there)]
            texts = [k.held._exact_counts(k.held_texts(rows, "b", str)) for rows in (here, there)]
            assert sizes[0] == sizes[1]
            assert Counter(dict(zip(*texts[0], strict=True))) == Counter(dict(zip(*texts[1], strict=True)))


def no_rows_give_no_counts(k: SimpleNamespace) -> None:
    for unit in units_of(k):
        assert shared_counts(k, TABLE[:0], unit).sum() == 0
        assert shared_counts(k, TABLE[:0], unit, [0, 0]).sum() == 0


def rows_in_shares_are_not_gathered(k: SimpleNamespace) -> None:
    private = k.PrivateTable.encoded(bounded(k, TABLE, k.PrivacyUnit()), codings(k), DOMAIN)
    assert raises(TypeError, private.rows)


def what_comes_back_is_counts_and_marks(k: SimpleNamespace) -> None:
    """No column of rows is told, whatever is asked; and a mark holds numbers."""
    told = []

    class Listening(Local):
        def told(self, work):
            found = super().told(work)
            told.extend(found)
            return found

    for unit in units_of(k):
        shared_counts(k, TABLE, unit, [150], kind=Listening)
    assert {name for table in told for name in table.column_names} == {"counts"}
    marks = [json.loads(table.schema.metadata[k.shares._MARK]) for table in told]
    assert all(type(x) is int for x in flat(marks))


def flat(nested):
    for each in nested:
        yield from flat(each) if isinstance(each, list) else [each]


LAWS = (
    shares_and_retries_say_nothing,
    cells_are_merged_where_the_rows_lie,
    a_unit_counts_no_more_rows_over_all_shares,
    ids_that_say_the_same_come_into_one_share,
    an_exchange_that_loses_rows_or_brings_them_twice_is_refused,
    rows_of_a_unit_in_two_shares_are_refused,
    a_result_that_is_given_twice_is_refused,
    rows_that_are_others_than_at_the_first_telling_are_refused,
    sizes_and_texts_are_those_of_memory,
    no_rows_give_no_counts,
    rows_in_shares_are_not_gathered,
    what_comes_back_is_counts_and_marks,
)
