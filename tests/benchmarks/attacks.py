"""Attacks: ours against foolbox's and torchattacks' on the same weights, images and labels, and what memory they take.

Peers run in the Python of `contenders.Torch`, where they are installed there. The labels are the classes that the
network itself predicts, so that every image has to be attacked. A peer that lacks an attack is left out of its row.
torchattacks' Carlini–Wagner does not search for the weight of the margin: it takes as many steps in all, at one weight.
"""

import dataclasses
import functools
import time
from collections.abc import Callable

import jax
import numpy as np

import zoo
from analysis import attacks, execution
from tests.benchmarks import attribution, memory
from tests.benchmarks.contenders import Torch
from tests.benchmarks.timing import geometric_mean, medians

PEERS = ("foolbox", "torchattacks")


@dataclasses.dataclass(frozen=True)
class Duel:
    """An attack with its settings, on a batch of images of one size.

    Attributes:
      attack: of `analysis.attacks`.
      steps: gradient steps, or queries.
      size: height and width of the images.
      batch: number of images.
      epsilon: Linf bound of bounded attacks.
      searches: runs of `steps` that look for the weight of the margin.
      peers: those that have the attack.
    """

    attack: str
    steps: int
    size: int
    batch: int
    epsilon: float = 8 / 255
    searches: int = 1
    peers: tuple[str, ...] = PEERS

    @property
    def name(self) -> str:
        """Of the row."""
        times = f"{self.searches}×" if self.searches > 1 else ""
        return f"{self.attack}-{times}{self.steps}/{self.size}²/{self.batch}"


ATTACKS = (
    {"attack": "pgd", "steps": 40},
    {"attack": "apgd", "steps": 100, "peers": ("torchattacks",)},
    {"attack": "carlini_wagner", "steps": 100, "searches": 3},
    {"attack": "deepfool", "steps": 50},
    # So small a bound that no image is broken: all queries are asked.
    {"attack": "square", "steps": 1000, "epsilon": 1e-4, "peers": ("torchattacks",)},
)
DUELS = [Duel(**one, size=size, batch=batch) for one in ATTACKS for size in (16, 32) for batch in (32, 128)]
NAMES = [duel.name for duel in DUELS]


def call(duel: Duel) -> Callable[[], object]:
    """One call of the public function, images on the host as a user has them."""
    subject = attribution.Subject("resnet20", duel.size, duel.batch)
    model, variables, images, _ = attribution.prepare(subject)
    logits_fn = execution.as_argument(zoo.logits_fn(model, variables))
    predict = functools.partial(_predict, logits_fn, duel.batch)
    labels, threat, key = predict(images).argmax(1), attacks.Linf(duel.epsilon), jax.random.key(0)
    calls: dict[str, Callable[[], object]] = {
        "pgd": lambda: attacks.pgd(logits_fn, images, labels, threat, steps=duel.steps, key=key),
        "apgd": lambda: attacks.apgd(logits_fn, images, labels, threat, steps=duel.steps, key=key),
        "carlini_wagner": lambda: attacks.carlini_wagner(
            logits_fn, images, labels, steps=duel.steps, searches=duel.searches
        ),
        "deepfool": lambda: attacks.deepfool(logits_fn, images, labels, steps=duel.steps),
        "square": lambda: (
            attacks.square(predict, images, labels, threat, queries=duel.steps, key=key, batch_size=duel.batch).images
        ),
    }
    return calls[duel.attack]


def _predict(logits_fn, batch, images):
    return np.asarray(execution.in_batches(lambda one: execution.call(logits_fn, one), batch, images))


def table(only: str, torch: Torch, budget: float) -> None:
    """Print a row for each attack, size and batch: times, the seconds of our compilation, and peak memory."""
    missing = [peer for peer in PEERS if not torch.has(peer)]
    print(f"attacks: resnet20, labels as predicted; missing: {', '.join(missing) or 'none'}\n")
    heads = "".join(f" | {peer + ' ms':>15} {'/ours':>6} {'GiB':>5}" for peer in PEERS if peer not in missing)
    print(f"{'':<28} | {'ms':>9} {'compile s':>9} {'GiB':>5}{heads}")
    ratios: dict[str, list[float]] = {peer: [] for peer in PEERS}
    for duel in DUELS:
        if only in duel.name:
            print(_row(duel, torch, budget, [peer for peer in PEERS if peer not in missing], ratios), flush=True)
    for peer, values in ratios.items():
        if values:
            print(f"geometric mean of {peer}/ours: {geometric_mean(values):.2f}")


def _row(duel: Duel, torch: Torch, budget: float, peers: list[str], ratios: dict[str, list[float]]) -> str:
    run = functools.partial(_seconds, call(duel))
    first = run()
    requests = {peer: dataclasses.asdict(duel) | {"peer": peer} for peer in peers if peer in duel.peers}
    runs = {"ours": run} | {peer: torch.prepare(request) for peer, request in requests.items()}
    times = {who: one() for who, one in runs.items()}
    if min(times.values()) < budget:
        times = medians(runs, budget)
    compilation, held = max(0.0, first - times["ours"]), memory.peak("attacks", duel.name)
    row = f"{duel.name:<28} | {1e3 * times['ours']:9.0f} {compilation:9.1f} {held:5.2f}"
    for peer in peers:
        if peer not in requests:
            row += f" | {'–':>15} {'':>6} {'':>5}"
            continue
        ratios[peer].append(times[peer] / times["ours"])
        row += f" | {1e3 * times[peer]:15.0f} {ratios[peer][-1]:6.2f} {torch.memory(requests[peer]):5.2f}"
    return row


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def once(row: str) -> None:
    """Attack once."""
    jax.block_until_ready(call(next(duel for duel in DUELS if duel.name == row))())
