"""Rules of transfer: for every parameter its learning rate, when it begins to move, and whether it is drawn anew.

Four strategies follow from two questions, whether the new problem is similar to the old one and whether there are many
images; the others are fine-tuning in two phases, a cut point, and rules of your own.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from convzoo.checks import did_you_mean
from zoo.variables import variable_shapes

CUT = "cut"
FORM = "PATTERN:RATE[@START],..., such as 'stem:0,stage1:0,stage2:1e-5,head:1e-2'"


class RuleError(ValueError):
    """A rule that does not fit the parameters of a model."""


class Group(NamedTuple):
    """The treatment of some parameters.

    Attributes:
      rate: peak of their learning rate; 0: frozen, with the statistics of their normalizations.
      start: share of the epochs for which they stay frozen before.
      anew: drawn from the run's seed instead of taken from the trained weights.
    """

    rate: float
    start: float = 0.0
    anew: bool = False


class Strategy(NamedTuple):
    """Treatments by depth.

    Attributes:
      early: of the stem and the first stages, two fifths of all.
      middle: of the stages between.
      last: of the last stage, and of what comes after it and does not depend on the number of classes.
      head: of all that depends on the number of classes.
    """

    early: Group
    middle: Group
    last: Group
    head: Group


STRATEGIES = {
    "similar-small": Strategy(Group(0), Group(0), Group(1e-4), Group(1e-3)),
    "similar-large": Strategy(Group(1e-5), Group(1e-4), Group(1e-3), Group(1e-2)),
    "different-small": Strategy(Group(0), Group(0), Group(0), Group(1e-2)),
    "different-large": Strategy(Group(1e-3), Group(1e-3), Group(1e-3), Group(1e-2)),
    "two-phase": Strategy(Group(0), Group(1e-4, 1 / 3), Group(1e-3, 1 / 3), Group(1e-2)),
}
"""By name, as typed after `--transfer`: the old problem against the new one, and the number of new images."""


def parse(text: str) -> dict[str, Group]:
    """Rules by their regular expressions, from text.

    Args:
      text: `PATTERN:RATE` or `PATTERN:RATE@START`, joined by commas. A pattern is a regular expression for the first
        names of a parameter's path: `stage1` holds for `stage1/block1/conv1/kernel`, not for `stage10/...`.

    Raises:
      ValueError: another form, a rate below 0, or a start that is not in [0, 1).

    Example:
      >>> parse("stage[12]:0,head:1e-2")["head"]
      Group(rate=0.01, start=0.0, anew=False)
    """
    rules: dict[str, Group] = {}
    for entry in text.split(","):
        pattern, colon, value = entry.strip().rpartition(":")
        rate, _, start = value.partition("@")
        try:
            re.compile(pattern)
            group = Group(float(rate), float(start or 0))
        except (re.error, ValueError):
            colon = ""
        if not (colon and pattern and 0 <= group.rate < float("inf") and 0 <= group.start < 1):
            raise ValueError(f"transfer={text!r}: {entry!r} is no rule, expected {FORM}")
        if pattern in rules:
            raise ValueError(f"transfer={text!r}: {pattern!r} has two rules, expected one")
        rules[pattern] = group
    return rules


def check(name: str, value: Any) -> None:
    """Refuse what is neither a strategy nor a cut nor rules.

    Raises:
      ValueError: with the nearest strategy.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}={value!r}: expected a strategy or rules")
    kind, colon, layer = value.partition(":")
    if kind == CUT and not layer:
        raise ValueError(f"{name}={value!r}: expected cut:LAYER, such as cut:stage2")
    if value not in STRATEGIES and kind != CUT:
        if not colon:
            hint = did_you_mean(value, STRATEGIES)
            raise ValueError(
                f"{name}={value!r} is unknown{hint}: expected {', '.join(STRATEGIES)}, cut:LAYER or {FORM}"
            )
        parse(value)


def highest(text: str, default: float) -> float:
    """The highest rate of a strategy or of rules; `default` for a cut, whose new layers take it.

    Example:
      >>> highest("similar-small", 0.1), highest("cut:stage2", 0.1)
      (0.001, 0.1)
    """
    if text.partition(":")[0] == CUT:
        return default
    groups: Iterable[Group] = STRATEGIES[text] if text in STRATEGIES else parse(text).values()
    return max(group.rate for group in groups)


def heads(model: nn.Module, image_shape: tuple[int, int, int]) -> tuple[list[str], set[str]]:
    """The paths of a model's parameters by depth, and those that depend on its number of classes."""
    shapes = variable_shapes(model, image_shape)
    wider = variable_shapes(model.clone(num_classes=model.num_classes + 1), image_shape)
    paths = {path: "/".join(path[1:]) for path in shapes if path[0] == "params"}
    those = {name for path, name in paths.items() if shapes[path] != wider[path]}
    places, last = depths(paths.values(), those)
    return sorted(places, key=lambda name: (last + 2 if (place := places[name]) is None else place, name)), those


def of_model(text: str, model: nn.Module, image_shape: tuple[int, int, int], default: float) -> dict[str, Group]:
    """The treatment of each parameter of a model.

    Args:
      text: a strategy, `cut:LAYER` or rules.
      model: with a field `num_classes`.
      image_shape: (H, W, C).
      default: rate of what a cut draws anew.

    Raises:
      RuleError: as in `assign`.

    Example:
      >>> import zoo
      >>> describe(of_model("different-small", zoo.create("resnet20"), (32, 32, 3), 0.1))
      'stem, stage1, stage2, stage3: frozen · head: 0.01'
    """
    return assign(text, *heads(model, image_shape), default)


def assign(text: str, paths: Iterable[str], heads: Collection[str], default: float) -> dict[str, Group]:
    """The treatment of each parameter.

    Args:
      text: a strategy, `cut:LAYER` or rules.
      paths: of the parameters, such as `stage1/block1/conv1/conv/kernel`.
      heads: those that depend on the number of classes.
      default: rate of what a cut draws anew.

    Returns:
      {path: `Group`}.

    Raises:
      RuleError: a parameter that matches no rule or several, a rule that no parameter matches, or a cut at a layer
        that is neither the stem nor a stage.

    Example:
      >>> paths = ["stem/kernel", "stage1/kernel", "stage2/kernel", "head/kernel"]
      >>> [group.rate for group in assign("similar-large", paths, paths[-1:], 0.1).values()]
      [1e-05, 1e-05, 0.001, 0.01]
    """
    paths = [*paths]
    if text in STRATEGIES:
        return _by_depth(STRATEGIES[text], paths, heads)
    if text.partition(":")[0] == CUT:
        return _cut(text, paths, heads, default)
    rules = parse(text)
    matches = {path: [rule for rule in rules if re.fullmatch(rf"(?:{rule})(?:/.*)?", path)] for path in paths}
    for words, wrong in (
        ("match no rule", [path for path, those in matches.items() if not those]),
        ("match several rules", [path for path, those in matches.items() if len(those) > 1]),
    ):
        if wrong:
            raise RuleError(f"transfer={text!r}: {_listed(wrong)} {words}; the parameters begin with {_tops(paths)}")
    if unused := [rule for rule in rules if not any(rule in those for those in matches.values())]:
        raise RuleError(
            f"transfer={text!r}: no parameter matches {unused[0]!r}; the parameters begin with {_tops(paths)}"
        )
    return {path: rules[rule] for path, (rule,) in matches.items()}


def depths(paths: Iterable[str], heads: Collection[str]) -> tuple[dict[str, int | None], int]:
    """Place of each parameter in depth, and the number of the last stage.

    The stem is at 0, stage k at k, what belongs to neither one beyond the last stage, and what depends on the number
    of classes at None.

    Example:
      >>> depths(["backbone/stage2/kernel", "dense/kernel", "head/bias"], ["head/bias"])
      ({'backbone/stage2/kernel': 2, 'dense/kernel': 3, 'head/bias': None}, 2)
    """
    matches = {path: re.match(r"(?:backbone/)?(?:stem|stage(\d+))/", path) for path in paths}
    stages = {path: int(match[1] or 0) for path, match in matches.items() if match}
    last = max(stages.values(), default=0)
    return {path: None if path in heads else stages.get(path, last + 1) for path in matches}, last


def describe(groups: Mapping[str, Group]) -> str:
    """The treatments in one line, by the first names of the parameters.

    Example:
      >>> describe({"stem/kernel": Group(0), "stage1/kernel": Group(0), "head/kernel": Group(0.01, 0.5)})
      'stem, stage1: frozen · head: 0.01 from half of the epochs on'
    """
    tops: dict[Group, dict[str, None]] = {}
    for path, group in groups.items():
        tops.setdefault(group, {})[path.split("/")[0]] = None
    return " · ".join(f"{', '.join(names)}: {_words(group)}" for group, names in tops.items())


def redrawn(variables: dict[str, Any], fresh: dict[str, Any], groups: Mapping[str, Group]) -> dict[str, Any]:
    """Variables in which the groups that are drawn anew, with their statistics, come from others.

    Args:
      variables: trained.
      fresh: of the same model, from the seed.
      groups: of each parameter.

    Returns:
      The variables.
    """
    modules = {path.rpartition("/")[0] for path, group in groups.items() if group.anew}
    old, new = flatten_dict(variables), flatten_dict(fresh)
    return unflatten_dict({path: new[path] if "/".join(path[1:-1]) in modules else leaf for path, leaf in old.items()})


def _by_depth(strategy: Strategy, paths: list[str], heads: Collection[str]) -> dict[str, Group]:
    places, last = depths(paths, heads)

    def group(place: int | None) -> Group:
        if place is None:
            return strategy.head
        if place >= last:
            return strategy.last
        return strategy.early if place < 0.4 * (last + 1) else strategy.middle

    return {path: group(place) for path, place in places.items()}


def _cut(text: str, paths: list[str], heads: Collection[str], default: float) -> dict[str, Group]:
    layer = text.partition(":")[2]
    places, _ = depths(paths, heads)
    at = [place for path, place in places.items() if re.match(rf"(?:backbone/)?{re.escape(layer)}/", path)]
    if not at or not re.fullmatch(r"stem|stage\d+", layer):
        raise RuleError(f"transfer={text!r}: expected a cut at the stem or a stage; the model has {_tops(paths)}")
    kept, anew = Group(0.0), Group(default, anew=True)
    depth = max(place for place in at if place is not None)
    return {path: kept if place is not None and place <= depth else anew for path, place in places.items()}


def _words(group: Group) -> str:
    if not group.rate:
        return "frozen"
    share = {1 / 3: "a third", 0.5: "half"}.get(group.start, f"{group.start:.0%}")
    start = f" from {share} of the epochs on" if group.start else ""
    return f"{'new, ' if group.anew else ''}{group.rate:g}{start}"


def _tops(paths: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(path.split("/")[0] for path in paths))


def _listed(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
