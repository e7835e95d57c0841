from types import SimpleNamespace

import pytest

import train
from train import console
from train.tasks import Classification


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def batches(clock, wait):
    for number in range(4):
        clock.seconds += wait
        yield number


def test_the_share_of_waiting_for_data_is_that_of_the_clock(clock):
    pace = console.Pace()
    for _ in pace.waiting(batches(clock, 1.0)):
        clock.seconds += 3.0
        pace.step(8)
    assert pace.data_wait() == pytest.approx(0.25)
    assert pace.figures() == {"seconds": 16.0, "images_per_second": 2.0, "data_wait": 0.25}
    pace.start()
    assert pace.data_wait() == 0


@pytest.mark.parametrize(("wait", "told"), [(1.0, True), (0.125, False)])
def test_a_line_tells_the_time_left_and_a_share_worth_knowing(clock, capsys, wait, told):
    config = train.Config("mlp", epochs=11, batch_size=5)
    with console.Progress(config, images=20, columns=Classification.columns) as progress:
        for _ in progress.pace.waiting(batches(clock, wait)):
            clock.seconds += 3.0
            progress.pace.step(5)
        figures = dict.fromkeys(("loss", "accuracy"), 0.5)
        progress.epoch({"epoch": 1, "train": figures, "test": figures})
    line = capsys.readouterr().err.strip()
    assert ("25% waiting for data" in line) == told
    assert ("02:40 left" if told else "02:05 left") in line
    assert line.endswith(" images/s")
