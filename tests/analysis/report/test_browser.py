import base64
import dataclasses
import io
import json
import re
import shutil
import subprocess
import urllib.request

import numpy as np
import pytest
from PIL import Image

from analysis import draw, report


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
        found = findings.sections["explorer"]
        maps = next(each for each in found.maps if (each.name, each.layer) == (name, layer))
        image = subject.images[found.indices[row]][np.newaxis]
        expected = draw.blend(image, maps.values[row][np.newaxis], draw.limit(maps.values), maps.signed)[0]
        np.testing.assert_allclose(shown(1), image[0], atol=0.01)
        np.testing.assert_allclose(shown(2), expected, atol=0.02)
        said = browser("GET", f"element/{find('.said')}/text")
        assert f"Test image {found.indices[row]}, class {subject.classes[subject.labels[found.indices[row]]]}" in said
        assert said.count("Predicted:") == 1
        assert f"{name}, {layer}: {maps.unit}" in said if layer else f"{name}: {maps.unit}" in said
        assert sum(each.sentence in said for each in found.maps if each.name != name) == 0

    numbers = {
        name: at for at, name in enumerate(dict.fromkeys(each.name for each in findings.sections["explorer"].maps))
    }
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


DRIVER = pytest.mark.skipif(shutil.which("chromedriver") is None, reason="needs chromium and chromedriver")


def run(browser, script):
    """The value that JavaScript returns in the page."""
    return browser("POST", "execute/sync", {"script": script, "args": []})


@pytest.mark.slow
@DRIVER
def test_long_class_names_leave_the_images_of_a_row_at_one_height(subject, findings, tmp_path, browser):
    long = dataclasses.replace(
        subject, classes=("dark", "a class with a name of many words, such as this one", "g", "b")
    )
    file = tmp_path / "index.html"
    file.write_text(report.page(long, findings))
    browser("POST", "url", {"url": file.as_uri()})
    rows = run(
        browser,
        "return [...document.querySelectorAll('.cards, .strip')].map(box => [...box.querySelectorAll('.plate')]"
        ".map(plate => [plate.getBoundingClientRect().top, plate.querySelector('img').getBoundingClientRect().top]))",
    )
    heads = []
    for plates in rows:
        images_of = {}
        for plate, image in plates:
            images_of.setdefault(round(plate), []).append(image)
            heads.append(image - plate)
        assert all(max(tops) - min(tops) < 1 for tops in images_of.values())
    assert max(heads) > 1.5 * min(heads), "a name of several lines"


@pytest.mark.slow
@DRIVER
@pytest.mark.parametrize(("width", "cut"), [(320, True), (1100, False)])
def test_a_table_that_is_cut_off_has_a_shadow_at_its_edge(page, tmp_path, browser, width, cut):
    file = tmp_path / "index.html"
    file.write_text(page)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser("POST", "goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})
    browser("POST", "url", {"url": file.as_uri()})
    assert (
        run(browser, "const box = document.querySelector('.scroll'); return box.scrollWidth > box.clientWidth") == cut
    )

    def edges():
        """Darkness of the left and the right edge, between the lines of the first table."""
        table = next(iter(browser("POST", "element", {"using": "css selector", "value": ".scroll"}).values()))
        data = browser("GET", f"element/{table}/screenshot")
        screen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))
        return [255 - np.median(screen[5:-20, columns]) for columns in (slice(0, 3), slice(-3, None))]

    left, right = edges()
    assert left == 0
    assert (right > 60) == cut
    run(browser, "document.querySelector('.scroll').scrollLeft = 1000")
    assert (edges()[0] > 60) == cut
