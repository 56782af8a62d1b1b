"""One run instead of thousands: membership decided by coins, and the guesses counted.

The method is that of arXiv 2305.08846.

    >>> import pandas as pd
    >>> flips = coin_flip_split(pd.DataFrame({"x": range(1000)}), seed=1)
    >>> len(flips.train) + len(flips.holdout)
    1000

Fit on `flips.train` alone; score all records by any attack that does not look at `flips.member`;
then `one_run_audit`. The bound is about the guarantee for single records and holds with probability
1 - alpha over coins and noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.auditing.statistics.epsilon_bounds import one_run
from dpsynth.data.engines.files import Rows, open_rows, take_rows
from dpsynth.schema.table import Schema


@dataclass(frozen=True, eq=False)
class CoinFlips:
    """A table that was split by one coin for each row.

    Parameters
    ----------
    train, holdout : DataFrame or Arrow table
        The rows whose coin said yes, and no.
    member : ndarray of bool, shape (rows,)
        The coins, one for each row of the table.

    Examples
    --------
    >>> import pandas as pd
    >>> flips = coin_flip_split(pd.DataFrame({"x": range(100)}), seed=1)
    >>> len(flips.train) == flips.member.sum()
    np.True_
    """

    train: Rows
    holdout: Rows
    member: np.ndarray


@dataclass(frozen=True)
class OneRunResult:
    """What one run refutes.

    Parameters
    ----------
    epsilon_lower : float
        The lower bound on epsilon.
    canaries : int
        Records with a coin.
    guesses, right : int
        Records guessed at, and those of them that were guessed correctly.
    delta : float
        At which epsilon is bounded.
    alpha : float
        The chance that the bound is above the truth.

    Examples
    --------
    >>> import numpy as np
    >>> member = np.arange(1000) % 2 == 0
    >>> result = one_run_audit(member.astype(float), member, delta=1e-5)  # every guess is right
    >>> result.guesses, result.right, result.epsilon_lower > 3
    (200, 200, True)
    """

    epsilon_lower: float
    canaries: int
    guesses: int
    right: int
    delta: float
    alpha: float


def coin_flip_split(table: Any, *, seed: int, schema: Schema | None = None) -> CoinFlips:
    """Each row into training records or holdout by a fair coin of its own.

    Parameters
    ----------
    table : DataFrame, Arrow table or path, as `Synthesizer.fit` takes them
        One row for each person: a coin decides about a row.
    seed : int
        Of the coins: the secret of the audit.
    schema : Schema, optional
        Of the table: it says how a file is written, as where no line names the columns.

    Returns
    -------
    CoinFlips
    """
    rows = open_rows(table, schema)
    member = np.random.default_rng(seed).random(len(rows)) < 0.5
    train = take_rows(rows, np.flatnonzero(member))
    holdout = take_rows(rows, np.flatnonzero(~member))
    return CoinFlips(train, holdout, member)


def one_run_audit(
    scores: np.ndarray,
    member: np.ndarray,
    *,
    delta: float,
    guesses: int | None = None,
    alpha: float = 0.05,
) -> OneRunResult:
    """Guesses "member" for the highest scores and "not" for the lowest, and counts.

    Half of the guesses go to each side. Ties are broken by the order of the rows, which the coins
    do not know.

    Parameters
    ----------
    scores : ndarray of float, shape (records,)
        From an attack that saw no coin; higher for members.
    member : ndarray of bool, shape (records,)
        The coins.
    delta : float
        At which epsilon is bounded.
    guesses : int, optional
        Fixed beforehand; by default a fifth of the records.
    alpha : float
        The chance that the bound is above the truth.

    Returns
    -------
    OneRunResult

    Raises
    ------
    ValueError
        Scores and coins are not one for each record, or there are more guesses than records.
    """
    if scores.shape != member.shape or scores.ndim != 1 or not scores.size:
        raise ValueError(
            "scores and coins must be arrays with one entry for each record, got shapes"
            f" {scores.shape} and {member.shape}"
        )
    wanted = scores.size // 5 if guesses is None else guesses
    half = max(1, wanted // 2)
    if 2 * half > scores.size:
        raise ValueError(
            f"guesses must be at most the number of records, {scores.size}, got {guesses}"
        )
    order = np.argsort(scores, kind="stable")
    right_below = (~member[order[:half]]).sum()
    right_above = member[order[-half:]].sum()
    right = int(right_below + right_above)
    found = one_run(scores.size, 2 * half, right, delta, alpha)
    return OneRunResult(found, scores.size, 2 * half, right, delta, alpha)
