"""A report as one HTML page that asks nothing of the network."""

import html

import numpy as np

from analysis import draw
from analysis.report import explorer, levels
from analysis.report.findings import Findings
from analysis.report.markup import percent, picture, plate, svg, table
from analysis.report.style import CSS
from analysis.report.subject import Subject

COUNTED_AS_SHARE = ("accuracy", "precision", "recall", "f1")


def page(subject: Subject, findings: Findings) -> str:
    """The whole page.

    Args:
      subject: what the report is about.
      findings: what `examine` measured of it.

    Returns:
      HTML with its style, pictures and charts inline.
    """
    title = html.escape(subject.title)
    sections = (_head, _metrics, _training, _mistakes, _maps, explorer.section, levels.section, _robustness, _origin)
    body = "\n".join(section(subject, findings) for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{CSS}{explorer.rules(findings.explorer)}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(subject: Subject, findings: Findings) -> str:
    facts = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in subject.facts.items()
    )
    robust = findings.accuracies["PGD"]
    middle = len(robust) // 2
    return (
        f"<header><h1>{html.escape(subject.title)}</h1>"
        f"<p>Of {len(subject.labels):,} test images {percent(findings.accuracy)} are classified correctly"
        f" ({int(np.trace(findings.confusion)):,}). When every pixel may change by up to "
        f"{_bound(findings.settings.epsilons[middle])} of its range, PGD leaves {percent(robust[middle])}"
        f" of the {_attacked(subject, findings)}.</p>"
        f'<dl class="facts">{facts}</dl></header>'
    )


def _metrics(subject: Subject, findings: Findings) -> str:
    parts = ["<section id=metrics><h2>Metrics</h2>"]
    if subject.history:
        last = subject.history[-1]
        splits = [name for name in ("train", "test") if name in last]
        names = list(last[splits[0]])
        rows = [[split, *(_figure_of_merit(name, last[split][name]) for name in names)] for split in splits]
        parts.append(
            table(
                ["", *map(_title, names)],
                rows,
                f"After epoch {last['epoch']}. Loss: cross-entropy in nats, mean over images. The others: percent; "
                "precision, recall and F1 are means over classes. "
                "Training images are measured as they are seen in training, while the weights move.",
            )
        )
    if subject.per_class is not None:
        figures = subject.per_class(findings.confusion)
        counts = findings.confusion.sum(1)
        rows = [
            [name, f"{counts[k]:,}", *(_figure_of_merit(figure, values[k]) for figure, values in figures.items())]
            for k, name in enumerate(subject.classes)
        ]
        parts.append(
            table(["class", "images", *map(_title, figures)], rows, "Test images, class by class; figures in percent.")
        )
    return "".join(parts) + "</section>"


def _training(subject: Subject, findings: Findings) -> str:
    if len(subject.history) < 2:
        return ""
    epochs = [line["epoch"] for line in subject.history]
    splits = [name for name in ("train", "test") if name in subject.history[-1]]
    charts = []
    for name, label, scale in (("loss", "cross-entropy (nats)", 1), ("accuracy", "accuracy (%)", 100)):
        series = {split: [scale * line[split][name] for line in subject.history] for split in splits}
        logarithmic = name == "loss" and min(map(min, series.values())) > 0
        chart = draw.curves(series, np.array(epochs), ylabel=label, logarithmic=logarithmic)
        finals = ", ".join(f"{split} {values[-1]:.3g}" for split, values in series.items())
        charts.append(svg(chart, name, f"{label} over {len(epochs)} epochs; at the end {finals}"))
    return (
        "<section id=training><h2>Training</h2>"
        + picture(f'<div class="charts">{"".join(charts)}</div>', "Loss (logarithmic) and accuracy after each epoch.")
        + "</section>"
    )


def _mistakes(subject: Subject, findings: Findings) -> str:
    confusion = findings.confusion
    errors = confusion - np.diag(np.diag(confusion))
    pairs = [(errors[pair], *pair) for pair in map(tuple, np.argwhere(errors))]
    worst = sorted(pairs, key=lambda pair: -pair[0])[:3]
    names = [html.escape(name) for name in subject.classes]
    said = ", ".join(f"{names[truth]} taken for {names[guess]} ({count})" for count, truth, guess in worst)
    chart = svg(
        draw.confusion_matrix(confusion, subject.classes),
        "confusion",
        f"confusion matrix of {len(names)} classes; {errors.sum()} of {confusion.sum()} images are off the diagonal",
        "square",
    )
    cards = []
    for index in findings.hardest:
        truth, guess = int(subject.labels[index]), int(findings.predictions[index])
        share = findings.probabilities[index]
        verdict = (
            f"<span class={'right' if truth == guess else 'wrong'}>→ {names[guess]}, {percent(share[guess])}</span>"
        )
        cards.append(
            plate(
                subject.images[index],
                f"test image {index}, class {subject.classes[truth]}, predicted {subject.classes[guess]}",
                above=f"no. {index}: {names[truth]}",
                below=verdict + f'<span class="below">{names[truth]}: {percent(share[truth])}</span>',
            )
        )
    return (
        "<section id=mistakes><h2>Mistakes</h2>"
        f"<p>{errors.sum():,} of {confusion.sum():,} test images are classified wrongly"
        f"{': most often ' + said if worst else ''}.</p>"
        + picture(chart, "Confusion matrix: test images by true and predicted class, shaded by the share of the row.")
        + picture(
            f'<div class="cards">{"".join(cards)}</div>',
            f"The {len(cards)} hardest test images: those whose true class gets the lowest probability (softmax of the "
            "logits). Above each its number in the test set and its class, below it the prediction, "
            "<span class=wrong>marked</span> where wrong, with its probability.",
        )
        + "</section>"
    )


def _maps(subject: Subject, findings: Findings) -> str:
    images = subject.images[findings.explained]
    limits = [draw.limit(maps.values) for maps in findings.maps]
    blends = [
        draw.blend(images, maps.values, saturation, maps.signed)
        for maps, saturation in zip(findings.maps, limits, strict=True)
    ]
    strips = []
    for row, index in enumerate(findings.explained):
        truth, guess = (subject.classes[int(k)] for k in (subject.labels[index], findings.predictions[index]))
        share = findings.probabilities[index].max()
        verdict = f"<span class={'right' if truth == guess else 'wrong'}>{html.escape(guess)}, {percent(share)}</span>"
        plates = [
            plate(images[row], f"test image {index}, class {truth}", f"no. {index}: {html.escape(truth)}", verdict)
        ]
        for maps, blended in zip(findings.maps, blends, strict=True):
            plates.append(plate(blended[row], f"{maps.name} of test image {index} for class {truth}", maps.name))
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    bars = []
    for maps, saturation in zip(findings.maps, limits, strict=True):
        low, high = (f"≤ −{saturation:.2g}" if maps.signed else "0"), f"≥ {saturation:.2g}"
        alt = f"colour bar of {maps.name}, from {low} to {high}"
        ends = f'<span class="ends"><span>{low}</span><span>{high}</span></span>'
        bars.append(plate(draw.ramp(maps.signed), alt, f"{maps.name}: {maps.unit}", ends))
    meanings = " ".join(
        f"{maps.name[0].upper()}{maps.name[1:]}: {maps.sentence[0].lower()}{maps.sentence[1:]}"
        for maps in findings.maps
    )
    return (
        "<section id=maps><h2>Where it looks</h2>"
        + picture(
            f'<div class="strips fours">{"".join(strips)}</div><div class="bars">{"".join(bars)}</div>',
            "Maps for the logit of the true class over the image in grey; below the image the prediction. "
            f"{meanings} "
            "Each method has one scale for all images, full at the 99.5th percentile of the magnitudes.",
        )
        + "</section>"
    )


def _robustness(subject: Subject, findings: Findings) -> str:
    settings, accuracies = findings.settings, findings.accuracies
    names = {"FGSM": "FGSM", "PGD": f"PGD, {settings.steps} steps"}
    chart = draw.robustness(
        settings.epsilons, {names[name]: values for name, values in accuracies.items()}, 1 / len(subject.classes)
    )
    ends = "; ".join(
        f"{name} from {percent(values[0])} to {percent(values[-1])}" for name, values in accuracies.items()
    )
    rows = [[names[name], *(f"{100 * value:.1f}" for value in values)] for name, values in accuracies.items()]
    parts = [
        "<section id=robustness><h2>Robustness</h2>",
        picture(
            svg(chart, "robustness", f"accuracy under attack: {ends}"),
            f"Accuracy on the {_attacked(subject, findings)} under untargeted attacks that see the weights and "
            "change each pixel by at most ε (L∞), inside [0, 1]. FGSM takes one step of ε along the sign of the "
            f"loss's gradient; PGD starts at random, takes {settings.steps} steps of {2.5 / settings.steps:g} ε "
            "and keeps the worst it met. An upper bound: a stronger attack may leave less. Dotted: guessing.",
        ),
        table(["ε · 255", *(f"{255 * epsilon:g}" for epsilon in settings.epsilons)], rows, "The same, in percent."),
    ]
    if findings.fooled is not None:
        parts.append(_fooled(subject, findings))
    return "".join(parts) + "</section>"


def _fooled(subject: Subject, findings: Findings) -> str:
    fooled = findings.fooled
    assert fooled is not None
    strips = []
    for row, index in enumerate(fooled.indices):
        truth = int(subject.labels[index])
        before, after = findings.probabilities[index], fooled.probabilities[row]
        change = 0.5 + (fooled.images[row] - subject.images[index]) / (2 * fooled.epsilon)
        verdicts = [
            f"<span class={'right' if share.argmax() == truth else 'wrong'}>"
            f"{html.escape(subject.classes[int(share.argmax())])}, {percent(share.max())}</span>"
            for share in (before, after)
        ]
        what = f"test image {index}, class {subject.classes[truth]}"
        plates = (
            plate(subject.images[index], what, f"no. {index}", verdicts[0]),
            plate(change, f"what PGD changed in {what}", "change"),
            plate(
                fooled.images[row],
                f"{what}, attacked; predicted {subject.classes[int(after.argmax())]}",
                "attacked",
                verdicts[1],
            ),
        )
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    return picture(
        f'<div class="strips threes">{"".join(strips)}</div>',
        f"Adversarial examples of PGD at ε = {_bound(fooled.epsilon)}: the image, the change magnified "
        f"{1 / (2 * fooled.epsilon):.3g} times about mid-grey (black −ε, white +ε), and the attacked image, "
        "with the predictions and their probabilities.",
    )


def _origin(subject: Subject, findings: Findings) -> str:
    settings = findings.settings
    command = f"<p>Made by <code>{html.escape(subject.command)}</code></p>" if subject.command else ""
    return (
        f"<footer>{command}<p>Explained: the first test images of each class, {settings.explained} in all. Attacked: "
        f"the {_attacked(subject, findings)}; random starts from seed {settings.seed}.</p></footer>"
    )


def _attacked(subject: Subject, findings: Findings) -> str:
    return f"first {min(findings.settings.attacked, len(subject.labels)):,} test images"


def _bound(epsilon: float) -> str:
    return f"{255 * epsilon:.3g}/255"


def _title(name: str) -> str:
    return "F1" if name == "f1" else name


def _figure_of_merit(name: str, value: float) -> str:
    return f"{100 * value:.2f}" if name in COUNTED_AS_SHARE else f"{value:.4f}"
