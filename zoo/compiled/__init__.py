"""Loops over the rows of a graph, compiled for the machine at their first use; the only package that imports numba."""
