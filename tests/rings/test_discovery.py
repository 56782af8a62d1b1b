"""Discovery: its laws, for each wall a mutant that a law must see, doubles that leak, and a million values."""

from __future__ import annotations

import itertools
import tracemalloc
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.rings import discoveries, kernel
from tests.rings.discoveries import LAWS, held, told, unit_of
from tests.rings.kernel import Mutant

MUTANTS = [
    Mutant(
        "a threshold without the number of values that a unit may bring",
        "discovery.py",
        "self.delta / unit.max_records",
        "self.delta",
        discoveries.no_two_neighbours_are_told_apart_beyond_the_charge,
    ),
    Mutant(
        "a threshold without delta",
        "discovery.py",
        "count + math.ceil(math.nextafter(reach + 0.5, math.inf))",
        "count + 1",
        discoveries.no_two_neighbours_are_told_apart_beyond_the_charge,
    ),
    Mutant(
        "a threshold for values that are held once, where all rows may hold one",
        "discovery.py",
        "alone if unit.id_column is not None else",
        "alone if True else",
        discoveries.no_two_neighbours_are_told_apart_beyond_the_charge,
    ),
    Mutant(
        "a threshold from a count of 0",
        "discovery.py",
        "return count + math.ceil(",
        "return math.ceil(",
        discoveries.no_two_neighbours_are_told_apart_beyond_the_charge,
    ),
    Mutant(
        "delta not charged",
        "discovery.py",
        ", units(self.delta))",
        ", 0)",
        discoveries.no_two_neighbours_are_told_apart_beyond_the_charge,
    ),
    Mutant(
        "noise not charged",
        "discovery.py",
        "Cost(gaussian_dp.gaussian_cost(self.noise_multiplier), units",
        "Cost(1, units",
        discoveries.no_two_neighbours_are_told_apart_beyond_the_charge,
    ),
    Mutant(
        "the same for units that are replaced as for those that come and go",
        "held.py",
        '(1 if unit.adjacency == "add-remove" else 2)',
        "1",
        discoveries.no_unit_moves_the_counts_further_than_is_said,
    ),
    Mutant(
        "a unit that counts once for each of its rows",
        "held.py",
        "(np.unique(pairs) if with_ids else pairs)",
        "pairs",
        discoveries.no_unit_moves_the_counts_further_than_is_said,
    ),
    Mutant(
        "no noise on values that are held once",
        "discovery.py",
        "noisy = counts + rounded_gaussian(",
        "noisy = counts + (counts > 1) * rounded_gaussian(",
        discoveries.a_value_of_one_unit_is_told_as_seldom_as_delta_says,
    ),
    Mutant(
        "half of the noise",
        "discovery.py",
        "np.full(len(counts), self.stddev(held.protects))",
        "np.full(len(counts), self.stddev(held.protects) / 2)",
        discoveries.values_are_told_by_their_counts,
    ),
    Mutant(
        "one draw of noise for all values",
        "discovery.py",
        "rounded_gaussian(np.full(len(counts), self.stddev(held.protects)), bits)",
        "rounded_gaussian(np.full(1, self.stddev(held.protects)), bits)",
        discoveries.a_value_of_one_unit_is_told_as_seldom_as_delta_says,
    ),
    Mutant(
        "over the threshold, and not from it on",
        "discovery.py",
        "noisy >= self.threshold",
        "noisy > self.threshold",
        discoveries.values_are_told_by_their_counts,
    ),
    Mutant(
        "in the order in which values come",
        "discovery.py",
        "tuple(sorted(",
        "tuple((",
        discoveries.the_order_of_rows_is_not_told,
    ),
    Mutant(
        "delta rounded away",
        "discovery.py",
        "units(self.delta))",
        "units(self.delta / 2))",
        discoveries.what_is_charged_has_a_delta_of_its_own,
    ),
    Mutant(
        "a reader that fails on a value makes the fit fail",
        "held.py",
        "    except Exception:\n        return None",
        "    except ArithmeticError:\n        return None",
        discoveries.a_discovery_is_kept_from_failing_by_what_rows_hold,
    ),
    Mutant(
        "numbers as their container has them",
        "held.py",
        "else real(value))",
        "else repr(value))",
        discoveries.the_container_of_a_column_changes_no_count,
    ),
    Mutant(
        "entries of a dictionary that no row has",
        "held.py",
        "some = counts > 0",
        "some = counts >= 0",
        discoveries.a_value_that_no_row_has_is_not_counted,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_discovery_obeys_every_law(law) -> None:
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant: Mutant, tmp_path, monkeypatch) -> None:
    kernel.kill(mutant, tmp_path, monkeypatch)


def test_every_law_has_a_mutant() -> None:
    assert {law.__name__ for law in LAWS} == {mutant.law.__name__ for mutant in MUTANTS}


def with_one_more(k: SimpleNamespace):
    """A table without and with one unit, which alone holds the value "rare"."""
    unit = unit_of(k, 1, "add-remove", True)
    rows = [(f"{v} {i}", v) for v in ("a", "b") for i in range(400)]
    return unit, rows, [*rows, ("me", "rare")]


def test_a_value_that_one_unit_holds_is_never_told_and_others_are_not_moved_by_it() -> None:
    k = kernel.load()
    unit, without, with_me = with_one_more(k)
    event = k.Discovery(8.0, 1e-9)
    for seed in range(60):
        assert (
            told(k, held(k, without, unit), event, seed) == told(k, held(k, with_me, unit), event, seed) == ("a", "b")
        )


def read_from_the_data(k: SimpleNamespace, rows, unit) -> tuple[str, ...]:
    """The broken double: categories are what the rows hold."""
    return tuple(sorted(discoveries.exact_counts(k, rows, unit)))


def without_noise(k: SimpleNamespace, rows, unit) -> tuple[str, ...]:
    """Another one: a threshold on exact counts, as tables of frequencies are often suppressed."""
    return tuple(sorted(v for v, n in discoveries.exact_counts(k, rows, unit).items() if n >= 400))


@pytest.mark.parametrize("double", [read_from_the_data, without_noise])
def test_a_double_that_reads_categories_from_the_data_is_told_apart(double) -> None:
    k = kernel.load()
    unit, without, with_me = with_one_more(k)
    differ = [
        double(k, one, unit) != double(k, other, unit) for one, other in [(without, with_me), (without, without[1:])]
    ]
    assert any(differ)


def test_a_charge_reads_what_units_hold_once_and_in_no_other_way() -> None:
    k = kernel.load()
    unit = unit_of(k, 1, "add-remove", True)
    values = held(k, [(f"{i}", "a") for i in range(900)], unit)
    budget = k.Budget(1.0, 1e-6)
    event = k.Discovery(20.0, 1e-6 * 2.0**-32)
    ledger = k.Ledger.create(None, budget, dataset="test", unit=unit)
    with k.Accountant(budget, ledger=ledger, unsafe_seed=5, reserve=[event, k.Gaussian(30.0)]) as accountant:
        accountant.begin()
        charge = accountant.charge(event, "values of code")
        with pytest.raises(TypeError, match="reads a Sensitive value"):
            charge.gaussian(values)
        assert charge.redeem(values) == ("a",)
        with pytest.raises(RuntimeError, match="good once"):
            charge.redeem(values)
        with pytest.raises(k.BudgetExceededError):
            accountant.charge(event, "again")
    for peek in (len, iter, list, bool, lambda x: x == x, lambda x: x[0]):
        with pytest.raises(TypeError):
            peek(values)
    assert "900" not in repr(values)


def test_a_discovery_is_refused_beyond_what_the_account_keeps_for_deltas() -> None:
    k = kernel.load()
    with pytest.raises(k.BudgetExceededError, match="deltas of their own"):
        k.Accountant(k.Budget(1.0, 1e-6), reserve=[k.Discovery(50.0, 1e-8)])
    k.Accountant(k.Budget(1.0, 1e-6, programs_delta=1e-8), reserve=[k.Discovery(50.0, 1e-8)])


@pytest.mark.parametrize(("most", "ids"), [*itertools.product((1, 5), (True, False))])
def test_a_threshold_grows_with_noise_and_shrinks_with_delta(most, ids) -> None:
    k = kernel.load()
    unit = unit_of(k, most, "add-remove", ids)
    assert k.Discovery(9.0, 1e-6).threshold(unit) > k.Discovery(8.0, 1e-6).threshold(unit) > most
    assert k.Discovery(9.0, 1e-9).threshold(unit) > k.Discovery(9.0, 1e-6).threshold(unit)


@pytest.mark.slow
def test_a_million_values_take_megabytes_and_not_gigabytes() -> None:
    k = kernel.load()
    unit = unit_of(k, 1, "add-remove", False)
    frame = pd.DataFrame({"code": [f"C{i:06d}" for i in range(1_000_000)] + ["often"] * 2_000})
    rows = k.bound_table(lambda columns: [frame], unit)
    tracemalloc.start()
    values = k.held_texts(rows, "code", str)
    assert told(k, values, k.Discovery(20.0, 1e-12), seed=2) == ("often",)
    assert tracemalloc.get_traced_memory()[1] < 1e9
    tracemalloc.stop()
