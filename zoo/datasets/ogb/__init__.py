"""Data sets of the Open Graph Benchmark, in OGB's own folder layout, read without its loaders.

OGB's loaders write beside the files that they read, rename one of them, ask on standard input, and unpickle what they
find; here the folder is only read, and every byte that is parsed has had its digest checked first. The result is the
same as theirs, edge for edge.

Source: Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020.
"""
