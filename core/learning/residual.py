"""Residual networks (He et al. 2016): a small one that is quick on a CPU, and ResNet-18.

Both end in pooling, so they take crops of any size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; halves bands and frames if `stride` is 2."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, bands, frames) -> (batch, channels_out, bands / stride, frames / stride)."""
        inner = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """A small residual network (1.2 million weights).

    A stem that halves bands and frames, four residual stages of 32 to 256 channels, then mean and maximum over time of
    what the bands say on average.
    """

    widths = (32, 64, 128, 256)
    kernel, stride = (5, 5), (2, 2)

    def __init__(self, n_genres: int, *, n_mels: int, crop_frames: int) -> None:
        super().__init__()
        widths, self.n_features = self.widths, 2 * self.widths[-1]
        padding = (self.kernel[0] // 2, self.kernel[1] // 2)
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], self.kernel, self.stride, padding, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.stages = nn.Sequential(
            *(ResidualBlock(a, b, stride=2) for a, b in zip((widths[0], *widths), widths, strict=False))
        )
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(self.n_features, n_genres)

    def features(self, x: Tensor) -> Tensor:
        """(batch, 1, n_mels, crop_frames) -> (batch, n_features)."""
        over_time = self.stages(self.stem(x)).mean(dim=2)
        return torch.cat([over_time.mean(dim=2), over_time.amax(dim=2)], dim=1)

    def classify(self, features: Tensor) -> Tensor:
        """(batch, n_features) -> logits (batch, n_genres)."""
        logits: Tensor = self.head(self.dropout(features))
        return logits


class LeanResNet(SmallResNet):
    """As `SmallResNet`, with three quarters of the channels (0.7 million weights): three times as quick.

    Its stem also quarters the frames.
    """

    widths = (24, 48, 96, 192)
    kernel, stride = (5, 7), (2, 4)


class ResNet18(nn.Module):
    """ResNet-18 from scratch, with one channel in (He et al. 2016, table 1): 11 million weights."""

    n_features = 512

    def __init__(self, n_genres: int, *, n_mels: int, crop_frames: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)
        )
        stages: list[nn.Module] = []
        before = 64
        for channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            stages += [ResidualBlock(before, channels, stride), ResidualBlock(channels, channels, 1)]
            before = channels
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(self.n_features, n_genres)

    def features(self, x: Tensor) -> Tensor:
        """(batch, 1, n_mels, crop_frames) -> (batch, 512)."""
        features: Tensor = self.stages(self.stem(x)).mean(dim=(2, 3))
        return features

    def classify(self, features: Tensor) -> Tensor:
        """(batch, 512) -> logits (batch, n_genres)."""
        logits: Tensor = self.head(features)
        return logits
