import numpy as np
import pytest

from analysis import report
from tests.analysis.report.brightest import CLASSES, NETWORK, SETTINGS, scenes


@pytest.fixture(scope="session")
def subject():
    images, labels = scenes()
    # One mistake on purpose.
    labels[5] = 3
    figures = {"loss": 0.5, "accuracy": 0.875, "precision": 0.8, "recall": 0.8, "f1": 0.8}
    history = [
        {"epoch": epoch, "step": 3 * epoch, "train": figures | {"loss": 1 / epoch}, "test": figures}
        for epoch in (1, 2, 3)
    ]
    return report.Subject(
        title="brightest on scenes",
        classes=CLASSES,
        images=images,
        labels=labels,
        logits_fn=NETWORK.logits_fn,
        network=NETWORK,
        facts={"model": "brightest <1>", "parameters": "0"},
        history=history,
        per_class=lambda confusion: {"recall": np.diag(confusion) / confusion.sum(1)},
        command="python -m analysis report 'runs/a b'",
    )


@pytest.fixture(scope="session")
def lines():
    return []


@pytest.fixture(scope="session")
def findings(subject, lines):
    return report.examine(subject, SETTINGS, lines.append)


@pytest.fixture(scope="session")
def page(subject, findings):
    return report.page(subject, findings)
