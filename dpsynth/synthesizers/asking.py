"""What a sample is asked for: conditions, shares, a scenario, support; and the rows for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import is_recoded
from dpsynth.data.tables.mixing import as_frame, stamped
from dpsynth.models.base import ConditionError, Model
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.balance import (
    balanced,
    masses_of,
    of_counts,
    refuse_relations,
    splits_of,
)
from dpsynth.synthesizers.cases import cases_of
from dpsynth.synthesizers.constrained import as_modelled, draw_kept, kept_masses, whole
from dpsynth.synthesizers.drawn_cases import Drawing
from dpsynth.synthesizers.drawn_scenario import draw_scenario
from dpsynth.synthesizers.parity import Adjusted, parity_of
from dpsynth.synthesizers.partial_kept import rows_given_kept
from dpsynth.synthesizers.partial_rows import rows_given
from dpsynth.synthesizers.sampled_rows import Origin
from dpsynth.synthesizers.scenario import PART, Scenario
from dpsynth.synthesizers.support import EXTRAPOLATED, SUPPORT, with_support

_MAX_DEFAULT_ROWS = 20_000_000  # a noisy count above this would fill memory without anybody asking


@dataclass(frozen=True, eq=False)
class Asked:
    """What a sample is asked for, beside how many rows; see `Synthesizer.sample`.

    given: values of columns; or a table of partial rows, of any kind that a fit takes.
    """

    where: str | None = None
    given: Mapping[str, Any] | Any = None
    balance: Mapping[str, Any] | None = None
    scenario: Scenario | None = None
    support: bool = False
    parity: Mapping[str, Any] | None = None

    def check(self, schema: Schema) -> None:
        """ConditionError for what cannot be asked for together, or collides with the schema."""
        others = {
            "where": self.where,
            "given": self.given,
            "balance": self.balance,
            "parity": self.parity,
        }
        named = [name for name, value in others.items() if value is not None]
        if self.scenario is not None and named:
            raise ConditionError(
                f"a scenario and {named[0]} were given: "
                + (
                    "leave out one of the two"
                    if named == ["parity"]
                    else "write the condition into the scenario"
                )
            )
        if self.balance is not None and self.parity is not None:
            raise ConditionError(
                "balance and parity both set shares of columns: leave out one of the two"
            )
        if self._partial and (self.balance is not None or self.parity is not None):
            raise ConditionError(
                "given has partial rows, which cannot be balanced: leave out one of the two"
            )
        added = [SUPPORT, EXTRAPOLATED] if self.support or self.scenario else []
        added += [PART] if self.scenario else []
        if taken := [name for name in added if name in schema.columns]:
            raise ConditionError(
                f"the schema has a column {taken[0]!r}, which this sample would add: rename it in"
                " the schema, or leave out support and scenario"
            )

    @property
    def _partial(self) -> bool:
        return self.given is not None and not isinstance(self.given, Mapping)

    def recorded(self) -> dict[str, Any]:
        """The same as a line of a manifest has it: plain JSON, without what was not asked for.

        ConditionError for given values, which no line has.
        """
        if self.given is not None:
            raise ConditionError("given values are not recorded with a file: write them into where")
        facts = {
            "balance": self.balance and dict(self.balance),
            "scenario": self.scenario and self.scenario.to_dict(),
            "support": self.support or None,
            "parity": self.parity and dict(self.parity),
        }
        named = {name: value for name, value in facts.items() if value is not None}
        return {"where": self.where, **json.loads(json.dumps(_plain(named)))}

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Asked:
        """What a manifest's line says."""
        scenario = line.get("scenario")
        return cls(
            where=line["where"],
            balance=line.get("balance"),
            scenario=None if scenario is None else Scenario.from_dict(scenario),
            support=bool(line.get("support", False)),
            parity=line.get("parity"),
        )

    def adjusted(self, origin: Origin, rng: np.random.Generator) -> Adjusted:
        """What parity does to the model's shares.

        rng: draws rows to see them by, where the schema has constraints.
        """
        parity = parity_of(self.parity, origin.schema)
        cases = cases_of(self.where, self.given, origin.schema)
        if is_recoded(origin.schema):
            return parity.adjusted(kept_masses(origin, cases, parity.splits, rng))
        drawing = Drawing(origin, cases)
        refuse_relations(drawing)
        return parity.adjusted(masses_of(drawing, parity.splits))

    def rows(
        self, origin: Origin, record: Mapping[str, Any], n: int | None, rng: np.random.Generator
    ) -> pd.DataFrame:
        """The rows. record: of the model's certificate, which says what was measured."""
        self.check(origin.schema)
        if self.scenario is not None:
            return draw_scenario(origin, record, self.scenario, _rows(origin.model, n), rng)
        found = (self._kept if is_recoded(origin.schema) else self._free)(origin, record, n, rng)
        return stamped(found) if self._partial else found  # nothing tells whose values were given

    def _free(
        self, origin: Origin, record: Mapping[str, Any], n: int | None, rng: np.random.Generator
    ) -> pd.DataFrame:
        """The rows, where what is modelled is what is released."""
        found = self._drawn(origin, n, rng)
        return with_support(found, origin, record) if self.support else found

    def _kept(
        self, origin: Origin, record: Mapping[str, Any], n: int | None, rng: np.random.Generator
    ) -> pd.DataFrame:
        """The rows, where the schema has constraints or calendar parts."""
        if self._partial:
            cases = cases_of(self.where, None, origin.schema)
            given = as_frame(self.given, origin.schema)
            made = rows_given_kept(origin, given, cases, 1 if n is None else row_count(n), rng)
            rows = whole(made, len(next(iter(made.values()))), origin, rng)
        else:
            cases = cases_of(self.where, self.given, origin.schema)
            splits = [] if self.balance is None else splits_of(self.balance, origin.schema)
            adjusted = None if self.parity is None else self.adjusted(origin, rng)
            count = _rows(origin.model, n)
            rows = draw_kept(origin, count, cases, splits, rng, adjusted=adjusted)
        if not self.support:
            return rows
        found = with_support(*as_modelled(rows, origin), record)
        return rows.assign(**{name: found[name] for name in (SUPPORT, EXTRAPOLATED)})

    def _drawn(self, origin: Origin, n: int | None, rng: np.random.Generator) -> pd.DataFrame:
        if self._partial:
            cases = cases_of(self.where, None, origin.schema)
            given = as_frame(self.given, origin.schema)
            return rows_given(origin, given, cases, 1 if n is None else row_count(n), rng)
        rows = _rows(origin.model, n)
        drawing = Drawing(origin, cases_of(self.where, self.given, origin.schema))
        if self.parity is not None:
            adjusted = self.adjusted(origin, rng)
            counts = adjusted.counts(rows, rng)
            made = of_counts(drawing, adjusted.parity.splits, counts, rng)
            return origin.whole(made, rng)
        if self.balance is None:
            return drawing.draw(rows, rng)
        splits = splits_of(self.balance, origin.schema)
        return origin.whole(balanced(drawing, splits, rows, rng), rng)


def _plain(value: Any) -> Any:
    """The same with numbers of Python in place of numpy's, in keys too."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {_plain(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ConditionError(
        f"a balance or a scenario holds {type(value).__name__}, which no file records: write text"
        " or numbers"
    )


def _rows(model: Model, n: int | None) -> int:
    if n is not None:
        return row_count(n)
    rows = round(model.total)
    if rows > _MAX_DEFAULT_ROWS:
        raise ValueError(
            f"the noisy row count is {rows:,}, which may be mostly noise: say with n how many rows"
            " you want"
        )
    return rows


def row_count(n: Any) -> int:
    """The number of rows that is asked for; ValueError where it is none."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"n must be a whole number of rows, 0 or more, got {n!r}")
    return int(n)


def check_draw(n: int | None, seed: int | None) -> None:
    """ValueError for a number of rows or a seed that is none, before anything is spent."""
    if n is not None:
        row_count(n)
    if seed is not None and seed < 0:
        raise ValueError(f"a seed must be a whole number, 0 or more, got {seed}: give another one")


def fresh_seed(seed: int | None) -> int:
    """The seed, or one that the operating system gives: 32 bits, which every JSON reader keeps."""
    if seed is not None:
        check_draw(None, seed)
        return seed
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
