"""Small networks without hidden state: a network is a list of tensors, and applying it is a
function.

No layer here looks at more than one row, so a row's gradient is the row's own. PyTorch is imported
in this folder only. Networks lie on a GPU where PyTorch finds one. Random numbers are drawn on the
CPU all the same, so that a seed gives the same game on both, up to the rounding of floating-point
arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap

Network = list[Tensor]

_SLOPE = 0.2
_TEMPERATURE = 0.5


def device() -> torch.device:
    """A GPU where PyTorch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def perceptron(widths: Sequence[int], rng: torch.Generator) -> Network:
    """Weights and biases of layers of these widths, drawn as He et al. (arXiv 1502.01852) propose;
    biases are zero.
    """
    network = []
    for fan_in, fan_out in pairwise(widths):
        scale = math.sqrt(2 / (1 + _SLOPE**2) / fan_in)
        network += [torch.randn(fan_in, fan_out, generator=rng) * scale, torch.zeros(fan_out)]
    return [tensor.to(device()) for tensor in network]


def apply(network: Network, x: Tensor) -> Tensor:
    """x: shape (..., first width) to (..., last width), with leaky rectifiers between the
    layers.
    """
    for i in range(0, len(network), 2):
        x = x @ network[i] + network[i + 1]
        if i + 2 < len(network):
            x = torch.nn.functional.leaky_relu(x, _SLOPE)
    return x


def indicators(codes: np.ndarray, sizes: Sequence[int]) -> Tensor:
    """Codes of shape (rows, columns) to indicators of shape (rows, sum of sizes), a block a
    column.
    """
    ends = np.cumsum([0, *sizes[:-1]])
    return (
        torch.zeros(len(codes), sum(sizes))
        .scatter_(1, torch.from_numpy(codes + ends), 1.0)
        .to(device())
    )


def drawn(logits: Tensor, sizes: Sequence[int], rng: torch.Generator) -> Tensor:
    """One row for each of `logits` (rows, sum of sizes): indicators, with the gradient of softened
    ones.

    Gumbel-softmax, straight through: Jang, Gu, Poole, arXiv 1611.01144.
    """
    uniform = torch.rand(logits.shape, generator=rng).clamp(1e-10, 1 - 1e-7).to(logits.device)
    noisy = logits - torch.log(-torch.log(uniform))
    blocks = []
    for block in noisy.split(list(sizes), dim=1):
        soft = torch.softmax(block / _TEMPERATURE, dim=1)
        hard = torch.zeros_like(soft).scatter_(1, soft.argmax(dim=1, keepdim=True), 1.0)
        blocks.append(hard + soft - soft.detach())
    return torch.cat(blocks, dim=1)


def each_row(
    network: Network, loss: Callable[[Network, Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """Rows of indicators to the gradient of the loss of each row by itself, shape (rows, parameters
    of the network).

    loss: of the network and one row, a scalar. The network may change between calls.
    """
    per_row = vmap(grad(loss), in_dims=(None, 0))

    def gradients(rows: Tensor) -> Tensor:
        return torch.cat([part.reshape(len(rows), -1) for part in per_row(network, rows)], dim=1)

    return gradients


def each_row_of_perceptron(
    network: Network, loss: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """As `each_row` does for a perceptron, in a quarter of the time; loss: of scores, shape (rows,
    1), one a row.

    The gradient of a row by the weights of a layer is what came into the layer, times the gradient
    by what came out of it (Goodfellow, arXiv 1510.01799). So one pass back gives all rows, and each
    product is one multiplication. `benchmarks/beside_opacus.py` has the times of this, of
    `each_row` and of Opacus.
    """

    def gradients(rows: Tensor) -> Tensor:
        entered, left = _passed(network, rows)
        slopes = torch.autograd.grad(loss(left[-1]).sum(), left)
        found = torch.empty(len(rows), parameters(network), device=rows.device)
        parts = found.split([tensor.numel() for tensor in network], dim=1)
        for i, (x, slope) in enumerate(zip(entered, slopes, strict=True)):
            weights = parts[2 * i].view(len(rows), x.shape[1], slope.shape[1])
            torch.mul(x[:, :, None], slope[:, None, :], out=weights)
            parts[2 * i + 1].copy_(slope)
        return found

    return gradients


def _passed(network: Network, rows: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """What comes into each layer, and what comes out of it before its rectifier, which keeps how it
    came about.
    """
    entered: list[Tensor] = []
    left: list[Tensor] = []
    x = rows.detach()
    for weights, biases in zip(network[::2], network[1::2], strict=True):
        x = torch.nn.functional.leaky_relu(x, _SLOPE) if left else x
        entered.append(x.detach())
        x = x @ weights.detach() + biases.detach()
        left.append(x if left else x.requires_grad_(True))
    return entered, left


def clipped_mean(gradients: Tensor, clip: float) -> Tensor:
    """The mean of rows, each shortened to the length `clip` where it is longer; shape
    (parameters,).
    """
    lengths = gradients.norm(dim=1, keepdim=True)
    return torch.mean(gradients * (clip / lengths.clamp_min(clip)), dim=0)


def parameters(network: Network) -> int:
    """How many numbers make the network."""
    return sum(tensor.numel() for tensor in network)


def unflattened(vector: np.ndarray, network: Network) -> list[Tensor]:
    """A vector with a number for each parameter as tensors of the network's shapes, in the order of
    `each_row`.
    """
    parts = torch.from_numpy(vector.astype(np.float32)).split(
        [tensor.numel() for tensor in network]
    )
    return [
        part.reshape(tensor.shape).to(tensor.device)
        for part, tensor in zip(parts, network, strict=True)
    ]
