"""Networks of ours in PyTorch that no PyTorch library has, with torchvision's names."""

from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3×3 convolutions and a way around them without parameters."""

    def __init__(self, inputs: int, features: int, strides: int) -> None:
        super().__init__()
        self.strides, self.extra = strides, features - inputs
        self.conv1, self.bn1 = nn.Conv2d(inputs, features, 3, strides, 1, bias=False), nn.BatchNorm2d(features)
        self.conv2, self.bn2 = nn.Conv2d(features, features, 3, 1, 1, bias=False), nn.BatchNorm2d(features)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()  # two, since captum hooks modules

    def forward(self, x):
        """(N, C, H, W) → (N, features, H / strides, W / strides)."""
        branch = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        around = x[:, :, :: self.strides, :: self.strides]
        if self.extra:
            around = functional.pad(around, (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))
        return self.relu2(around + branch)


class CifarResNet(nn.Module):
    """The residual network for small images: `zoo.create("resnet20", blocks=…, width=…)`."""

    def __init__(self, blocks: tuple[int, ...] = (3, 3, 3), width: int = 16, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        self.count, inputs = len(blocks), width
        for stage, count in enumerate(blocks):
            rows, features = [], width * 2**stage
            for block in range(count):
                rows.append(Block(inputs, features, 2 if stage and not block else 1))
                inputs = features
            self.add_module(f"layer{stage + 1}", nn.Sequential(*rows))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        """(N, 3, H, W) → (N, num_classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        for stage in range(self.count):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class LeNet5(nn.Module):
    """LeNet-5 with averages without weights: `zoo.create("lenet5")`."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, num_classes)

    def forward(self, x):
        """(N, 1, 32, 32) → (N, num_classes)."""
        for conv in (self.conv1, self.conv2):
            x = functional.avg_pool2d(conv(x).tanh(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).tanh()).tanh())


TWINS = {"resnet20": CifarResNet, "lenet5": LeNet5}
