"""Torture for a ledger's file, each kind a function of how much; the suite runs a little of it, `benchmarks/` a lot.

    python -m tests.rings.torture kills 50     # prints what was found as JSON; "violations" must be 0

Kills, I/O errors and power cuts need faults.c preloaded: `run` compiles it, and starts this module under it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget, BudgetExceededError, affordable, within
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.chain import LedgerCorruptError
from dpsynth.ledger.ledger import Ledger
from dpsynth.training.event import DpSgd
from tests.rings.processes import finish, in_children, start
from tests.rings.scratch import SCRATCH

SOURCE = Path(__file__).with_name("faults.c")
COMPILER = shutil.which("gcc") or shutil.which("cc")
COUNT, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY, IO_ERROR, DISK_FULL, RECORD = range(1, 8)
CAP = Budget(50.0, 1e-6)
EVENT = Gaussian(500.0)
TRAINING = DpSgd(1.0, 2000.0, 4)
GRANTS = ("run", "charge", "steps", "commit")
REFUSALS = (OSError, LedgerCorruptError)
SECTOR = 512
STRIDE = 37
"""Prime: a few faults are spread over all the calls of a life, and as many as there are calls meet each of them."""

Tell = Callable[[bytes], None]


def run(kind: str, amount: int, *, timeout: float = 600) -> dict[str, Any]:
    """What one kind of torture found, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        if kind in ("kills", "errors", "power"):
            library = Path(folder) / "faults.so"
            assert COMPILER, "faults.c needs a C compiler"
            subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
            environment["LD_PRELOAD"] = str(library)
        command = [sys.executable, "-m", "tests.rings.torture", kind, str(amount)]
        root = Path(__file__).parents[2]
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


def new_ledger(folder: Path, name: object, cap: Budget = CAP) -> Ledger:
    return Ledger.create(folder / f"{name}.ledger", cap, dataset="torture", unit=PrivacyUnit())


def life(ledger: Ledger, name: str, tell: Tell) -> None:
    """One run: every step is told when it was granted, and not before."""
    ledger.reserve(name, Budget(1.0, 1e-6), [EVENT, EVENT, TRAINING], "operating system", Job())
    tell(f"run {name};".encode())
    for number in (1, 2):
        ledger.charge(name, EVENT, f"{name}/{number}")
        tell(f"charge {name}/{number};".encode())
    line = ledger.charge(name, TRAINING, f"{name}/3")
    tell(f"charge {name}/3;".encode())
    for upto in (2, 4):
        ledger.claim(name, line, 0, 2)
        tell(f"steps {name}/{upto};".encode())
    ledger.commit(name)
    tell(f"commit {name};".encode())


def recorded(ledger: Ledger) -> set[str]:
    """Everything in the ledger, in the words of `life`."""
    words = set()
    for line in ledger.entries():
        match line["kind"]:
            case "charge":
                words.add(f"charge {line['purpose']}")
            case "steps":
                words.add(f"steps {line['run']}/{line['upto']}")
            case "run" | "commit" as kind:
                words.add(f"{kind} {line['run']}")
    return words


def granted(words: bytes) -> set[str]:
    return set(words.decode().split(";")[:-1])


def faults() -> Any:
    return ctypes.CDLL(None)


def faulty_lives(amount: int, modes: tuple[int, ...], after: Callable[[Ledger, str, Tell], None]) -> dict[str, Any]:
    """Lives that each meet one fault, at the calls of a life in turn; then `after`, where the process lives on."""
    found: Counter[str] = Counter(violations=0)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        folder = Path(name)
        ledger = new_ledger(folder, "count")
        faults().fault_arm(os.fsencode(folder), COUNT, 0)
        life(ledger, "first", lambda word: None)
        calls = faults().fault_seen()
        faults().fault_arm(b"", 0, 0)
        for number in range(amount):
            if number % 50 == 0:
                ledger = new_ledger(folder, number)
            mode, call = modes[number % len(modes)], 1 + STRIDE * (number // len(modes)) % calls

            def work(tell: Tell, path: Any = ledger.path, name: str = str(number), mode: int = mode, call: int = call):
                faults().fault_arm(os.fsencode(folder), mode, call)
                mine = Ledger.open(path)
                try:
                    life(mine, name, tell)
                except REFUSALS as refusal:
                    tell(f"refused {type(refusal).__name__};".encode())
                    after(mine, name, tell)

            words = granted(finish(*start(work)))
            found["refused"] += any(word.startswith("refused") for word in words)
            found["granted"] += sum(word.split(" ")[0] in GRANTS for word in words)
            found["other errors"] += sum(" " not in word for word in words)
            check(ledger, {word for word in words if word.split(" ")[0] in GRANTS}, found)
    return {"faults": amount, "calls in a life": calls, **found}


def check(ledger: Ledger, words: set[str], found: Counter[str]) -> None:
    """The ledger is whole, holds all that was granted, and bears at least its cost."""
    try:
        ledger.verify()
        missing = words - recorded(ledger)
        too_small = any(not within(run.cost, run.counted) for run in ledger.runs())
        over = ledger.cost_left < 0
    except REFUSALS:
        missing, too_small, over = set(), True, False
    found["unrecorded grants"] += len(missing)
    found["violations"] += bool(missing) + too_small + over


def kills(amount: int) -> dict[str, Any]:
    """kill -9 before, after and halfway through each call that changes a file."""
    return faulty_lives(amount, (KILL_BEFORE, KILL_AFTER, KILL_HALFWAY), lambda *_: None)


def errors(amount: int) -> dict[str, Any]:
    """An I/O error, or a disk that is full, at each call that changes a file; the process lives on and goes on."""

    def go_on(ledger: Ledger, name: str, tell: Tell) -> None:
        with contextlib.suppress(*REFUSALS):
            life(ledger, f"{name}-again", tell)

    return faulty_lives(amount, (IO_ERROR, DISK_FULL), go_on)


def power(amount: int) -> dict[str, Any]:
    """Power cuts: all that was synced is there, of the rest any part; what was granted must be in the ledger."""
    found: Counter[str] = Counter(violations=0)
    rng = random.Random(7)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        folder, log = Path(name) / "disk", Path(name) / "log"
        folder.mkdir()
        ledger = new_ledger(folder, "power")
        begin = {str(ledger.path): ledger.path.read_bytes()}
        faults().fault_record(os.fsencode(log))
        faults().fault_arm(os.fsencode(folder), RECORD, 0)
        words: list[str] = []

        def tell(word: bytes) -> None:
            faults().fault_mark()
            words.extend(granted(word))

        for number in range(30):
            life(ledger, str(number), tell)
        faults().fault_arm(b"", 0, 0)
        operations = read_log(log.read_bytes())
        for number in range(amount):
            cut = rng.randrange(len(operations) + 1)
            known = sum(kind == "M" for kind, *_ in operations[:cut])
            image = Path(name) / f"image-{number}"
            image.mkdir()
            for path, content in after_power_cut(begin, operations[:cut], rng).items():
                (image / Path(path).name).write_bytes(content)
            survivor = None
            with contextlib.suppress(*REFUSALS):
                survivor = Ledger.open(image / ledger.path.name)
            found["unreadable"] += survivor is None
            missing = set() if survivor is None else set(words[:known]) - recorded(survivor)
            found["unrecorded grants"] += len(missing)
            found["violations"] += survivor is None or bool(missing)
            shutil.rmtree(image)
    return {"cuts": amount, "calls": len(operations), **found}


Operation = tuple[str, str, int, bytes]


def read_log(log: bytes) -> list[Operation]:
    """What faults.c wrote down: kind, path, offset or length, data."""
    operations, position = [], 0
    while position < len(log):
        end = log.index(b"\n", position)
        kind, path, offset, length = log[position:end].decode().split(" ")
        position = end + 1
        data = log[position : position + int(length)] if kind == "W" else b""
        position += len(data)
        operations.append((kind, path, int(offset) if kind == "W" else int(length), data))
    return operations


def after_power_cut(begin: dict[str, bytes], operations: list[Operation], rng: random.Random) -> dict[str, bytes]:
    """Files as a power cut may leave them: what was synced, and of later changes all, some sectors, or none."""
    synced = {path: bytearray(content) for path, content in begin.items()}
    pending: dict[str, list[Operation]] = {}
    for operation in operations:
        kind, path, *_ = operation
        if path.endswith("-shm") or kind == "M":
            continue
        later = pending.setdefault(path, [])
        if kind == "S":
            for each in later:
                change(synced, each)
            later.clear()
        elif kind != "U" and any(each[0] == "U" for each in later):  # a new file under the old name
            synced[path] = bytearray()
            pending[path] = [operation]
        else:
            later.append(operation)
    for later in pending.values():
        for kind, path, where, data in later:
            if kind != "W":
                if rng.random() < 0.5:
                    change(synced, (kind, path, where, data))
                continue
            for i in range(0, len(data), SECTOR):
                if rng.random() < 0.5:
                    change(synced, (kind, path, where + i, data[i : i + SECTOR]))
    return {path: bytes(content) for path, content in synced.items()}


def change(files: dict[str, bytearray], operation: Operation) -> None:
    kind, path, where, data = operation
    if kind == "U":
        files.pop(path, None)
        return
    content = files.setdefault(path, bytearray())
    if kind == "T":
        content[where:] = bytes(max(0, where - len(content)))
    else:
        content.extend(bytes(max(0, where - len(content))))
        content[where : where + len(data)] = data


def races(amount: int) -> dict[str, Any]:
    """32 processes race for as many reservations as the cap has room for: all are granted, and not one more."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        ledger = new_ledger(Path(name), "races", Budget(1.0, 1e-6))
        event = Gaussian.spending(affordable(ledger.budget) // amount)

        def work(tell: Tell) -> None:
            mine, number = Ledger.open(Path(name) / "races.ledger"), 0
            with contextlib.suppress(BudgetExceededError):
                while True:
                    mine.reserve(f"{os.getpid()}/{number}", ledger.budget, [event], "operating system", Job())
                    number += 1
                    tell(b".")

        told = in_children([work] * 32)
        held, left = len(ledger.runs()), ledger.cost_left
        ledger.verify()
    strange = sum(set(words) != {ord(".")} for words in told if words)
    whole = held == sum(map(len, told)) == amount and 0 <= left < event.cost.gaussian
    return {"processes": 32, "granted": sum(map(len, told)), "recorded": held, "cost left": left, "a reservation costs":
            event.cost.gaussian, "busiest": max(map(len, told)), "violations": strange + (not whole)}  # fmt: skip


def flips(amount: int) -> dict[str, Any]:
    """Bytes of a ledger's file, changed in turn (about `amount`, evenly spread): noticed, or the same lines."""
    found: Counter[str] = Counter(violations=0)
    rng = random.Random(11)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        ledger = new_ledger(Path(name), "flips")
        for number in range(25):
            life(ledger, str(number), lambda word: None)
        path, lines = Path(name) / "flips.ledger", ledger.entries()
        whole = path.read_bytes()
        step = max(1, len(whole) // amount)
        for position in range(0, len(whole), step):
            with path.open("r+b", buffering=0) as file:
                file.seek(position)
                file.write(bytes([whole[position] ^ rng.randrange(1, 256)]))
            try:
                same = Ledger.open(path).entries() == lines
                found["harmless" if same else "silent"] += 1
                found["violations"] += not same
            except REFUSALS:
                found["noticed"] += 1
            if path.stat().st_size != len(whole):
                path.write_bytes(whole)
            with path.open("r+b", buffering=0) as file:
                file.seek(position)
                file.write(whole[position : position + 1])
    return {"bytes in the file": len(whole), "bytes flipped": len(range(0, len(whole), step)), **found}


KINDS = {f.__name__: f for f in (kills, errors, power, races, flips)}

if __name__ == "__main__":
    print(json.dumps(KINDS[sys.argv[1]](int(sys.argv[2]))))
