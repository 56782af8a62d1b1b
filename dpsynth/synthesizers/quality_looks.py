"""The charges of a releasable quality report, part by part, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.distance_look import Cells, in_groups, look_at_distances
from dpsynth.models.ratios import fieller
from dpsynth.models.span import rounded_variance
from dpsynth.synthesizers.quality_questions import Questions
from dpsynth.synthesizers.rank_correlation import rank_correlation
from dpsynth.synthesizers.releasable_quality import Beside, Charged, Distance


def distances_by_group(cost: int) -> int:
    """Of what one column of groups gets, the part of the distances; the rest counts its rows."""
    return cost - cost // 4


class Looking:
    """The charges of one report, part by part. z: standard deviations of an interval's reach."""

    def __init__(
        self,
        asked: Questions,
        table: PrivateTable,
        accountant: Accountant,
        costs: Mapping[str, int],
        z: float,
    ) -> None:
        self._asked, self._table, self._accountant = asked, table, accountant
        self._costs, self._z = costs, z
        self._charges: list[Charged] = []

    def figures(self) -> dict[str, Any]:
        """Everything that a report says of real rows."""
        (count,), noise = self._counts("rows", "rows", [self._table.marginals([()])[()]])
        self._rows, self._reach = max(float(count.sum()), 1.0), self._z * noise
        found: dict[str, Any] = dict.fromkeys(("columns", "pairs", "triples", "groups"), ())
        ways: list[Distance] = []
        for part in self._asked.sets:
            found[part], mean = self._distances(part)
            ways.append(mean)
        ends = max(self._rows - self._reach, 0.0), self._rows + self._reach
        found["rows"] = Beside((), float(self._asked.rows), self._rows, *ends)
        found["ways"] = tuple(ways)
        found["missing"] = self._missing() if "missing" in self._costs else ()
        found["correlations"] = self._correlations() if "correlations" in self._costs else ()
        if "groups" in self._costs:
            found["groups"] = self._groups()
        found["charges"] = tuple(self._charges)
        return found

    def _distances(self, part: str) -> tuple[tuple[Distance, ...], Distance]:
        """The distance of each set, and their mean."""
        groups = self._asked.alone if part == "columns" else self._asked.together
        looked_at = self._asked.expected(part, self._rows)
        coarse = in_groups(self._table, groups, self._asked.sets[part])
        values, noise = self._looked(coarse, looked_at, part, self._costs[part])
        each = tuple(
            self._distance((value,), noise, (cells,), self._rows, cells.columns)
            for value, cells in zip(values, looked_at, strict=True)
        )
        return each, self._distance(values, noise, looked_at, self._rows)

    def _distance(
        self,
        values: Sequence[float] | np.ndarray,
        noise: float,
        looked_at: Sequence[Cells],
        rows: float,
        columns: Clique = (),
        reach_of_rows: float | None = None,
        group: tuple[str, str] | None = None,
    ) -> Distance:
        """The mean of some distances, as a share of rows.

        Its interval allows for the noise of the row count, too, to which expectations and shares
        are brought: a row more moves the first by half a row at most, and the second by a share of
        one, so that its reach is added (and not its square): it holds more often than it must.
        """
        mean = float(np.mean(values)) / rows
        of_rows = self._reach if reach_of_rows is None else reach_of_rows
        reach = self._z * noise / math.sqrt(len(values)) + (0.5 + min(max(mean, 0), 1)) * of_rows
        low, high = (min(max(mean + side * reach / rows, 0.0), 1.0) for side in (-1, 1))
        chance = float(np.mean([each.by_chance for each in looked_at])) / rows
        return Distance(columns, len(values), mean, low, high, min(chance, 1.0), group)

    def _groups(self) -> tuple[Distance, ...]:
        """For each group the mean distance over the other columns, of its own rows."""
        found: list[Distance] = []
        share = self._costs["groups"] // len(self._asked.grouped_by)
        for by in self._asked.grouped_by:
            counts = [self._table.marginals([(by,)])[(by,)]]
            cost = distances_by_group(share)
            (rows,), noise = self._counts("groups", f"rows by {by}", counts, share - cost)
            of_values = self._asked.of_groups(by, rows)
            cells = [each for of_value in of_values for each in of_value]
            coarse = in_groups(
                self._table, self._asked.group_cells(by), [each.columns for each in cells]
            )
            values, stddev = self._looked(coarse, cells, f"columns by {by}", cost)
            rest = values.reshape(len(of_values), -1)
            named = zip(self._asked.values(by), of_values, rest, rows[: len(rest)], strict=True)
            for value, of_value, own, number in named:
                among, reach = max(float(number), 1.0), self._z * noise
                found.append(self._distance(own, stddev, of_value, among, (), reach, (by, value)))
        return tuple(found)

    def _missing(self) -> tuple[Beside, ...]:
        """Shares of missing values, each a ratio of noisy counts (Fieller's interval)."""
        groups = self._asked.missing
        coarse = in_groups(self._table, groups, [(a,) for a in groups])
        answers = coarse.marginals([(a,) for a in groups])
        tables, noise = self._counts("missing", "missing values", [answers[(a,)] for a in groups])
        variance = rounded_variance(noise) * np.array([[1.0, 1.0], [1.0, 2.0]])
        found = []
        for name, (held, lacking) in zip(groups, tables, strict=True):
            whole = held + lacking
            ends = fieller(lacking, whole, variance, self._z, (0.0, 1.0))
            real = min(max(lacking / whole, 0.0), 1.0) if whole > 0 else math.nan
            release = float(self._asked.shares(groups, (name,))[1])
            found.append(Beside((name,), release, float(real), *ends))
        return tuple(found)

    def _correlations(self) -> tuple[Beside, ...]:
        """Rank correlations, by noisy counts of each pair's groups."""
        asked, found = self._asked, []
        coarse = in_groups(self._table, asked.ranks, asked.correlated)
        answers = coarse.marginals(asked.correlated)
        parts = [answers[pair] for pair in asked.correlated]
        tables, noise = self._counts("correlations", "pairs of numbers", parts)
        for pair, table in zip(asked.correlated, tables, strict=True):
            shares = asked.shares(asked.ranks, pair)
            special = [asked.ranks[a][asked.special(a)] for a in pair]
            release, _ = rank_correlation(shares, shares, special, 0.0)
            real, stddev = rank_correlation(table, shares, special, noise)
            reach = self._z * stddev
            ends = max(real - reach, -1.0), min(real + reach, 1.0)
            known = math.isfinite(real) and math.isfinite(reach)
            found.append(Beside(pair, release, real, *(ends if known else (-1.0, 1.0))))
        return tuple(found)

    def _looked(
        self, table: PrivateTable, cells: Sequence[Cells], what: str, cost: int
    ) -> tuple[np.ndarray, float]:
        purpose = f"evaluate: distances of {len(cells)} {what}"
        values, stddev = look_at_distances(table, cells, self._accountant, cost, purpose)
        self._note(purpose, cost, len(cells), stddev)
        return values, stddev

    def _counts(
        self, part: str, what: str, answers: Sequence[Sensitive], cost: int | None = None
    ) -> tuple[list[np.ndarray], float]:
        """Noisy counts by one charge, and the standard deviation of the noise of each."""
        stack = Sensitive.stack(answers)
        paid = self._costs[part] if cost is None else cost
        purpose = f"evaluate: {what}"
        charge = self._accountant.charge(Gaussian.spending(paid), purpose)
        values, stddev = charge.gaussian(stack)
        self._note(purpose, paid, int(values.size), float(np.max(stddev)))
        cuts = np.cumsum([math.prod(each.shape) for each in answers])[:-1]
        parts = np.split(values, cuts)
        pairs = zip(parts, answers, strict=True)
        return [part.reshape(each.shape) for part, each in pairs], float(np.max(stddev))

    def _note(self, purpose: str, cost: int, answers: int, stddev: float) -> None:
        multiplier = Gaussian.spending(cost).noise_multiplier
        self._charges.append(Charged(purpose, multiplier, stddev / multiplier, answers, stddev))
