"""Graphs and their operators: `Graph` in front, one kernel behind it."""

from zoo.graphs.graph import Graph
from zoo.graphs.kernel import KernelName, Norm

__all__ = ["Graph", "KernelName", "Norm"]
