"""Loops over graphs for GPUs, in Triton, which compiles them when they are first used."""
