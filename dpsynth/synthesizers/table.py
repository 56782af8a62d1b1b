"""Synthesizer: the front door. It joins schema, ledger, mechanism and codecs; all privacy is theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.job import Job
from dpsynth.data.engines.files import open_source
from dpsynth.data.tables.codec import check_columns, codecs, schema_domain
from dpsynth.data.tables.magnitude import magnitude_table
from dpsynth.door.bounded import Bounded, bound_table
from dpsynth.door.table import PrivateTable
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant, accountant_for
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.bounds import bounds_cost, learn_bounds
from dpsynth.mechanisms.checkpoint import Checkpoint, check_place
from dpsynth.mechanisms.marginal.known import Marginal
from dpsynth.mechanisms.registry import mechanism_for, name_of
from dpsynth.models.base import Model
from dpsynth.schema.table import Numeric, Schema, SchemaError
from dpsynth.synthesizers.base import BaseSynthesizer, NamedLedger, NoLedger
from dpsynth.synthesizers.conditions import parse
from dpsynth.synthesizers.model_file import TABLE, built_table, model_digest, table_content
from dpsynth.synthesizers.plan import Plan, plan
from dpsynth.synthesizers.preflight import check_resumable, check_settings, check_size, told
from dpsynth.synthesizers.recorded import RecordedMarginal, recorded_arguments, recorded_marginals
from dpsynth.synthesizers.rows import draw_rows

Bounds = dict[str, tuple[float, float]]

_MOST_DEFAULT_ROWS = 20_000_000


class Synthesizer(BaseSynthesizer["Fitted"]):
    """Fit once under differential privacy, then sample any number of rows, which costs nothing more.

    schema: the public facts. mechanism: a name ("auto", "canopy", "aim", "mst", "independent", "dp-ctgan", "hybrid",
    "pate-gan") or a mechanism object; `settings` are those of the named one, as workload=Workload(target="income") of
    canopy and aim.
    "smartnoise:mst" and the like, and "external:" with command=[...], run programs that are not ours
    (docs/external-programs.md).
    known: Marginals that are public or were paid for elsewhere; canopy and aim start from them at no charge.
    epsilon, delta: what one fit spends, all of it. ledger: a Ledger, or the path of one; a path that does not exist
    becomes a ledger that holds exactly this budget. None says that nothing needs to remember what is spent. Left out,
    it is what `dpsynth.toml` names (docs/ledger.md), and where nothing does, a warning says so (NoLedgerWarning).
    purpose, approvals: what the fit is for and who approved it, {"ethics board": "case 2026/17"} say: recorded in the
    ledger, whose policy may ask for them.
    unsafe_seed: predictable noise for tests; the certificate says NOT PRIVATE.
    checkpoint: for dp-ctgan and hybrid on a ledger in a file, where the state of the training is kept until the fit is
    done. A fit that died goes on from there when it is asked for again with the same arguments and rows, under the
    charges that it began with.
    """

    KIND = TABLE
    FIT = "fit(data)"

    def __init__(
        self,
        schema: Schema,
        mechanism: str | Mechanism = "auto",
        *,
        epsilon: float,
        delta: float,
        ledger: NamedLedger | NoLedger = NoLedger.UNSTATED,
        known: Sequence[Marginal | RecordedMarginal] = (),
        purpose: str = "",
        approvals: Mapping[str, str] | None = None,
        unsafe_seed: int | None = None,
        checkpoint: str | Path | None = None,
        **settings: Any,
    ) -> None:
        self.schema = schema
        self.mechanism = mechanism
        self.epsilon = epsilon
        self.delta = delta
        self.ledger = ledger
        self.known = known
        self.purpose = purpose
        self.approvals = approvals
        self.unsafe_seed = unsafe_seed
        self.checkpoint = checkpoint
        self.settings = settings

    def fit(self, data: Any) -> Synthesizer:
        """Spends the budget on `data`: a DataFrame, an Arrow table, or the path of a .csv or .parquet file.

        Raises SchemaError, ValueError, PolicyRefusedError or BudgetExceededError before any row is read; never for a
        value. From the first row on, a fit that ends early leaves its whole reservation spent: RowsError, which tells
        nothing of them, when rows cannot be read (a broken file, no memory left), and TimeoutError or ChildProcessError
        when a program that is not ours fails. Of a file, the names of its columns are read before. With a checkpoint a
        fit can go on; CheckpointError, with nothing spent, says in one sentence why one cannot be resumed.
        """
        self._ask_who_pays()
        budget, mechanism = self._checked()
        source = open_source(data)
        check_columns(source.names, self.schema)
        if self.schema.unit.id_column not in (None, *source.names):
            raise SchemaError(
                f"the table lacks {self.schema.unit.id_column!r}, which says whose record a row is:"
                " add it, or choose another unit"
            )
        self._warn_of_a_new_place()
        accountant, checkpoint = self._begun(budget, mechanism)
        with accountant:
            accountant.begin()
            rows = bound_table(source.read, self.schema.unit)
            bounds = _kept_bounds(checkpoint, lambda: self._bounds(rows, accountant))
            domain = schema_domain(self.schema, bounds)
            table = PrivateTable.encoded(rows, codecs(self.schema, bounds), domain)
            model = mechanism.run(table, accountant, checkpoint)
            accountant.close(model_digest(self.schema, model, bounds))
        if checkpoint is not None:
            checkpoint.remove()
        self.fitted_ = Fitted(model, bounds, self._certify(accountant, mechanism, model, bounds))
        return self

    def plan(self, rows: int) -> Plan:
        """What `fit` would spend, and how noisy its answers would be, for a table of about so many rows.

        Opens no data and charges nothing. Raises what `fit` would raise before it reads anything.
        """
        budget, mechanism = self._checked()
        return plan(self.schema, mechanism, budget, rows)

    def sample(
        self,
        n: int | None = None,
        *,
        where: str | None = None,
        given: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """n synthetic rows, with the schema's columns and dtypes.

        By default as many as the noisy row count, or as were asked of a program that is not ours.

        where: rows that meet a condition only, as in 'age >= 65 and sex == "female"'. given: values of columns.
        seed: for a reproducible sample. Sampling is post-processing: any number of rows, any number of times, free.
        Raises ConditionError when the condition cannot be read or no row can meet it.
        """
        fitted = self._fitted()
        rows = _default_rows(fitted.model) if n is None else _row_count(n)
        terms = parse(where, given, self.schema)
        return draw_rows(fitted.model, self.schema, fitted.bounds, rows, terms, np.random.default_rng(seed))

    def _stored(self, fitted: Fitted) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        return table_content(self.schema, fitted.model, fitted.bounds)

    @classmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Synthesizer:
        schema, model, bounds, record = built_table(document, arrays)
        known = recorded_marginals(record)
        made = cls(schema, ledger=NoLedger.LOADED, known=known, **recorded_arguments(record))
        made.fitted_ = Fitted(model, bounds, Certificate(record))
        return made

    def _what(self) -> str:
        return repr(self.mechanism if isinstance(self.mechanism, str) else name_of(mechanism_for(self.mechanism, {})))

    def _checked(self) -> tuple[Budget, Mechanism]:
        """Budget and mechanism, once all that public facts can refuse is refused."""
        budget = self._budget()
        mechanism = mechanism_for(self.mechanism, self.settings)
        budget = mechanism.budget(self.epsilon, self.delta)
        self.schema.refuse_text()
        check_size(self.schema)
        mechanism = told(mechanism, self.known, self.schema)
        check_settings(mechanism, self.schema)
        if self.checkpoint is not None:
            check_place(Path(self.checkpoint), self._ledger)
            check_resumable(mechanism, self.unsafe_seed)
        return budget, mechanism

    def _accountant(self, budget: Budget, mechanism: Mechanism) -> Accountant:
        job = Job(name_of(mechanism), self.purpose, self.approvals or {}, self.schema.fingerprint())
        reserve = mechanism.reserve(budget)
        return accountant_for(
            self._ledger, self.schema.unit, budget, job, reserve=reserve, unsafe_seed=self.unsafe_seed
        )

    def _begun(self, budget: Budget, mechanism: Mechanism) -> tuple[Accountant, Checkpoint | None]:
        """A new run, or the one whose state lies in the checkpoint."""
        if self.checkpoint is None:
            return self._accountant(budget, mechanism), None
        path, job = Path(self.checkpoint), {"purpose": self.purpose, "approvals": dict(self.approvals or {})}
        facts = {"schema": self.schema.fingerprint(), "mechanism": name_of(mechanism), **asdict(budget), **job}
        facts |= {f"setting {name}": value for name, value in mechanism.settings().items()}
        named = self._ledger
        if path.exists() and named is not None:
            ledger = named if isinstance(named, Ledger) else Ledger.open(named)
            checkpoint, accountant = Checkpoint.read(path, {**facts, "account": ledger.key}, ledger)
            return accountant, checkpoint
        accountant = self._accountant(budget, mechanism)
        return accountant, Checkpoint(path, {**facts, "account": accountant.ledger.key}, accountant)

    def _bounds(self, rows: Bounded, accountant: Accountant) -> Bounds:
        wanted = {name: c for name, c in self.schema.columns.items() if isinstance(c, Numeric) and not c.bounded}
        if not wanted:
            return {}
        markers = {name: c.missing_marker for name, c in wanted.items()}
        table = magnitude_table(rows, markers)
        return learn_bounds(table, wanted, accountant, bounds_cost(accountant.cost_left))

    def _certify(self, accountant: Accountant, mechanism: Mechanism, model: Model, bounds: Bounds) -> Certificate:
        return Certificate.issue(
            schema=self.schema,
            ledger=accountant.ledger,
            run=accountant.run,
            mechanism=name_of(mechanism),
            settings=mechanism.settings(),
            bounds=bounds,
            released=mechanism.released(model),
            cautions=mechanism.cautions,
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit leaves behind: public from here on."""

    model: Model
    bounds: Bounds
    certificate: Certificate


def _kept_bounds(checkpoint: Checkpoint | None, learned: Callable[[], Bounds]) -> Bounds:
    """Bounds as they were learned, by this process or by the one that it goes on from."""
    if checkpoint is None:
        return learned()
    if not checkpoint.resumed:
        checkpoint.values["bounds"] = learned()
    with checkpoint.reading():
        return {name: (float(low), float(high)) for name, (low, high) in checkpoint.values["bounds"].items()}


def _default_rows(model: Model) -> int:
    rows = round(model.total)
    if rows > _MOST_DEFAULT_ROWS:
        raise ValueError(f"the noisy row count is {rows:,}, mostly noise perhaps: say how many rows you want, with n")
    return rows


def _row_count(n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"n must be a whole number of rows, 0 or more, got {n!r}")
    return int(n)
