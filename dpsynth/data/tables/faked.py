"""Names, e-mail addresses and streets that Faker makes up from public lists; it is an extra."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.schema.columns import Identifier, SchemaError

_PROVIDERS = {"email": "safe_email"}
"""Those of another name: addresses at example.org, which are nobody's."""


def check_faked(column: Identifier) -> None:
    """SchemaError where Faker is not installed, or does not have the column's locale."""
    if column.faker is not None:
        _faker(column)


def faked(column: Identifier, key: str, owners: np.ndarray, seed: Any) -> pd.Series[Any]:
    """What is made up for each person by number: the same for one key, form and seed."""
    fake = _faker(column)
    provider = getattr(fake, _PROVIDERS.get(str(column.faker), str(column.faker)))
    people, places = np.unique(owners, return_inverse=True)
    made = np.empty(len(people), dtype=object)
    for place, person in enumerate(people.tolist()):
        form = repr([key, column.locale, repr(seed), person])
        fake.seed_instance(int.from_bytes(hashlib.blake2b(form.encode(), digest_size=8).digest()))
        made[place] = provider().replace("\n", ", ")
    return pd.Series(made[places], dtype="string")


def _faker(column: Identifier) -> Any:
    if find_spec("faker") is None:
        raise SchemaError(
            f"faker: {column.faker} needs Faker, which is not installed: pip install"
            " 'dpsynth[faker]', or state a pattern"
        )
    from faker import Faker

    try:
        return Faker(column.locale)
    except AttributeError:
        raise SchemaError(
            f"Faker has no locale {column.locale!r}: choose one that it has, such as en_US"
        ) from None
