"""The base of `zoo`, `train` and `analysis`: traced programs, checks of values, files and command lines.

import convzoo
model = convzoo.zoo.create("resnet20")      # also convzoo.train and convzoo.analysis, each imported at its first use

These are the packages beside this one, even where the current folder holds a `train.py` of another project.
"""

# This file runs on old Pythons too, so that they are refused by a sentence rather than by a syntax error.
import sys

if sys.version_info < (3, 11):  # noqa: UP036
    version = ".".join(map(str, sys.version_info[:3]))
    raise ImportError(f"convzoo needs Python 3.11 or later, and this is Python {version} at {sys.executable}")

PACKAGES = ("zoo", "train", "analysis")


def __getattr__(name):
    if name not in PACKAGES:
        raise AttributeError(f"module 'convzoo' has no attribute {name!r}: it has {', '.join(PACKAGES)}")
    from convzoo.packages import load

    return load(name)


def __dir__():
    return sorted({*globals(), *PACKAGES})
