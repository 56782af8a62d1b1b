"""A first look at the pairs of a wide table: which of them are scored at all.

All scores of a table are one charge, and a row moves each of them: with P pairs each has the noise
of one times sqrt(P). Of a thousand columns that is seven hundred times, and the largest of half a
million noises is five times more than that. So of many pairs only some are scored, and which ones
is found by charges that ask for less: how far the *largest* distance of a column's pairs goes,
block of columns by block of columns. A row moves the largest of any number of distances no further
than one of them (`Sensitive.largest`). The best blocks of each column are halved and asked again,
until single columns are left: a few thousand questions in place of half a million.

Who is asked for next follows from charged answers alone. What is taken off each distance before the
largest is taken is public: what chance makes of it, and what its pair would cost.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base import progress
from dpsynth.base.domain import Clique, Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.allocation import Allocation, Part
from dpsynth.mechanisms.prices import (
    MEAN_ABS,
    cells_of_pairs,
    in_parts,
    informative_pairs,
    is_wide,
)

FIRST_LOOK = "a first look at pairs"

_KEPT = 2
"""Blocks of columns that are halved for each column, of twice as many that were asked for."""

_Block = tuple[int, int]
"""The columns from one position to another."""


def look_rounds(columns: int) -> int:
    """How many charges a first look is."""
    return max(0, math.ceil(math.log2(max(1, math.ceil(columns / (2 * _KEPT))))))


def look_parts(domain: Domain, cost: int) -> tuple[Part, ...]:
    """The charges of a first look, which cost this much together; none where all are scored."""
    if not is_wide(domain):
        return ()
    columns = len(domain.attributes)
    rounds = look_rounds(columns)
    spread = math.sqrt(2 * 2 * _KEPT * columns)
    each = cost // max(1, rounds)
    return (Part(FIRST_LOOK, (0, rounds), (each, each), (1.0, spread)),)


def look_cost(allocation: Allocation) -> int:
    """What a first look costs at the most; 0 where there is none."""
    part = allocation.part(FIRST_LOOK)
    return 0 if part is None else part.charges[1] * part.costs[1]


def most_scored(domain: Domain, always: Iterable[Clique] = ()) -> int:
    """How many pairs are scored at the most."""
    pairs = cells_of_pairs(domain).size
    if not is_wide(domain):
        return pairs
    return min(pairs, 2 * _KEPT * len(domain.attributes) + len({*always}))


@dataclass(frozen=True)
class FirstLook:
    """How the pairs of a wide table are chosen that are scored.

    Parameters
    ----------
    accountant : Accountant
        What charges.
    cost : int
        Of each round.
    always : frozenset of tuple of str
        Pairs that are scored whatever is seen, for public reasons.
    """

    accountant: Accountant
    cost: int
    always: frozenset[Clique] = frozenset()

    @classmethod
    def of(
        cls, allocation: Allocation, accountant: Accountant, always: Iterable[Clique] = ()
    ) -> FirstLook | None:
        """What the allocation pays; None where all pairs are scored."""
        if allocation.part(FIRST_LOOK) is None:
            return None
        return cls(accountant, allocation.cost(FIRST_LOOK), frozenset(always))

    def pairs(
        self,
        table: PrivateTable,
        masses: Mapping[str, np.ndarray],
        noise: Mapping[str, np.ndarray],
        stddev: float,
    ) -> list[Clique]:
        """The pairs that are worth a score, in the domain's order.

        masses, noise: estimated counts of each column, and the standard deviations of their
        measurements. stddev: of the noise that a cell of a pair would have.
        """
        all_pairs = informative_pairs(table.domain)
        if not all_pairs:
            return []
        progress.stage("a first look at pairs of columns")
        names = table.domain.attributes
        found = self._partners(
            _scores(table, [c for c in all_pairs if c not in self.always], masses),
            _taken(names, masses, noise, stddev),
        )
        wanted = {tuple(sorted((i, j))) for i, partners in enumerate(found) for j in partners}
        chosen = {(names[i], names[j]) for i, j in wanted} | self.always
        return [c for c in all_pairs if c in chosen]

    def _partners(self, scores: _Scores, taken: np.ndarray) -> list[list[int]]:
        """For each column the few that it seems to depend on most."""
        columns = len(scores)
        ends = np.linspace(0, columns, 2 * _KEPT + 1).astype(int).tolist()
        first = [*itertools.pairwise(ends)]
        blocks = [_scored(row, first) for row in scores]
        for done in range(look_rounds(columns)):
            asked = [(i, block) for i, each in enumerate(blocks) for block in each]
            if not asked:
                break
            progress.step(done, look_rounds(columns))
            values = self._ask(scores, taken, asked)
            best: list[list[_Block]] = [[] for _ in scores]
            for place in np.argsort(-values, kind="stable"):
                i, block = asked[place]
                if len(best[i]) < _KEPT:
                    best[i].append(block)
            blocks = [_scored(row, _halves(kept)) for row, kept in zip(scores, best, strict=True)]
        return [[j for start, end in each for j in range(start, end)] for each in blocks]

    def _ask(
        self, scores: _Scores, taken: np.ndarray, asked: Sequence[tuple[int, _Block]]
    ) -> np.ndarray:
        """For each of these blocks how far its largest distance goes, less what is taken off."""
        largest = []
        for i, (start, end) in asked:
            held = [(x, j) for j, x in enumerate(scores[i][start:end], start) if x is not None]
            largest.append(Sensitive.largest([x for x, _ in held], taken[i, [j for _, j in held]]))
        purpose = f"look at pairs in {len(asked)} blocks"
        charge = self.accountant.charge(Gaussian.spending(self.cost), purpose)
        return charge.gaussian(Sensitive.stack(largest))[0]


_Scores = list[list[Sensitive | None]]
"""For each column its distance with each other; None where it has none."""


def _scores(
    table: PrivateTable, pairs: Sequence[Clique], masses: Mapping[str, np.ndarray]
) -> _Scores:
    """The distances of counts from independent columns, closed."""
    names = table.domain.attributes
    place = {a: i for i, a in enumerate(names)}
    total = {a: max(float(mass.sum()), 1.0) for a, mass in masses.items()}
    found: _Scores = [[None] * len(names) for _ in names]
    for part in in_parts(table.domain, pairs):
        for (a, b), counts in table.marginals(part).items():
            expected = np.multiply.outer(masses[a], masses[b] / total[a])
            score = counts.l1_error(expected)
            found[place[a]][place[b]] = found[place[b]][place[a]] = score
    return found


def _taken(
    names: Sequence[str],
    masses: Mapping[str, np.ndarray],
    noise: Mapping[str, np.ndarray],
    stddev: float,
) -> np.ndarray:
    """What is taken off the distance of each pair, in rows: what chance and the errors of its
    columns make of it, and what the noise of its cells would.

    Of independent columns a cell of e rows, in levels of shares p and q, has the variance
    e (1 - p) (1 - q), so that the sum over all cells is a product over the two columns.
    """
    fallen, errors, cells = np.zeros((3, len(names)))
    rows = 1.0
    for i, a in enumerate(names):
        rows = max(float(masses[a].sum()), 1.0)
        shares = np.clip(masses[a] / rows, 0.0, 1.0)
        fallen[i] = np.sqrt(shares * (1 - shares)).sum()
        errors[i] = noise[a].sum()
        cells[i] = shares.size
    chance = np.sqrt(
        rows * np.multiply.outer(fallen, fallen) ** 2 + np.add.outer(errors**2, errors**2)
    )
    costs = stddev * np.multiply.outer(cells, cells)
    most = np.iinfo(np.int32).max
    return np.rint(np.clip(MEAN_ABS * (chance + costs), 0.0, most)).astype(np.int64)


def _scored(row: Sequence[Sensitive | None], blocks: Iterable[_Block]) -> list[_Block]:
    """The blocks in which a column has a distance."""
    return [(start, end) for start, end in blocks if any(x is not None for x in row[start:end])]


def _halves(blocks: Iterable[_Block]) -> Iterator[_Block]:
    for start, end in blocks:
        middle = (start + end + 1) // 2
        yield from (
            (first, last) for first, last in ((start, middle), (middle, end)) if last > first
        )
