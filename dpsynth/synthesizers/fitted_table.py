"""What is drawn from a fitted model, and what is answered by it. It spends nothing and reads no row
of a fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.following import following
from dpsynth.base.places import expanded
from dpsynth.data.constraints.recoding import is_recoded
from dpsynth.data.engines.databases import Database
from dpsynth.data.engines.frames import Container, as_container, check_container
from dpsynth.data.tables.mixing import as_frame, stamped
from dpsynth.schema.table import Schema, SchemaError
from dpsynth.synthesizers.answering import answered
from dpsynth.synthesizers.answers import Answer
from dpsynth.synthesizers.asking import Asked
from dpsynth.synthesizers.base import BaseSynthesizer
from dpsynth.synthesizers.block_frame import drawn_by_spark
from dpsynth.synthesizers.block_table import WrittenTable, write_table
from dpsynth.synthesizers.blocks import Written, write_blocks
from dpsynth.synthesizers.fitted import Fitted
from dpsynth.synthesizers.imputed import Imputations, imputed
from dpsynth.synthesizers.measured_report import MeasuredReport, measured_report
from dpsynth.synthesizers.model_file import table_content
from dpsynth.synthesizers.partial_kept import able_columns, filled_in_kept
from dpsynth.synthesizers.partial_rows import filled_in
from dpsynth.synthesizers.sampled_rows import Block, Origin
from dpsynth.synthesizers.scenario import Scenario

_BLOCKS = 6
"""Beside the seed of a sample: the blocks of a sample in blocks are drawn apart."""


class FittedTable(BaseSynthesizer[Fitted]):
    """The part of `Synthesizer` that needs a fit, and no rows.

    A subclass's constructor sets `schema`, and its `fit` sets `fitted_`.
    """

    schema: Schema

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
        progress: bool | None = None,
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
        progress : bool or None
            Whether stderr says how many rows are there, how many come in a second, and how long the
            rest will take; None for only where stderr is a terminal.

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
            with following(progress):
                return write_table(table, self, n, asked, seed=seed, workers=workers, append=append)
        if append:
            raise ValueError(
                "only a table of a database can be appended to: leave append out, or name a table"
            )
        ending = f".{(format or 'parquet').removeprefix('.')}"
        with following(progress):
            return write_blocks(
                expanded(place), self, n, asked, ending=ending, seed=seed, workers=workers
            )

    def sample_spark(
        self,
        n: int,
        spark: Any,
        *,
        where: str | None = None,
        balance: Mapping[str, Any] | None = None,
        parity: Mapping[str, Any] | None = None,
        support: bool = False,
        seed: int | None = None,
    ) -> Any:
        """Any number of rows as a DataFrame of Spark, which its tasks draw, a million rows each.

        The rows are those that `write` draws for the same seed, on however many machines, and are
        drawn anew whenever the frame is read.

        Parameters
        ----------
        n : int
            How many rows.
        spark : pyspark.sql.SparkSession
            A classic one, whose workers have this package.
        where, balance, parity, support
            As in `sample`; shares hold in each million.
        seed : int or None
            For a sample that can be drawn again; None takes a fresh one.

        Returns
        -------
        pyspark.sql.DataFrame
            With the types that databases get: whole numbers are bigint, numbers with public bounds
            and decimals decimal(18, ...), dates and times timestamp_ntz.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConditionError
            When no row can meet the condition, and where a column other than an `Identifier` has to
            be unique.
        ValueError, SchemaError
            For a number of rows or a seed that is none, and where the workers of Spark lack this
            package.
        """
        asked = Asked(where, None, balance, None, support, parity)
        return drawn_by_spark(self, n, spark, asked, seed)

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

    def imputations(
        self, m: int = 20, *, n: int | None = None, seed: int | None = None
    ) -> Imputations:
        """Draws m tables for an analysis of one's own, each from another model that the noise
        leaves possible. It spends nothing.

        The analysis is run on each table, and `combine` makes one estimate of what it finds, with
        an interval where noisy counts cover its columns (docs/answers.md). Each model is fitted
        anew, so that m tables take longer than m samples.

        Parameters
        ----------
        m : int
            How many tables, 2 or more: more make narrower intervals, a little.
        n : int or None
            How many rows each has; None for the noisy row count.
        seed : int or None
            For tables that can be drawn again.

        Returns
        -------
        Imputations
            A sequence of tables as `sample` draws them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For a release that keeps no noisy counts of every column, and for an m, n or seed that
            is none.
        """
        record = self._fitted().certificate.record
        return imputed(self.origin, record, m, n, seed)

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
    def free_report(self) -> Mapping[str, Any] | None:
        """The record of `measured_report`; None for a model that keeps no measurements."""
        try:
            return self.measured_report().record()
        except ValueError:
            return None

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

    @property
    def _settled(self) -> Schema:
        """The schema with the categories that the fit found."""
        return self.schema.settled(self._fitted().found)
