"""Layers as they are computed on a CPU, where XLA's own way is slow by large factors.

`dispatch` holds the tables of cases; each other file is one case: the condition, the form and its gradients.
The numbers are those of `zoo.layers.native`, to rounding.
"""
