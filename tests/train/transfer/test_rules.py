import pytest

import zoo
from train import Config
from train.transfer import rules
from train.transfer.rules import Group, RuleError

RESNET = zoo.create("resnet20")
PATHS, HEADS = rules.heads(RESNET, (32, 32, 3))


def rates(groups):
    """The rate of each part of ResNet-20."""
    return {path.split("/")[0]: group.rate for path, group in groups.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("similar-small", [0, 0, 0, 1e-4, 1e-3]),
        ("similar-large", [1e-5, 1e-5, 1e-4, 1e-3, 1e-2]),
        ("different-small", [0, 0, 0, 0, 1e-2]),
        ("different-large", [1e-3, 1e-3, 1e-3, 1e-3, 1e-2]),
        ("two-phase", [0, 0, 1e-4, 1e-3, 1e-2]),
        ("cut:stage1", [0, 0, 0.1, 0.1, 0.1]),
        ("stem:0,stage1:0,stage[23]:1e-5,head:1e-2", [0, 0, 1e-5, 1e-5, 1e-2]),
        ("(?!head).*:0,head:0.5@0.25", [0, 0, 0, 0, 0.5]),
    ],
)
def test_rates_by_depth(text, expected):
    groups = rules.of_model(text, RESNET, (32, 32, 3), 0.1)
    assert [*groups] == PATHS
    assert rates(groups) == dict(zip(("stem", "stage1", "stage2", "stage3", "head"), expected, strict=True))
    anew = {path.split("/")[0] for path, group in groups.items() if group.anew}
    assert anew == ({"stage2", "stage3", "head"} if text == "cut:stage1" else set())
    assert max(group.rate for group in groups.values()) == pytest.approx(rules.highest(text, 0.1))


@pytest.mark.parametrize("name", ["googlenet", "unet", "fcn_resnet50", "vgg11", "mlp"])
@pytest.mark.parametrize("strategy", rules.STRATEGIES)
def test_strategies_fit_networks_of_every_kind(name, strategy):
    model = zoo.create(name)
    groups = rules.of_model(strategy, model, zoo.card(name).input_shape, 0.1)
    paths, heads = rules.heads(model, zoo.card(name).input_shape)
    assert set(groups) == set(paths)
    assert {groups[path] for path in heads} == {rules.STRATEGIES[strategy].head}
    assert rules.STRATEGIES[strategy].head not in {groups[path] for path in set(paths) - set(heads)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stem:0,head:1", r"stage1/block1/\S+ and \d+ more match no rule; the parameters begin with stem, stage1"),
        (".*:0,head:1", "head/bias, head/kernel match several rules"),
        (".*:0,tail:1", "no parameter matches 'tail'"),
        ("stage1.*:0,stem:0,stage[23]:0,head:1,stage1/block1:0", "several rules"),
        ("cut:block1", "expected a cut at the stem or a stage; the model has stem, stage1, stage2, stage3, head"),
        ("cut:stage9", "expected a cut at the stem or a stage"),
    ],
)
def test_rules_that_do_not_fit_a_model_are_refused_by_the_parameters_names(text, message):
    with pytest.raises(RuleError, match=message):
        rules.of_model(text, RESNET, (32, 32, 3), 0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("similar-smal", "is unknown, did you mean similar-small"),
        ("", "expected a strategy or rules"),
        ("cut:", "expected cut:LAYER"),
        ("stem:fast", "'stem:fast' is no rule, expected PATTERN:RATE"),
        ("stem:-1", "is no rule"),
        ("stem:0@1", "is no rule"),
        ("(:0", "is no rule"),
        ("stem:0,stem:1", "'stem' has two rules"),
    ],
)
def test_what_is_no_rule_is_refused_by_the_configuration(text, message):
    with pytest.raises(ValueError, match=message):
        Config("mlp", from_="run", transfer=text)


def test_transfer_needs_weights_and_sets_the_rate():
    with pytest.raises(ValueError, match="expected trained weights beside it, --from"):
        Config("mlp", transfer="two-phase")
    with pytest.raises(ValueError, match="learning_rate=0.5: the rates come from transfer='two-phase'"):
        Config("mlp", from_="run", transfer="two-phase", learning_rate=0.5)
    config = Config("mlp", from_="run", transfer="two-phase").resolve()
    assert config.learning_rate == 1e-2
    assert config.resolve() == config
    assert Config("mlp", from_="run", transfer="cut:stage1").resolve().learning_rate == 0.1


def test_groups_are_described_by_first_names():
    groups = {"stem/kernel": Group(0), "stage1/kernel": Group(1e-4, 1 / 3), "head/bias": Group(0.1, anew=True)}
    assert rules.describe(groups) == "stem: frozen · stage1: 0.0001 from a third of the epochs on · head: new, 0.1"
