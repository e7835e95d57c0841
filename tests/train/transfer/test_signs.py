import json

from train.transfer import Watch


def test_each_sign_is_said_once_and_kept_for_a_resumed_run(tmp_path):
    lines = []
    watch = Watch(tmp_path, lines.append)
    assert not watch.begun
    watch.begin(0.5, "head: 0.01")
    for step in range(20):
        watch.gradient(step, 1.0)
    watch.gradient(20, 9.0)
    watch.epoch(1, 0.4)
    assert not lines
    watch.gradient(21, 50.0)
    watch.gradient(22, 60.0)
    watch.epoch(2, 0.6)
    assert [line.split(":")[0] for line in lines] == ["warning"] * 2
    assert "gradient norm 50 at step 21 is 50 times" in lines[0]
    assert "loss 0.6 after epoch 2 is above 0.5" in lines[1]
    again = Watch(tmp_path, lines.append)
    assert again.begun
    again.epoch(3, 0.7)
    assert len(lines) == 2
    again.forgetting("accuracy", 0.98, 0.97)
    assert len(lines) == 2
    again.forgetting("accuracy", 0.98, 0.5)
    assert "accuracy on the old problem, with the old head, fell from 0.98 to 0.5" in lines[2]
    content = json.loads((tmp_path / "transfer.json").read_text())
    counts = {warning["kind"]: warning["count"] for warning in content["warnings"]}
    assert counts == {"gradient": 2, "baseline": 2, "forgetting": 1}
    assert content["old problem"] == {"figure": "accuracy", "before": 0.98, "after": 0.5}
