"""How many rows units have, told with noise, so that a person can choose `max_records`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.base.numbers import probability
from dpsynth.base.text import short
from dpsynth.data.tables.periods import period_codings
from dpsynth.kernel.budget import Budget, affordable
from dpsynth.kernel.events import Gaussian
from dpsynth.ledger.ledger import Ledger
from dpsynth.mechanisms.rows_per_unit import NAME, Sizes, look_at_sizes
from dpsynth.schema.table import Schema, SchemaError
from dpsynth.synthesizers.paid_look import PaidLook, close, opened
from dpsynth.synthesizers.preflight import check_budget

CEILING = 100
CUT = 0.05

_RULE = (
    "the fewest that cut at most {cut} of the rows, even where units that are not seen have twice"
    " as many rows as the last that is, and those that count with the ceiling twice as many as that"
)


@dataclass(frozen=True)
class Choice:
    """What a `max_records` would cut. Shares are from 0 to 1, with the standard deviation of their
    noise.

    Parameters
    ----------
    max_records : int
        At most so many rows of each unit are used. Noise grows in proportion to it.
    rows_cut, rows_cut_stddev : float
        The share of rows that a fit would leave out.
    units_cut, units_cut_stddev : float
        The share of units of which it would leave out any.
    """

    max_records: int
    rows_cut: float
    rows_cut_stddev: float
    units_cut: float
    units_cut_stddev: float


@dataclass(frozen=True)
class RowsPerUnit:
    """How many rows units have, as far as a charge has paid to know; it may be published.

    Parameters
    ----------
    unit : str
        What says whose record a row is.
    budget : Budget
        What the look spent.
    ceiling : int
        A unit with more rows counted as one with so many.
    counts : tuple of (int, int, float)
        The first and the last number of rows, and how many units have so many, with noise.
    stddev : float
        The standard deviation of the noise of each count.
    rows, units : float
        About how many there are, of what stands out from the noise.
    unseen, unseen_stddev : float
        About how many units have more rows than the last choice, which no share counts.
    choices : tuple of Choice
        For each number of rows up to the last that stands out what it would cut.
    recommended : int or None
        The first choice that cuts at most `cut` of the rows, even if the unseen units have twice as
        many rows as the last choice, and those that count with the ceiling twice as many as that.
        None where none does.
    cut : float
        The share of rows that the recommendation allows to be cut.
    """

    unit: str
    budget: Budget
    ceiling: int
    counts: tuple[tuple[int, int, float], ...]
    stddev: float
    rows: float
    units: float
    unseen: float
    unseen_stddev: float
    choices: tuple[Choice, ...]
    recommended: int | None
    cut: float

    def record(self) -> dict[str, Any]:
        """The look as JSON can hold it."""
        return {
            "unit": self.unit,
            "epsilon": self.budget.epsilon,
            "delta": self.budget.delta,
            "ceiling": self.ceiling,
            "counts": [dict(zip(("from", "to", "units"), c, strict=True)) for c in self.counts],
            "stddev": self.stddev,
            "rows": self.rows,
            "units": self.units,
            "unseen": self.unseen,
            "unseen_stddev": self.unseen_stddev,
            "choices": [vars(choice) for choice in self.choices],
            "recommended": self.recommended,
            "rule": _RULE.format(cut=_percent(self.cut)),
        }

    def table(self) -> list[tuple[str, str, str]]:
        """For each choice: max_records, and the shares of rows and of units that it cuts."""
        return [
            (
                str(choice.max_records),
                _with_noise(choice.rows_cut, choice.rows_cut_stddev),
                _with_noise(choice.units_cut, choice.units_cut_stddev),
            )
            for choice in self.choices
        ]

    def notes(self) -> list[str]:
        """What a reader should know, in sentences."""
        if not self.choices:
            return [
                "No number of rows stands out from the noise, so nothing is recommended: spend a"
                " larger epsilon, or choose from what is known of the data's making."
            ]
        last = self.choices[-1].max_records
        rule = _RULE.format(cut=_percent(self.cut))
        said = [
            f"Recommended: max_records {self.recommended}, {rule}. The noise of a fit grows in"
            " proportion to it. You choose.",
            f"About {max(0.0, self.unseen):,.0f} units (± {self.unseen_stddev:,.0f}) have more than"
            f" {last} rows. They do not stand out from the noise, and are in no share.",
        ]
        if self.recommended is None:
            said[0] = (
                f"Nothing is recommended, as each of these numbers may cut more than"
                f" {_percent(self.cut)} of the rows, where units that are not seen have twice as"
                " many rows as the last that is: spend a larger epsilon, or choose from what is"
                " known of the data's making."
            )
        if last == self.ceiling:
            said[1] = (
                f"Units with {last} rows or more count as units with {last}, so that more rows may"
                " be cut than is said: look with a larger ceiling."
            )
        return said

    def summary(self) -> str:
        """A few lines for a terminal."""
        cells = [("max_records", "rows cut", "units cut"), *self.table()]
        return "\n".join(
            [
                f"every {self.unit}: about {self.units:,.0f} units with {self.rows:,.0f} rows"
                f" (noise of each count: {short(self.stddev, 3)} units)",
                *(f"  {most:>12} {rows:>20} {units:>20}" for most, rows, units in cells),
                *self.notes(),
            ]
        )


def rows_per_unit(
    data: Any,
    schema: Schema | str | Path | Mapping[str, Any],
    *,
    epsilon: float,
    delta: float,
    ledger: Ledger | str | Path | None,
    ceiling: int = CEILING,
    cut: float = CUT,
    purpose: str = "",
    approvals: Mapping[str, str] | None = None,
    unsafe_seed: int | None = None,
) -> RowsPerUnit:
    """How many rows units have, and what each `max_records` would cut; a charge, with noise.

    Each unit is in one count, that of units with so many rows. So the noise is that of a single
    record, however many rows a fit uses later, and a small epsilon is enough: 0.05 tells thousands
    of people apart from noise. The `max_records` of the schema has no part in it.

    Parameters
    ----------
    data : DataFrame, Arrow table, str or Path
        The private rows, or a file of them.
    schema : Schema, str, Path or mapping
        The public facts, with a unit that has a column of ids.
    epsilon, delta : float
        What the look spends.
    ledger : Ledger, str, Path or None
        The account of the data, which exists already: the fits are paid from it, too. None: nothing
        records the spending.
    ceiling : int
        A public number: a unit with more rows counts as one with so many.
    cut : float
        The share of rows, below 1, that the recommended number may cut.
    purpose : str
        What it is for. The ledger records it, and its policy may ask for it.
    approvals : mapping of str to str or None
        Who approved it, with a reference. Recorded likewise.
    unsafe_seed : int or None
        A seed that makes the noise predictable, for tests only.

    Returns
    -------
    RowsPerUnit
        The counts, what each choice cuts, and the one that is recommended by a stated rule.

    Raises
    ------
    SchemaError, ValueError, PolicyRefusedError, BudgetExceededError
        Before any row is read; never because of a value in a row.
    RowsError
        When the rows cannot be read. What was reserved is spent.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Identifier, Numeric, PrivacyUnit, Schema
    >>> schema = Schema({"age": Numeric(0, 120)}, unit=PrivacyUnit("patient"))
    >>> stays = pd.DataFrame({"patient": [i // 3 for i in range(9000)], "age": 50})
    >>> look = rows_per_unit(stays, schema, epsilon=0.5, delta=1e-6, ledger=None, ceiling=10)
    >>> look.recommended
    3
    """
    schema = Schema.of(schema)
    probability("cut", cut)
    budget = Budget(epsilon, delta)
    check_budget(budget)
    check_ids(schema)
    unit = schema.unit.using(ceiling)
    source = opened(data, schema, unit)
    look = PaidLook(NAME, schema, unit, budget, ledger, purpose, approvals, unsafe_seed)
    with look.rows(source) as (accountant, rows):
        dates = period_codings(schema)
        sizes = look_at_sizes(rows, dates, accountant, accountant.cost_left)
        found = _told(sizes, schema, budget, cut)
        close(accountant, found.record())
    return found


def noise_of_look(epsilon: float, delta: float, schema: Schema) -> float:
    """The standard deviation of each count of a look, in units; it opens no data."""
    budget = Budget(epsilon, delta)
    check_budget(budget)
    check_ids(schema)
    l2 = schema.unit.using(1).count_sensitivity(2)[1]
    return Gaussian.spending(affordable(budget)).noise_multiplier * l2


def check_ids(schema: Schema) -> None:
    """SchemaError where the unit has no column of ids, so that no unit has several rows."""
    if schema.unit.id_column is None:
        raise SchemaError(
            "the schema's unit names no id_column, so that there are no rows of one unit to count:"
            " name the column that says whose record a row is"
        )


def _told(sizes: Sizes, schema: Schema, budget: Budget, cut: float) -> RowsPerUnit:
    choices = []
    for most in sizes.ends[: sizes.seen]:
        (rows, rows_noise), (units, units_noise) = sizes.cut(most)
        choices.append(Choice(most, rows, rows_noise, units, units_noise))
    starts = (1, *(end + 1 for end in sizes.ends[:-1]))
    return RowsPerUnit(
        unit=schema.unit.name,
        budget=budget,
        ceiling=sizes.ends[-1],
        counts=tuple(zip(starts, sizes.ends, sizes.counts, strict=True)),
        stddev=sizes.stddev,
        rows=float(sizes.rows @ sizes.units),
        units=float(sizes.units.sum()),
        unseen=sizes.unseen[0],
        unseen_stddev=sizes.unseen[1],
        choices=tuple(choices),
        recommended=next(
            (c.max_records for c in choices if sizes.cut_at_most(c.max_records) <= cut), None
        ),
        cut=cut,
    )


def _percent(share: float) -> str:
    return f"{short(100 * share, 2)} %"


def _with_noise(share: float, stddev: float) -> str:
    return f"{100 * share:.1f} % (± {100 * stddev:.1f})"
