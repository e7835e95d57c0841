import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import train
from train import console, loop
from train.__main__ import main
from train.tasks import Classification

ROOT = Path(__file__).parents[2]
SMALL = ["mlp", "--size", "8", "--batch-size", "128", "--set", "widths=(16,)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["renset20"], "did you mean resnet20"),
        (["shw", "digits"], "neither a model nor a command, did you mean show"),
        (["mlp", "--dataset", "digit"], "did you mean digits"),
        (["mlp", "--set", "width=3"], "did you mean widths"),
        (["mlp", "--set", "width"], "NAME=VALUE"),
        (["mlp", "--set", "act=rellu"], "did you mean relu"),
        (["mlp", "--epochs", "0"], "epochs=0"),
        (["mlp", "--epochs", "many"], "--epochs"),
        (["mlp", "--epoch", "3"], "--epoch"),
        ([], "model"),
        (["mlp", "--batch-size", "2000", "--size", "8"], "give at most 1437"),
        (["lenet5", "--size", "8"], "cannot take images of 8×8"),
        (["mlp", "--dataset", "folder:/no/such/place"], "no such folder"),
        (["mlp", "--accumulate", "24", "--size", "8"], "exceeds the 23 batches of an epoch: give at most 23"),
        (["mlp", "--accumulate", "0"], "accumulate=0"),
        (["mlp", "--early-stop", "0"], "early_stop=0"),
        (["mlp", "--early-stop", "2", "--validation", "0"], "validation=0.0"),
        (["mlp", "--schedule", "platau"], "did you mean plateau"),
        (["mlp", "--patience", "2"], "expected 'plateau'"),
        (["mlp", "--optimizer", "muno"], "did you mean muon"),
        (["mlp", "--optimizer", "adam", "--momentum", "0.5"], "optimizer='adam' has none"),
        (["mlp", "--ema", "1"], "ema=1.0"),
        (["mlp", "--clip", "0"], "clip=0.0"),
        (["mlp", "--augment", "shift,mixp"], "did you mean mixup"),
        (["mlp", "--validation", "1.5"], "validation=1.5"),
        (["mlp", "--class-weights", "yes"], "class_weights='yes'"),
        (["mlp", "--preset", "alexnt"], "did you mean alexnet"),
        (["mlp", "--config", "none.toml"], "none.toml cannot be read"),
        (["--epochs", "3"], "model is missing"),
        (["selftest", "mlp", "--epochs", "0"], "epochs=0"),
        (["selftest", "lenet5", "--size", "8"], "cannot take images of 8×8"),
        (["selftest"], "model is missing"),
        (["range", "unet", "--size", "16"], "expected task='segmentation'"),
        (["range", "mlp", "--steps", "many"], "--steps"),
    ],
)
def test_bad_input_is_answered_in_a_few_lines(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    output = capsys.readouterr()
    assert code == 2
    assert message in output.err
    assert output.err.startswith("error: ")
    assert len(output.err.splitlines()) <= 5
    assert not output.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [FloatingPointError("the loss is nan"), OSError(28, "No space left")])
def test_what_fails_later_is_answered_alike(error, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(loop, "_train", fail)
    assert main([*SMALL, "--out", str(tmp_path / "run")]) == 2
    assert f"error: {error}" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_sets_the_exit_code(number, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(console.Progress, "step", lambda *_: os.kill(os.getpid(), number))
    assert main([*SMALL, "--out", str(tmp_path / "run")]) == 128 + number
    assert "the same command goes on" in capsys.readouterr().err
    assert train.load(tmp_path / "run").step > 0


def test_help_names_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("--learning-rate", "--set NAME=VALUE", "(default: 20)", "digits, scenes, faces, folder:PATH"):
        assert part in text


@pytest.mark.optimized
def test_killed_at_any_moment_the_same_command_ends_in_the_same_bits(tmp_path, same):
    command = [*SMALL, "--epochs", "8", "--out"]
    assert main([*command, str(tmp_path / "whole")]) == 0
    killed = subprocess.Popen(
        [sys.executable, "-m", "train", *command, str(tmp_path / "killed")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with killed:
        assert killed.stderr is not None
        for line in killed.stderr:
            if line.startswith("epoch 3/8"):
                killed.kill()
                break
    assert killed.returncode == -signal.SIGKILL
    before = train.load(tmp_path / "killed")
    assert 3 <= len(before.metrics) < 8
    assert main([*command, str(tmp_path / "killed")]) == 0
    left, right = train.load(tmp_path / "whole"), train.load(tmp_path / "killed")
    assert left.step == right.step == 8 * 12
    assert same(left.variables, right.variables)
    assert (tmp_path / "whole" / "metrics.jsonl").read_bytes() == (tmp_path / "killed" / "metrics.jsonl").read_bytes()


def test_the_bar_shows_loss_accuracy_rate_and_time_left(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with console.Progress(
        train.Config("mlp", epochs=2, batch_size=5), images=10, columns=Classification.columns
    ) as progress:
        progress.start(epoch=1, step=2)
        progress.step(1, 5, {"loss": 0.25, "accuracy": 0.9})
        figures = dict.fromkeys(("loss", "accuracy"), 0.5)
        progress.epoch({"epoch": 2, "train": figures, "test": figures})
    shown = capsys.readouterr().err
    assert "going on at step 2, in epoch 2 of 2" in shown
    assert "epoch 2/2 · train loss 0.5000, accuracy 50.00% · test loss" in shown
    for part in ("epoch 2/2 |", "images/s", "left", "loss 0.2500 · accuracy 90.00%"):
        assert part in shown, shown


@pytest.mark.slow
def test_a_system_without_fcntl_imports_and_trains(tmp_path):
    """As Windows, which has no module of that name."""
    arguments = [*SMALL, "--epochs", "1", "--out", str(tmp_path / "run")]
    code = f"import sys; sys.modules['fcntl'] = None; from train.__main__ import main; sys.exit(main({arguments}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert train.load(tmp_path / "run").step == 12
