"""Our training beside Opacus': gradients of single rows, a clipped step, a whole run, epsilon and noise.

    OPENBLAS_NUM_THREADS=1 python benchmarks/beside_opacus.py [--repetitions 15] [--steps 60]

The critic of `dp-ctgan` on 200 indicators and that of `dp-gan` on images of 28 x 28 pixels, as they are by default. One
thread, CPU seconds of this process, all ways in turn in one run: of each the least and the median. A run is `Training`
with Adam beside a plain `PrivacyEngine` with Adam: same network, rate, clip, noise and number of steps. Needs the
extras gan and crosscheck.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from _record import RESULTS, write
from opacus import PrivacyEngine
from opacus.accountants import PRVAccountant, RDPAccountant
from opacus.accountants.utils import get_noise_multiplier
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer

from dpsynth.accounting import nonadaptive
from dpsynth.accounting.calibrate import calibrate, training
from dpsynth.kernel.budget import Budget, spent
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.image.dp_gan import ImageGAN, game_of
from dpsynth.mechanisms.image.game import make_critic, rows_of, scored
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.networks import (
    apply,
    each_row,
    each_row_of_perceptron,
    indicators,
    parameters,
    perceptron,
    unflattened,
)
from dpsynth.training.clipping import PIECE, _answers, _pieces, clipped_sum
from dpsynth.training.dpsgd import Training
from dpsynth.training.event import DpSgd

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.mechanisms.neural.twins import ImageCritic, per_sample, perceptron_module
from tests.rings.unkept import grant

DELTA, RATE, NOISE, BATCHES = 1e-6, 0.05, 4.0, (128, 1024)
TRAININGS = (
    (0.01, 1.0, 1000),
    (0.01, 1.0, 10_000),
    (0.01, 2.0, 2000),
    (0.05, 4.0, 300),
    (0.05, 4.0, 1000),
    (0.1, 5.0, 500),
)
COLUMNS, VALUES, SHAPE, CLASSES = 20, 10, (28, 28), 10


@dataclass
class Case:
    """A critic in our form and as a module; codes to what it takes; each row's gradient, by torch.func and as we do."""

    name: str
    sizes: tuple[int, ...]
    network: list[torch.Tensor]
    module: torch.nn.Module
    encode: Callable[[np.ndarray], torch.Tensor]
    by_row: Callable[[torch.Tensor], torch.Tensor]
    ours: Callable[[torch.Tensor], torch.Tensor]

    def codes(self, rows: int) -> np.ndarray:
        return np.random.default_rng(0).integers(0, self.sizes, size=(rows, len(self.sizes)))

    def gradients(self, codes: np.ndarray) -> np.ndarray:
        return self.ours(self.encode(codes)).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", default=str(RESULTS / "opacus.json"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    results: dict[str, Any] = {"piece": PIECE, "delta": DELTA, "rate": RATE, "noise": NOISE, "steps": options.steps}
    results["versions"] = {name: version(name) for name in ("torch", "opacus")}
    results["prices"] = [price(*facts) for facts in TRAININGS]
    results["times"] = []
    for make in (rows_critic, images_critic):
        for rows in BATCHES:
            case = make()
            ways = {**of_a_step(case, rows), **of_a_run(case, rows, options.steps)}
            found = in_turn(ways, options.repetitions)
            results["times"].append({"critic": case.name, "parameters": parameters(case.network), "rows": rows} | found)
            print(results["times"][-1])
    print(f"written to {Path(write(options.out, results))}")


def rows_critic() -> Case:
    sizes = (VALUES,) * COLUMNS
    network = perceptron([sum(sizes), *DPCTGAN().critic, 1], torch.Generator().manual_seed(0))
    return Case(
        "dp-ctgan",
        sizes,
        network,
        perceptron_module(network),
        lambda codes: indicators(codes, sizes),
        each_row(network, lambda n, row: hinge(apply(n, row)).squeeze()),
        each_row_of_perceptron(network, hinge),
    )


def images_critic() -> Case:
    network = make_critic(SHAPE, CLASSES, game_of(ImageGAN()), torch.Generator().manual_seed(0))
    by_row = each_row(network, lambda n, row: hinge(scored(n, row[None], SHAPE)).squeeze())
    sizes = (CLASSES, *[256] * (SHAPE[0] * SHAPE[1]))
    module = ImageCritic(network, SHAPE)
    return Case("dp-gan", sizes, network, module, lambda codes: rows_of(codes, CLASSES), by_row, by_row)


def of_a_step(case: Case, rows: int) -> dict[str, Callable[[], Any]]:
    """Gradients of a batch at once, ours three ways; then with places, clipping and the sum, ours and theirs."""
    codes, rng = case.codes(rows), np.random.default_rng(1)
    x, module = case.encode(codes), GradSampleModule(case.module, loss_reduction="sum")
    adam = torch.optim.Adam(module.parameters())
    theirs = DPOptimizer(adam, noise_multiplier=NOISE, max_grad_norm=1.0, expected_batch_size=rows)

    def placed(take: Callable[[np.ndarray], Any]) -> Any:
        for piece, taken in _pieces(codes, rng.integers(0, PIECE, rows)):
            take(_answers(case.gradients, piece, parameters(case.network))[taken])

    def step() -> None:
        theirs.zero_grad()
        hinge(module(x)).sum().backward()
        theirs.clip_and_accumulate()

    return {
        "gradients, torch.func": lambda: case.by_row(x),
        "gradients, ours": lambda: case.ours(x),
        "gradients, Opacus": lambda: per_sample(module, hinge, x),
        "gradients in pieces, ours": lambda: placed(lambda _: None),
        "step, ours": lambda: placed(lambda found: clipped_sum(found, 1.0)),
        "step, Opacus": step,
    }


def of_a_run(case: Case, rows: int, steps: int) -> dict[str, Callable[[], Any]]:
    codes = case.codes(round(rows / RATE))
    return {"run, ours": lambda: our_run(case, codes, steps), "run, Opacus": lambda: their_run(case, codes, steps)}


def our_run(case: Case, codes: np.ndarray, steps: int) -> None:
    event = DpSgd(RATE, NOISE, steps)
    rows = SensitiveRows(codes, sizes=case.sizes, protects=PrivacyUnit())
    size = {"parameters": parameters(case.network), "clip": 1.0, "assumed_rows": len(codes)}
    run, adam = Training(event.rate, event.noise_multiplier, grant(event), rows, **size), torch.optim.Adam(case.network)
    for _ in range(steps):
        for tensor, part in zip(case.network, unflattened(run.step(case.gradients), case.network), strict=True):
            tensor.grad = part
        adam.step()


def their_run(case: Case, codes: np.ndarray, steps: int) -> None:
    module = rows_critic().module if case.name == "dp-ctgan" else images_critic().module
    data = torch.utils.data.TensorDataset(case.encode(codes))
    module, adam, loader = PrivacyEngine().make_private(
        module=module,
        optimizer=torch.optim.Adam(module.parameters()),
        data_loader=torch.utils.data.DataLoader(data, batch_size=round(RATE * len(codes))),
        noise_multiplier=NOISE,
        max_grad_norm=1.0,
        loss_reduction="sum",
    )
    taken = 0
    while taken < steps:
        for (batch,) in loader:
            adam.zero_grad()
            hinge(module(batch)).sum().backward()
            adam.step()
            taken += 1
            if taken == steps:
                return


def in_turn(ways: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, dict[str, float]]:
    """CPU seconds of each way, taken in turn so that a busy machine is busy for all of them; runs three times."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repetitions + 1):
        for name, act in ways.items():
            if turn > 3 and name.startswith("run"):
                continue
            start = time.process_time()
            act()
            if turn:  # the first warms up
                seconds[name].append(time.process_time() - start)
    return {name: {"least": min(found), "median": median(found)} for name, found in seconds.items()}


def price(rate: float, noise: float, steps: int) -> dict[str, Any]:
    """Epsilon for the same noise, and noise for what we bill: each library by its own accountants."""
    event = DpSgd(rate, noise, steps)
    billed = spent(event.cost, Budget(1.0, DELTA)).epsilon
    opacus = {}
    for name, kind in (("PRV", PRVAccountant), ("RDP", RDPAccountant)):
        accountant = kind()
        accountant.history = [(noise, rate, steps)]
        opacus[name] = accountant.get_epsilon(DELTA)
    target = {"target_epsilon": 3.0, "target_delta": DELTA, "sample_rate": rate, "steps": steps}
    return {
        "rate": rate,
        "noise": noise,
        "steps": steps,
        "fixed": nonadaptive.epsilon([event], DELTA),
        "account": billed,
        **opacus,
        "noise for 3, account": calibrate(Budget(3.0, DELTA), training(rate, steps)).noise_multiplier,
        "noise for 3, PRV": get_noise_multiplier(**target, accountant="prv"),
        "noise for 3, RDP": get_noise_multiplier(**target, accountant="rdp"),
    }


def hinge(scores: torch.Tensor) -> torch.Tensor:
    return torch.relu(1 - scores)


if __name__ == "__main__":
    main()
