"""Attribution: our methods against captum's on the same weights and images, and what memory they take."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import analysis
import zoo
from tests.benchmarks import memory
from tests.benchmarks.contenders import Torch
from tests.benchmarks.timing import geometric_mean, medians, stopwatch
from tests.goldens import recipe


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network and its images, (batch, size, size, 3).

    Attributes:
      network: in the catalogue.
      size: height and width.
      batch: number of images.
    """

    network: str
    size: int
    batch: int


@dataclasses.dataclass(frozen=True)
class Work:
    """One method with its settings, which captum gets too.

    Attributes:
      method: in `analysis`.
      samples: points, copies or windows of an image.
      at_once: how many of these (of all images together) are held at once.
    """

    method: str
    samples: int = 1
    at_once: int = 32


SUBJECTS = (Subject("resnet20", 32, 32), Subject("resnet50", 224, 4))
WORKS = (
    Work("saliency"),
    Work("integrated_gradients", 50),
    Work("smoothgrad", 25),
    Work("occlusion", 49),
    Work("grad_cam"),
)
NAMES = [f"{work.method}/{subject.network}" for subject in SUBJECTS for work in WORKS]


def prepare(subject: Subject):
    """Model, variables, images and labels, from names and seeds that the torch process knows too."""
    model = zoo.create(subject.network)
    shape = (subject.size, subject.size, 3)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *shape)))
    state = {
        key: recipe.tensor(key, value.shape, 2.0)
        for key, value in zoo.to_torch(
            model, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
        ).items()
    }
    variables = zoo.load_torch(model, state, shape)
    return model, variables, recipe.unit_images((subject.batch, *shape)), np.arange(subject.batch) % 10


def call(work: Work, subject: Subject, given: tuple):
    """One call of the public function, images on the host as a user has them."""
    model, variables, images, labels = given
    logits_fn = zoo.logits_fn(model, variables)
    key = jax.random.key(0)
    side = subject.size // 4
    calls = {
        "saliency": lambda: analysis.saliency(logits_fn, images, labels),
        "integrated_gradients": lambda: analysis.integrated_gradients(
            logits_fn, images, labels, steps=work.samples, batch_size=work.at_once
        ),
        "smoothgrad": lambda: analysis.smoothgrad(
            logits_fn, images, labels, key, samples=work.samples, batch_size=work.at_once
        ),
        "occlusion": lambda: analysis.occlusion(
            logits_fn, images, labels, window=side, stride=side // 2, batch_size=work.at_once
        ),
        "grad_cam": lambda: analysis.grad_cam(model, variables, images, labels, resize=None, relu=False),
    }
    return calls[work.method]


def table(only: str, torch: Torch, budget: float) -> None:
    """Print a row for each method and network: times, captum's over ours, and peak memory."""
    print(f"attribution: {' and '.join(f'{s.network} {s.size}², batch {s.batch}' for s in SUBJECTS)}\n")
    print(f"{'':<32} | {'ms':>9} {'GiB':>5} | {'captum ms':>9} {'/ours':>6} {'GiB':>5}")
    ratios = []
    for subject in SUBJECTS:
        given = None
        for work in WORKS:
            name = f"{work.method}/{subject.network}"
            if only not in name:
                continue
            given = given or prepare(subject)
            request = dataclasses.asdict(work) | dataclasses.asdict(subject)
            runs = {"ours": stopwatch(call(work, subject, given))}
            if torch.version:
                runs["captum"] = torch.prepare(request)
            times = {who: run() for who, run in runs.items()}
            if min(times.values()) < budget:
                times = medians(runs, budget)
            row = f"{name:<32} | {1e3 * times['ours']:9.1f} {memory.peak('attribution', name):5.2f}"
            if "captum" in times:
                ratios.append(times["captum"] / times["ours"])
                row += f" | {1e3 * times['captum']:9.1f} {ratios[-1]:6.2f} {torch.memory(request):5.2f}"
            print(row, flush=True)
    if ratios:
        print(f"geometric mean of captum/ours: {geometric_mean(ratios):.2f}")


def once(row: str) -> None:
    """Attribute once."""
    method, network = row.split("/")
    subject = next(subject for subject in SUBJECTS if subject.network == network)
    work = next(work for work in WORKS if work.method == method)
    jax.block_until_ready(call(work, subject, prepare(subject))())
