"""Synthesizer: what users call. It joins schema, ledger, mechanism and codecs.

The rings protect privacy, not this file: here nothing is read, noised or charged except through
them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.job import Job
from dpsynth.base.places import expanded
from dpsynth.base.progress import stage
from dpsynth.data.constraints.recoding import is_recoded, recoding_of
from dpsynth.data.engines.databases import Database
from dpsynth.data.engines.files import Source
from dpsynth.data.engines.frames import Container, as_container, check_container
from dpsynth.data.tables.codec import codecs, schema_domain
from dpsynth.data.tables.mixing import as_frame, stamped
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
from dpsynth.schema.table import Schema, SchemaError
from dpsynth.synthesizers.account import accountant_for, budget_of_account
from dpsynth.synthesizers.answering import answered
from dpsynth.synthesizers.answers import Answer
from dpsynth.synthesizers.asking import Asked
from dpsynth.synthesizers.base import BaseSynthesizer, CautionWarning, NamedLedger, NoLedger
from dpsynth.synthesizers.block_table import WrittenTable, write_table
from dpsynth.synthesizers.blocks import Written, write_blocks
from dpsynth.synthesizers.feasible import refuse_unkeepable
from dpsynth.synthesizers.fitted import Fitted, certified
from dpsynth.synthesizers.looks import Categories, Looking
from dpsynth.synthesizers.measured_report import MeasuredReport, measured_report
from dpsynth.synthesizers.model_file import (
    TABLE,
    built_table,
    in_stored_form,
    model_digest,
    table_content,
)
from dpsynth.synthesizers.paid_look import opened
from dpsynth.synthesizers.partial_kept import able_columns, filled_in_kept
from dpsynth.synthesizers.partial_rows import filled_in
from dpsynth.synthesizers.plan import Plan, plan
from dpsynth.synthesizers.preflight import (
    check_budget,
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
from dpsynth.synthesizers.sampled_rows import Block, Origin
from dpsynth.synthesizers.scenario import Scenario

_BLOCKS = 6
"""Beside the seed of a sample: the blocks of a sample in blocks are drawn apart."""


class Synthesizer(BaseSynthesizer["Fitted"]):
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
        self.settings = settings

    def fit(self, data: Any) -> Synthesizer:
        """Learns from the rows, and spends the whole budget.

        The column names of a file are read beforehand, to compare them with the schema. From the
        first row on, a fit that ends early leaves its whole reservation spent. A column that was
        hardly read as declared, by counts that were paid for, is told by a `CautionWarning`.

        Parameters
        ----------
        data : DataFrame, Arrow table, str or Path
            The private rows; another frame or table that narwhals knows; or the path of a file, a
            folder or a pattern of files (docs/values.md says of which kinds).

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
        self._warn_of_a_new_place()
        accountant, checkpoint = self._begun(paid, mechanism)
        with accountant:
            stage("reading the rows")
            accountant.begin()  # a fit that fails from here on stays paid for
            records = record_codings(self._modelled)
            dates = period_codings(self.schema)
            rows = bound_table(source.reader(), self.schema.unit, dates, records)
            looking = Looking(self.schema, rows, accountant, mechanism.gaussian, checkpoint)
            looks = looking.looks()
            bounds, modelled = looks.bounds, looks.modelled
            domain = schema_domain(modelled, bounds)
            table = PrivateTable.encoded(rows, codecs(modelled, bounds), domain)
            mechanism = self._ready(mechanism, looks.found)
            stage(f"measuring and modelling with {name_of(mechanism)}")
            model = in_stored_form(mechanism.run(table, accountant, checkpoint))
            model = with_magnitudes(model, modelled, looks.learned)
            model = with_heaps(model, modelled, bounds, looks.seen)
            inside, people, found = looks.inside(model), looks.people, looks.found
            accountant.close(model_digest(self.schema, model, bounds, inside, people, found))
        if checkpoint is not None:
            checkpoint.remove()
        stage("writing the certificate")
        certificate = certified(self.schema, accountant, mechanism, looks, model)
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
        made = plan(self._modelled, mechanism, paid, rows, bool(self.schema.repeating))
        return in_own_units(made, recoding_of(self.schema))

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The categories that the fit found, for each `OpenCategorical` column; public ones are not
        among them. `schema.settled(synth.categories)` is the schema that has all of them.
        """
        return dict(self._fitted().found)

    def sample(
        self,
        n: int | None = None,
        *,
        where: str | None = None,
        given: Mapping[str, Any] | Any = None,
        balance: Mapping[str, Any] | None = None,
        parity: Mapping[str, Any] | None = None,
        scenario: Scenario | None = None,
        support: bool = False,
        seed: int | None = None,
        output: Container = "pandas",
    ) -> Any:
        """Draws synthetic rows. Sampling is post-processing: it spends nothing, however often.

        Parameters
        ----------
        n : int or None
            How many rows; None for the noisy row count, or for as many as were requested from a
            program that is not ours. With a table as `given`, how many for each of its rows; None
            is one.
        where : str or None
            A condition that all rows meet, such as 'age >= 65 and sex == "female"'.
        given : mapping of str to object, DataFrame or another table, or None
            Values that columns have in all rows. Or a table of partial rows, whose missing values
            are drawn given the others; the rows come back in its order, with the given values as
            they are. These may be of real people, so the result of a table is stamped, as that of
            `impute` is.
        balance : mapping of str to float or mapping, or None
            Shares that a column's values have among the rows, in whole numbers of rows:
            {"fraud": 0.5}, or {"sex": {"F": 0.5, "M": 0.5}, "age": {"age >= 65": 0.3}}. Values that
            are not named share what is left.
        parity : mapping or None
            An outcome whose shares are not to differ between groups: {"approved": "sex"}, or
            {"approved": {"between": ["sex", "race"], "given": "grade", "gap": 0.02}}. `parity` says
            what it changes.
        scenario : Scenario or None
            Named parts with conditions of their own, in place of these arguments. Each row has its
            part, its support and whether it is extrapolated.
        support : bool
            Adds the columns `support`, the evidence behind each row in standard deviations of the
            noise, and `extrapolated`, whether it is under 2.
        seed : int or None
            For a sample that can be drawn again; it has no part in the privacy noise.
        output : {"pandas", "arrow", "polars"}
            The kind of table.

        Returns
        -------
        DataFrame of pandas or polars, or pyarrow.Table
            n rows, with the schema's columns and dtypes, those that were asked for besides, and
            for partial rows the stamp, `contains_real_records`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConditionError
            When the condition cannot be read, or no row can meet it; and for what cannot be asked
            for together.
        ValueError
            When n is no whole number from 0, or for another kind of table.
        """
        check_container(output)
        rows = self.drawn(n, Asked(where, given, balance, scenario, support, parity), seed)
        return as_container(rows, output)

    def drawn(
        self, n: int | None, asked: Asked, seed: int | None, block: Block | None = None
    ) -> pd.DataFrame:
        """The rows of `sample`, for what was asked as one object. block: which of them."""
        record = self._fitted().certificate.record
        origin = self._origin(seed)
        if block is None:
            return asked.rows(origin, record, n, np.random.default_rng(seed))
        source = np.random.SeedSequence(seed, spawn_key=(_BLOCKS, block.number))
        rng = np.random.default_rng(source)
        return asked.rows(replace(origin, block=block), record, n, rng)

    def write(
        self,
        place: str | Path | Database,
        n: int,
        *,
        where: str | None = None,
        balance: Mapping[str, Any] | None = None,
        parity: Mapping[str, Any] | None = None,
        support: bool = False,
        seed: int | None = None,
        format: str | None = None,
        workers: int = 1,
        append: bool = False,
    ) -> Written | WrittenTable:
        """Draws any number of rows into the files of a folder, or into a table of a database.

        The rows are the same for one seed, wherever they are written and however many are drawn
        beside each other. A folder has a million in each file, which its manifest lists. A call
        that ended early is finished by the same call: files that are whole are kept.

        A table of a database takes all rows in one transaction: of a call that ends early nothing
        is kept. No table is dropped or emptied. The table `dpsynth_manifest` beside it lists the
        model, the seed and what was asked for.

        Parameters
        ----------
        place : str, Path or Database
            A new folder, or one in which the same was begun. Or a table, such as
            "postgresql://host/clinic?table=synthetic": a new one, or one with the same columns and
            no rows.
        n : int
            How many rows.
        where, balance, parity, support
            As in `sample`; shares hold in each million.
        seed : int or None
            For a sample that can be drawn again; None takes a fresh one, which the manifest has.
        format : str or None
            The kind of file in a folder, such as "csv"; None is "parquet".
        workers : int
            How many million rows are drawn beside each other.
        append : bool
            Whether a table may have rows already, all of which were written by dpsynth.

        Returns
        -------
        Written or WrittenTable
            The folder, its files, the rows, the seed, and the head of the manifest. Or the table,
            the rows and the seed.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConditionError
            When no row can meet the condition, and where a column other than an `Identifier` has to
            be unique.
        ValueError, SchemaError
            For a folder of other files, a table with other columns or with rows, and for rows that
            such a file cannot hold.
        OSError, ImportError
            Where a database cannot be opened or takes no rows, or its driver is absent.
        """
        asked = Asked(where, None, balance, None, support, parity)
        if isinstance(place, Database) or "://" in str(place):
            if format is not None:
                raise ValueError(
                    f"a table of a database has no format, got {format!r}: leave it out"
                )
            table = place if isinstance(place, Database) else Database(str(place))
            return write_table(table, self, n, asked, seed=seed, workers=workers, append=append)
        if append:
            raise ValueError(
                "only a table of a database can be appended to: leave append out, or name a table"
            )
        ending = f".{(format or 'parquet').removeprefix('.')}"
        return write_blocks(
            expanded(place), self, n, asked, ending=ending, seed=seed, workers=workers
        )

    def parity(self, parity: Mapping[str, Any], *, where: str | None = None) -> pd.DataFrame:
        """What a sample with this `parity` changes, and what that costs. It spends nothing.

        Parameters
        ----------
        parity : mapping
            As in `sample`.
        where : str or None
            A condition that all rows meet.

        Returns
        -------
        DataFrame
            A row for each outcome in each group, and in each stratum of what is given: the group's
            share of all rows (`rows`), and the outcome's share in the group before and after. Its
            `attrs` have `gap_before` and `gap_after`, the largest difference between two groups,
            and `rows_changed`, the share of rows that have another outcome: the least with which
            shares can be so.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConditionError
            For what cannot be read, and for rows of which the model has none.
        """
        asked = Asked(where=where, parity=parity)
        adjusted = asked.adjusted(self._origin(), np.random.default_rng(0))
        found = adjusted.table()
        found.attrs.update(adjusted.facts())
        return found

    def impute(
        self,
        table: Any,
        *,
        columns: Sequence[str] | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Draws a value wherever a real table has none, from the model given the row's values.

        PRIVATE: the result has the table's rows, and is stamped so. Its column
        `contains_real_records` is true in every row, and fits, releases, comparisons and audits
        refuse a table that has it.

        Parameters
        ----------
        table : DataFrame, Arrow table, str or Path
            Real rows, with some or all of the schema's columns.
        columns : sequence of str or None
            Those that are filled in; None for all that the schema has and the table, too.
        seed : int or None
            For a result that can be made again.

        Returns
        -------
        DataFrame
            The table with no missing value in these columns, and the stamp. What cannot be read as
            the schema declares it counts as unknown, and stays as it is. Where the schema has
            constraints, values that they want missing stay so, and the column `keeps_constraints`
            says which rows keep all of them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        SchemaError
            For a column that the table or the schema does not have.
        """
        origin, table = self._origin(), as_frame(table, self._settled)
        able = able_columns(origin)
        wanted = [name for name in table if name in able] if columns is None else columns
        if odd := [name for name in wanted if name not in table or name not in able]:
            raise SchemaError(
                f"{odd} cannot be filled in, as the table or the schema lacks them: name columns of"
                " both"
            )
        fill = filled_in_kept if is_recoded(self.schema) else filled_in
        return stamped(fill(origin, table, list(wanted), np.random.default_rng(seed)))

    def answer(self, question: str, *, level: float = 0.9) -> Answer:
        """Answers a question by what the fit has paid for. It spends nothing and opens no data.

        Where noisy counts that the fit has measured cover the question, the estimate is made of
        these, without bias, and has two intervals: for the exact answer on the private rows, and
        for the population that they were drawn from. Where they do not, the answer is the model's,
        is marked so, and has none (docs/answers.md).

        Parameters
        ----------
        question : str
            "count where age >= 65 and sex == 'f'", "share(smoker == True) where age >= 65",
            "mean(age) by sex", "median(age)", "quantile(age, 0.9)", or
            "logistic(smoker == True ~ age >= 65)". `where` and `by` may stand after each but the
            last, which has no `by`.
        level : float
            How often an interval holds the truth, from 0.5 to below 1.

        Returns
        -------
        Answer
            Its basis, "measured" or "model", and its numbers: one, or one for each group or
            coefficient.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConditionError
            For a question that cannot be read, and for one about columns or values that the
            release does not know.
        ValueError
            For another level.

        Examples
        --------
        >>> import pandas as pd
        >>> from dpsynth import Boolean, Numeric, Schema, Synthesizer
        >>> schema = Schema({"age": Numeric(0, 120, integer=True), "smoker": Boolean()})
        >>> rows = pd.DataFrame({"age": [34, 61, 47, 82] * 500, "smoker": [True, False] * 1000})
        >>> synth = Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(rows)
        >>> answer = synth.answer("count where age >= 65")
        >>> answer.basis, answer.privacy_interval[0] <= answer.estimate
        ('measured', True)
        """
        record = self._fitted().certificate.record
        return answered(self.origin, record, question, level)

    def measured_report(self) -> MeasuredReport:
        """How well the release says again what was measured. It may be published, and is free.

        Returns
        -------
        MeasuredReport
            For each measurement a chi-square of the differences; `save(folder)` adds it to a
            release.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For a model that keeps no measurements.
        """
        fitted = self._fitted()
        return measured_report(fitted.model, fitted.certificate.record)

    @property
    def origin(self) -> Origin:
        """The model, and what makes values of its cells: what questions are answered by."""
        return self._origin(0)

    def _origin(self, seed: int | None = None) -> Origin:
        fitted = self._fitted()
        known = (fitted.model, self._settled, fitted.bounds, fitted.inside)
        return Origin(*known, people=fitted.people, seed=seed)

    def _stored(self, fitted: Fitted) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        facts = (fitted.bounds, fitted.inside, fitted.people, fitted.found)
        return table_content(self.schema, fitted.model, *facts)

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

    @property
    def _settled(self) -> Schema:
        """The schema with the categories that the fit found."""
        return self.schema.settled(self._fitted().found)

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

    def _accountant(self, paid: Search, mechanism: Mechanism) -> Accountant:
        fingerprint = self.schema.fingerprint()
        return accountant_for(
            self.named_ledger,
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
            return self._accountant(paid, mechanism), None
        path = expanded(self.checkpoint)
        facts = self._facts(paid.budget, mechanism)
        named = self.named_ledger
        if path.exists() and named is not None:
            ledger = named if isinstance(named, Ledger) else Ledger.open(named)
            checkpoint, accountant = Checkpoint.read(path, {**facts, "account": ledger.key}, ledger)
            return accountant, checkpoint
        accountant = self._accountant(paid, mechanism)
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
