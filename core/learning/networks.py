"""Networks: a standardised log-mel crop in, logits out.

Never a softmax: that belongs to the loss, or to whoever asks for probabilities.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.audio.crops import Logits
from core.music import CodeArray, FloatArray
from core.recipes import DB_FLOOR, DB_STEP


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; halves time and frequency if `stride` is 2."""

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
    """A small residual network (about 1.2 million weights): quick on a CPU, and hard to beat on small libraries.

    A 5x5 stem of stride 2, four residual stages of 32 to 256 channels, then mean and maximum over time of what the
    bands say on average.
    """

    n_features = 512

    def __init__(self, n_genres: int) -> None:
        super().__init__()
        widths = (32, 64, 128, 256)
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, 2, padding=2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
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

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 1, n_mels, crop_frames) -> logits (batch, n_genres)."""
        return self.classify(self.features(x))


NETWORKS = {"small_resnet": SmallResNet}
"""Every network that can be trained, by the name a recipe gives it."""


class GenreNetwork(nn.Module):
    """A network with the standardisation of its training songs and its temperature inside: codes in, logits out.

    `temperature` (Guo et al. 2017, "On calibration of modern neural networks") divides the logits; it is 1 until it is
    fitted, after training.
    """

    band_mean: Tensor
    band_std: Tensor
    temperature: Tensor

    def __init__(self, network: str, n_genres: int, band_mean: FloatArray, band_std: FloatArray) -> None:
        """`band_mean` and `band_std` (n_mels,), dB, over training songs only."""
        super().__init__()
        self.body = NETWORKS[network](n_genres)
        self.register_buffer("band_mean", torch.from_numpy(np.array(band_mean, np.float32)))
        self.register_buffer("band_std", torch.from_numpy(np.array(band_std, np.float32)))
        self.register_buffer("temperature", torch.ones(()))

    def standardise(self, S: Tensor) -> Tensor:
        """S (batch, crop_frames, n_mels) dB -> (batch, 1, n_mels, crop_frames), per band mean 0 and deviation 1."""
        x = ((S - self.band_mean) / self.band_std).transpose(1, 2).unsqueeze(1)
        return x.contiguous(memory_format=torch.channels_last)  # ten times faster on a CPU

    def forward(self, codes: Tensor) -> Tensor:
        """Codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres)."""
        return self.answer(codes)[0]

    def answer(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres), features (batch, n_features)."""
        features = self.body.features(self.standardise(decibels(codes)))
        return self.body.classify(features) / self.temperature, features


def decibels(codes: Tensor) -> Tensor:
    """S (dB, float32) of codes (uint8), any shape: `spectrogram.dequantise` for tensors."""
    return codes.to(torch.float32) * DB_STEP + DB_FLOOR


def as_logits(network: GenreNetwork) -> Logits:
    """The network as the song-level function takes it: arrays in, arrays out, nothing remembered."""
    network.eval()

    def logits(codes: CodeArray) -> FloatArray:
        with torch.inference_mode():
            out: FloatArray = network(torch.from_numpy(codes)).numpy()
        return out

    return logits
