"""Probes: what passes through a network's blocks, measured without changing it."""
