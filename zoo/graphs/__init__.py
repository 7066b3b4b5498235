"""Graphs and their operators: `Graph` in front, one kernel behind it."""

from zoo.engine.kernel import KernelName
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph

__all__ = ["Graph", "KernelName", "Norm"]
