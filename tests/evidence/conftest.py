"""Keys, a release, whom to trust, and the release signed by both: for the tests of signatures."""

from __future__ import annotations

import pytest

from dpsynth.evidence.bundle.signatures import Signer, Trust
from tests.evidence.signed import PEOPLE, sign
from tests.evidence.test_verify import issue


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    from dpsynth.evidence.signing.ed25519 import load_private, new_key

    folder = tmp_path_factory.mktemp("keys")
    for name in PEOPLE:
        new_key(folder / f"{name}.key", {})
    return {name: load_private(folder / f"{name}.key", {}) for name in PEOPLE}


@pytest.fixture
def release(tmp_path):
    return issue().save(tmp_path / "release")


@pytest.fixture
def trust(keys):
    signers = [Signer(name, PEOPLE[name], (keys[name].public,)) for name in ("office", "board")]
    return Trust(tuple(signers), {"preparer": 1, "reviewer": 1})


@pytest.fixture
def signed(release, keys):
    sign(release, keys["office"], days=365)
    sign(release, keys["board"], "reviewer")
    return release
