"""Graphs and their operators: `Graph` in front, one kernel behind it."""

from zoo.engine.kernel import KernelName, Norm
from zoo.graphs.graph import Graph

__all__ = ["Graph", "KernelName", "Norm"]
