"""The commands of `python -m train`, one a module: `add` makes its options, `answer` does the work and returns text.

A first word that names a command chooses it; any other is the model that `fit` trains.
"""

from types import ModuleType

from train.commands import compare, fit, listing, predict, rate_range, selftest, show, unpack

COMMANDS: dict[str, ModuleType] = {
    "show": show,
    "selftest": selftest,
    "range": rate_range,
    "list": listing,
    "compare": compare,
    "predict": predict,
    "unpack": unpack,
}
"""By the first word of the command line."""

DEFAULT: ModuleType = fit
"""The command without a word of its own."""
