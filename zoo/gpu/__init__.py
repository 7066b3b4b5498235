"""Loops over graphs for GPUs, compiled when they are first used; the only package that imports triton."""
