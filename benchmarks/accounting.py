"""How tight, how fast and how safe is the accounting? Ours against dp-accounting, and two certificates against one.

    python benchmarks/accounting.py [--compositions 200] [--out benchmarks/results/accounting.json]

"whole" is the epsilon of a list fixed beforehand (privacy loss distributions), "filter" that of the gate, which holds
for any adaptive choice. "truth" comes from the contour integral of dpsynth/evidence/verifier/recompute.py, which
shares no code with either: no figure of ours may be below it; where it is undecided, none may be below
dp-accounting's optimistic estimate. dp-accounting's own figures, with its default interval of 1e-4, are an upper bound
as well.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from _record import RESULTS, write

from dpsynth.accounting import nonadaptive
from dpsynth.accounting.calibrate import calibrate, training
from dpsynth.evidence.verifier.recompute import Mix, Undecided
from dpsynth.kernel.budget import Budget, spent
from dpsynth.kernel.cost import NOTHING
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.ledger.names import event_to_dict
from dpsynth.prices import gdp_upper_bound
from dpsynth.training.event import DpSgd

_COMPARED = 200
"""Of the random lists, how many are given to dp-accounting too, which takes seconds for each."""

AIM = [Gaussian(30.205847446909623)] * 40 + [Gaussian(90.61754234072887)] * 40
CASES: dict[str, tuple[list[Event], float]] = {
    "C1: 100 Gaussian": ([Gaussian(10.0)] * 100, 1e-6),
    "C5: q=.01 s=1 T=10,000": ([DpSgd(0.01, 1.0, 10_000)], 1e-6),
    "q=.01 s=2 T=2,000": ([DpSgd(0.01, 2.0, 2000)], 1e-6),
    "q=.01 s=2 T=20,000": ([DpSgd(0.01, 2.0, 20_000)], 1e-6),
    "q=.05 s=4 T=1,000": ([DpSgd(0.05, 4.0, 1000)], 1e-6),
    "q=.1 s=5 T=500": ([DpSgd(0.1, 5.0, 500)], 1e-6),
    "q=.02 s=1 T=1,000": ([DpSgd(0.02, 1.0, 1000)], 1e-6),
    "q=.002 s=.8 T=10,000": ([DpSgd(0.002, 0.8, 10_000)], 1e-6),
    "q=.01 s=1 T=1,000": ([DpSgd(0.01, 1.0, 1000)], 1e-9),
    "C7: AIM, all Gaussian, and training": ([*AIM, DpSgd(0.01, 2.0, 2000)], 1e-6),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compositions", type=int, default=200)
    parser.add_argument("--out", default=str(RESULTS / "accounting.json"))
    options = parser.parse_args()
    rows = [case(name, *facts) for name, facts in CASES.items()]
    print(f"{'':<36} {'whole':>9} {'CPU s':>6} {'filter':>9} {'CPU s':>6} {'RDP':>8} {'other':>9} {'CPU s':>6}")
    for r in rows:
        print(
            f"{r['case']:<36} {r['whole']:>9.5f} {r['whole CPU s']:>6.2f} {r['filter']:>9.5f} {r['filter CPU s']:>6.2f}"
            f" {r['rdp']:>8.4f} {r['dp-accounting']:>9.5f} {r['dp-accounting CPU s']:>6.2f}"
        )
    apart = nonadaptive.epsilon(AIM, 5e-7) + nonadaptive.epsilon([DpSgd(0.01, 2.0, 2000)], 5e-7)
    print(f"AIM and training: two certificates {apart:.4f}, one account {rows[-1]['whole']:.4f}")
    _, seconds = timed(lambda: calibrate(Budget(1.0, 1e-6), training(0.01, 2000), Gaussian(10.0).cost))
    found = compositions(options.compositions)
    print(found)
    results = {"cases": rows, "two certificates": apart, "calibrate CPU s": seconds, "random compositions": found}
    print(f"written to {write(options.out, results)}")


def case(name: str, events: list[Event], delta: float) -> dict[str, Any]:
    import dp_accounting

    whole, whole_seconds = timed(lambda: nonadaptive.epsilon(events, delta))
    gdp_upper_bound.gaussian_price.cache_clear()
    gate, gate_seconds = timed(lambda: spent(sum((e.cost for e in events), start=NOTHING), Budget(1.0, delta)).epsilon)
    other, other_seconds = timed(lambda: theirs(dp_accounting.pld.PLDAccountant(), events, delta))
    rdp = theirs(dp_accounting.rdp.RdpAccountant(), events, delta)
    return {
        "case": name,
        "delta": delta,
        "whole": whole,
        "whole CPU s": whole_seconds,
        "filter": gate,
        "filter CPU s": gate_seconds,
        "rdp": rdp,
        "dp-accounting": other,
        "dp-accounting CPU s": other_seconds,
        "delta by contour": contour(events, whole),
    }


def compositions(number: int) -> dict[str, Any]:
    """Random lists: is the true delta at our epsilon ever above delta, and how far is our epsilon from theirs?"""
    import dp_accounting

    rng = np.random.default_rng(2026)
    below, undecided, apart, seconds = 0, 0, [], []
    for _ in range(number):
        events: list[Event] = [
            DpSgd(float(10 ** rng.uniform(-3, -0.5)), float(10 ** rng.uniform(-0.1, 1)), int(10 ** rng.uniform(1.5, 4)))
            for _ in range(rng.integers(1, 4))
        ]
        events += [Gaussian(float(10 ** rng.uniform(0.3, 2)))] * int(rng.integers(0, 3))
        delta = float(10 ** rng.uniform(-10, -4))
        epsilon, cpu = timed(lambda events=events, delta=delta: nonadaptive.epsilon(events, delta))
        seconds.append(cpu)
        try:
            below += contour(events, epsilon) > delta * (1 + 1e-9)
        except Undecided:
            undecided += 1
            below += epsilon < at_least(events, delta)
        if len(apart) < _COMPARED:
            apart.append(epsilon - theirs(dp_accounting.pld.PLDAccountant(), events, delta))
    return {
        "number": number,
        "below the truth": int(below),
        "of them judged by dp-accounting's lower bound": undecided,
        "compared with dp-accounting": len(apart),
        "least and most over dp-accounting": [min(apart), max(apart)],
        "median CPU s": float(np.median(seconds)),
        "largest CPU s": max(seconds),
    }


def contour(events: list[Event], epsilon: float) -> float:
    """The true delta at this epsilon."""
    listed = [event_to_dict(event) for event in events]
    return max(Mix.of(listed, removed).delta(epsilon) for removed in (True, False))


def at_least(events: list[Event], delta: float) -> float:
    """A lower bound on epsilon by dp-accounting's optimistic loss distributions, on a fine grid."""
    from dp_accounting.pld import privacy_loss_distribution as pld

    parts = []
    for event in events:
        rate, steps = (event.rate, event.steps) if isinstance(event, DpSgd) else (1.0, 1)
        one = pld.from_gaussian_mechanism(
            event.noise_multiplier,  # type: ignore[union-attr]
            pessimistic_estimate=False,
            value_discretization_interval=1e-5,
            sampling_prob=rate,
            use_connect_dots=False,
        )
        parts.append(one.self_compose(steps))
    return float(reduce(lambda a, b: a.compose(b), parts).get_epsilon_for_delta(delta))


def theirs(accountant: Any, events: list[Event], delta: float) -> float:
    import dp_accounting

    for event in events:
        step = dp_accounting.GaussianDpEvent(event.noise_multiplier)  # type: ignore[union-attr]
        if isinstance(event, DpSgd):
            accountant.compose(dp_accounting.PoissonSampledDpEvent(event.rate, step), event.steps)
        else:
            accountant.compose(step)
    return float(accountant.get_epsilon(delta))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


if __name__ == "__main__":
    main()
