"""What the kernel promises of programs that are not ours, and for each promise a broken kernel that the test sees."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import mpmath
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dpsynth.base.domain import Domain
from tests.rings import kernel, processes
from tests.rings.kernel import Mutant
from tests.rings.laws import fails
from tests.rings.processes import needs_fork

Kernel = SimpleNamespace
DOMAIN = Domain((("age", 5), ("sex", 3)), (("age", (1.0, 1.0, 2.0, 4.0)),))
ROWS = 6
GOOD = {"age": [0, 1, 2, 3, 4, 0], "sex": [0, 1, 2, 0, 1, 2]}
SECRET = "SECRET-4711"


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A folder for what a program leaves, beside an empty one in which temporary folders are made."""
    with tempfile.TemporaryDirectory() as name:
        before, tempfile.tempdir = tempfile.tempdir, f"{name}/temporary"
        try:
            os.mkdir(tempfile.tempdir)
            write(Path(name) / "good.parquet", GOOD)
            yield Path(name)
        finally:
            tempfile.tempdir = before


def write(path: Path, columns: dict[str, list]) -> None:
    pq.write_table(pa.table(columns), path)


def a_charge(k: Kernel, ledger=None, unit=None):
    budget, event = k.Budget.for_programs(8.0, 1e-4), k.ExternalProgram(1.0, 1e-13)
    ledger = ledger or k.Ledger.create(None, budget, dataset="d", unit=unit or k.PrivacyUnit())
    accountant = k.Accountant(budget, ledger=ledger, reserve=[event])
    return accountant, accountant.charge(event, "a program")


def private_rows(k: Kernel, rows: int = 9, unit=None):
    codes = np.random.default_rng(rows).integers(0, 3, (rows, 2), dtype=np.int32)
    return k.SensitiveRows(codes, sizes=(5, 3), protects=unit or k.PrivacyUnit()), codes


def released(k: Kernel, command: list[str], *, rows: int = 9, time_limit: float = 20.0, unit=None):
    program = k.Program("the program", tuple(command), DOMAIN, ROWS, time_limit)
    return a_charge(k, unit=unit)[1].redeem(private_rows(k, rows, unit)[0], program=program)


def refusal(k: Kernel, command: list[str], kind: type[Exception] = ChildProcessError, **options) -> str:
    """The sentence with which a program's failure ends."""
    try:
        released(k, command, **options)
    except Exception as error:
        found = error
    else:
        raise AssertionError("this should have been refused")
    assert type(found) is kind, f"this should have been one sentence, and was {found!r}"
    assert found.__context__ is None, "an exception with a private value may hang on this one"
    return str(found)


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


# The laws.


def a_program_sees_cells_and_public_facts_only(k: Kernel) -> None:
    with place() as folder:
        jobs = []
        for rows in (9, 23):
            released(k, shell(f"cp {{input}} {{job}} {folder} && cp {folder}/good.parquet {{output}}"), rows=rows)
            seen = pq.read_table(folder / "input.parquet")
            assert seen.column_names == ["age", "sex"]
            assert np.array_equal(np.column_stack([c.to_numpy() for c in seen.columns]), private_rows(k, rows)[1])
            assert seen.schema.metadata is None
            jobs.append((folder / "job.json").read_bytes())
        assert jobs[0] == jobs[1], "the job depends on the rows"
        assert json.loads(jobs[0]) == {
            "epsilon": 1.0,
            "delta": 1e-13,
            "rows": ROWS,
            "columns": [
                {"name": "age", "cells": 5, "ordered_cells": 4},
                {"name": "sex", "cells": 3, "ordered_cells": 0},
            ],
        }


def places_in_words_are_filled_in(k: Kernel) -> None:
    with place() as folder:
        released(
            k, shell(f"echo e={{epsilon}} d={{delta}} n={{rows}} > {folder}/w; cp {folder}/good.parquet {{output}}")
        )
        assert (folder / "w").read_text() == "e=1.0 d=1e-13 n=6\n"


def its_folder_is_the_users_own_and_goes_with_it(k: Kernel) -> None:
    with place() as folder:
        look = f"ls -ld $(dirname {{input}}) >> {folder}/modes; echo $TMPDIR $(dirname {{input}}) >> {folder}/names"
        released(k, shell(f"{look}; touch $TMPDIR/more; cp {folder}/good.parquet {{output}}"))
        refusal(k, shell(f"{look}; exit 1"))
        refusal(k, shell(f"{look}; sleep 9"), TimeoutError, time_limit=0.3)
        modes = (folder / "modes").read_text().splitlines()
        assert [mode[:10] for mode in modes] == ["drwx------"] * 3
        names = [line.split() for line in (folder / "names").read_text().splitlines()]
        assert all(one == other for one, other in names)
        assert not list((folder / "temporary").iterdir())


def nothing_of_a_program_outlives_it(k: Kernel) -> None:
    """Its own children included, whether it was stopped or ended by itself."""
    with place() as folder:
        start = time.monotonic()
        refusal(k, shell(f"(sleep 0.9; touch {folder}/late) & sleep 9"), TimeoutError, time_limit=0.3)
        assert time.monotonic() - start < 5
        released(k, shell(f"(sleep 0.5; touch {folder}/late) & cp {folder}/good.parquet {{output}}"))
        time.sleep(0.9)
        assert not (folder / "late").exists()


def what_it_prints_and_how_it_fails_is_not_told(k: Kernel) -> None:
    with place() as folder, printed(folder / "printed"):
        endings = ("exit 7", "exit 8", "kill -9 $$")
        told = {refusal(k, shell(f"echo {SECRET}; echo {SECRET} >&2; {ending}")) for ending in endings}
        told |= {refusal(k, shell(f"cp {folder}/good.parquet {{output}}; exit 3")), refusal(k, ["/no/such/program"])}
        assert len(told) == 1, "the sentence depends on how it failed"
        told |= {refusal(k, shell(f"echo {SECRET}; echo {SECRET} >&2; sleep 9"), TimeoutError, time_limit=0.2)}
    assert all(SECRET not in sentence and "charge stays spent" in sentence for sentence in told)


@contextlib.contextmanager
def printed(path: Path) -> Iterator[None]:
    """Asserts that nobody writes to this process' standard streams, a child process neither."""
    saved = [os.dup(1), os.dup(2)]
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            for number, old in zip((1, 2), saved, strict=True):
                os.dup2(old, number)
                os.close(old)
    assert path.read_bytes() == b""


def a_failure_stays_spent(k: Kernel) -> None:
    ledger = k.Ledger.create(None, k.Budget.for_programs(8.0, 1e-4), dataset="d", unit=k.PrivacyUnit())
    program = k.Program("the program", ("false",), DOMAIN, ROWS, 5.0)
    try:
        with k.Accountant(
            k.Budget.for_programs(8.0, 1e-4), ledger=ledger, reserve=[k.ExternalProgram(1.0, 1e-13)]
        ) as accountant:
            accountant.charge(k.ExternalProgram(1.0, 1e-13), "a program").redeem(private_rows(k)[0], program=program)
    except ChildProcessError:
        pass
    assert [line["kind"] for line in ledger.entries()] == ["open", "run", "drawing", "charge"]
    assert (
        0
        < ledger.spent().epsilon
        == k.spent(k.ExternalProgram(1.0, 1e-13).cost, k.Budget.for_programs(8.0, 1e-4)).epsilon
    )


def a_program_starts_after_its_charge_is_durable(k: Kernel) -> None:
    """The first thing that it does here is to kill the process that started it."""
    with place() as folder:
        path = folder / "a.ledger"
        k.Ledger.create(path, k.Budget.for_programs(8.0, 1e-4), dataset="d", unit=k.PrivacyUnit())
        program = k.Program("the program", tuple(shell("kill -9 $PPID")), DOMAIN, ROWS, 5.0)

        def work(tell):
            a_charge(k, k.Ledger.open(path))[1].redeem(private_rows(k)[0], program=program)

        assert processes.in_children([work]) == [b""]
        gone(folder / "temporary")
        ledger = k.Ledger.open(path)
        assert [line["kind"] for line in ledger.entries()] == ["open", "run", "drawing", "charge"]
        assert ledger.spent().epsilon > 0


def a_sudden_death_leaves_neither_rows_nor_program(k: Kernel) -> None:
    with place() as folder:
        child, read = processes.start(
            lambda tell: released(k, shell(f"touch {folder}/begun; sleep 0.8; touch {folder}/late"))
        )
        while not (folder / "begun").exists():
            time.sleep(0.01)
        time.sleep(0.1)  # the guard is told a moment after the program began
        assert list((folder / "temporary").iterdir())
        os.kill(child, signal.SIGKILL)
        assert processes.finish(child, read) == b""
        gone(folder / "temporary")
        time.sleep(1)
        assert not (folder / "late").exists()


def gone(folder: Path) -> None:
    """Asserts that a folder is empty soon."""
    for _ in range(300):
        if not list(folder.iterdir()):
            return
        time.sleep(0.01)
    raise AssertionError("private rows were left behind")


def only_codes_of_the_domain_come_back(k: Kernel) -> None:
    bad = {
        "a code too high": {**GOOD, "sex": [0, 1, 3, 0, 1, 2]},
        "a code too low": {**GOOD, "sex": [0, 1, -1, 0, 1, 2]},
        "a code beyond all": {**GOOD, "sex": pa.array([0, 1, 2**64 - 1, 0, 1, 2], pa.uint64())},
        "a missing code": {**GOOD, "sex": [0, 1, None, 0, 1, 2]},
        "numbers with a point": {**GOOD, "sex": [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]},
        "text": {**GOOD, "sex": [SECRET] * ROWS},
        "a column less": {"age": GOOD["age"]},
        "a column more": {**GOOD, "id": GOOD["age"]},
        "a row less": {a: codes[:-1] for a, codes in GOOD.items()},
        "a row more": {a: [*codes, 0] for a, codes in GOOD.items()},
    }
    with place() as folder:
        again = released(k, shell(f"cp {folder}/good.parquet {{output}}"))
        assert again.dtype == np.int32
        assert np.array_equal(again, np.column_stack(list(GOOD.values())))
        write(folder / "turned.parquet", dict(reversed(GOOD.items())))
        assert np.array_equal(released(k, shell(f"cp {folder}/turned.parquet {{output}}")), again)
        told = {}
        for what, columns in bad.items():
            write(folder / "bad.parquet", columns)
            told[what] = refusal(k, shell(f"cp {folder}/bad.parquet {{output}}"))
        scripts = {"nothing": "true", "no table": "echo no > {output}", "a folder": "mkdir {output}",
                   "a pipe": "mkfifo {output}", "a link": f"ln -s {folder}/good.parquet {{output}}"}  # fmt: skip
        told |= {what: refusal(k, shell(script)) for what, script in scripts.items()}
    assert len(set(told.values())) == 1
    assert SECRET not in told["text"]


def a_row_is_promised_enough_for_a_unit(k: Kernel) -> None:
    """Steps of one row add up: epsilon by k, delta by a geometric sum, in 60 digits, and not much is given away."""
    with mpmath.workdps(60):
        for records, adjacency in (
            (1, "add-remove"),
            (3, "add-remove"),
            (1, "replace"),
            (4, "replace"),
            (2**20, "replace"),
        ):
            unit = k.PrivacyUnit(max_records=records, adjacency=adjacency)
            steps = records * (2 if adjacency == "replace" else 1)
            for event in (
                k.ExternalProgram(1.0, 1e-6),
                k.ExternalProgram(100.0, 0.5),
                k.ExternalProgram(1e-3, 1e-12),
                k.ExternalProgram(2.0),
            ):
                epsilon, delta = k.claim_for_a_row(event, unit)
                assert (
                    Fraction(epsilon) * steps
                    <= Fraction(event.epsilon)
                    <= Fraction(epsilon) * steps * (1 + Fraction(1, 10**9))
                )
                sums = mpmath.expm1(steps * mpmath.mpf(epsilon)) / mpmath.expm1(mpmath.mpf(epsilon))
                assert mpmath.mpf(delta) * sums <= event.delta <= mpmath.mpf(delta) * sums * (1 + mpmath.mpf(10) ** -9)


def a_program_is_told_what_a_row_may_have(k: Kernel) -> None:
    unit = k.PrivacyUnit(max_records=2, adjacency="replace")
    with place() as folder:
        released(k, shell(f"cp {{job}} {folder}; cp {folder}/good.parquet {{output}}"), unit=unit)
        job = json.loads((folder / "job.json").read_text())
    assert (job["epsilon"], job["delta"]) == k.claim_for_a_row(k.ExternalProgram(1.0, 1e-13), unit)
    assert job["epsilon"] < 0.2501


def what_fails_before_it_starts_says_nothing(k: Kernel) -> None:
    """A full disk, say, while its input is written: the message may quote the rows."""
    failing = mock.patch.object(pq, "write_table", side_effect=OSError(SECRET))
    with place() as folder, failing:
        command = shell(f"touch {folder}/started; false")
        told = refusal(k, command, k.wall.RowsError)
        assert SECRET not in told
        assert not (folder / "started").exists()


MUTANTS = [
    Mutant("input written outside of the wall", "run.py",
           "behind_the_wall(\n            partial(_prepare, folder, program, claim_for_a_row(event, rows.protects),"
           " _exact_codes(rows))\n        )",
           "_prepare(folder, program, claim_for_a_row(event, rows.protects), _exact_codes(rows))",
           what_fails_before_it_starts_says_nothing),
    Mutant("exact row count told", "run.py", '"rows": program.rows,', '"rows": len(codes),',
           a_program_sees_cells_and_public_facts_only),
    Mutant("exact row count in a word", "run.py", "(*claim, program.rows)", "(*claim, len(codes))",
           places_in_words_are_filled_in),
    Mutant("rows left behind by a sudden death", "run.py", '; rm -rf -- "$1"', "",
           a_sudden_death_leaves_neither_rows_nor_program),
    Mutant("a program goes on after a sudden death", "run.py", 'kill -s KILL -- "-$group"; ', "",
           a_sudden_death_leaves_neither_rows_nor_program),
    Mutant("folder open to others", "run.py", "yield Path(name)", "Path(name).chmod(0o755); yield Path(name)",
           its_folder_is_the_users_own_and_goes_with_it),
    Mutant("folder left behind", "run.py", 'tempfile.TemporaryDirectory(prefix="dpsynth-")',
           'contextlib.nullcontext(tempfile.mkdtemp(prefix="dpsynth-"))', its_folder_is_the_users_own_and_goes_with_it),
    Mutant("temporary files elsewhere", "run.py", '{**os.environ, "TMPDIR": str(folder)}',
           '{"TMPDIR": "/tmp", **os.environ}', its_folder_is_the_users_own_and_goes_with_it),
    Mutant("only the first process is killed", "run.py", "os.killpg(process.pid, signal.SIGKILL)",
           "os.kill(process.pid, signal.SIGKILL)", nothing_of_a_program_outlives_it),
    Mutant("standard error shown", "run.py", "stderr=silent, env=", "env=",
           what_it_prints_and_how_it_fails_is_not_told),
    Mutant("standard output shown", "run.py", "stdout=silent, stderr=silent, env=", "stderr=silent, env=",
           what_it_prints_and_how_it_fails_is_not_told),
    Mutant("exit status told", "run.py", "{program.name} failed;", "{program.name} failed ({status});",
           what_it_prints_and_how_it_fails_is_not_told),
    Mutant("failure with a table accepted", "run.py", "if status != 0:", "if False:",
           what_it_prints_and_how_it_fails_is_not_told),
    Mutant("a failure given back", "accountant.py",
           "if not self._ended and (kind is None or self._cost == NOTHING):",
           "if not self._ended:", a_failure_stays_spent),
    Mutant("a failure not recorded", "accountant.py", "self.ledger.charge(self.run, event, purpose, code)", "0",
           a_failure_stays_spent),
    Mutant("run before the charge is durable", "accountant.py", "self.ledger.charge(self.run, event, purpose, code)",
           "0",
           a_program_starts_after_its_charge_is_durable),
    Mutant("high codes accepted", "run.py", "np.all((values >= 0) & (values < cells))", "np.all(values >= 0)",
           only_codes_of_the_domain_come_back),
    Mutant("low codes accepted", "run.py", "np.all((values >= 0) & (values < cells))", "np.all(values < cells)",
           only_codes_of_the_domain_come_back),
    Mutant("numbers with a point accepted", "run.py", "if not pa.types.is_integer(column.type):", "if False:",
           only_codes_of_the_domain_come_back),
    Mutant("links followed", "run.py", "stat.S_ISREG(path.lstat().st_mode)", "stat.S_ISREG(path.stat().st_mode)",
           only_codes_of_the_domain_come_back),
    Mutant("any number of rows", "run.py", "file.metadata.num_rows != program.rows or ", "",
           only_codes_of_the_domain_come_back),
    Mutant("more columns", "run.py", " or sorted(file.schema_arrow.names) != sorted(attributes)", "",
           only_codes_of_the_domain_come_back),
    Mutant("replaced counts once", "run.py", '(1 if unit.adjacency == "add-remove" else 2)', "1",
           a_row_is_promised_enough_for_a_unit),
    Mutant("deltas add without factors", "run.py", "math.expm1(epsilon) / math.expm1(event.epsilon)", "1 / steps",
           a_row_is_promised_enough_for_a_unit),
    Mutant("a row told what a unit has", "run.py", "claim_for_a_row(event, rows.protects), ",
           "(event.epsilon, event.delta), ", a_program_is_told_what_a_row_may_have),
]  # fmt: skip
LAWS = sorted({mutant.law for mutant in MUTANTS}, key=lambda law: law.__name__)


@needs_fork
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_obeys(law) -> None:
    law(kernel.load())


@needs_fork
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant, tmp_path, monkeypatch) -> None:
    kernel.kill(mutant, tmp_path, monkeypatch)


# What needs no mutant.


def test_a_charge_for_a_program_is_good_once_and_for_nothing_else() -> None:
    k = kernel.load()
    program = k.Program("the program", ("false",), DOMAIN, ROWS, 5.0)
    rows = private_rows(k)[0]
    charge = a_charge(k)[1]
    with pytest.raises(TypeError, match="SensitiveRows"):
        charge.redeem(private_rows(k)[1], program=program)
    with pytest.raises(ChildProcessError):
        charge.redeem(rows, program=program)
    with pytest.raises(RuntimeError, match="good once"):
        charge.redeem(rows, program=program)
    gaussian = k.Accountant(k.Budget(1.0, 1e-6)).charge(k.Gaussian(100.0), "count")
    with pytest.raises(TypeError, match="reads no rows"):
        gaussian.redeem(rows, program=program)
    with pytest.raises(TypeError, match="not for Gaussian"):
        a_charge(k)[1].gaussian(k.Sensitive(np.array(1), l1=1, l2=1))


def test_rows_of_another_unit_or_of_other_columns_are_refused() -> None:
    k = kernel.load()
    program = k.Program("the program", ("false",), DOMAIN, ROWS, 5.0)
    with pytest.raises(ValueError, match="one account needs one unit"):
        a_charge(k)[1].redeem(private_rows(k, unit=k.PrivacyUnit(max_records=2))[0], program=program)
    other = k.SensitiveRows(np.zeros((3, 1), int), sizes=(2,), protects=k.PrivacyUnit())
    with pytest.raises(ValueError, match="columns of"):
        a_charge(k)[1].redeem(other, program=program)


def test_an_interrupted_program_is_stopped(monkeypatch) -> None:
    k = kernel.load()
    with place() as folder:
        signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            released(k, shell(f"sleep 0.8; touch {folder}/late"))
        time.sleep(0.8)
        assert not (folder / "late").exists()
        assert not list((folder / "temporary").iterdir())


def test_an_empty_table_is_a_table() -> None:
    with place() as folder:
        assert released(kernel.load(), shell(f"cp {folder}/good.parquet {{output}}"), rows=0).shape == (ROWS, 2)


def test_an_answer_is_what_a_command_prints_if_it_ends_well() -> None:
    k = kernel.load()
    assert k.answer(shell("echo ' 1.0.8 '"), 5) == "1.0.8"
    assert k.answer(shell("echo 1; exit 1"), 5) is None
    assert k.answer(["/no/such/program"], 5) is None
    assert k.answer(shell("sleep 9"), 0.2) is None
    fails(ValueError, lambda: k.ExternalProgram(math.nan))
