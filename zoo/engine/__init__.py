"""The mathematics of the layers, fast: `propagate`, `attend` and `fused_block` over a graph, `rescale` of weights."""

from zoo.engine.lowering import fused_block
from zoo.engine.propagation import attend, propagate
from zoo.engine.rescaling import rescale

__all__ = ["attend", "fused_block", "propagate", "rescale"]
