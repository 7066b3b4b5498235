"""What no training step can do without: its matrix products and its propagations, with nothing around them."""

import time
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from compared.contestant import Contestant
from compared.inputs import Inputs
from compared.problem import Problem
from zoo.dgl_backend import dgl
from zoo.engine.kernel import KernelName
from zoo.engine.numba_kernel import CompiledKernel
from zoo.errors import ZooError
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph

Kind = Literal["encoder", "products", "propagations"]
_TRIES = 5


class Skeleton(Contestant):
    """Forward and backward products and propagations of a residual GCN or SAGE stack, in the order of a step.

    Each block reads the matrix that the one before has just written, and keeps it for the backward pass; so what is in
    the caches, and what is not, is as in a step. There is no activation, bias, residual, loss or optimiser, and no
    autograd. Matrices are orthogonal, which keeps all numbers away from 0 and infinity.

    graph: with the kernel that is the fastest at this width. spent: seconds so far, by kind; products with the features
    are the encoder's, all others `products`. flops: of those others in an epoch.
    """

    checked = False

    def __init__(self, problem: Problem) -> None:
        super().__init__("floor")
        n, width, classes = problem.nodes, problem.width, problem.classes
        self.inputs, self.sage = Inputs(problem.features, width), problem.conv == "sage"
        self.depth = len(problem.convs)
        self.graph, self.kernel = _fastest(problem)
        self.forward_norm: Norm = "right" if self.sage else "both"
        self.backward_norm: Norm = "left" if self.sage else "both"  # the graph is its own reverse
        self.weights = [_orthogonal(width) * (0.5 if self.sage else 1.0) for _ in problem.convs]
        columns = problem.features.shape[1]
        self.encoder = torch.randn(columns, width) / columns**0.5
        self.head, self.error = torch.randn(width, classes) / width**0.5, torch.randn(n, classes) / n
        self.product, self.other = torch.empty(n, width), torch.empty(n, width)
        self.gradients = [torch.empty(width, width) for _ in problem.convs]
        self.outputs, self.received = [torch.empty(n, width) for _ in problem.convs], torch.empty(n, width)
        products = 3 * width * classes + self.depth * (6 if self.sage else 3) * width**2
        self.flops = 2 * n * products
        self.spent: dict[Kind, float] = dict.fromkeys(get_args(Kind), 0.0)
        self.epochs = 0

    @torch.no_grad()
    def epoch(self) -> float:
        """The products and propagations of a step; validation costs no others, as it can use the same forward pass."""
        before = sum(self.spent.values())
        kept = [self._with_inputs(self.inputs.times, self.encoder)]
        for weight, y in zip(self.weights, self.outputs, strict=True):
            self._propagate(self._product(kept[-1], weight, self.product), self.forward_norm, y)
            if self.sage:
                self._add_product(y, kept[-1], weight)
            kept.append(y)
        self._product(kept[-1], self.head, torch.empty_like(self.error))

        self._product(kept[-1].t(), self.error, torch.empty_like(self.head))
        g = self._product(self.error, self.head.t(), torch.empty_like(self.other))
        for place in reversed(range(self.depth)):
            x, weight, into = kept.pop(-2), self.weights[place], self.gradients[place]
            received = self._propagate(g, self.backward_norm, self.received)
            self._product(x.t(), received, into)
            if self.sage:
                self._product(x.t(), g, into)
                skipped = self._product(g, weight.t(), self.product)
                g = self._add_product(skipped, received, weight.t())
                self.product = self.other if g is self.product else self.product
                self.other = g
            else:
                g = self._product(received, weight.t(), self.product)
        self._with_inputs(self.inputs.back, g)
        self.epochs += 1
        return sum(self.spent.values()) - before

    def shares(self) -> dict[str, Any]:
        """Of an epoch: seconds by kind, and how many operations a second the products made."""
        seconds = {kind: total / self.epochs for kind, total in self.spent.items()}
        reached = self.flops / seconds["products"] / 1e9
        return {**seconds, "gflops": reached, "kernel": self.kernel, "inputs": list(self.inputs.kinds)}

    def _with_inputs(self, run: Callable[[Tensor], Tensor], other: Tensor) -> Tensor:
        began = time.perf_counter()
        made = run(other)
        self.spent["encoder"] += time.perf_counter() - began
        return made

    def _product(self, a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        began = time.perf_counter()
        torch.mm(a, b, out=out)
        self.spent["products"] += time.perf_counter() - began
        return out

    def _add_product(self, to: Tensor, a: Tensor, b: Tensor) -> Tensor:
        began = time.perf_counter()
        to.addmm_(a, b)
        self.spent["products"] += time.perf_counter() - began
        return to

    def _propagate(self, x: Tensor, norm: Norm, out: Tensor) -> Tensor:
        began = time.perf_counter()
        kernel, (before, after, _) = self.graph.backend, self.graph.scaling(norm, x.dtype)
        if isinstance(kernel, CompiledKernel):
            kernel.sum_into(out, x, False, before, after)
        else:
            out = kernel.neighbour_sum(x, False, before, after)
        self.spent["propagations"] += time.perf_counter() - began
        return out


def _fastest(problem: Problem) -> tuple[Graph, str]:
    """The graph with whichever of the zoo's kernels propagates fastest at this width."""
    made = dgl.graph((problem.src, problem.dst), num_nodes=problem.nodes)
    x = torch.randn(problem.nodes, problem.width)
    times: dict[str, tuple[float, Graph]] = {}
    for name in get_args(KernelName):
        try:
            graph = Graph(made, kernel=name)
            took = min(_seconds(graph, x) for _ in range(_TRIES))
        except ZooError:  # not on this device
            continue
        times[graph.kernel] = min(times.get(graph.kernel, (took, graph)), (took, graph), key=lambda pair: pair[0])
    best = min(times, key=lambda name: times[name][0])
    return times[best][1], best


@torch.no_grad()
def _seconds(graph: Graph, x: Tensor) -> float:
    began = time.perf_counter()
    graph.propagate(x)
    return time.perf_counter() - began


def _orthogonal(width: int) -> Tensor:
    return torch.linalg.qr(torch.randn(width, width)).Q.contiguous()
