"""The laws of mechanisms, each tried on made-up tables."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.data.tables.codec import decode_frame, schema_domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import Part
from dpsynth.mechanisms.base import Bare, Mechanism
from dpsynth.models.base import Model
from dpsynth.schema.table import Boolean, Categorical, Numeric, Schema
from dpsynth.synthesizers.table import Synthesizer
from dpsynth.testing.blind import BlindAccountant

SCHEMA = Schema(
    {
        "age": Numeric(0, 100, integer=True),
        "sex": Categorical(["f", "m", "x"]),
        "job": Categorical([f"job {i}" for i in range(15)]),
        "flag": Boolean(),
        "one": Categorical(["always"]),
    }
)
"""Of the made-up tables that `check_mechanism` fits where no other is given."""

_UNSPENT = 1e-9
"""Of the budget: whole numbers leave no more over where costs are shared out."""

_CRUMBS = 1e-6
"""Of the noise: what rounding leaves of other shares goes to the last one."""

_ROWS = 600


def check_mechanism(
    mechanism: Any,
    /,
    *,
    schema: Schema = SCHEMA,
    epsilon: float = 1.0,
    delta: float = 1e-6,
    **settings: Any,
) -> None:
    """Tries the laws of mechanisms on made-up tables; returns where none is broken.

    * What comes out depends on the rows through charges only: two unrelated tables, of which every
      charge gives the same made-up answers, lead to one model, one sample, one outcome, one ledger
      and one log.
    * A fit spends its budget: no more, and no less but for rounding.
    * Any table can be fitted and sampled, one without rows and one of a single row among them; what
      the model says of columns and pairs agrees.
    * A fit charges what its `allocation` says: as often, and with as much noise.
    * A model that was saved and loaded draws the same rows.

    A mechanism that passes may still break the first law in a case that these tables do not
    reach. `dpsynth.DPAuditor` looks further, for what its noise gives away.

    Parameters
    ----------
    mechanism : Mechanism, type, or any object with `fit`
        A mechanism, or the class of one.
    schema : Schema
        Of the tables that it is tried on; with public bounds.
    epsilon, delta : float
        The budget of each fit.
    **settings
        Of the mechanism, where a class is given.

    Raises
    ------
    AssertionError
        With a line for each law that is broken.

    Examples
    --------
    >>> from dpsynth.mechanisms.marginal.independent import Independent
    >>> check_mechanism(Independent, total_share=0.1)
    """
    made = mechanism(**settings) if isinstance(mechanism, type) else mechanism
    if settings and made is mechanism:
        raise TypeError("settings are for a class: give the class, or the object without settings")
    if not isinstance(made, Mechanism):
        made = Bare(made)
    trial = _Trial(made, schema, made.budget(epsilon, delta))
    laws: dict[str, Callable[[], Iterator[str]]] = {
        "what comes out depends on the rows through charges only": trial.blind,
        "a fit spends its budget": trial.spending,
        "any table can be fitted and sampled": trial.edges,
        "a fit charges what its allocation says": trial.planned,
        "a saved model draws the same rows": trial.saved,
    }
    found = [f"{law}: {fault}" for law, faults in laws.items() for fault in _caught(faults)]
    if found:
        raise AssertionError("\n".join([f"{made.name} breaks a law of mechanisms", *found]))


def _caught(faults: Callable[[], Iterator[str]]) -> list[str]:
    """The faults; one more where the mechanism raises."""
    found = []
    try:
        for fault in faults():
            found.append(fault)  # those before the exception are kept
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
    return found


class _Trial:
    """One mechanism, what it is tried on, and a method for each law, which yields faults."""

    def __init__(self, mechanism: Mechanism, schema: Schema, budget: Budget) -> None:
        self.mechanism, self.schema, self.budget = mechanism, schema, budget
        self.domain = schema_domain(schema)

    def blind(self) -> Iterator[str]:
        """Two unrelated tables of different length."""
        one, other = (
            outcome(
                self.mechanism,
                PrivateTable.from_codes(made_up(self.domain, rows, seed), self.domain),
                BlindAccountant(self.budget, reserve=self._reserve()),
            )
            for rows, seed in ((10, 1), (5 * _ROWS, 2))
        )
        for name, value in one.items():
            if value != other[name]:
                yield f"two tables of which no charge sees anything differ in the {name}"

    def spending(self) -> Iterator[str]:
        for adjacency in ("add-remove", "replace"):
            unit = PrivacyUnit(max_records=2, adjacency=adjacency)
            accountant = self._accountant()
            self.mechanism.fit(self._table(unit=unit), accountant)
            spent = accountant.spent().epsilon
            if not self.budget.epsilon * (1 - _UNSPENT) <= spent <= self.budget.epsilon:
                yield f"epsilon {spent:.12g} of {self.budget.epsilon:g} is spent ({adjacency})"

    def edges(self) -> Iterator[str]:
        alike = {a: np.zeros(_ROWS, dtype=np.int64) for a in self.domain.attributes}
        tables = {f"{n} rows": made_up(self.domain, n, 3) for n in (0, 1, _ROWS)}
        for what, codes in {**tables, "rows that are all alike": alike}.items():
            table = PrivateTable.from_codes(codes, self.domain)
            model = self.mechanism.fit(table, self._accountant())
            yield from (f"{fault}, after a fit to {what}" for fault in self._faults_of(model))

    def planned(self) -> Iterator[str]:
        settled = tuple(self.mechanism.settled(self.budget))
        for related in (False, True):
            accountant = self._accountant()
            said = self.mechanism.allocation(accountant.cost_left, self.domain, settled)
            self.mechanism.fit(self._table(related), accountant)
            lines = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
            noises = [
                line["event"]["noise_multiplier"]
                for line in lines
                if line["event"]["event"] == "gaussian"
            ]
            yield from _beside(said.parts, noises)

    def saved(self) -> Iterator[str]:
        rows = decode_frame(
            made_up(self.domain, _ROWS, 4), self.schema, {}, np.random.default_rng(4)
        )
        fitted = Synthesizer(
            self.schema,
            self.mechanism,
            epsilon=self.budget.epsilon,
            delta=self.budget.delta,
            ledger=None,
        ).fit(rows)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.dpsynth"
            fitted.save(path)
            again = Synthesizer.load(path).sample(50, seed=1)
        if not again.equals(fitted.sample(50, seed=1)):
            yield "with one seed, it draws others after it was saved and loaded"

    def _reserve(self) -> list[Event] | None:
        return self.mechanism.reserve(self.budget)

    def _accountant(self) -> Accountant:
        return Accountant(self.budget, reserve=self._reserve())

    def _table(self, related: bool = True, unit: PrivacyUnit | None = None) -> PrivateTable:
        codes = made_up(self.domain, _ROWS, 5, related=related)
        return PrivateTable.from_codes(codes, self.domain, unit)

    def _faults_of(self, model: Model) -> Iterator[str]:
        """What a model says of numbers of rows, of codes, and of pairs and columns."""
        if not model.total >= 1:
            yield f"the model has {model.total} rows in total, and 1 or more are wanted"
        for n in (0, 1, 100):
            codes = model.sample(n, np.random.default_rng(0))
            if list(codes) != list(self.domain.attributes):
                yield f"the sample has the columns {list(codes)}"
                return
            for a, size in self.domain.sizes:
                if len(codes[a]) != n or np.any((codes[a] < 0) | (codes[a] >= size)):
                    yield f"a sample of {n} rows has {len(codes[a])} codes of {a!r}, or wrong ones"
        near = 1e-6 * max(1.0, model.total)
        for a, b in itertools.permutations(self.domain.attributes, 2):
            pair = model.project((a, b))
            sums = pair.sum(axis=1) if pair.shape == self.domain.shape((a, b)) else np.nan
            if not np.all(pair >= 0) or not np.allclose(sums, model.project((a,)), atol=near):
                yield f"the pair {a!r} x {b!r} does not agree with the column {a!r}"


def _beside(parts: Sequence[Part], noises: Sequence[float]) -> Iterator[str]:
    """Where the noise of the charges of a fit is not that of the parts of its allocation."""
    ranges = [(part, *_multipliers(part)) for part in parts]
    for noise in noises:
        if not any(least <= noise <= most for _, least, most in ranges):
            yield f"a charge has the noise multiplier {noise:.6g}, which no part of it has"
    for part, least, most in ranges:
        seen = sum(least <= noise <= most for noise in noises)
        if seen < part.charges[0]:
            yield f"{seen} charges have the noise of {part.what!r}, and {part.charges[0]} are said"
    fewest, highest = (sum(part.charges[i] for part in parts) for i in (0, 1))
    if not fewest <= len(noises) <= highest:
        yield f"{len(noises)} charges are made, and {fewest} to {highest} are said"


def _multipliers(part: Part) -> tuple[float, float]:
    """The least and the most noise that the part's cost buys, as multipliers."""
    costs = reversed(part.costs)
    least, most = (Gaussian.spending(c).noise_multiplier if c else math.inf for c in costs)
    return least * (1 - _CRUMBS), most * (1 + _CRUMBS)


def made_up(domain: Domain, rows: int, seed: int, *, related: bool = True) -> dict[str, np.ndarray]:
    """Codes of made-up rows, by column.

    Parameters
    ----------
    domain : Domain
        Of the columns.
    rows : int
        How many.
    seed : int
        Of all randomness.
    related : bool
        Whether each column is most often what the one before it is, as far as their sizes allow.

    Returns
    -------
    dict of str to ndarray
    """
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    before: tuple[np.ndarray, int] | None = None
    for a, size in domain.sizes:
        codes = rng.integers(0, size, rows)
        if related and before is not None:
            codes = np.where(rng.random(rows) < 0.8, before[0] * size // before[1], codes)
        found[a], before = codes, (codes, size)
    return found


def outcome(mechanism: Mechanism, table: PrivateTable, accountant: Accountant) -> dict[str, str]:
    """All that a fit lets out, each part as text that can be compared.

    Parameters
    ----------
    mechanism : Mechanism
        What is fitted.
    table : PrivateTable
        What it is fitted to.
    accountant : Accountant
        What charges; a `BlindAccountant`, where two tables are to be told apart or not.

    Returns
    -------
    dict of str to str
        The model's pairs, a sample, what is said for the certificate, the ledger's lines, and what
        the logger "dpsynth" was told.
    """
    with _log_kept() as said:
        model = mechanism.fit(table, accountant)
    cliques = [(), *itertools.combinations(table.domain.attributes, 2)]
    rows = model.sample(200, np.random.default_rng(0))
    return {
        "model": repr([model.project(clique).tolist() for clique in cliques]),
        "sample": repr({a: codes.tolist() for a, codes in rows.items()}),
        "outcome": repr((getattr(model, "outcome", ""), mechanism.released(model))),
        "ledger": repr(accountant.ledger.entries()),
        "log": repr([(record.name, record.levelno, record.getMessage()) for record in said]),
    }


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record)


@contextlib.contextmanager
def _log_kept() -> Iterator[list[logging.LogRecord]]:
    """What the logger "dpsynth" is told while the block runs, at all levels."""
    keeper = _Keeper()
    log = logging.getLogger("dpsynth")
    before = log.level
    log.addHandler(keeper)
    log.setLevel(logging.DEBUG)
    try:
        yield keeper.said
    finally:
        log.removeHandler(keeper)
        log.setLevel(before)
