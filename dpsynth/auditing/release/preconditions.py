"""What must hold without the release: training records and holdout that can be compared.

Attacks compare how a release treats two tables. If these differ by themselves (one is later, or
from elsewhere, or was filtered; or records stand in both), a difference says nothing about the
release. So columns are compared, and attacks of the same kind are made blind: half of each table
plays the release and its reference against the other half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse, stats

from dpsynth.auditing.attacks.marginals import all_cliques, marginal_ratio
from dpsynth.auditing.attacks.neighbours import nearest
from dpsynth.auditing.attacks.records import Records
from dpsynth.auditing.release.report import Precondition
from dpsynth.auditing.statistics.permutation import Linear, Statistic, joint_test, rank_sum

COMPARABLE = "training records and holdout come from the same population"
DISJOINT = "no records stand in both tables more often than chance puts them there"
APART = "no records are repeated within one table more often than chance keeps them together"
UNUSED = "the release is no nearer to the holdout than to the training records"
REFERENCE = "the reference has no more records of one table than of the other"
REMEDIES = {
    COMPARABLE: "split records of one time and place at random into the two tables, before the fit",
    DISJOINT: "remove from the holdout the records that were used for the fit",
    APART: "give one record for each person",
    UNUSED: (
        "check whether the two tables were swapped, the holdout was used for the fit, or synthetic"
        " rows near training records were removed"
    ),
    REFERENCE: "give a reference that shares no records with the two tables",
}


def check_preconditions(
    records: Records,
    member: np.ndarray,
    others: Records | None,
    alpha: float,
    deals: int,
    rng: np.random.Generator,
) -> tuple[Precondition, ...]:
    """Can training records and holdout be compared?

    records: both of them, told apart by `member`. others: the reference, if there is one.
    """
    by_columns = _columns(records, member, deals, rng)
    by_attacks = _blind(records, member, deals, rng)
    found = {COMPARABLE: min(1.0, 2 * min(by_columns, by_attacks))}
    shared: list[Statistic] = [_Shared(records.same), _Shared(records.same, -1.0)]
    more, fewer = joint_test(shared, member, deals, rng)[0]
    found[DISJOINT] = float(more)
    found[APART] = float(fewer)
    if others is not None:
        known = np.isin(records.same, others.same).astype(np.float64)
        sides: Sequence[Statistic] = [Linear(known), Linear(-known)]
        found[REFERENCE] = float(joint_test(sides, member, deals, rng)[1].min())
    return tuple(Precondition(name, p, p > alpha) for name, p in found.items())


def check_unused(
    nearer: Sequence[Linear],
    member: np.ndarray,
    copied: np.ndarray,
    alpha: float,
    deals: int,
    rng: np.random.Generator,
) -> Precondition:
    """Is the release nearer to the holdout than to the training records?

    Nothing sound makes it so. Either the two tables were swapped, or the holdout was used, or rows
    near training records were taken out of the release, which tells who these are.

    nearer: statistics of attacks, which rise when the release is nearer to the members. copied:
    integers of shape (2, 2), of training and holdout records those that are in the release,
    exactly, and those that are not.
    """
    (inside, _), (outside, unseen) = copied.tolist()
    # The test of exact copies (`judgement.copies_finding`), of the holdout.
    everybody = int(copied.sum())
    exact = float(stats.hypergeom.sf(outside - 1, everybody, inside + outside, outside + unseen))
    reverse: Sequence[Statistic] = [Linear(-each.weights) for each in nearer]
    by_attacks = float(joint_test(reverse, member, deals, rng)[1].min())
    p = min(1.0, 2 * min(exact, by_attacks))
    return Precondition(UNUSED, p, p > alpha)


def _columns(records: Records, member: np.ndarray, deals: int, rng: np.random.Generator) -> float:
    """Is a column higher in one table than in the other, or has it some value more often?"""
    found: list[Statistic] = []
    for ranks in records.ranks.T:
        found += [rank_sum(sign * np.nan_to_num(ranks, nan=0.5)) for sign in (1, -1)]
    for bins in records.bins.values():
        for value in np.unique(bins):
            here = (bins == value).astype(np.float64)
            found += [Linear(here - here.mean()), Linear(here.mean() - here)]
    return float(joint_test(found, member, deals, rng)[1].min())


def _blind(records: Records, member: np.ndarray, deals: int, rng: np.random.Generator) -> float:
    """The blind attacks of each half on the other."""
    half = rng.permutation(len(records)) % 2 == 0
    found = [_blind_half(records, member, seen, deals, rng) for seen in (half, ~half)]
    return min(1.0, 2 * min(found))


def _blind_half(
    records: Records,
    member: np.ndarray,
    seen: np.ndarray,
    deals: int,
    rng: np.random.Generator,
) -> float:
    """The seen training records play the release, the seen holdout its reference."""
    inside = records.take(seen & member)
    outside = records.take(seen & ~member)
    judged = records.take(~seen)
    labels = member[~seen]
    if not (len(inside) and len(outside) and labels.any() and not labels.all()):
        return 1.0
    columns = records.columns
    to_outside = nearest(judged, outside, 1, columns=columns).squared[:, 0]
    to_inside = nearest(judged, inside, 1, columns=columns).squared[:, 0]
    cliques = all_cliques(columns, (1, 2), rng)
    statistics: list[Statistic] = [
        rank_sum(marginal_ratio(judged, inside, outside, cliques, own=False)),
        rank_sum(np.sqrt(to_outside) - np.sqrt(to_inside)),
    ]
    return float(joint_test(statistics, labels, deals, rng)[1].min())


class _Shared:
    """How many pairs of equal records have one in each table, times `sign`."""

    def __init__(self, same: np.ndarray, sign: float = 1.0) -> None:
        self._sign = sign
        _, group, size = np.unique(same, return_inverse=True, return_counts=True)
        repeated = np.flatnonzero(size > 1)
        row = np.full(size.size, -1)
        row[repeated] = np.arange(repeated.size)
        held = np.flatnonzero(row[group] >= 0)
        shape = (repeated.size, same.size)
        ones = np.ones(held.size, dtype=np.float32)
        self._groups = sparse.csr_array((ones, (row[group[held]], held)), shape)
        self._size = size[repeated].astype(np.float32)[:, None]

    def of(self, member: np.ndarray) -> np.ndarray:
        inside = self._groups @ member
        pairs = inside * (self._size - inside)
        found: np.ndarray = self._sign * pairs.sum(axis=0, dtype=np.float64)
        return found
