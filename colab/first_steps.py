# %% [markdown]
# # First steps
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/convzoo/convzoo/blob/main/colab/first_steps.ipynb)
#
# Train a convolutional network on handwritten digits, see which pixels its answers depend on, and attack it: the
# whole of convzoo in a few minutes on a CPU. Every figure below is measured by the cell above it.

# %%
import subprocess
import sys

if "google.colab" in sys.modules:
    source = "git+https://github.com/convzoo/convzoo"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
import tempfile

import jax
import matplotlib.pyplot as plt
import numpy as np

import analysis
import train
import zoo
from analysis import attacks

zoo.keep_memory()  # on CPU under Linux, a training step takes 10 to 50 % less time

# %% [markdown]
# ## Models and their cards
#
# A card states parameters, multiply-accumulates and the receptive field. It is computed from a trace of the model, so
# that a large network costs no more memory than a small one.

# %%
print(zoo.list_models("resnet*"))
print(zoo.card("resnet20"))

# %% [markdown]
# ## Train
#
# LeNet-5 on the 1,437 training digits. The run directory holds configuration, metrics and checkpoints; calling
# `train.run` again resumes where it stopped, or returns at once if the run is finished.

# %%
out = f"{tempfile.mkdtemp()}/lenet"
summary = train.run(train.Config("lenet5", epochs=5, out=out), quiet=True)
for split in ("train", "test"):
    print(split, {name: round(value, 4) for name, value in getattr(summary, split).items()})

# %%
run = train.load(out)
logits_fn = zoo.logits_fn(run.model, run.variables, run.preprocess)
images, labels = run.dataset.test.images[:6], run.dataset.test.labels[:6]
print("predicted", np.argmax(logits_fn(images), axis=1), "labels", labels)

# %% [markdown]
# ## Which pixels does the answer depend on?
#
# - **Saliency** is the magnitude of the gradient of the label's logit with respect to each pixel.
# - **Integrated gradients** and **occlusion** are signed: red pixels raise the logit, blue ones lower it.
# - **Grad-CAM** weights the channels of a layer by their mean gradient and adds them up. The rectifier after the sum,
#   which the paper applies, assumes that activations are positive, as after a ReLU. LeNet-5 has tanh units, whose
#   activations have both signs: a negative activation with a negative weight supports the class as well. So the signed
#   map (`relu=False`) is shown here.
#
# The first three need only a function from images to logits. Grad-CAM reads a layer inside the model.

# %%
maps = {
    "saliency": analysis.saliency(logits_fn, images, labels),
    "integrated\ngradients": analysis.integrated_gradients(logits_fn, images, labels),
    "occlusion": analysis.occlusion(logits_fn, images, labels),
    "Grad-CAM,\nsigned": analysis.grad_cam(
        run.model, run.variables, images, labels, preprocess=run.preprocess, relu=False
    ),
}


def show(rows, signed=()):
    """Draw one row of pictures for each entry; signed ones in a diverging colour map around zero."""
    _, axes = plt.subplots(len(rows), 6, figsize=(9, 1.6 * len(rows)), layout="constrained")
    for row, (name, pictures) in zip(axes, rows.items(), strict=True):
        row[0].set_ylabel(name)
        for axis, picture in zip(row, np.asarray(pictures), strict=True):
            picture = picture.reshape(picture.shape[:2])
            limit = float(np.abs(picture).max()) or 1.0
            style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if name in signed else {"cmap": "gray_r"}
            axis.imshow(picture, **style)
            axis.set(xticks=[], yticks=[])
    plt.show()


show({"image": images} | maps, signed=[name for name in maps if name != "saliency"])

# %% [markdown]
# ## Attack
#
# Projected gradient descent (PGD) looks for the worst image in which no pixel differs by more than ε from the original.

# %%
attacked = attacks.pgd(logits_fn, images, labels, attacks.Linf(0.1), steps=10, key=jax.random.key(0))
show({"image": images, "attacked": attacked, "difference": attacked - images}, signed=["difference"])
print("labels", labels, "predicted before", np.argmax(logits_fn(images), 1), "after", np.argmax(logits_fn(attacked), 1))

# %% [markdown]
# Accuracy against ε is the robustness curve, here of the first 64 test images.

# %%
images, labels = run.dataset.test.images[:64], run.dataset.test.labels[:64]
for eps in (0.0, 0.05, 0.1, 0.2):
    adversarial = attacks.pgd(logits_fn, images, labels, attacks.Linf(eps), steps=10, key=jax.random.key(0))
    accuracy = np.mean(np.argmax(logits_fn(adversarial), axis=1) == labels)
    print(f"eps {eps:4.2f}: accuracy {accuracy:.2f}")
