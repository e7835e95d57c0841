"""The convolutions that are timed, as plain data that every contender reads."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    """One convolution of (batch, size, size, inputs) images.

    Attributes:
      name: in the table.
      size: height and width of the images.
      inputs, outputs: channels.
      kernel_size, strides, dilation, groups: as in `zoo.layers.Conv`.
      pad: pixels on each side; None: as many as keep or divide the size.
      transposed: the transposed convolution instead.
      batch: number of images.
    """

    name: str
    size: int = 56
    inputs: int = 128
    outputs: int = 128
    kernel_size: int = 3
    strides: int = 1
    dilation: int = 1
    groups: int = 1
    pad: int | None = None
    transposed: bool = False
    batch: int = 8

    @property
    def padding(self) -> int:
        """Pixels on each side."""
        return self.pad if self.pad is not None else (self.kernel_size - 1) * self.dilation // 2


CASES = [
    Case("depthwise 3×3", groups=128),
    Case("depthwise 7×7", groups=128, kernel_size=7),
    Case("depthwise 5×5 stride 2", groups=128, kernel_size=5, strides=2),
    Case("32 groups 3×3", groups=32),
    Case("transposed 3×3 stride 2", strides=2, transposed=True),
    Case("transposed 4×4 stride 2", kernel_size=4, strides=2, transposed=True),
    Case("1×1, 56², 64→256", inputs=64, outputs=256, kernel_size=1),
    Case("1×1, 28², 512→128", size=28, inputs=512, kernel_size=1),
    Case("1×1, 14², 1024→256", size=14, inputs=1024, outputs=256, kernel_size=1),
    Case("3×3", inputs=128),
    Case("3×3, 64 channels", inputs=64, outputs=64),
    Case("3×3 dilation 2", dilation=2),
    Case("3×3, 28², 128→32", size=28, inputs=128, outputs=32),
    Case("3×3, 112², 64→128", size=112, inputs=64),
    Case("7×7 stride 2, 3→64, 224²", size=224, inputs=3, outputs=64, kernel_size=7, strides=2),
    Case("3×3 stride 2, 3→32, 224²", size=224, inputs=3, outputs=32, strides=2),
    Case("4×4 patches, 3→96, 224²", size=224, inputs=3, outputs=96, kernel_size=4, strides=4, pad=0),
    Case("64 · 3×3, 32², 3→16", size=32, inputs=3, outputs=16, batch=64),
    Case("64 · 3×3, 32², 16→16", size=32, inputs=16, outputs=16, batch=64),
    Case("64 · 3×3, 16², 32→32", size=16, inputs=32, outputs=32, batch=64),
    Case("64 · 3×3, 8², 64→64", size=8, inputs=64, outputs=64, batch=64),
    Case("128 · 3×3, 32², 16→16", size=32, inputs=16, outputs=16, batch=128),
    Case("64 · 5×5, 28², 16→32", size=28, inputs=16, outputs=32, kernel_size=5, batch=64),
    Case("32 · 3×3, 56², 64→64", inputs=64, outputs=64, batch=32),
    Case("32 · 3×3, 28², 128→128", size=28, batch=32),
    Case("32 · 3×3, 14², 256→256", size=14, inputs=256, outputs=256, batch=32),
    Case("32 · 3×3 stride 2, 56², 64→128", inputs=64, strides=2, batch=32),
    Case("32 · 32 groups 3×3, 28²", size=28, groups=32, batch=32),
    Case("32 · depthwise 3×3, 28²", size=28, groups=128, batch=32),
    Case("32 · 1×1, 28², 512→128", size=28, inputs=512, kernel_size=1, batch=32),
    Case("32 · 7×7 stride 2, 3→64, 128²", size=128, inputs=3, outputs=64, kernel_size=7, strides=2, batch=32),
]
