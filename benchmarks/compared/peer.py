"""A peer's training as its examples write it: one loop, one evaluation in each epoch."""

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from compared.contestant import Contestant
from compared.problem import Problem


class Peer(Contestant):
    """Trains a network of a peer's with Adam, and evaluates it after every step with a forward pass of its own.

    net: called with `graph`, whatever it takes for one, and the features.
    """

    def __init__(self, name: str, problem: Problem, net: nn.Module, graph: Any) -> None:
        super().__init__(name)
        self.problem, self.net, self.graph = problem, net.to(problem.features.device), graph
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=problem.lr)

    def epoch(self) -> float:
        """One step and one evaluation."""
        began = time.perf_counter()
        x, labels, train, val = self.problem.features, self.problem.labels, self.problem.train, self.problem.val
        self.net.train()
        logits = self.net(self.graph, x)
        loss = functional.cross_entropy(logits[train], labels[train])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

        self.net.eval()
        with torch.no_grad():
            logits = self.net(self.graph, x)
            right = (logits[val].argmax(dim=1) == labels[val]).float().mean()
        self.losses.append(loss.item())
        self.vals.append(right.item())
        return time.perf_counter() - began


def linear(end: dict[str, Tensor]) -> nn.Linear:
    """PyTorch's linear layer with the weights of one of the zoo's."""
    in_width, out_width = end["weight"].shape
    made = nn.Linear(in_width, out_width)
    copy(made.weight, end["weight"].t())
    copy(made.bias, end["bias"])
    return made


def copy(parameter: Any, value: Tensor) -> None:
    """Let a peer's parameter begin where the zoo's begins."""
    with torch.no_grad():
        parameter.copy_(value.reshape(parameter.shape))
