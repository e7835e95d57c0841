from analysis import attacks
from analysis.attacks.methods import METHODS


def test_every_attack_is_in_the_table():
    public = {name for name in attacks.__all__ if callable(getattr(attacks, name))}
    assert {*METHODS} == public - {"Threat", "L1", "L2", "Linf"}
    for name, method in METHODS.items():
        assert method.function is getattr(attacks, name)
        assert method.kind in ("bounded", "minimal")
        assert method.needs in ("gradients", "scores", "labels")
