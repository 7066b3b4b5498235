"""Convolutions, residual connections, and the network that stacks them."""
