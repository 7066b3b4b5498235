"""Mini-batches of a large graph: samplers, and the blocks that they sample."""
