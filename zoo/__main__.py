"""`python -m zoo list [PATTERN] | card NAME | table [PATTERN] [--sort COLUMN] | cards --write`."""

import argparse
import sys

import zoo
from convzoo.checks import did_you_mean
from convzoo.commands import Parser, answer
from zoo.cards import rows, store

COLUMNS = {
    "name": lambda card: card.name,
    "parameters": lambda card: card.parameters,
    "macs": lambda card: card.macs,
    "memory": lambda card: card.activation_bytes,
    "field": lambda card: float("inf") if card.receptive_field is None else card.receptive_field,
    "depth": lambda card: card.depth,
    "paper": lambda card: card.paper.source,
    "top1": lambda card: card.top1 or 0.0,
    "year": lambda card: card.year,
}


def main(arguments: list[str] | None = None) -> int:
    """Answer one command; 2 for a request that cannot be answered."""
    parser = Parser(prog="python -m zoo", description="List models and their costs.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | card | table | cards")
    listing = commands.add_parser("list", help="names, one a line")
    listing.add_argument("pattern", nargs="?", default="*", help="a glob, such as 'resnet*'")
    one = commands.add_parser("card", help="costs and receptive field of one model, stage by stage")
    one.add_argument("name", help="a name from `list`")
    one.add_argument("--size", type=int, help="height and width of the image (default: what it was designed for)")
    one.add_argument("--layers", action="store_true", help="layer by layer instead of stage by stage")
    table = commands.add_parser("table", help="all models in one table")
    table.add_argument("pattern", nargs="?", default="*", help="a glob, such as 'resnet*'")
    stored = commands.add_parser("cards", help="the file of cards that are computed before")
    stored.add_argument("--write", action="store_true", required=True, help="compute all anew; takes minutes")
    table.add_argument("--sort", default="name", help=f"one of {', '.join(COLUMNS)}")
    options = parser.parse_args(arguments)
    return answer(lambda: print(_text(options)))


def _text(options: argparse.Namespace) -> str:
    if options.command == "cards":
        return str(store())
    if options.command == "card":
        shape = None
        if options.size is not None:
            shape = (options.size, options.size, zoo.card(options.name).input_shape[2])
        card = zoo.card(options.name, shape)
        return "\n".join(rows(card.layers)) if options.layers else str(card)
    names = zoo.list_models(options.pattern)
    if not names:
        raise ValueError(f"no model matches {options.pattern!r}{did_you_mean(options.pattern, zoo.list_models())}")
    if options.command == "list":
        return "\n".join(names)
    if options.sort not in COLUMNS:
        raise ValueError(
            f"unknown column {options.sort!r}{did_you_mean(options.sort, COLUMNS)}; there are {', '.join(COLUMNS)}"
        )
    cards = sorted(map(zoo.card, names), key=COLUMNS[options.sort])
    header = ("name", "input", "parameters", "MACs", "memory", "field", "depth", "top-1", "year")
    lines = ["{:<25} {:>9} {:>11} {:>14} {:>9} {:>7} {:>5} {:>5} {:>4}  paper".format(*header)]
    for card in cards:
        field = "image" if card.receptive_field is None else f"{card.receptive_field} px"
        top1 = "–" if card.top1 is None else f"{card.top1:.1f}"
        lines.append(
            f"{card.name:<25} {'×'.join(map(str, card.input_shape)):>9} {card.parameters:>11,} {card.macs:>14,} "
            f"{card.activation_bytes / 2**20:>5.1f} MiB {field:>7} {card.depth:>5} {top1:>5} {card.year:>4}"
            f"  {card.paper.source if card.paper else '–'}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
