"""The state of a game as plain arrays: networks, optimisers, the public generator of random
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dpsynth.mechanisms.neural.networks import Network


@dataclass(frozen=True, eq=False)
class State:
    """What a game changes as it goes, and what its inputs are: `restore(arrays())` in another
    process goes on alike.
    """

    networks: Mapping[str, Network]
    optimisers: Mapping[str, torch.optim.Optimizer]
    rng: torch.Generator

    def arrays(self) -> dict[str, np.ndarray]:
        found = {
            f"{name}:{i}": _array(x)
            for name, network in self.networks.items()
            for i, x in enumerate(network)
        }
        for name, optimiser in self.optimisers.items():
            for i, moments in optimiser.state_dict()["state"].items():
                found |= {f"{name} optimiser:{i}:{kind}": _array(x) for kind, x in moments.items()}
        return {**found, "random numbers": self.rng.get_state().numpy()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """ValueError or KeyError for arrays of another game."""
        with torch.no_grad():
            for name, network in self.networks.items():
                for i, tensor in enumerate(network):
                    tensor.copy_(_fitting(saved[f"{name}:{i}"], tensor))
        for name, optimiser in self.optimisers.items():
            (group,) = optimiser.param_groups
            moments: dict[int, dict[str, Tensor]] = {i: {} for i in range(len(group["params"]))}
            for key in (k for k in saved if k.startswith(f"{name} optimiser:")):
                _, number, kind = key.split(":")
                like = torch.zeros(()) if kind == "step" else group["params"][int(number)]
                moments[int(number)][kind] = _fitting(saved[key], like)
            state = {i: kinds for i, kinds in moments.items() if kinds}
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        self.rng.set_state(torch.from_numpy(saved["random numbers"].copy()))


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().cpu().numpy()).copy()


def _fitting(array: np.ndarray, like: Tensor) -> Tensor:
    if array.shape != tuple(like.shape) or array.dtype != np.float32:
        raise ValueError(
            f"the state of a game has {array.dtype} of shape {array.shape} where"
            f" {tuple(like.shape)} belongs"
        )
    return torch.from_numpy(array.copy())
