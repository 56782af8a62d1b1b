"""`dpsynth keys`, `sign` and `verify --trust`: what they print, and how they end."""

from __future__ import annotations

import json
import sys

import pytest

pytest.importorskip("cryptography", reason="signatures need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.cli import main
from tests.evidence.test_verify import issue


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs a command in a folder of its own; gives the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DPSYNTH_KEY_PASSPHRASE", raising=False)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["dpsynth", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return left.value.code or 0, streams.out, streams.err

    return call


@pytest.fixture
def signed(run, tmp_path):
    issue().save(tmp_path / "release")
    assert run("keys", "new", "office.key")[0] == 0
    assert run("sign", "release", "--key", "office.key", "--signer", "data office", "--days", 30)[0] == 0
    return tmp_path / "release"


def test_a_signed_release_verifies_by_its_key(signed, run):
    code, out, _ = run("verify", "release", "--key", "office.pub")
    assert code == 0
    assert "release: signed by key 1 as preparer, until " in out
    assert "no signature was asked for" not in out
    code, out, _ = run("verify", "release", "--key", "office.pub", "--json")
    assert (code, json.loads(out)["signed_by"][0][:17]) == (0, "key 1 as preparer")


def test_a_release_without_the_signature_that_is_asked_for_does_not(signed, run):
    run("keys", "new", "board.key")
    code, out, _ = run("verify", "release", "--key", "board.pub")
    assert code == 1
    assert "FAULT  required" in out
    assert "its key is not trusted" in out


def test_without_a_key_the_command_says_that_no_signature_was_asked_for(signed, run):
    code, out, _ = run("verify", "release")
    assert (code, "no signature was asked for (--trust, or --key)" in out) == (0, True)


def test_the_projects_trust_file_is_asked_for_each_time(signed, run, tmp_path):
    line = json.loads(run("keys", "show", "office.pub", "--json")[1])["public"]
    signer = f'{{name: data office, role: preparer, keys: ["{line}"]}}'
    (tmp_path / "trust.yaml").write_text(f"dpsynth_trust: 1\nsigners: [{signer}]\nrequired: {{preparer: 1}}\n")
    (tmp_path / "dpsynth.toml").write_text('trust = "trust.yaml"\n')
    code, out, err = run("verify", "release")
    assert (code, "signed by data office as preparer" in out) == (0, True)
    assert "trust.yaml" in err
    for file in (signed / "signatures").iterdir():
        file.unlink()
    assert run("verify", "release")[0] == 1


@pytest.mark.parametrize("place", ["release/trust.yaml", "release/internal/trust.yaml"])
def test_a_trust_file_that_came_with_the_release_is_refused(place, signed, run, tmp_path, monkeypatch):
    (signed / "internal").mkdir()
    (tmp_path / place).write_text("dpsynth_trust: 1\n")
    code, out, err = run("verify", "release", "--trust", place)
    assert (code, out) == (2, "")
    assert "lies in the release, whose maker would say whom to trust" in err
    (signed / "dpsynth.toml").write_text(f'trust = "{place.removeprefix("release/")}"\n')
    monkeypatch.chdir(signed)
    assert run("verify", ".")[0] == 2


@pytest.mark.parametrize("where", ["signatures", "."])
def test_a_name_in_a_release_cannot_steer_a_terminal(where, signed, run):
    (signed / where / "\x1b]0;pwn\x07").write_text("x")
    for words in (("verify", "release"), ("sign", "release", "--key", "office.key", "--signer", "x")):
        code, out, err = run(*words)
        assert code in (1, 2, 3)
        assert "pwn" in out + err
        assert "\x1b" not in out + err


def test_a_new_key_says_whether_it_has_a_passphrase(run, monkeypatch):
    assert "no passphrase: none in DPSYNTH_KEY_PASSPHRASE" in run("keys", "new", "a.key")[1]
    monkeypatch.setenv("DPSYNTH_KEY_PASSPHRASE", "correct horse")
    _, out, err = run("keys", "new", "b.key")
    assert "it has the passphrase of DPSYNTH_KEY_PASSPHRASE" in out
    assert "horse" not in out + err


def test_no_output_has_a_private_key(run, tmp_path):
    _, out, err = run("keys", "new", "office.key")
    assert "PRIVATE" not in out + err
    assert "".join((tmp_path / "office.key").read_text().splitlines()[1:-1]) not in out + err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("sign", "release", "--key", "none.key", "--signer", "x"), "none.key: No such file"),
        (("sign", "release", "--key", "office.pub", "--signer", "x"), "others"),
        (("sign", "release/certificate.json", "--key", "office.key", "--signer", "x"), "signatures are of a folder"),
        (("verify", "release", "--key", "office.pub", "--trust", "t.yaml"), "exclude each other"),
        (("verify", "release/certificate.json", "--key", "office.pub"), "signatures are of a folder"),
        (("keys", "new", "office.key"), "a key is never replaced"),
    ],
)
def test_a_slip_ends_in_one_sentence_and_code_2(words, why, signed, run):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1


def test_without_the_package_a_sentence_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    code, _, err = run("keys", "new", "office.key")
    assert code == 2
    assert "pip install 'dpsynth[sign]'" in err
