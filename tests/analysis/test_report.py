import base64
import html.parser
import io
import json
import re
import shutil
import subprocess
import urllib.request

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import analysis
from analysis import draw, report
from analysis.inside import Inside
from analysis.report.maps import first_of_each_class
from analysis.report.markup import reduced

CLASSES = ("dark", "red & <warm>", "green", "blue")
SETTINGS = report.Settings(
    explained=4,
    hardest=5,
    attacked=16,
    fooled=3,
    explored=6,
    layers=2,
    units=2,
    exemplars=3,
    ascent=2,
    inverted=2,
    descent=2,
    epsilons=(0.0, 8 / 255, 0.4),
    steps=2,
    batch_size=8,
)


def scenes(count=24, size=8):
    """Images whose class is their brightest channel, or none."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 4
    images = generator.uniform(0.2, 0.3, (count, size, size, 3))
    for image, label in zip(images, labels, strict=True):
        if label:
            image[2:6, 2:6, label - 1] += 0.3
    return images.astype(np.float32), labels.astype(np.int32)


class Brightest(nn.Module):
    """Means of the channels, from 20 times the pixels as the output of a layer that could be one of many."""

    act: object = None

    @nn.compact
    def __call__(self, images, train=False):
        x = nn.Conv(3, (1, 1), use_bias=False, name="stage1")(images)
        x = (self.act or nn.relu)(nn.Conv(3, (1, 1), use_bias=False, name="stage2")(x))
        return jnp.concatenate([jnp.full((len(images), 1), 20 * 0.29), x.mean((1, 2))], axis=1)


VARIABLES = {
    "params": {
        "stage1": {"kernel": jnp.eye(3).reshape(1, 1, 3, 3)},
        "stage2": {"kernel": 20 * jnp.eye(3).reshape(1, 1, 3, 3)},
    }
}
INSIDE = Inside(Brightest(), VARIABLES)


def brightest(images):
    means = images.mean((1, 2))
    return 20 * jnp.concatenate([jnp.full((len(images), 1), 0.29), means], axis=1)


@pytest.fixture(scope="module")
def subject():
    images, labels = scenes()
    # One mistake on purpose.
    labels[5] = 3
    figures = {"loss": 0.5, "accuracy": 0.875, "precision": 0.8, "recall": 0.8, "f1": 0.8}
    history = [
        {"epoch": epoch, "step": 3 * epoch, "train": figures | {"loss": 1 / epoch}, "test": figures}
        for epoch in (1, 2, 3)
    ]
    return report.Subject(
        title="brightest on scenes",
        classes=CLASSES,
        images=images,
        labels=labels,
        logits_fn=INSIDE.logits_fn,
        inside=INSIDE,
        facts={"model": "brightest <1>", "parameters": "0"},
        history=history,
        per_class=lambda confusion: {"recall": np.diag(confusion) / confusion.sum(1)},
        command="python -m analysis report 'runs/a b'",
    )


@pytest.fixture(scope="module")
def lines():
    return []


@pytest.fixture(scope="module")
def findings(subject, lines):
    return report.examine(subject, SETTINGS, lines.append)


@pytest.fixture(scope="module")
def page(subject, findings):
    return report.page(subject, findings)


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


def test_confusion_and_probabilities(subject, findings):
    logits = np.asarray(brightest(subject.images), np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(findings.probabilities, shares, rtol=1e-5)
    expected = np.zeros((4, 4), int)
    for truth, guess in zip(subject.labels, logits.argmax(1), strict=True):
        expected[truth, guess] += 1
    np.testing.assert_array_equal(findings.confusion, expected)
    assert findings.accuracy == 23 / 24


def test_hardest_come_first(subject, findings):
    own = findings.probabilities[np.arange(24), subject.labels]
    assert findings.hardest[0] == 5
    assert (np.diff(own[findings.hardest]) >= 0).all()
    assert own[findings.hardest].max() <= np.delete(own, findings.hardest).min()


def test_explained_images_are_of_as_many_classes_as_possible(subject, findings):
    assert set(subject.labels[findings.explained]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(
        first_of_each_class(np.array([1, 1, 1, 0, 2]), np.array([0, 1, 3, 4]), 4), [3, 0, 4, 1]
    )


def test_maps_are_those_of_the_true_class(subject, findings):
    maps = {each.name: each for each in findings.maps}
    assert list(maps) == ["saliency", "Grad-CAM", "occlusion"]
    chosen = findings.explained
    expected = analysis.grad_cam(Brightest(), VARIABLES, subject.images[chosen], subject.labels[chosen])
    np.testing.assert_allclose(maps["Grad-CAM"].values, expected, rtol=1e-5)
    # The gradient of 20 times a channel's mean over 64 pixels; the first class's logit is constant.
    expected = np.where(subject.labels[chosen] > 0, 20 / 64, 0)
    np.testing.assert_allclose(maps["saliency"].values, np.broadcast_to(expected[:, None, None], (4, 8, 8)), rtol=1e-5)
    assert maps["occlusion"].signed
    assert (maps["occlusion"].values[1:] > 0).all()


def test_accuracy_under_attack(findings):
    assert list(findings.accuracies) == ["FGSM", "PGD"]
    for values in findings.accuracies.values():
        assert values.shape == (3,)
        assert values[0] == 15 / 16
        assert values[-1] < 0.2
    fooled = findings.fooled
    assert fooled.epsilon == 0.4
    assert len(fooled.indices) == 3


def test_adversarial_examples_lie_in_the_ball(subject, findings):
    fooled = findings.fooled
    change = abs(fooled.images - subject.images[fooled.indices])
    assert 0.1 < change.max() <= fooled.epsilon + 1e-6
    np.testing.assert_allclose(
        fooled.probabilities, jax.nn.softmax(brightest(jnp.asarray(fooled.images))), rtol=1e-5, atol=1e-7
    )


def test_progress_is_told(lines, findings):
    assert lines[0] == "classifying 24 test images"
    assert sum("ε =" in line for line in lines) == 2


def test_explorer_has_every_method_and_layer_for_the_predicted_class(subject, findings):
    found = findings.explorer
    assert found.layers == ("stage1", "stage2")
    assert 5 in found.indices, "the hardest one"
    np.testing.assert_array_equal(found.targets, findings.predictions[found.indices])
    maps = {(each.name, each.layer): each.values for each in found.maps}
    assert {("saliency", ""), ("Grad-CAM", "stage1"), ("Grad-CAM", "stage2"), ("Score-CAM", "stage1")} <= set(maps)
    images = subject.images[found.indices]
    for layer in found.layers:
        expected = analysis.grad_cam(Brightest(), VARIABLES, images, found.targets, layer)
        np.testing.assert_allclose(maps["Grad-CAM", layer], expected, rtol=1e-5)
    assert not found.left_out


def test_depth_shows_channels_images_and_what_is_kept(subject, findings):
    depth = findings.depth
    assert [level.layer for level in depth.levels] == ["stage1", "stage2"]
    for level in depth.levels:
        assert level.top.indices.shape == (2, 3)
        assert level.rebuilt.images.shape == (2, 8, 8, 3)
        assert (np.diff(level.information) <= 0).all()
    # Two channels of two layers, and four classes, each raised as far as its own image says.
    assert depth.made.shape == (2 * 2 + 4, 8, 8, 3)
    (_, last), means = depth.levels, depth.made.mean((1, 2))
    np.testing.assert_allclose(
        depth.reached[2:4], [20 * means[at, k] for at, k in zip((2, 3), last.top.channels, strict=True)], rtol=1e-5
    )
    logits = np.asarray(brightest(jnp.asarray(depth.made[4:])))
    np.testing.assert_allclose(depth.reached[4:], np.diag(logits), rtol=1e-5)


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
    # Hardest; four strips of image and three maps; three colour bars; three strips of three.
    static = 5 + 4 * 4 + 3 + 3 * 3
    # Thumbnails, two sprites of images, and for each of the maps one and its colour bar.
    explorer = 6 + 2 + 2 * len(findings.explorer.maps)
    # Two layers of two channels, each made and with three images; classes; two images and what two layers keep.
    inside = 2 * 2 * 4 + 4 + 2 * 3
    assert len(reader.all("img")) == static + explorer + inside
    assert all(tag["alt"] for tag in reader.all("img"))
    assert len(reader.all("svg")) == 4
    assert all(tag["role"] == "img" and tag["aria-label"] for tag in reader.all("svg"))
    assert len(reader.all("figcaption")) == len(reader.all("figure")) == 13
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


def test_page_states_the_figures(page):
    text = Reader(page).text
    assert "Of 24 test images 95.8\u00a0% are classified correctly (23)." in text
    assert "python -m analysis report 'runs/a b'" in text
    assert "1 of 24 test images are classified wrongly" in text
    assert "red & <warm>" in text
    assert "brightest <1>" in text
    assert "87.50" in text


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((4, 8, 8))}, r"\(4, 8, 8\): expected \(N, H, W, C\)"),
        ({"labels": np.zeros(3, int)}, r"\(3,\) for 24 images"),
        ({"classes": CLASSES[:2]}, "labels from 0 to 3 for 2 classes"),
    ],
)
def test_refuses_what_does_not_fit(change, message):
    images, labels = scenes()
    given = {"title": "", "classes": CLASSES, "images": images, "labels": labels, "logits_fn": brightest} | change
    with pytest.raises(ValueError, match=message):
        report.Subject(**given)


@pytest.mark.parametrize("change", [{"steps": 0}, {"epsilons": (0.1, 0.2)}, {"epsilons": (0.0, 0.2, 0.1)}])
def test_refuses_settings(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        report.Settings(**change)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1280, 500])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_page_in_a_browser(page, tmp_path, width, scheme):
    """It draws in the scheme's colours, and nothing but tables is wider than the window."""
    probe = (
        "<script>document.title = JSON.stringify([document.documentElement.scrollWidth <= innerWidth,"
        "[...document.images].every(image => image.naturalWidth > 0),"
        "getComputedStyle(document.body).backgroundColor])</script></body>"
    )
    file = tmp_path / "index.html"
    file.write_text(page.replace("</body>", probe))
    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--dump-dom"),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={('dark', 'light').index(scheme)}",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    ground = {"dark": "rgb(23, 23, 22)", "light": "rgb(255, 255, 255)"}[scheme]
    assert f'<title>[true,true,"{ground}"]</title>' in done.stdout


def test_large_pictures_are_reduced_and_small_ones_left_alone():
    images = np.zeros((2, 192, 96, 1), np.float32)
    images[:, :96] = 1
    small = reduced(images)
    assert small.shape == (2, 96, 48, 1)
    np.testing.assert_allclose(small[:, :46], 1, atol=1e-6)
    np.testing.assert_array_equal(reduced(small), small)


@pytest.fixture
def browser(tmp_path):
    """A function of method, path and body that drives a headless Chromium, as the WebDriver protocol has it."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1100,900"]
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    port = next(found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))

    def ask(method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    capabilities = {"browserName": "chrome", "goog:chromeOptions": {"args": options}}
    session = ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]
    yield lambda method, path, body=None: ask(method, f"/session/{session}/{path}", body)
    ask("DELETE", f"/session/{session}")
    driver.terminate()
    driver.communicate()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromedriver") is None, reason="needs chromium and chromedriver")
def test_clicks_and_arrow_keys_show_what_was_chosen(subject, findings, page, tmp_path, browser):
    """The pixels on the screen are those of the image, the method and the layer that were clicked."""
    file = tmp_path / "index.html"
    file.write_text(page)
    browser("POST", "url", {"url": file.as_uri()})

    def find(selector):
        return next(iter(browser("POST", "element", {"using": "css selector", "value": selector}).values()))

    def click(button):
        browser("POST", f"element/{find(f'label:has(#{button})')}/click", {})

    def shown(number):
        """(8, 8, 3) the first or second picture, a pixel from the middle of each of its squares."""
        data = browser("GET", f"element/{find(f'.frame:nth-child({number})')}/screenshot")
        screen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) / 255
        step = len(screen) // 8
        return screen[step // 2 :: step, step // 2 :: step][:8, :8]

    def check(row, name, layer=""):
        found = findings.explorer
        maps = next(each for each in found.maps if (each.name, each.layer) == (name, layer))
        image = subject.images[found.indices[row]][np.newaxis]
        expected = draw.blend(image, maps.values[row][np.newaxis], draw.limit(maps.values), maps.signed)[0]
        np.testing.assert_allclose(shown(1), image[0], atol=0.01)
        np.testing.assert_allclose(shown(2), expected, atol=0.02)
        said = browser("GET", f"element/{find('.said')}/text")
        assert f"Test image {found.indices[row]}, class {CLASSES[subject.labels[found.indices[row]]]}" in said
        assert said.count("Predicted:") == 1
        assert f"{name}, {layer}: {maps.unit}" in said if layer else f"{name}: {maps.unit}" in said
        assert sum(each.sentence in said for each in found.maps if each.name != name) == 0

    numbers = {name: at for at, name in enumerate(dict.fromkeys(each.name for each in findings.explorer.maps))}
    check(0, "saliency")
    click("image-3")
    check(3, "saliency")
    click(f"method-{numbers['occlusion']}")
    check(3, "occlusion")
    click(f"method-{numbers['Grad-CAM']}")
    check(3, "Grad-CAM", "stage2")
    click("layer-0")
    check(3, "Grad-CAM", "stage1")
    browser("POST", f"element/{find('#image-3')}/value", {"text": "\ue014"})  # the right arrow
    check(4, "Grad-CAM", "stage1")
    browser("POST", f"element/{find('#layer-0')}/value", {"text": "\ue014"})
    check(4, "Grad-CAM", "stage2")
