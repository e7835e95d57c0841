import numpy as np
import pytest

from train.plan import check_purpose, prepare


@pytest.mark.parametrize("task", ["classification", "embedding"])
def test_shares_of_an_epochs_batches_count_every_image_alike(task, small):
    """1,437 digits in batches of 200: the eighth is short in classification, and full in a task on pairs."""
    config = small("run", task=task, batch_size=200, accumulate=3).resolve()
    plan, _ = prepare(config)
    windows = plan.windows
    visits = plan.visits(0)
    assert -(-len(visits) // 200) == windows.batches == 8
    weights = (np.arange(1600) < len(visits)).astype(np.float32).reshape(8, 200)
    for window in range(windows.updates):
        steps = [step for step in range(8) if step // 3 == window]
        counted = weights[steps].sum()
        # The mean over a window of means over batches, each with its share, is the mean over the window's images.
        parts = [float(windows.share(step, weights[step])) / weights[step].sum() / len(steps) for step in steps]
        assert parts == pytest.approx([1 / counted] * len(steps))


@pytest.mark.parametrize(
    ("model", "task", "message"),
    [
        ("unet", "classification", "unet gives a class for each pixel, expected task='segmentation'"),
        ("fcn_resnet50", "classification", "gives a class for each pixel, expected task='segmentation'"),
        ("coordinate_regressor", "classification", "gives a row and a column, expected task='position'"),
        ("embedding_resnet18", "position", "gives a point on the unit sphere, expected task='embedding'"),
        ("resnet20", "segmentation", "gives one answer an image, not one a pixel: expected a model such as unet"),
    ],
)
def test_a_model_that_cannot_do_the_task_is_refused_before_any_data_are_read(model, task, message, small, monkeypatch):
    monkeypatch.setattr("train.config.Config.load_dataset", lambda config: pytest.fail("the data set is read"))
    with pytest.raises(ValueError, match=message):
        prepare(small("run", model=model, fields={}, task=task, augment=()).resolve())


def test_outputs_of_another_shape_are_refused(small, monkeypatch):
    """Whatever the model is for: its fields may have made it another."""
    monkeypatch.setattr("train.plan.PURPOSES", {})
    message = r"unet gives outputs of shape \(16, 16, 10\) for an image of 16×16 pixels: .* expects \(10,\)"
    with pytest.raises(ValueError, match=message):
        prepare(small("run", model="unet", fields={}, size=16).resolve())


@pytest.mark.parametrize(
    ("model", "fields", "task"),
    [
        ("resnet20", {}, "embedding"),
        ("mlp", {}, "position"),
        ("coordinate_regressor", {"coordinates": False}, "classification"),
        ("vgg11", {"convolutional": True}, "segmentation"),
    ],
)
def test_other_models_may_learn_any_task(model, fields, task, small):
    check_purpose(small("run", model=model, fields=fields, task=task, augment=()))


def test_more_steps_than_can_be_counted_are_refused(small):
    with pytest.raises(ValueError, match="epochs=2000000000: expected at most 715827882 of 3 batches"):
        prepare(small("x", epochs=2_000_000_000).resolve())
