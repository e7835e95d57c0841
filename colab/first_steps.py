# %% [markdown]
# # First steps
#
# Train a convolutional network on real handwritten digits, look at what it looks at, and attack it: the whole
# of convzoo in a few minutes on a CPU. Every figure below is measured by the cell above it.

# %%
# In Colab, clone the project and install it first:  %pip install ./convzoo
import tempfile

import jax
import matplotlib.pyplot as plt
import numpy as np

import analysis
import train
import zoo
from analysis import attacks

zoo.keep_memory()  # on CPU under Linux: freed memory stays with the process; training takes down to half the time

# %% [markdown]
# ## What there is
#
# `zoo.card` reads parameters, multiply-accumulates and the receptive field off the traced program; nothing is
# allocated, so asking for a large network costs nothing.

# %%
print(zoo.list_models("resnet*"))
print(zoo.card("resnet20"))

# %% [markdown]
# ## Train
#
# LeNet-5 on the 1,437 training digits. The run directory holds configuration, metrics and checkpoints; calling
# `train.run` again goes on where it stopped, or returns at once if nothing is left to do.

# %%
out = f"{tempfile.mkdtemp()}/lenet"
summary = train.run(train.Config("lenet5", epochs=5, out=out))
print(summary)

# %%
run = train.load(out)
logits_fn = zoo.logits_fn(run.model, run.variables, run.preprocess)
images, labels = run.dataset.test.images[:6], run.dataset.test.labels[:6]
print("predicted", np.argmax(logits_fn(images), axis=1), "labels", labels)

# %% [markdown]
# ## Look inside
#
# Saliency is the gradient of the label's logit with respect to the pixels; Grad-CAM weights the channels of the
# last stage; occlusion hides one window after the other. All three need only a function from images to logits,
# except Grad-CAM, which looks at a layer.

# %%
maps = {
    "saliency": analysis.saliency(logits_fn, images, labels),
    "Grad-CAM": analysis.grad_cam(run.model, run.variables, images, labels, preprocess=run.preprocess),
    "occlusion": analysis.occlusion(logits_fn, images, labels),
}
figure, axes = plt.subplots(4, 6, figsize=(9, 6), layout="constrained")
for column, image in enumerate(images):
    axes[0, column].imshow(image[..., 0], cmap="gray_r")
    for row, heat in enumerate(maps.values(), start=1):
        axes[row, column].imshow(heat[column], cmap="cividis")
for axis, name in zip(axes[:, 0], ["image", *maps], strict=True):
    axis.set_ylabel(name)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Attack
#
# PGD looks for the worst image within ε of the real one. Accuracy against ε is the robustness curve.

# %%
images, labels = run.dataset.test.images[:64], run.dataset.test.labels[:64]
for eps in (0.0, 0.05, 0.1, 0.2):
    adversarial = attacks.pgd(logits_fn, images, labels, attacks.Linf(eps), steps=10, key=jax.random.key(0))
    accuracy = np.mean(np.argmax(logits_fn(adversarial), axis=1) == labels)
    print(f"eps {eps:4.2f}: accuracy {accuracy:.2f}")
