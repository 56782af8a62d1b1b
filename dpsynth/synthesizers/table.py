"""Synthesizer: what users call. It joins schema, ledger, mechanism and codecs in a fit; what needs
no rows is in `fitted_table`.

The rings protect privacy, not this file: here nothing is read, noised or charged except through
them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.base.job import Job
from dpsynth.base.places import expanded
from dpsynth.base.progress import stage
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.engines.files import Source
from dpsynth.data.tables.codec import codecs, schema_domain
from dpsynth.data.tables.periods import period_codings
from dpsynth.data.tables.records import record_codings
from dpsynth.door.bounded import bound_table
from dpsynth.door.table import PrivateTable
from dpsynth.evidence.certificate import Certificate
from dpsynth.evidence.undeclared import cautions
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.checkpoint import Checkpoint, check_place
from dpsynth.mechanisms.discovered import Search, search
from dpsynth.mechanisms.heaps import with_heaps
from dpsynth.mechanisms.marginal.known import Marginal
from dpsynth.mechanisms.registry import TABLES, mechanism_for, name_of
from dpsynth.mechanisms.tails import with_magnitudes
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.account import accountant_for, budget_of_account, rehearsal
from dpsynth.synthesizers.base import CautionWarning, NamedLedger, NoLedger
from dpsynth.synthesizers.feasible import refuse_unkeepable
from dpsynth.synthesizers.fitted import Fitted, certified
from dpsynth.synthesizers.fitted_table import FittedTable
from dpsynth.synthesizers.holdback import check_holdback, holdback_cost, look_held_back
from dpsynth.synthesizers.looks import Categories, Looking
from dpsynth.synthesizers.model_file import TABLE, built_table, in_stored_form, model_digest
from dpsynth.synthesizers.paid_look import opened
from dpsynth.synthesizers.plan import plan
from dpsynth.synthesizers.planned import Plan
from dpsynth.synthesizers.preflight import (
    check_budget,
    check_counts,
    check_names,
    check_repeating,
    check_resumable,
    check_settings,
    check_size,
    with_prior,
    with_prior_of_found,
)
from dpsynth.synthesizers.recoded_plan import in_own_units
from dpsynth.synthesizers.recorded import RecordedMarginal, recorded_arguments, recorded_marginals


class Synthesizer(FittedTable):
    """Synthetic rows of a table: fit once under differential privacy, then sample freely.

    Parameters
    ----------
    schema : Schema, str, Path or mapping
        The public facts: columns, their bounds and categories, and whom to protect. Or the path of
        its file, or what that file holds.
    mechanism : str or Mechanism
        A name ("auto", "canopy", "aim", "mst", "independent", "dp-ctgan", "hybrid", "pate-gan") or
        an object. "smartnoise:mst" and the like, and "external:" with `command=[...]`, run
        programs that are not ours (docs/external-programs.md).
    epsilon, delta : float
        The privacy budget, all of which one fit spends.
    ledger : Ledger, str, Path or None
        The ledger that records the spending, or its path. A path that does not exist becomes a
        ledger with exactly this budget. None: nothing records it. Left out, it is the one that
        dpsynth.toml names (docs/ledger.md); where none does, `fit` shows a NoLedgerWarning.
    known : sequence of Marginal
        Marginals that are public or were paid for elsewhere. canopy and aim start from them at no
        charge.
    purpose : str
        What the fit is for. The ledger records it, and its policy may ask for it.
    approvals : mapping of str to str or None
        Who approved it, with a reference: {"ethics board": "case 2026/17"}. Recorded likewise.
    unsafe_seed : int or None
        A seed that makes the noise predictable, for tests only: the certificate says NOT PRIVATE.
    checkpoint : str, Path or None
        Where dp-ctgan and hybrid keep the state of the training until the fit is done; the ledger
        must be a file. A fit that died goes on from there, under the charges that it began with,
        when it is called again with the same arguments and rows.
    holdback : float
        The part of the budget, from 0 to 0.5, that is held back from the model, and measures how
        far the rows are from it once it is fixed: a figure on what it was not fitted to, for the
        certificate. 0.05 is usual; for canopy, aim, mst and independent.
    **settings : object
        Settings of the mechanism, such as `workload=Workload(target="income")` of canopy and aim.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Boolean, Numeric, Schema, Synthesizer
    >>> schema = Schema({"age": Numeric(0, 120, integer=True), "smoker": Boolean()})
    >>> patients = pd.DataFrame({"age": [34, 61, 47, 82] * 250, "smoker": [True, False] * 500})
    >>> synth = Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(patients)
    >>> rows = synth.sample(100, where="age >= 65")
    >>> rows.shape, bool((rows["age"] >= 65).all())
    ((100, 2), True)
    """

    KIND = TABLE
    FIT = "fit(data)"

    def __init__(
        self,
        schema: Schema | str | Path | Mapping[str, Any],
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
        holdback: float = 0.0,
        **settings: Any,
    ) -> None:
        if isinstance(mechanism, str) and ledger is not NoLedger.LOADED:
            TABLES.entry(mechanism)
        self.schema = Schema.of(schema)
        self.mechanism = mechanism
        self.epsilon = epsilon
        self.delta = delta
        self.ledger = ledger
        self.known = known
        self.purpose = purpose
        self.approvals = approvals
        self.unsafe_seed = unsafe_seed
        self.checkpoint = checkpoint
        self.holdback = holdback
        self.settings = settings

    def fit(self, data: Any) -> Synthesizer:
        """Learns from the rows, and spends the whole budget.

        The column names of a file are read beforehand, to compare them with the schema. From the
        first row on, a fit that ends early leaves its whole reservation spent. A column that was
        hardly read as declared, by counts that were paid for, is told by a `CautionWarning`.

        Parameters
        ----------
        data : DataFrame, Arrow table, str or Path
            The private rows; a DataFrame of Spark, which is counted where it lies; another frame or
            table that narwhals knows; or the path of a file, a folder or a pattern of files
            (docs/values.md says of which kinds).

        Returns
        -------
        Synthesizer
            This object, fitted.

        Raises
        ------
        SchemaError, ValueError, PolicyRefusedError, BudgetExceededError
            Before any row is read; never because of a value in a row.
        CheckpointError
            Where the checkpoint cannot be resumed; nothing is spent.
        RowsError
            When the rows cannot be read (a broken file, no memory left). It says nothing about
            them. The reservation is spent.
        TimeoutError, ChildProcessError
            When a program that is not ours fails. The reservation is spent.
        """
        self._ask_who_pays()
        paid, mechanism = self._checked()
        source = self._opened(data)
        check_counts(mechanism, source.spread is not None)
        self._warn_of_a_new_place()
        accountant, checkpoint = self._begun(paid, mechanism)
        with accountant:
            stage("reading the rows")
            accountant.begin()  # a fit that fails from here on stays paid for
            records = record_codings(self._modelled)
            dates = period_codings(self.schema)
            rows = bound_table(source.for_the_door(), self.schema.unit, dates, records)
            looking = Looking(self.schema, rows, accountant, mechanism.gaussian, checkpoint)
            kept = holdback_cost(accountant.cost_left, self.holdback)
            with accountant.keeping(kept):
                looks = looking.looks()
                bounds, modelled = looks.bounds, looks.modelled
                domain = schema_domain(modelled, bounds)
                table = PrivateTable.encoded(rows, codecs(modelled, bounds), domain)
                mechanism = self._ready(mechanism, looks.found)
                stage(f"measuring and modelling with {name_of(mechanism)}")
                model = in_stored_form(mechanism.run(table, accountant, checkpoint))
            model = with_magnitudes(model, modelled, looks.learned)
            model = with_heaps(model, modelled, bounds, looks.seen)
            held = look_held_back(model, table, accountant, kept) if kept else None
            inside, people, found = looks.inside(model), looks.people, looks.found
            accountant.close(model_digest(self.schema, model, bounds, inside, people, found))
        if checkpoint is not None:
            checkpoint.remove()
        stage("writing the certificate")
        certificate = certified(
            self.schema, accountant, mechanism, looks, model, self.holdback, held
        )
        self.fitted_ = Fitted(model, bounds, certificate, inside, people, found)
        for sentence in cautions(self.certificate.record["released"]):
            warnings.warn(sentence.removeprefix("CAUTION: "), CautionWarning, stacklevel=2)
        return self

    def plan(self, rows: int) -> Plan:
        """What `fit` would spend, and how noisy its answers would be.

        It opens no data and charges nothing.

        Parameters
        ----------
        rows : int
            About how many rows the table has, 1 or more: a guess, never counted from private rows.

        Returns
        -------
        Plan
            The charges, their noise, and about how long the fit would take.

        Raises
        ------
        SchemaError, ValueError, BudgetExceededError
            As `fit` would before it reads anything.
        """
        paid, mechanism = self._checked()
        repeats = bool(self.schema.repeating)
        made = plan(self._modelled, mechanism, paid, rows, repeats, self.holdback)
        return in_own_units(made, recoding_of(self.schema))

    def rehearse(self) -> None:
        """Raises what `fit` would before it opens the data; otherwise does nothing.

        The run is reserved in a copy of the account's lines in memory, and so refused as `fit`
        would be: no data is opened, no ledger is made or changed.

        Raises
        ------
        SchemaError, ValueError, BudgetExceededError
            As `fit` would before it reads anything.
        """
        paid, mechanism = self._checked()
        self._accountant(paid, mechanism, rehearsal(self.named_ledger)).close()

    @classmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Synthesizer:
        schema, model, bounds, inside, people, found, record = built_table(document, arrays)
        known = recorded_marginals(record)
        made = cls(schema, ledger=NoLedger.LOADED, known=known, **recorded_arguments(record))
        made.fitted_ = Fitted(model, bounds, Certificate(record), inside, people, found)
        return made

    @property
    def _modelled(self) -> Schema:
        """The columns that a fit reads, some of which stand for those with constraints."""
        return recoding_of(self.schema).modelled

    def _what(self) -> str:
        if isinstance(self.mechanism, str):
            return repr(self.mechanism)
        return repr(name_of(mechanism_for(self.mechanism, {})))

    def _checked(self) -> tuple[Search, Mechanism]:
        """What is paid, and by which mechanism, after every check that needs public facts only."""
        self._budget()
        mechanism = mechanism_for(self.mechanism, self.settings)
        budget = mechanism.budget(self.epsilon, self.delta)  # some keep a part of it for a program
        self.schema.refuse_text()
        self.schema.refuse_identifying()
        check_size(self._modelled)
        refuse_unkeepable(self.schema)
        check_settings(mechanism, self._modelled)
        check_holdback(self.holdback, mechanism, budget)
        mechanism = with_prior(mechanism, self.known, self._modelled)
        check_repeating(mechanism, self.schema)
        check_names(self.schema)
        if self.checkpoint is not None:
            check_place(expanded(self.checkpoint), self.named_ledger)
            check_resumable(mechanism, self.unsafe_seed)
        return self._searching(budget), mechanism

    def _searching(self, budget: Budget) -> Search:
        """The budget, and what of it finds the categories that the schema leaves open."""
        if not self.schema.open:
            return search(self.schema, budget, None)
        check_budget(budget)
        account = budget_of_account(self.named_ledger, self.purpose)
        return search(self.schema, budget, account)

    def _ready(self, mechanism: Mechanism, found: Categories) -> Mechanism:
        """The mechanism, with what is known of columns over the categories that were found."""
        if not found or not self.known:
            return mechanism
        bare = mechanism_for(self.mechanism, self.settings)
        return with_prior_of_found(bare, self.known, self._modelled, found)

    def _opened(self, data: Any) -> Source:
        """The data, with the columns of the schema, to be recoded when read. No row is read."""
        source = opened(data, self.schema, self.schema.unit)
        recoding = recoding_of(self.schema)
        return source.changed(recoding.encoded, recoding.needed)

    def _accountant(self, paid: Search, mechanism: Mechanism, ledger: NamedLedger) -> Accountant:
        fingerprint = self.schema.fingerprint()
        return accountant_for(
            ledger,
            self.schema.unit,
            paid.budget,
            Job(
                name_of(mechanism),
                self.purpose,
                self.approvals or {},
                fingerprint,
                reading=self.schema.reading_of_units(),
            ),
            reserve=paid.reserved(mechanism.reserve(paid.rest)),
            unsafe_seed=self.unsafe_seed,
        )

    def _begun(self, paid: Search, mechanism: Mechanism) -> tuple[Accountant, Checkpoint | None]:
        """A new run, or the one whose state lies in the checkpoint."""
        if self.checkpoint is None:
            return self._accountant(paid, mechanism, self.named_ledger), None
        path = expanded(self.checkpoint)
        facts = self._facts(paid.budget, mechanism)
        named = self.named_ledger
        if path.exists() and named is not None:
            ledger = named if isinstance(named, Ledger) else Ledger.open(named)
            checkpoint, accountant = Checkpoint.read(path, {**facts, "account": ledger.key}, ledger)
            return accountant, checkpoint
        accountant = self._accountant(paid, mechanism, named)
        return accountant, Checkpoint(path, {**facts, "account": accountant.ledger.key}, accountant)

    def _facts(self, budget: Budget, mechanism: Mechanism) -> dict[str, Any]:
        """What must be the same when a checkpoint is resumed."""
        settings = {f"setting {name}": value for name, value in mechanism.settings().items()}
        return {
            "schema": self.schema.fingerprint(),
            "mechanism": name_of(mechanism),
            **asdict(budget),
            "purpose": self.purpose,
            "approvals": dict(self.approvals or {}),
            **settings,
        }
