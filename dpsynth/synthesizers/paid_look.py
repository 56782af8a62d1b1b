"""A paid look at real rows beside the fits: what `validate` and `rows_per_unit` have in common.

The account exists already. What a look cannot do is refused before a row is read; what fails from
the reading on stays paid for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.base.job import Job
from dpsynth.data.engines.files import Source, open_source
from dpsynth.data.tables.codec import check_columns, check_owner
from dpsynth.data.tables.periods import period_codings
from dpsynth.door.bounded import Bounded, bound_table
from dpsynth.door.codes import Coding
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.account import accountant_for, existing_account


def opened(data: Any, schema: Schema, unit: PrivacyUnit) -> Source:
    """The data, which have the schema's columns and the unit's. No row is read."""
    source = open_source(data, schema)
    check_columns(source.names, schema)
    check_owner(source.names, unit)
    return source


@dataclass(frozen=True)
class PaidLook:
    """Who looks, at which columns and units, and what pays. name: the mechanism in the ledger."""

    name: str
    schema: Schema
    unit: PrivacyUnit
    budget: Budget
    ledger: Ledger | str | Path | None
    purpose: str
    approvals: Mapping[str, str] | None
    unsafe_seed: int | None

    @contextlib.contextmanager
    def rows(
        self, source: Source, records: Mapping[str, Coding] | None = None
    ) -> Iterator[tuple[Accountant, Bounded]]:
        """Who charges, and the bounded rows, once the budget is reserved."""
        schema = self.schema
        job = Job(
            self.name,
            self.purpose,
            self.approvals or {},
            schema.fingerprint(),
            reading=schema.reading_of_units(),
        )
        account = existing_account(self.ledger)
        seed = self.unsafe_seed
        with accountant_for(account, self.unit, self.budget, job, unsafe_seed=seed) as accountant:
            accountant.begin()  # what fails from here on stays paid for
            dates = period_codings(schema)
            yield accountant, bound_table(source.for_the_door(), self.unit, dates, records or {})


def close(accountant: Accountant, record: Mapping[str, Any]) -> None:
    """Ends a look: the ledger gets the SHA-256 of what it releases."""
    text = json.dumps(record, sort_keys=True)
    accountant.close(hashlib.sha256(text.encode()).hexdigest())
