"""A mechanism of your own: it measures every column, and the pairs of columns that you name.

python examples/own_mechanism.py FOLDER
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.mechanisms.allocation import PAIRS, Allocation, Part, first_parts
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.oneway import allocated_oneways, measure_all
from dpsynth.models.engines import estimate
from dpsynth.synthesizers.release import make_release

SCHEMA = dpsynth.Schema(
    {
        "school": dpsynth.Categorical(["north", "south", "west"]),
        "year": dpsynth.Numeric(1, 13, integer=True),
        "grade": dpsynth.Categorical(["A", "B", "C", "D", "F"], ordered=True),
    }
)


@dataclass(frozen=True)
class ChosenPairs(Mechanism):
    """pairs: the pairs of columns to measure, with two thirds of the budget."""

    pairs: tuple[tuple[str, str], ...]

    def check_schema(self, schema: Any) -> None:
        unknown = {name for pair in self.pairs for name in pair} - set(schema.columns)
        if unknown or not self.pairs:
            raise ValueError(
                f"pairs must name columns of the schema, two by two, got {self.pairs!r}: leave out {sorted(unknown)}"
            )

    def allocation(self, cost: int, domain: dpsynth.Domain, settled: Any = ()) -> Allocation:
        number = len(self.pairs)
        each = cost * 2 // 3 // number
        first = first_parts(domain, total=cost // 50, oneway=cost - number * each - cost // 50)
        return Allocation((*first, Part(PAIRS, (number, number), (each, each))))

    def fit(self, table: Any, accountant: dpsynth.Accountant) -> Any:
        allocation = self.allocation(accountant.cost_left, table.domain)
        oneway = allocated_oneways(table, accountant, allocation)
        answers = table.marginals(list(self.pairs))  # closed to reading: only a charge opens them
        measured = measure_all(accountant, answers, dict.fromkeys(self.pairs, allocation.cost(PAIRS)))
        return estimate(table.domain, [*oneway.by_column.values(), *measured], total=oneway.rows)


def pupils(rows: int, seed: int) -> pd.DataFrame:
    """Made-up grades, better in the north."""
    rng = np.random.default_rng(seed)
    school = rng.choice(["north", "south", "west"], rows)
    grade = (rng.normal(2, 1, rows) - (school == "north")).round().clip(0, 4).astype(int)
    return pd.DataFrame({"school": school, "year": rng.integers(1, 14, rows), "grade": np.array(list("ABCDF"))[grade]})


def share_of_a(table: pd.DataFrame) -> float:
    """The share of grade A in the north."""
    return float((table.loc[table["school"] == "north", "grade"] == "A").mean())


def main(folder: Path) -> None:
    real = pupils(6000, seed=1)
    mechanism = ChosenPairs(pairs=(("school", "grade"),))
    # The rows are made up, so no ledger has to remember what was spent on them.
    synthesizer = dpsynth.Synthesizer(SCHEMA, mechanism, epsilon=1.0, delta=1e-6, ledger=None)
    print(synthesizer.plan(rows=6000).summary())
    release = pd.read_csv(make_release(synthesizer, real, folder, n=6000, seed=2).path)
    print(f"grade A in the north: {share_of_a(real):.1%} real, {share_of_a(release):.1%} synthetic")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
