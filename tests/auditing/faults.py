"""Faults planted in small mechanisms, each as it was found in somebody's library, and one mechanism without any.

A mechanism takes a table of the columns of SCHEMA and a generator and returns what it would publish. All claim to be
mu-GDP with MU (PURE: epsilon-DP) for the adding or removing of one record. They draw from numpy, quickly: no one may
use them for more than this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.pairs import Pair, worst_case_pairs
from dpsynth.auditing.statistics.epsilon_bounds import power
from dpsynth.schema.table import Categorical, Numeric, PrivacyUnit, Schema

SCHEMA = Schema({"age": Numeric(0, 100, integer=True), "town": Categorical(["u", "v", "w"])})
GAUSSIAN = PrivacyClaim.gaussian(4.0, 1e-5)
PURE = PrivacyClaim(1.0, 0.0)
MU = GAUSSIAN.mu
TOWNS = ["u", "v", "w"]


def counts(table, towns=TOWNS):
    found = table["town"].to_numpy(dtype=object)
    return np.array([float((found == town).sum()) for town in towns])


def noisy(values, rng, mu=MU, sensitivity=1.0):
    return values + rng.normal(scale=sensitivity / mu, size=np.shape(values))


def honest(table, rng):
    return noisy(counts(table), rng)


def honest_in_two_steps(table, rng):
    """Two queries that share the budget, the second chosen by the first answer."""
    first = noisy(counts(table), rng, MU / np.sqrt(2))
    return np.append(first, noisy(counts(table)[int(first.argmax())], rng, MU / np.sqrt(2)))


def half_the_noise(table, rng):
    return noisy(counts(table), rng, 2 * MU)


def a_little_less_noise(table, rng):
    return noisy(counts(table), rng, 1.25 * MU)


def sensitivity_of_another_unit(table, rng):
    """Scaled to counts over which a record spreads, though it adds to two of them."""
    return noisy(np.concatenate([counts(table), [len(table)]]), rng)


def composition_forgotten(table, rng):
    return np.concatenate([noisy(counts(table), rng), noisy(counts(table), rng)])


def shares_instead_of_counts(table, rng):
    """Noise for counts, divided by the number of rows, on shares that were divided by the number of rows."""
    return noisy(counts(table), rng) / 10 + 0.9 * counts(table)


def noise_on_seen_cells_only(table, rng):
    seen = counts(table)
    return np.where(seen > 0, noisy(seen, rng), 0.0)


def a_fixed_seed(table, rng):
    return noisy(counts(table), np.random.default_rng(0))


def exact_row_count(table, rng):
    return pd.DataFrame({"town": rng.choice(TOWNS, len(table))})


def categories_from_the_data(table, rng):
    towns = sorted(set(map(str, table["town"].dropna()))) or ["u"]
    return pd.DataFrame({"town": rng.choice(towns, 50)})


def bounds_from_the_data(table, rng):
    ages = pd.to_numeric(table["age"], errors="coerce").dropna()
    high = float(ages.max()) if len(ages) else 1.0
    return [*noisy(counts(table), rng).tolist(), rng.uniform(0, high)]


def an_error_for_some(table, rng):
    codes = {"u": 0, "v": 1, "w": 2}
    for town in table["town"].dropna():
        codes[town]  # KeyError for what is not declared
    return noisy(counts(table), rng)


def an_error_that_quotes(table, rng):
    raise ValueError(f"cannot fit {len(table)} rows")


def a_type_that_missing_values_change(table, rng):
    age = pd.Series(rng.integers(0, 100, 20))
    return pd.DataFrame({"age": age.astype(float) if table["age"].isna().any() else age})


def the_first_row_in_clear(table, rng):
    first = counts(table.iloc[:1]) if len(table) else np.zeros(3)
    return noisy(counts(table), rng) + first


def a_choice_by_exact_counts(table, rng):
    """Reports which town is most frequent, by the exact counts."""
    return np.append(noisy(counts(table), rng, MU), float(counts(table)[2] > 0))


def threshold_on_exact_counts(table, rng):
    exact = counts(table)
    return noisy(exact, rng) * (exact > 1)


def a_debug_field(table, rng):
    return {"release": noisy(counts(table), rng), "rows read": float(len(table))}


def teachers_by_position(table, rng):
    """Five teachers, each taught by its stretch of the rows, answer with the town of their last one. One more row is
    billed as a change of one teacher; in the first place it moves all stretches.
    """
    taught = [part for part in np.array_split(np.asarray(table["town"], dtype=object), 5) if part.size]
    return noisy(np.array([float(part[-1] == "w") for part in taught]), rng)


def teachers_that_see_all_rows(table, rng):
    """Five teachers, each taught by every row, say whether somebody is from w: one row is billed as one teacher."""
    return noisy(5.0 * ("w" in set(table["town"])), rng)


def teachers_with_rows_of_their_own(table, rng):
    """The same, but each row is given to one teacher, by chance, and to no other."""
    teacher = rng.integers(0, 5, len(table))
    return noisy(float(len(set(teacher[np.asarray(table["town"], dtype=object) == "w"]))), rng)


def laplace(table, rng):
    return counts(table) + rng.laplace(scale=1 / PURE.epsilon, size=3)


def half_the_laplace(table, rng):
    return counts(table) + rng.laplace(scale=0.5 / PURE.epsilon, size=3)


_NINE = [{"age": 0, "town": "uw"[i % 2]} for i in range(9)]
IN_LINE = Pair("first of nine and one", pd.DataFrame(_NINE), pd.DataFrame([{"age": 0, "town": "w"}, *_NINE]))
PAIRS = (*worst_case_pairs(SCHEMA), IN_LINE)
REPLACED = worst_case_pairs(Schema(dict(SCHEMA.columns), unit=PrivacyUnit(adjacency="replace")))
"""Of tables in which one record stands in another's place: more than a claim for adding one allows."""

HONEST = [
    (honest, GAUSSIAN),
    (honest_in_two_steps, GAUSSIAN),
    (teachers_with_rows_of_their_own, GAUSSIAN),
    (laplace, PURE),
]
"""Mechanisms whose claim holds."""


@dataclass(frozen=True)
class Hunt:
    """What refutes a fault. runs: on each table. pairs: of PAIRS. statistic, threshold: where the fault's likelihood
    ratio is known; else a rule is learned from a fifth of the runs. spends: mu of what is spent, of what is claimed.
    """

    runs: int
    pairs: tuple[int, ...]
    claim: PrivacyClaim = GAUSSIAN
    statistic: Callable[[np.ndarray], float] | None = None
    threshold: float | None = None
    spends: float | None = None
    alpha: float = 0.05

    def run(self, fault):
        pairs = [PAIRS[i] for i in self.pairs]
        known = {"statistic": self.statistic, "threshold": self.threshold, "alpha": self.alpha}
        return DPAuditor(fault, self.claim, pairs, runs=self.runs, **known).run()

    @classmethod
    def known(cls, runs, spends, cells: Sequence[int], middle):
        """Noise that is too small, by the sum of these numbers on "one among zeros", at alpha .001."""
        return cls(runs, (0,), GAUSSIAN, lambda found: float(found[list(cells)].sum()), middle, spends, 0.001)

    @property
    def power(self):
        """How likely these runs refute it by theory; None where no theory says it."""
        return None if self.spends is None else power(self.spends * MU, MU, self.runs, self.alpha)


CERTAIN = PrivacyClaim(1.0, 1e-5)
"""What is refuted in few runs by whatever gives away a table for certain."""
_ALL = (0, 1, 2, 3, 4, 5)

FAULTS = {
    half_the_noise: Hunt.known(149, 2.0, [2], 0.5),
    a_little_less_noise: Hunt.known(1949, 1.25, [2], 0.5),
    sensitivity_of_another_unit: Hunt.known(735, 2**0.5, [2, 3], 11.0),
    composition_forgotten: Hunt.known(735, 2**0.5, [2, 5], 1.0),
    shares_instead_of_counts: Hunt(100, (0, 1)),
    noise_on_seen_cells_only: Hunt(100, (0, 1)),
    a_fixed_seed: Hunt(30, (0, 1)),
    exact_row_count: Hunt(30, _ALL, CERTAIN),
    categories_from_the_data: Hunt(30, _ALL, CERTAIN),
    bounds_from_the_data: Hunt(60, _ALL),
    an_error_for_some: Hunt(30, _ALL, CERTAIN),
    an_error_that_quotes: Hunt(30, _ALL, CERTAIN),
    a_type_that_missing_values_change: Hunt(30, _ALL, CERTAIN),
    the_first_row_in_clear: Hunt(400, (2,)),
    a_choice_by_exact_counts: Hunt(30, (0, 1)),
    threshold_on_exact_counts: Hunt(100, (1,)),
    a_debug_field: Hunt(30, (0, 1)),
    teachers_by_position: Hunt(149, (6,)),
    teachers_that_see_all_rows: Hunt(50, (0,)),
    half_the_laplace: Hunt(2000, (0,), PURE),
}
"""Mechanisms whose claim does not hold, and what refutes it."""

_ONCE, _TWICE = 1 / MU, np.sqrt(2) / MU
NOISE = {
    honest: (counts, _ONCE),
    half_the_noise: (counts, _ONCE),
    a_little_less_noise: (counts, _ONCE),
    composition_forgotten: (lambda table: np.tile(counts(table), 2), _TWICE),
    sensitivity_of_another_unit: (lambda table: np.append(counts(table), len(table)), _TWICE),
    noise_on_seen_cells_only: (counts, _ONCE),
    a_fixed_seed: (counts, _ONCE),
    threshold_on_exact_counts: (counts, _ONCE),
}
"""What these answer in truth, and the deviation of the noise that their queries need."""
