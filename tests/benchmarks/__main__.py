"""`make bench`: our layers against `flax.linen` and PyTorch, our networks against torchvision,
our training against a plain PyTorch loop, our attribution against captum, and our attacks against foolbox and
torchattacks.

PyTorch is compared where there is a Python that has it (`TORCH_PYTHON`, or `.venv-torch`, made as
`tests/goldens/make.py` says). Both sides call `zoo.keep_memory`, or neither.
"""

import argparse

import jax

import zoo
from tests.benchmarks import attacks, attribution, cases, layers, models, training
from tests.benchmarks.contenders import Torch

NAMES = {
    "layers": [case.name for case in cases.CASES],
    "models": models.NAMES,
    "training": training.NAMES,
    "attribution": attribution.NAMES,
    "attacks": attacks.NAMES,
}
TABLES = {
    "layers": layers.table,
    "models": models.table,
    "training": training.table,
    "attribution": attribution.table,
    "attacks": attacks.table,
}
BUDGETS = {"layers": 1.5, "models": 8.0, "training": 6.0, "attribution": 6.0, "attacks": 6.0}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--suite", choices=NAMES, help="one of the tables (default: all)")
    parser.add_argument("--only", default="", help="part of a case's or network's name")
    parser.add_argument(
        "--budget",
        type=float,
        help="seconds for each contender and direction "
        f"(default: {', '.join(f'{suite} {seconds:g}' for suite, seconds in BUDGETS.items())})",
    )
    parser.add_argument(
        "--memory", choices=("kept", "free"), default="kept", help="whether both sides call `zoo.keep_memory`"
    )
    given = parser.parse_args()
    suites = [given.suite] if given.suite else list(NAMES)
    chosen = {suite: [name for name in NAMES[suite] if given.only in name] for suite in suites}
    if not any(chosen.values()):
        parser.error(
            f"--only {given.only!r} is part of none of {', '.join(name for suite in suites for name in NAMES[suite])}"
        )
    kept = given.memory == "kept" and zoo.keep_memory()
    torch = Torch(given.memory)
    print(
        f"jax {jax.__version__} on {jax.devices()[0].device_kind}; torch {torch.version or 'not found'}; "
        f"freed memory {'is kept' if kept else 'goes back to the system'}"
    )
    for suite, names in chosen.items():
        if names:
            TABLES[suite](given.only, torch, given.budget or BUDGETS[suite])


if __name__ == "__main__":
    main()
