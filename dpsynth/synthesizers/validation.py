"""Validation: an analysis that was made on a release, run on the real rows by a charge.

The question is fixed beforehand, and public. One charge counts the real rows in the cells that the
question tells apart, with noise; all else follows from these counts. So nothing in the result
depends on the rows but by that charge, which names the question in the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.base.numbers import positive
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.codec import Codec, codecs, schema_domain
from dpsynth.data.tables.records import record_codings
from dpsynth.door.bounded import Bounded
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget, affordable
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.models.base import ConditionError, Model, RoughMeasurement
from dpsynth.models.distances import choose_bins
from dpsynth.models.roc import best_number
from dpsynth.models.span import MAX_CELLS, Span
from dpsynth.schema.table import Numeric
from dpsynth.synthesizers.answering import check_level, rows_of_model
from dpsynth.synthesizers.answers import Estimate
from dpsynth.synthesizers.asked_cells import AskedCells, NotMeasuredError
from dpsynth.synthesizers.measured_answers import MeasuredAnswers
from dpsynth.synthesizers.model_answers import RowAnswers
from dpsynth.synthesizers.paid_look import PaidLook, close, opened
from dpsynth.synthesizers.preflight import check_budget
from dpsynth.synthesizers.questions import EXAMPLE, Question
from dpsynth.synthesizers.table import Synthesizer
from dpsynth.synthesizers.validated import Compared, Validation, Verdict

NAME = "validate"
"""What the ledger and its policy call this mechanism."""

_Z = 1.645
"""Standard deviations by which the number of groups of scores is chosen, whatever the level."""


def validate(
    analysis: str | Sequence[str],
    release: Synthesizer | str | Path,
    real: Any,
    *,
    within: float,
    epsilon: float,
    delta: float,
    ledger: Ledger | str | Path | None,
    level: float = 0.9,
    purpose: str = "",
    approvals: Mapping[str, str] | None = None,
    unsafe_seed: int | None = None,
) -> Validation:
    """Runs an analysis of a release on the real rows, by a charge, and says whether both agree.

    Each question has its own charge, and an even part of the budget. The charge counts rows in the
    cells that the question tells apart, with the bounds and cells of the release.

    Parameters
    ----------
    analysis : str or sequence of str
        Questions as `Synthesizer.answer` takes them, fixed before the real rows are looked at.
    release : Synthesizer, str or Path
        The fitted synthesizer, or its file. Its answers are those of rows drawn from it.
    real : DataFrame, Arrow table, str or Path
        The private rows, or a file of them.
    within : float
        How far the answers may be apart, above 0, in their own unit.
    epsilon, delta : float
        What it spends.
    ledger : Ledger, str, Path or None
        The account of the data, which exists already. None: nothing records the spending.
    level : float
        How often an interval holds the truth, from 0.5 to below 1.
    purpose : str
        What it is for. The ledger records it, and its policy may ask for it.
    approvals : mapping of str to str or None
        Who approved it, with a reference. Recorded likewise.
    unsafe_seed : int or None
        A seed that makes the noise predictable, for tests only.

    Returns
    -------
    Validation
        A verdict for each number, with an interval of the difference.

    Raises
    ------
    ConditionError, NotMeasuredError, SchemaError, PolicyRefusedError, BudgetExceededError
        Before any row is read; never because of a value in a row.
    RowsError
        When the rows cannot be read. What was reserved is spent.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Boolean, Numeric, Schema, Synthesizer
    >>> schema = Schema({"age": Numeric(0, 99, integer=True), "smoker": Boolean()})
    >>> rows = pd.DataFrame({"age": [34, 61, 47, 82] * 1000, "smoker": [True, False] * 2000})
    >>> synth = Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(rows)
    >>> asked = {"within": 0.05, "epsilon": 0.5, "delta": 1e-6, "ledger": None}
    >>> validate("share(age >= 65)", synth, rows, **asked).verdict
    'agrees'
    """
    made = release if isinstance(release, Synthesizer) else Synthesizer.load(release)
    origin, schema = made.origin, made.schema
    looks = _looks(analysis, AskedCells(origin.schema, origin.bounds))
    tolerance = positive("within, in the unit of the answers,", within)
    check_level(level)
    budget = Budget(epsilon, delta)
    check_budget(budget, len(looks))
    noise = _noise(affordable(budget) // len(looks), schema.unit)
    looks = [_merged(look, origin.model, noise) for look in looks]
    source = opened(real, schema, schema.unit)
    recoding = recoding_of(origin.schema)
    source = source.changed(recoding.encoded, recoding.needed)
    said = _said(rows_of_model(origin, made.certificate.record), looks)
    paid = PaidLook(NAME, schema, schema.unit, budget, ledger, purpose, approvals, unsafe_seed)
    with paid.rows(source, record_codings(recoding_of(schema).modelled)) as (accountant, rows):
        domain = schema_domain(recoding.modelled, origin.bounds)
        table = _table(rows, looks, codecs(recoding.modelled, origin.bounds), domain)
        parts: list[Compared] = []
        cost = accountant.cost_left // len(looks)
        for look, of_release in zip(looks, said, strict=True):
            span = Span(domain, [look.counted(table, accountant, cost)])
            found = MeasuredAnswers(span, look.cells, schema.unit, level).estimates(look.asked)
            pairs = zip(found, of_release, strict=True)
            parts += [_compared(look.asked, each, other, tolerance) for each, other in pairs]
        validation = Validation(budget, tolerance, level, tuple(parts))
        close(accountant, validation.record())
    return validation


@dataclass(frozen=True, eq=False)
class _Look:
    """A question, and the groups of cells that it tells apart."""

    asked: Question
    cells: AskedCells
    clique: Clique
    groups: tuple[np.ndarray, ...]

    def counted(self, table: PrivateTable, accountant: Accountant, cost: int) -> RoughMeasurement:
        """The rows in these groups, by one charge that names the question."""
        coarse = table.coarsen(dict(zip(self.clique, self.groups, strict=True)))
        answer = coarse.marginals([self.clique])[self.clique]
        charge = accountant.charge(Gaussian.spending(cost), f"validate {self.asked.text}")
        values, stddev = charge.gaussian(answer)
        return RoughMeasurement(self.clique, self.groups, values, float(np.max(stddev)))


def _looks(analysis: str | Sequence[str], cells: AskedCells) -> list[_Look]:
    """The questions, each with its cells; ConditionError for one that cannot be counted."""
    texts = [analysis] if isinstance(analysis, str) else analysis
    if not isinstance(texts, list | tuple) or not texts:
        got = "none" if isinstance(texts, list | tuple) else type(texts).__name__
        raise ConditionError(
            f"an analysis is a question, or a list of one or more, got {got}: {EXAMPLE}"
        )
    return [_look(Question.read(text), cells) for text in texts]


def _look(asked: Question, cells: AskedCells, scores: np.ndarray | None = None) -> _Look:
    try:
        told = cells.told_apart(asked, scores)
    except NotMeasuredError:
        raise NotMeasuredError(repr(asked.text)) from None
    groups = {
        name: np.unique(np.column_stack(vectors), axis=0, return_inverse=True)[1].ravel()
        for name, vectors in told.items()
    }
    size = math.prod(int(group.max()) + 1 for group in groups.values())
    if size > MAX_CELLS:
        raise ConditionError(
            f"{asked.text!r} tells {size:,} combinations of values apart, and {MAX_CELLS:,} is the"
            " most: ask about fewer columns"
        )
    clique = tuple(n for n in recoding_of(cells.schema).modelled.coded if n in groups)
    return _Look(asked, cells, clique, tuple(groups[name] for name in clique))


def _noise(cost: int, unit: PrivacyUnit) -> float:
    """The standard deviation of the noise of each count of a question, in rows."""
    return Gaussian.spending(cost).noise_multiplier * unit.count_sensitivity(2)[1]


def _merged(look: _Look, model: Model, stddev: float) -> _Look:
    """The question with its scores in as many groups as are best at this noise, by the model."""
    asked, cells = look.asked, look.cells
    if asked.kind != "auc":
        return look
    name = cells.column(asked.of[1], Numeric)
    outcome, met, other = cells.either(asked.of[0])
    held = model.project((outcome,))
    present = int(cells.present(name).sum())
    number = best_number(float(held @ met), float(held @ other), stddev, _Z, present)
    counts = np.rint(np.maximum(model.project((name,)), 0)).astype(np.int64)
    scores = choose_bins(counts, present, max(number, 3) + counts.size - present)
    return _look(asked, cells, scores)


def _said(drawn: RowAnswers, looks: Sequence[_Look]) -> list[list[Estimate]]:
    """What the release says; ConditionError where that is nothing to compare with."""
    found = []
    for look in looks:
        found.append(drawn.estimates(look.asked))
        if all(math.isnan(each.value) for each in found[-1]):
            raise ConditionError(
                f"the release has no rows that answer {look.asked.text!r}, and nothing to compare"
                " with: ask about more rows"
            )
    return found


def _table(
    rows: Bounded, looks: Sequence[_Look], everything: Mapping[str, Codec], domain: Domain
) -> PrivateTable:
    """The columns of all questions, read once."""
    asked = domain.ordered({name for look in looks for name in look.clique})
    own = {name: everything[name] for name in asked}
    return PrivateTable.encoded(rows, own, domain.project(asked))


def _compared(asked: Question, real: Estimate, said: Estimate, within: float) -> Compared:
    low, high = real.privacy_interval or (-math.inf, math.inf)
    apart = (low - said.value, high - said.value)
    verdict: Verdict = "undecided"
    if -within <= apart[0] and apart[1] <= within:
        verdict = "agrees"
    elif apart[0] > within or apart[1] < -within:
        verdict = "disagrees"
    return Compared(asked.text, said.value, real.value, apart, verdict, real.group)
