"""RelationalSynthesizer: several tables, whose rows hang on those of one, under one budget.

Each table is modelled by its windows (`windows`): a row with the rows above it and the row before
it. The door makes them and bounds how many a row of the root has, so that what a charge reads moves
as far as the bound says. Here nothing is read, noised or charged except through the rings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from dpsynth.base.job import Job
from dpsynth.base.progress import stage
from dpsynth.data.engines.files import Source, open_source
from dpsynth.data.engines.frames import Container, as_container, check_container
from dpsynth.data.tables.codec import check_columns, codecs, schema_domain
from dpsynth.data.tables.records import record_codings
from dpsynth.door.linked import Cells, LinkedRows, Place, link_tables
from dpsynth.door.table import PrivateTable
from dpsynth.door.ties import Root, Tie
from dpsynth.evidence.certificate import Certificate
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.heaps import with_heaps
from dpsynth.mechanisms.registry import TABLES, mechanism_for, name_of
from dpsynth.mechanisms.tails import with_magnitudes
from dpsynth.schema.relations import RelationalSchema
from dpsynth.schema.table import Schema, SchemaError
from dpsynth.synthesizers.account import accountant_for, rehearsal
from dpsynth.synthesizers.base import BaseSynthesizer, NamedLedger, NoLedger
from dpsynth.synthesizers.histories import drawn_tables
from dpsynth.synthesizers.looks import Looking
from dpsynth.synthesizers.model_file import RELATIONAL, in_stored_form
from dpsynth.synthesizers.preflight import check_budget
from dpsynth.synthesizers.recorded import recorded_arguments
from dpsynth.synthesizers.relational_file import (
    built_tables,
    relational_content,
    relational_digest,
)
from dpsynth.synthesizers.windows import (
    FittedWindow,
    Window,
    context_bounds,
    context_of,
    read_of,
    window_of,
)


@dataclass(frozen=True, eq=False)
class FittedTables:
    """What a fit leaves behind. All of it was paid for, and is public."""

    tables: Mapping[str, FittedWindow]
    certificate: Certificate


class RelationalSynthesizer(BaseSynthesizer[FittedTables]):
    """Synthetic rows of several tables: fit once under differential privacy, then sample freely.

    The guarantee protects a row of the root with all that hangs on it: a patient with all stays and
    all their measurements.

    Parameters
    ----------
    schema : RelationalSchema, str, Path or mapping
        The public facts: the tables and their links. Or the path of its file, or what that holds.
    mechanism : str or Mechanism
        "auto", "canopy", "aim", "mst" or "independent", or an object whose noise is Gaussian.
    epsilon, delta : float
        The privacy budget, all of which one fit spends, over all tables.
    ledger : Ledger, str, Path or None
        As of `Synthesizer`.
    purpose, approvals, unsafe_seed
        As of `Synthesizer`.
    **settings : object
        Settings of the mechanism.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from dpsynth import Identifier, Link, Numeric, RelationalSchema, Schema
    >>> patients = Schema({"id": Identifier(), "age": Numeric(0, 120, integer=True)})
    >>> stays = Schema({"patient": Identifier(), "days": Numeric(0, 90, integer=True)})
    >>> schema = RelationalSchema(
    ...     {"patients": patients, "stays": stays}, [Link("stays.patient -> patients.id", 4)]
    ... )
    >>> rows = {
    ...     "patients": pd.DataFrame({"id": range(500), "age": np.arange(500) % 90}),
    ...     "stays": pd.DataFrame({"patient": np.arange(800) % 500, "days": np.arange(800) % 9}),
    ... }
    >>> synth = RelationalSynthesizer(schema, epsilon=5.0, delta=1e-6, ledger=None).fit(rows)
    >>> made = synth.sample(100, seed=1)
    >>> len(made["patients"]), bool(made["stays"]["patient"].isin(made["patients"]["id"]).all())
    (100, True)
    """

    KIND = RELATIONAL
    FIT = "fit(tables)"

    def __init__(
        self,
        schema: RelationalSchema | str | Path | Mapping[str, Any],
        mechanism: str | Mechanism = "auto",
        *,
        epsilon: float,
        delta: float,
        ledger: NamedLedger | NoLedger = NoLedger.UNSTATED,
        purpose: str = "",
        approvals: Mapping[str, str] | None = None,
        unsafe_seed: int | None = None,
        **settings: Any,
    ) -> None:
        if isinstance(mechanism, str) and ledger is not NoLedger.LOADED:
            TABLES.entry(mechanism)
        self.schema = RelationalSchema.of(schema)
        self.mechanism = mechanism
        self.epsilon = epsilon
        self.delta = delta
        self.ledger = ledger
        self.purpose = purpose
        self.approvals = approvals
        self.unsafe_seed = unsafe_seed
        self.settings = settings

    def fit(self, data: Mapping[str, Any]) -> Self:
        """Learns from the rows of all tables, and spends the whole budget.

        Parameters
        ----------
        data : mapping of str to DataFrame, Arrow table, str or Path
            For each table of the schema its private rows, as `Synthesizer.fit` takes them.

        Returns
        -------
        Self
            This object, fitted.

        Raises
        ------
        SchemaError, ValueError, PolicyRefusedError, BudgetExceededError
            Before any row is read; never because of a value in a row.
        RowsError
            When rows cannot be read. It says nothing about them. The reservation is spent.
        """
        self._ask_who_pays()
        mechanism, windows = self._checked()
        sources = self._opened(data, windows)
        self._warn_of_a_new_place()
        accountant = self._accountant(mechanism, self.named_ledger)
        fitted: dict[str, FittedWindow] = {}
        with accountant:
            stage("reading the rows")
            accountant.begin()  # a fit that fails from here on stays paid for
            linked = self._linked(sources, windows)
            shares = _shares(windows)
            for name in windows:
                left = sum(shares[later] for later in [*windows][[*windows].index(name) :])
                own = accountant.cost_left * shares[name] // left
                with accountant.keeping(accountant.cost_left - own):
                    stage(f"measuring and modelling {name} with {name_of(mechanism)}")
                    fitted[name] = _fitted(
                        self.schema, windows, fitted, name, linked, accountant, mechanism
                    )
            accountant.close(relational_digest(self.schema, fitted))
        stage("writing the certificate")
        self.fitted_ = FittedTables(fitted, self._certified(accountant, mechanism, fitted))
        return self

    def sample(
        self, roots: int | None = None, *, seed: int | None = None, output: Container = "pandas"
    ) -> dict[str, Any]:
        """Draws rows of the root, and all that hang on them. It spends nothing, however often.

        Parameters
        ----------
        roots : int or None
            How many rows of the root; None for their noisy number.
        seed : int or None
            For a sample that can be drawn again; it has no part in the privacy noise.
        output : {"pandas", "arrow", "polars"}
            The kind of tables.

        Returns
        -------
        dict of str to DataFrame of pandas or polars, or pyarrow.Table
            Each table with its schema's columns. Keys are new, and each row has that of a row
            above it; no row has more below it than its link allows.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            When roots is no whole number from 0, or for another kind of table.
        """
        check_container(output)
        fitted = self._fitted().tables
        rng = np.random.default_rng(seed)
        made = drawn_tables(self.schema, fitted, roots, rng)
        return {name: as_container(made[name], output) for name, _ in self.schema.named}

    def rehearse(self) -> None:
        """Raises what `fit` would before it opens the data; otherwise does nothing.

        Raises
        ------
        SchemaError, ValueError, BudgetExceededError
            As `fit` would before it reads anything.
        """
        mechanism, _ = self._checked()
        self._accountant(mechanism, rehearsal(self.named_ledger)).close()

    def _what(self) -> str:
        return repr(self.schema)

    def _checked(self) -> tuple[Mechanism, dict[str, Window]]:
        budget = self._budget()
        check_budget(budget)
        mechanism = mechanism_for(self.mechanism, self.settings)
        if not mechanism.gaussian or mechanism.reads_rows:
            raise ValueError(
                f"the mechanism {name_of(mechanism)} reads rows of one table, and not counts of"
                " several: use canopy, aim, mst or independent"
            )
        for schema in self.schema.tables.values():
            schema.refuse_text()
            schema.refuse_identifying()
        return mechanism, {name: window_of(self.schema, name) for name in self.schema.tables}

    def _opened(self, data: Mapping[str, Any], windows: Mapping[str, Window]) -> dict[str, Source]:
        """The tables with the columns of their schemas, recoded when read. No row is read."""
        if not isinstance(data, Mapping) or {*data} != {*windows}:
            got = sorted(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
            raise SchemaError(
                f"the rows must be a mapping with the tables {sorted(windows)}, got {got}: give a"
                " table for each"
            )
        found = {}
        for name, schema in self.schema.tables.items():
            source = open_source(data[name], schema)
            check_columns(source.names, schema)
            keys = [w.link for w in windows.values() if w.link is not None]
            needed = [k.column for k in keys if k.child == name]
            needed += [k.key for k in keys if k.parent == name]
            if lacking := [key for key in needed if key not in source.names]:
                raise SchemaError(
                    f"the table {name!r} lacks its key {lacking[0]!r}: add the column"
                )
            if source.spread is not None:
                raise SchemaError(
                    f"the table {name!r} lies on Spark, and several tables are linked here: give"
                    " the paths of their files"
                )
            recoding = windows[name].recoding
            found[name] = source.changed(recoding.encoded, recoding.needed)
        return found

    def _linked(self, sources: Mapping[str, Source], windows: Mapping[str, Window]) -> LinkedRows:
        ties: dict[str, Tie] = {}
        for name, window in windows.items():
            if (link := window.link) is not None:
                ties[name] = Tie(link.parent, link.key, link.column, window.order)
        records = {name: record_codings(w.recoding.modelled) for name, w in windows.items()}
        reads = {name: sources[name].reader() for name in windows}
        return link_tables(reads, Root(self.schema.root, self.schema.key), ties, records)

    def _accountant(self, mechanism: Mechanism, ledger: NamedLedger) -> Accountant:
        job = Job(name_of(mechanism), self.purpose, self.approvals or {}, self.schema.fingerprint())
        return accountant_for(
            ledger, self.schema.unit, self._budget(), job, unsafe_seed=self.unsafe_seed
        )

    def _certified(
        self, accountant: Accountant, mechanism: Mechanism, fitted: Mapping[str, FittedWindow]
    ) -> Certificate:
        return Certificate.issue(
            schema=self.schema,
            ledger=accountant.ledger,
            run=accountant.run,
            mechanism=name_of(mechanism),
            settings=mechanism.settings(),
            bounds={n: b for each in fitted.values() for n, b in each.bounds.items()},
            released=mechanism.released(fitted[self.schema.root].model),
            cautions=mechanism.cautions,
        )

    def _stored(self, fitted: FittedTables) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        return relational_content(self.schema, fitted.tables)

    @classmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        schema, tables = built_tables(document, arrays)
        record = document["certificate"]
        made = cls(schema, ledger=NoLedger.LOADED, **recorded_arguments(record))
        made.fitted_ = FittedTables(tables, Certificate(record))
        return made


def _shares(windows: Mapping[str, Window]) -> dict[str, int]:
    """What each table gets of the budget: in proportion to the columns that are drawn of it."""
    return {
        name: len(window.columns) + (window.link is not None) for name, window in windows.items()
    }


def _fitted(
    schema: RelationalSchema,
    windows: Mapping[str, Window],
    before: Mapping[str, FittedWindow],
    name: str,
    linked: LinkedRows,
    accountant: Accountant,
    mechanism: Mechanism,
) -> FittedWindow:
    """The model of a table, for what the accountant has left. before: of the tables above."""
    window = windows[name]
    unit = schema.unit.using(schema.records(name))
    own = linked.rows(name, window.values, unit)
    looks = Looking(Schema(window.columns), own, accountant, mechanism.gaussian, None).looks()
    context = context_of(windows, schema, name)
    known = {n: b for each in before.values() for n, b in each.bounds.items()} | looks.bounds
    bounds = looks.bounds | context_bounds(context, known)
    whole = Schema({**looks.modelled.columns, **context.columns})
    cells = codecs(whole, bounds)
    read = read_of(windows, context, name, cells)
    around = {n: Cells(cells[n].size) for n in context.columns if not isinstance(read[n], Place)}
    rows = linked.rows(name, read, unit)
    table = PrivateTable.encoded(rows, {**cells, **around}, schema_domain(whole, bounds))
    model = in_stored_form(mechanism.run(table, accountant, None))
    model = with_magnitudes(model, looks.modelled, looks.learned)
    model = with_heaps(model, looks.modelled, looks.bounds, looks.seen)
    return FittedWindow(window, context, model, bounds, looks.inside(model))
