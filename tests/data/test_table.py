"""The door: Sensitive values only, and never further moved than they declare."""

import copy
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.base.domain import Domain
from dpsynth.door.bounding import bounded_rows
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.rows import _exact_codes
from dpsynth.kernel.sensitive import Sensitive, _integers
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant

DOMAIN = Domain.of({"a": 3, "b": 2, "c": 1})
CLIQUES = [(), ("a",), ("c",), ("a", "b"), ("b", "a"), ("a", "b", "c")]
GROUPS = {"a": np.array([0, 1, 0])}


def table(rows, unit):
    codes = {a: np.array([r[i] for r in rows], dtype=np.uint8) for i, a in enumerate("abc")}
    return PrivateTable.from_codes(codes, DOMAIN, unit)


def assert_neighbours_move_no_further_than_declared(one, other):
    for x, y in zip(one.marginals(CLIQUES).values(), other.marginals(CLIQUES).values(), strict=True):
        move = (_integers(x) - _integers(y)).astype(float).ravel()
        assert np.abs(move).sum() <= x.l1
        assert np.sqrt((move**2).sum()) <= x.l2
        assert (x.l1, x.l2) == (y.l1, y.l2)


row = st.tuples(st.integers(0, 2), st.integers(0, 1), st.just(0))


@settings(max_examples=200, deadline=None)
@given(st.lists(row, max_size=6), st.lists(row, max_size=3), st.integers(1, 3), st.booleans())
def test_adding_a_unit_moves_no_marginal_further_than_declared(rows, extra, k, coarse):
    unit = PrivacyUnit(max_records=k)
    one, other = table(rows, unit), table(rows + extra[:k], unit)
    if coarse:
        one, other = one.coarsen(GROUPS), other.coarsen(GROUPS)
    assert_neighbours_move_no_further_than_declared(one, other)


@settings(max_examples=200, deadline=None)
@given(st.lists(row, max_size=6), st.lists(row, max_size=3), st.lists(row, max_size=3), st.integers(1, 3))
def test_replacing_a_unit_moves_no_marginal_further_than_declared(rows, out, new, k):
    unit = PrivacyUnit(max_records=k, adjacency="replace")
    assert_neighbours_move_no_further_than_declared(table(rows + out[:k], unit), table(rows + new[:k], unit))


def test_the_declared_sensitivity_is_reached():
    worst = table([(0, 0, 0)] * 3, PrivacyUnit(max_records=3)).marginals([("a",)])["a",]
    assert (worst.l1, worst.l2) == (3.0, 3.0)
    swap = table([(0, 0, 0)] * 3, PrivacyUnit(max_records=3, adjacency="replace")).marginals([("a",)])["a",]
    assert swap.l1 == 6.0
    assert swap.l2 == pytest.approx(3 * np.sqrt(2))


def test_a_table_has_no_length_and_cannot_be_copied_or_read():
    private = table([(1, 1, 0)], PrivacyUnit())
    for read in (len, iter, list, pickle.dumps, copy.copy, copy.deepcopy, lambda t: t["a"], vars):
        with pytest.raises(TypeError):
            read(private)
    assert "1" not in repr(private).replace("any 1 record", "")


def test_a_ledger_for_another_unit_pays_for_no_answer():
    unit = PrivacyUnit(max_records=5, adjacency="replace")
    answer = table([(0, 0, 0)], unit).marginals([("a",)])["a",]
    budget = Budget(1.0, 1e-6)
    ledger = Ledger.create(None, budget, dataset="d", unit=PrivacyUnit())
    charge = Accountant(budget, ledger=ledger).charge(Gaussian(100.0), "measure a")
    for value in (answer, answer.l1_error(np.zeros(3)), Sensitive.stack([answer])):
        with pytest.raises(ValueError, match="one account needs one unit"):
            charge.gaussian(value)
    with pytest.raises(ValueError, match="values must protect one privacy unit"):
        Sensitive.stack([answer, table([(0, 0, 0)], PrivacyUnit()).marginals([("a",)])["a",]])
    right = Ledger.create(None, budget, dataset="d", unit=unit)
    assert Accountant(budget, ledger=right).charge(Gaussian(100.0), "measure a").gaussian(answer)[0].shape == (3,)


def test_all_answers_are_sensitive():
    assert all(isinstance(x, Sensitive) for x in table([(1, 1, 0)], PrivacyUnit()).marginals(CLIQUES).values())


def test_coarsening_merges_cells():
    rows = [(0, 0, 0), (1, 1, 0), (2, 1, 0)]
    fine, coarse = table(rows, PrivacyUnit()), table(rows, PrivacyUnit()).coarsen(GROUPS)
    assert coarse.domain.size("a") == 2
    merged = np.zeros((2, 2), dtype=np.int64)
    np.add.at(merged, GROUPS["a"], _integers(fine.marginals([("a", "b")])["a", "b"]))
    np.testing.assert_array_equal(_integers(coarse.marginals([("a", "b")])["a", "b"]), merged)


ids = st.lists(st.sampled_from(["x", "y", "z", None]), max_size=20)


@settings(max_examples=200, deadline=None)
@given(ids, st.integers(1, 4))
def test_no_unit_keeps_more_rows_than_its_bound_or_fewer_than_it_may(column, k):
    kept = bounded_rows(pd.Series(column, dtype=object), PrivacyUnit("id", k))
    held, had = pd.Series([column[i] for i in kept], dtype=object), pd.Series(column, dtype=object)
    for name in {*column}:
        kept_rows, rows = (int((s.isna() if name is None else s == name).sum()) for s in (held, had))
        assert kept_rows == min(k, rows)
    assert list(kept) == sorted(kept)


@settings(max_examples=200, deadline=None)
@given(ids, st.lists(st.integers(0, 20), max_size=5), st.integers(1, 4))
def test_rows_of_one_unit_do_not_change_which_rows_of_others_are_kept(column, places, k):
    tagged = [(name, i) for i, name in enumerate(column)]
    more = list(tagged)
    for place in places:
        more.insert(min(place, len(more)), ("intruder", -1))

    def keep(rows):
        return [rows[i] for i in bounded_rows(pd.Series([r[0] for r in rows], dtype=object), PrivacyUnit("i", k))]

    assert [r for r in keep(more) if r[0] != "intruder"] == keep(tagged)


def test_ids_of_every_container_bound_alike():
    plain = [1, 1, 2, None, 1, 2, None]
    series = bounded_rows(pd.Series(plain, dtype="Int64"), PrivacyUnit("i", 1))
    arrow = bounded_rows(pa.chunked_array([plain]), PrivacyUnit("i", 1))
    objects = bounded_rows(pd.Series(plain, dtype=object), PrivacyUnit("i", 1))
    floats = bounded_rows(pd.Series(plain, dtype=float), PrivacyUnit("i", 1))
    for other in (arrow, objects, floats):
        np.testing.assert_array_equal(series, other)
    texts = ["a", "b", "a", None, "a"]
    kept = [bounded_rows(pd.Series(texts, dtype=t), PrivacyUnit("i", 1)) for t in (object, "string", "category")]
    kept.append(bounded_rows(pa.chunked_array([texts]), PrivacyUnit("i", 1)))
    for other in kept:
        np.testing.assert_array_equal(other, kept[0])


def test_an_id_that_forces_another_container_moves_no_other_units_rows():
    ids = np.repeat(np.arange(200), 3)
    kept = bounded_rows(pd.Series(ids), PrivacyUnit("i", 2))
    for odd in (None, "text", 2.5, [1], Decimal("7.5"), 2**70):
        more = bounded_rows(pd.Series([*ids.tolist(), odd]), PrivacyUnit("i", 2))
        np.testing.assert_array_equal(more, [*kept, 600])


def test_one_odd_id_moves_no_other_units_rows():
    ids = [1, 1.0, True, 2, "1", None]
    kept = bounded_rows(pd.Series(ids, dtype=object), PrivacyUnit("i", 1))
    more = bounded_rows(pd.Series([*ids, [9]], dtype=object), PrivacyUnit("i", 1))
    assert list(more) == [*kept, 6]


def test_one_id_in_any_guise_is_one_unit():
    repeated = pa.DictionaryArray.from_arrays(pa.array(range(50), pa.int32()), ["p"] * 50)
    for ids in (
        pa.chunked_array([repeated]),
        pd.Series(repeated, dtype=pd.ArrowDtype(repeated.type)),
        pd.Series([np.str_("p"), "p"] * 25, dtype=object),
        pd.Series([1, np.int64(1), np.int32(1), 1.0] * 10, dtype=object),
    ):
        assert len(bounded_rows(ids, PrivacyUnit("id", 1))) == 1
    assert len(bounded_rows(pd.Series(["a", "a\0x", "\ud800", "b"], dtype=object), PrivacyUnit("id", 1))) == 4


class Hostile:
    def __repr__(self):
        raise RuntimeError("CANARY")


@pytest.mark.parametrize(
    "odd", [Decimal("sNaN"), 10**5000, Hostile(), [1], float("nan")], ids=lambda v: type(v).__name__
)
def test_no_id_makes_bounding_fail_or_moves_another_unit(odd):
    ids = ["a", "b", "a", 1, 2.5]
    kept = bounded_rows(pd.Series(ids, dtype=object), PrivacyUnit("id", 1))
    more = bounded_rows(pd.Series([*ids, odd], dtype=object), PrivacyUnit("id", 1))
    assert list(more) == [*kept, 5]


@pytest.mark.parametrize("of", [int, str, lambda i: pd.Timestamp(i, unit="D")], ids=["numbers", "texts", "datetimes"])
def test_no_place_in_a_units_rows_is_favoured(of):
    ids = pd.Series([of(i) for i in range(3000) for _ in range(3)])
    kept = bounded_rows(ids, PrivacyUnit("id", 2))
    assert len(kept) == 6000
    shares = np.bincount(kept % 3) / 6000
    assert np.abs(shares - 1 / 3).max() < 0.03  # 3,000 units: five standard deviations of a fair choice


def test_rows_hold_every_column_in_the_domains_order_and_stay_closed():
    domain = Domain.of({"b": 4, "a": 3})
    codes = {"a": np.array([0, 1, 2, 9]), "b": np.array([3, 2, 1, 0])}
    rows = PrivateTable.from_codes(codes, domain, PrivacyUnit(max_records=2)).rows()
    assert _exact_codes(rows).tolist() == [[3, 0], [2, 1], [1, 2], [0, 2]]
    assert rows.sizes == (4, 3)
    assert rows.protects == PrivacyUnit(max_records=2)
    with pytest.raises(TypeError, match="read by a charge only"):
        list(rows)
