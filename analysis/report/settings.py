"""Settings of a report: numbers of images, layers and steps."""

import dataclasses

import numpy as np

from convzoo.checks import integer, number


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers of images, layers and steps; the defaults take two to three minutes for a small network on two cores.

    Attributes:
      explained: images whose maps are shown.
      hardest: images shown for the low probability of their true class.
      attacked: images that are attacked, the first of the test set; the patch is trained on half of them and measured
        on the other half.
      fooled: adversarial examples shown.
      nearest_steps: steps of the search for the nearest adversarial image.
      patched: images shown with the adversarial patch.
      patch_side: side of the patch, as a share of the image's shorter side.
      patch_steps: steps of its training.
      explored: images to flip through methods and layers with.
      layers: layers looked into, from the first to the last.
      units: channels shown of each.
      exemplars: top images shown of each channel, searched among the first `searched` test images.
      searched: test images that channels are chosen and exemplars are searched on.
      ascent: steps of activation maximisation.
      inverted: images rebuilt from each layer.
      descent: steps of inversion.
      epsilons: bounds on each pixel's change, ascending from 0, as fractions of the pixel range.
      steps: steps of PGD for the adversarial examples; each is 2.5 ε / steps long.
      batch_size: images held at once.
      seed: of all that is drawn.

    Raises:
      ValueError: a count that is not positive, bounds that do not ascend from 0, or a patch larger than the image.
    """

    explained: int = 6
    hardest: int = 12
    attacked: int = 100
    fooled: int = 4
    nearest_steps: int = 50
    patched: int = 11
    patch_side: float = 0.35
    patch_steps: int = 100
    explored: int = 12
    layers: int = 3
    units: int = 4
    exemplars: int = 5
    searched: int = 1000
    ascent: int = 128
    inverted: int = 3
    descent: int = 200
    epsilons: tuple[float, ...] = (0.0, *(2**k / 255 for k in range(7)))
    steps: int = 10
    batch_size: int = 50
    seed: int = 0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.name not in ("epsilons", "patch_side", "seed"):
                integer(field.name, getattr(self, field.name))
        number("patch_side", self.patch_side, 0, 1, above=True)
        if (
            self.epsilons[:1] != (0.0,)
            or len(self.epsilons) < 2
            or any(np.diff(self.epsilons) <= 0)
            or self.epsilons[-1] > 1
        ):
            raise ValueError(f"epsilons={self.epsilons}: expected two or more ascending numbers from 0 to at most 1")
