"""Sparse products over a graph and blocks as single operators: `propagate`, `attend`, `fused_block`, `rescale`."""

from zoo.engine.lowering import fused_block
from zoo.engine.propagation import attend, propagate

__all__ = ["attend", "fused_block", "propagate"]
