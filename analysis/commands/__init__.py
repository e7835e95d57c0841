"""What `python -m analysis` does with a model: one command a module, each a parser and its answer.

A command works on a `Source`; only `analysis.__main__` knows where a model comes from.
"""
