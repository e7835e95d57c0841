"""The picture of a report in the README: `python -m tests.studies.report_picture`.

Takes the sections with attribution maps of the page of `make demo`, as Chromium draws them; needs Chromium.
"""

import argparse
import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SECTIONS = ("maps", "explorer")
WIDTH, HEIGHT = 900, 2400


def alone(page: str) -> str:
    """The page with nothing but the sections of the picture."""
    others = "".join(f":not(#{name})" for name in SECTIONS)
    style = f"header,footer,section{others}{{display:none}} main{{padding:0 1.25rem}} h2{{margin-top:1.5rem}}"
    return page.replace("</style>", f"{style}</style>", 1)


def trimmed(picture: Image.Image) -> Image.Image:
    """The picture without the empty ground below."""
    rows = np.flatnonzero((np.asarray(picture.convert("L")) < 255).any(1))
    return picture.crop((0, 0, picture.width, min(picture.height, int(rows[-1]) + 20)))


def screenshot(page: str) -> Image.Image:
    """The page as Chromium draws it in light colours."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "index.html").write_text(page)
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
                *("--disable-background-networking", "--blink-settings=preferredColorScheme=1"),
                *(f"--user-data-dir={folder / 'profile'}", f"--window-size={WIDTH},{HEIGHT}"),
                *(f"--screenshot={folder / 'page.png'}", (folder / "index.html").as_uri()),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        return Image.open(io.BytesIO((folder / "page.png").read_bytes()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.studies.report_picture", description=__doc__)
    parser.add_argument("--page", type=Path, default=Path("runs/demo/report/index.html"))
    parser.add_argument("--out", type=Path, default=Path("docs/report.png"))
    options = parser.parse_args()
    trimmed(screenshot(alone(options.page.read_text()))).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
