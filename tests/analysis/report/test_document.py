import dataclasses
import html
import html.parser
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import report
from analysis.network import Network
from analysis.report.markup import interval, percent, reduced
from tests.analysis.report.brightest import CLASSES, SETTINGS, brightest, scenes


class Reader(html.parser.HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not close in order."""

    VOID = ("meta", "img", "br", "link", "path", "use", "input")

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


class Smooth(nn.Module):
    """A network without a rectifier and without a global average."""

    @nn.compact
    def __call__(self, images, train=False):
        x = jax.lax.reduce_window(
            nn.tanh(nn.Conv(4, (3, 3), name="stage1")(images)), 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
        )
        x = nn.tanh(nn.Conv(4, (3, 3), name="stage2")(x))
        return nn.Dense(4, name="head")(x.reshape(len(x), -1))


def test_page_asks_nothing_of_the_network(page):
    assert "http" not in page
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", page)
    reader = Reader(page)
    for tag in ("script", "link", "iframe", "object", "audio", "video"):
        assert not reader.all(tag)
    for tag, attributes in reader.tags:
        assert "src" not in attributes or attributes["src"].startswith("data:image/png;base64,"), tag
        assert "href" not in attributes or attributes["href"].startswith("#"), tag
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)
    assert "@import" not in page


def test_page_has_every_section_and_every_picture_says_what_it_is(page, findings):
    reader = Reader(page)
    assert [tag.get("id") for tag in reader.all("section")] == [
        *("metrics", "training", "mistakes", "maps", "explorer", "inside", "robustness")
    ]
    # Hardest; four strips of image and three maps; three colour bars.
    static = 5 + 4 * (1 + 3) + 3
    # Three strips of five; image and maps before and after, with bars; the patch on three images.
    attacked = 3 * 5 + 3 * (1 + 3) + 3 + (1 + 3)
    # Thumbnails, two sprites of images, and for each of the maps one and its colour bar.
    explorer = 6 + 2 + 2 * len(findings.sections["explorer"].maps)
    # Two layers of two channels, each made and with three images; classes; two images and what two layers keep.
    inside = 2 * 2 * 4 + 4 + 2 * 3
    assert len(reader.all("img")) == static + attacked + explorer + inside
    assert all(tag["alt"] for tag in reader.all("img"))
    assert len(reader.all("svg")) == 5
    assert all(tag["role"] == "img" and tag["aria-label"] for tag in reader.all("svg"))
    assert len(reader.all("figcaption")) == len(reader.all("figure")) == 17
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in reader.all("meta")


def test_explorer_is_three_groups_of_radio_buttons_with_one_checked_each(page):
    reader = Reader(page)
    groups = {}
    for tag in reader.all("input"):
        assert tag["type"] == "radio"
        groups.setdefault(tag["name"], []).append("checked" in tag)
    assert {name: sum(checked) for name, checked in groups.items()} == {"image": 1, "method": 1, "layer": 1}
    assert len(reader.all("legend")) == len(reader.all("fieldset")) == 3
    assert "script" not in {tag for tag, _ in reader.tags}


def test_page_states_the_figures(page, findings):
    text = Reader(page).text
    assert (
        "Of 24 test images 96\u00a0% are classified correctly (23; Wilson's 95\u00a0% interval 80 to 99\u00a0%)."
        in text
    )
    before = f"Of the first 16 of them 94\u00a0% ({interval(15 / 16, 16)}) are classified correctly as they are, and "
    after = findings.sections["robustness"].accuracy.robust[1]
    assert f"{before}{percent(after, 16)} ({interval(after, 16)}) after attacks" in text
    assert "python -m analysis report 'runs/a b'" in text
    assert "1 of 24 test images are classified wrongly" in text
    assert "red & <warm>" in text
    assert "brightest <1>" in text


def test_ids_are_unique_and_references_resolve(page):
    ids = re.findall(r' id="?([\w.-]+)', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([\w.-]+)', page)) <= set(ids)


def test_charts_take_the_colours_of_the_page(page):
    charts = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", charts)) == set()
    assert {"var(--ink)", "var(--first)", "var(--second)"} <= set(re.findall(r"var\(--\w+\)", charts))
    assert "prefers-color-scheme: dark" in page


def test_same_findings_give_the_same_bytes(subject, findings, page):
    assert report.page(subject, findings) == page


def test_a_subject_of_images_and_a_function_is_enough(tmp_path):
    images, labels = scenes(8)
    bare = report.Subject("bare", CLASSES, images, labels, jax.tree_util.Partial(brightest))
    path = report.write(bare, tmp_path / "new" / "index.html", SETTINGS, log=lambda line: None)
    reader = Reader(path.read_text())
    assert [tag.get("id") for tag in reader.all("section")] == ["metrics", "mistakes", "maps", "explorer", "robustness"]
    assert "Grad-CAM" not in reader.text
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]


def test_a_reason_is_told_once_for_all_that_it_refuses(subject, findings):
    left_out = {"CAM": "no <mean>", "Grad-CAM": "no <mean>", "deconvnet": "no rectifier"}
    explorer = dataclasses.replace(findings.sections["explorer"], left_out=left_out)
    found = dataclasses.replace(findings, sections=findings.sections | {"explorer": explorer})
    text = Reader(report.page(subject, found)).text
    assert "No CAM, Grad-CAM: no <mean>. No deconvnet: no rectifier." in text


def test_a_page_that_cannot_be_written_costs_no_work(subject, tmp_path):
    (tmp_path / "file").write_text("")
    told = []
    with pytest.raises(OSError, match="file"):
        report.write(subject, tmp_path / "file" / "index.html", SETTINGS, told.append)
    assert not told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((4, 8, 8))}, r"\(4, 8, 8\): expected \(N, H, W, C\)"),
        ({"labels": np.zeros(3, int)}, r"\(3,\) for 24 images"),
        ({"names": ["a.png"]}, "1 names for 24 images"),
        ({"classes": CLASSES[:2]}, "labels from 0 to 3 for 2 classes"),
    ],
)
def test_refuses_what_does_not_fit(change, message):
    images, labels = scenes()
    given = {"title": "", "classes": CLASSES, "images": images, "labels": labels, "logits_fn": brightest} | change
    with pytest.raises(ValueError, match=message):
        report.Subject(**given)


@pytest.mark.parametrize(
    "change",
    [{"steps": 0}, {"patch_side": 0}, {"epsilons": (0.0,)}, {"epsilons": (0.1, 0.2)}, {"epsilons": (0.0, 0.2, 0.1)}],
)
def test_refuses_settings(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        report.Settings(**change)


def test_large_pictures_are_reduced_and_small_ones_left_alone():
    images = np.zeros((2, 192, 96, 1), np.float32)
    images[:, :96] = 1
    small = reduced(images)
    assert small.shape == (2, 96, 48, 1)
    np.testing.assert_allclose(small[:, :46], 1, atol=1e-6)
    np.testing.assert_array_equal(reduced(small), small)


@pytest.mark.parametrize(
    ("share", "count", "text"),
    # Of Newcombe, 1998, Statistics in Medicine 17: 81 of 263, 15 of 148, 0 of 20, 1 of 29; in percent.
    [(81 / 263, 263, "25.5 to 36.6"), (15 / 148, 148, "6.2 to 16.0"), (0, 20, "0 to 16"), (1 / 29, 29, "1 to 17")],
)
def test_intervals_of_shares(share, count, text):
    assert interval(share, count) == f"{text}\u00a0%"


def test_a_share_has_as_many_digits_as_its_count_carries():
    assert [percent(0.123456, count) for count in (10, 100, 101, 1000, 10_000)] == [
        f"{number}\u00a0%" for number in ("12", "12", "12.3", "12.3", "12.35")
    ]


def test_tables_have_as_many_digits_as_their_counts_carry(subject, findings):
    larger = dataclasses.replace(subject, counts={"train": 1000})
    table = report.page(larger, findings).partition("After epoch 3")[2].partition("</table>")[0]
    assert re.findall("<td>(8[0-9.]+)</td>", table) == ["87.5", "80.0", "80.0", "80.0", "88", "80", "80", "80"]
    of_class = report.page(subject, findings).partition("class by class")[2].partition("</table>")[0]
    assert re.findall("<td>([0-9.]+)</td>", of_class)[1::2] == ["100", "100", "100", "86"]


def test_a_method_has_one_target_and_one_scale_in_all_figures(subject, findings, page):
    bars = re.findall('alt="colour bar of saliency, from 0 to ([^"]*)"', page)
    assert len(bars) == 3
    assert bars[0] == bars[1], "that of one image under attack has its own scale"
    explorer = findings.sections["explorer"]
    for row, index in enumerate(explorer.indices[:4]):
        name = subject.classes[explorer.targets[row]]
        assert f'alt="Grad-CAM of test image {index} for class {html.escape(name)}"' in page


def test_what_a_made_image_reaches_stands_beside_the_data(findings, page):
    classes = page.partition("raise the logit of each class")[0].rpartition('<div class="cards">')[2]
    highest = findings.predictions.logits.max(0)
    assert re.findall("data: ([^<]*)<", classes) == [f"{value:.3g}" for value in highest]
    channels = page.partition("<section id=inside>")[2].partition("</figure>")[0]
    levels = findings.sections["inside"].levels
    assert re.findall("data: ([^<]*)<", channels) == [f"{value:.3g}" for level in levels for value in level.highest]


@pytest.mark.slow
def test_names_of_primitives_and_of_modules_are_in_no_caption(findings, subject):
    """A network of tanh and average pooling is refused by several methods, and the page says why in words."""
    network = Network(Smooth(), Smooth().init(jax.random.key(0), jnp.zeros((1, 8, 8, 3))))
    smooth = dataclasses.replace(subject, logits_fn=network.logits_fn, network=network)
    text = Reader(report.page(smooth, report.examine(smooth, SETTINGS, lambda line: None))).text
    assert "No guided backprop" in text
    assert not re.findall(r"\b[a-z]+_[a-z_]+\b", text)


def test_images_are_called_by_the_names_of_their_files(subject, findings, page):
    assert "no. 5: " in page
    assert "Above each its number in the test set" in page
    named = report.page(dataclasses.replace(subject, names=[f"<{row}>.png" for row in range(24)]), findings)
    assert "&lt;5&gt;.png: " in named
    assert "Test image &lt;5&gt;.png, class" in named
    assert "Above each its file" in named
    assert "no. " not in Reader(named).text
