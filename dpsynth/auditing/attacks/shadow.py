"""Shadow releases: the synthesizer is run on tables whose members are known.

This shows what a release tells of its members.

A coin for each real record decides whether it is in a shadow table, so every record is in about as
many of them as it is not. Two attacks learn from the shadow releases, and are then turned on the
release in question:

* queries: how many synthetic rows agree with the record on each of some combinations of columns,
  against how many do on average over the shadow releases, in one linear rule for all records
  (Houssiau et al., TAPAS, arXiv 2211.06550).
* likelihood ratio: the same score, against what it is for this record in the shadow releases that
  held it and in those that did not (Carlini et al., LiRA, arXiv 2112.03570). What is known of all
  records helps where shadows are few.

The coins know nothing of who was a member of the table in question, so neither attack does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.auditing.attacks.marginals import all_cliques, cells_of, rows_alike
from dpsynth.auditing.attacks.records import Records
from dpsynth.base.domain import Clique
from dpsynth.data.engines.files import open_rows
from dpsynth.schema.table import Schema

FitSample = Callable[[pd.DataFrame], Any]

MAX_QUERIES = 60
"""Combinations of columns: the rule has a weight for each, learned from shadows times records."""
_FEWEST_SHADOWS = 4
"""The variance over shadows, with two means taken off, has 2 degrees of freedom then."""
_WIDEST = 3
_RIDGE = 1e-3
"""Of each query's variance, added to it: counts of nested combinations are nearly dependent."""
_FLOOR = 1e-12
"""Added to every variance, so that queries on which nothing ever differs have an inverse."""
_TINY = 1e-30
"""Keeps a division by zero from happening where scores do not vary."""


@dataclass(frozen=True, eq=False)
class Shadows:
    """Releases of tables that coins put together, and the coins.

    releases: one of each shadow table. member: booleans, shape (shadows, records): who was in it.
    """

    releases: Sequence[Records]
    member: np.ndarray

    def of(self, records: np.ndarray) -> Shadows:
        """About these records only, by position."""
        return Shadows(self.releases, self.member[:, records])


def shadow_releases(
    fit_sample: FitSample,
    train: Any,
    holdout: Any,
    shadows: int,
    rng: np.random.Generator,
    schema: Schema | None = None,
) -> tuple[list[Any], np.ndarray]:
    """Releases of tables that coins put together, and the coins.

    The coins have the shape (shadows, training and holdout records).

    Raises what `fit_sample` raises.

    A shadow table has as many records as the training table, on average, in random order.
    """
    whole = isinstance(shadows, int) and not isinstance(shadows, bool)
    if not whole or shadows < _FEWEST_SHADOWS:
        raise ValueError(f"shadows must be a whole number, 4 or more, got {shadows!r}")
    frames = []
    for table in (train, holdout):
        rows = open_rows(table, schema)
        frames.append(rows if isinstance(rows, pd.DataFrame) else rows.to_pandas())
    pool = pd.concat(frames, ignore_index=True)
    member = rng.random((shadows, len(pool))) < len(frames[0]) / len(pool)
    releases = []
    for coins in member:
        drawn = rng.permutation(np.flatnonzero(coins))
        releases.append(fit_sample(pool.iloc[drawn].reset_index(drop=True)))
    return releases, member


def shadow_scores(
    records: Records, release: Records, shadows: Shadows, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """For each record the score of each attack, higher for members."""
    queries = _excess(records, [release, *shadows.releases], _asked(records.columns, rng))
    known = queries[1:]
    member = shadows.member
    score = queries @ _rule(known[member], known[~member])
    return {
        "shadow models, queries": score[0],
        "shadow models, likelihood ratio": _ratio(score[0], score[1:], member),
    }


def _asked(columns: Clique, rng: np.random.Generator) -> list[Clique]:
    """Single columns, then pairs, then triples, and all columns together.

    Up to MAX_QUERIES, those of the last size drawn at random.
    """
    found: list[Clique] = []
    for size in range(1, min(_WIDEST, len(columns)) + 1):
        more = all_cliques(columns, (size,), rng)
        room = MAX_QUERIES - len(found)
        if len(more) > room:
            more = [more[i] for i in sorted(rng.choice(len(more), room, replace=False))]
        found += more
    return found if columns in found else [*found, columns]


def _excess(records: Records, releases: Sequence[Records], asked: Sequence[Clique]) -> np.ndarray:
    """(rows that agree - their mean) / (the mean + 1), for each release, record and query.

    The mean is over the shadow releases. Rows are counted as if all releases had as many as the
    first. float32, shape (releases, records, queries).
    """
    found = np.empty((len(releases), len(records), len(asked)), dtype=np.float32)
    for q, clique in enumerate(asked):
        mine, *theirs = cells_of([records, *releases], clique)
        for i, cells in enumerate(theirs):
            found[i, :, q] = rows_alike(cells, mine) * (len(releases[0]) / len(cells))
    mean = found[1:].mean(axis=0)
    found -= mean
    found /= mean + 1
    return found


def _rule(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Fisher's linear discriminant. inside, outside: shape (examples, queries)."""
    gap = inside.mean(axis=0, dtype=np.float64) - outside.mean(axis=0, dtype=np.float64)
    covariance = (_scatter(inside) + _scatter(outside)) / (len(inside) + len(outside))
    covariance += _RIDGE * np.diag(np.diag(covariance)) + _FLOOR * np.eye(gap.size)
    weights: np.ndarray = np.linalg.solve(covariance, gap).astype(np.float32)
    return weights


def _scatter(examples: np.ndarray) -> np.ndarray:
    centred = examples - examples.mean(axis=0)
    return (centred.T @ centred).astype(np.float64)


def _ratio(score: np.ndarray, known: np.ndarray, member: np.ndarray) -> np.ndarray:
    """log N(score; in) - log N(score; out) for each record, with one variance for both.

    known: scores in the shadow releases, shape of member. The gap between the two means is drawn to
    the gap over all records as far as chance explains the differences between records (James and
    Stein).
    """
    times_in = member.sum(axis=0)
    times_out = (~member).sum(axis=0)
    mean_in = np.where(member, known, 0).sum(axis=0) / np.maximum(times_in, 1)
    mean_out = np.where(~member, known, 0).sum(axis=0) / np.maximum(times_out, 1)
    both = (times_in > 0) & (times_out > 0)
    residuals = known - np.where(member, mean_in, mean_out)
    own_variance = np.square(residuals).sum(axis=0) / (len(known) - 2)
    # Halfway to the variance over all records, as few shadows tell little of a record's own.
    variance = (own_variance + own_variance.mean()) / 2
    gap = (mean_in - mean_out)[both]
    # By how much gaps would differ by chance alone, had all records the same.
    of_a_gap = variance * (1 / np.maximum(times_in, 1) + 1 / np.maximum(times_out, 1))
    chance = float(of_a_gap[both].mean())
    trust = max(0.0, 1 - chance / max(float(gap.var()), _TINY))
    gaps = np.full(member.shape[1], gap.mean())
    gaps[both] += trust * (gap - gap.mean())
    # Halfway between the two means, from the mean of all shadows, which holds both unevenly.
    middle = known.mean(axis=0) + gaps * (times_out - times_in) / (2 * len(known))
    ratio: np.ndarray = (score - middle) * gaps / np.maximum(variance, _TINY)
    return ratio
