"""Our critics as modules of PyTorch, which Opacus takes; what its GradSampleModule finds of them, in our order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Network = list[Tensor]


def perceptron_module(network: Network) -> torch.nn.Module:
    """Of a perceptron of `networks.py`: rows of indicators to scores, shape (rows, 1)."""
    layers: list[torch.nn.Module] = []
    for weights, biases in zip(network[::2], network[1::2], strict=True):
        layers += [_linear(weights, biases), torch.nn.LeakyReLU(0.2)]
    return torch.nn.Sequential(*layers[:-1])


class ImageCritic(torch.nn.Module):
    """Of a critic of `image/game.py`: rows of a class and of pixels to scores, shape (rows,)."""

    def __init__(self, network: Network, shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.first, self.second = (_convolution(*network[i : i + 2]) for i in (0, 2))
        self.last = _linear(*network[4:])

    def forward(self, rows: Tensor) -> Tensor:
        labels, pixels = rows.split([self.last.out_features, self.shape[0] * self.shape[1]], dim=1)
        x = pixels.reshape(-1, 1, *self.shape)
        for layer in (self.first, self.second):
            x = torch.nn.functional.leaky_relu(layer(x), 0.2)
        return torch.sum(self.last(x.flatten(start_dim=1)) * labels, dim=1)


def per_sample(module: torch.nn.Module, loss: Callable[[Tensor], Tensor], rows: Tensor) -> list[Tensor]:
    """Gradients of each row as Opacus keeps them, a tensor for each parameter; module: a GradSampleModule."""
    module.zero_grad(set_to_none=True)
    loss(module(rows)).sum().backward()
    return [parameter.grad_sample for parameter in module.parameters()]


def in_our_order(found: list[Tensor]) -> Tensor:
    """As one vector a row; weights of a linear layer are turned, as ours are (inputs, outputs)."""
    turned = [part.transpose(1, 2) if part.dim() == 3 else part for part in found]
    return torch.cat([part.reshape(len(part), -1) for part in turned], dim=1).detach()


def _linear(weights: Tensor, biases: Tensor) -> torch.nn.Linear:
    layer = torch.nn.Linear(*weights.shape)
    layer.weight.data, layer.bias.data = weights.T.clone(), biases.clone()
    return layer


def _convolution(weights: Tensor, biases: Tensor) -> torch.nn.Conv2d:
    layer = torch.nn.Conv2d(weights.shape[1], weights.shape[0], 4, stride=2, padding=1)
    layer.weight.data, layer.bias.data = weights.clone(), biases.clone()
    return layer
