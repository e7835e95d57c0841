import inspect

from analysis import attacks
from analysis.attacks.methods import METHODS


def test_every_attack_is_in_the_table():
    functions = {name for name in attacks.__all__ if inspect.isfunction(getattr(attacks, name))}
    assert {*METHODS} == functions - {"depends_on_batch", "evaluate", "proxy", "transfer_matrix"}
    for name, method in METHODS.items():
        assert method.function is getattr(attacks, name)
        assert method.kind in ("bounded", "minimal", "patch")
        assert method.needs in ("gradients", "scores", "labels")
