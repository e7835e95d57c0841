"""`make bench`: our layers against `flax.linen` and PyTorch, our networks against torchvision,
our attribution against captum, and our attacks against foolbox and torchattacks.

PyTorch is compared where there is a Python that has it (`TORCH_PYTHON`, or `.venv-torch`, made as
`tests/goldens/make.py` says). Both sides call `zoo.keep_memory`, or neither.
"""

import argparse

import jax

import zoo
from tests.benchmarks import attacks, attribution, cases, layers, models
from tests.benchmarks.contenders import Torch

NAMES = {
    "layers": [case.name for case in cases.CASES],
    "models": list(models.NAMES),
    "attribution": attribution.NAMES,
    "attacks": attacks.NAMES,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--suite", choices=NAMES, help="one of the tables (default: all)")
    parser.add_argument("--only", default="", help="part of a case's or network's name")
    parser.add_argument(
        "--budget",
        type=float,
        help="seconds for each contender and direction (default: layers 1.5, models 8, attribution 6, attacks 6)",
    )
    parser.add_argument("--batch", type=int, help="images for networks (default: 8 on a CPU, 256 elsewhere)")
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
    if chosen.get("layers"):
        layers.table(given.only, torch, given.budget or 1.5)
    if chosen.get("models"):
        models.table(given.only, torch, given.budget or 8.0, given.batch)
    if chosen.get("attribution"):
        attribution.table(given.only, torch, given.budget or 6.0)
    if chosen.get("attacks"):
        attacks.table(given.only, torch, given.budget or 6.0)


if __name__ == "__main__":
    main()
