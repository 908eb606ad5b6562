"""MusicRecNet and what followed it: networks of the literature, to compare with.

All take a standardised log-mel crop and flatten what the convolutions found, so each is made for one size of crop. What
the published descriptions leave open (3x3 kernels, padding, widths of MusicRecNet) is the usual choice. Their softmax
is left to the loss.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.music import FloatArray


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(channels_out))


class MusicRecNet(nn.Module):
    """Three convolutional layers and two dense ones (Elbir & Aydin 2020, "Music genre classification and music
    recommendation by using deep learning").

    Each convolution, of 32, 64 and 128 channels, halves bands and frames by max-pooling, with dropout 0.25; the dense
    layer of 128 gives the features.
    """  # noqa: D205

    n_features = 128
    channels: tuple[tuple[int, ...], ...] = ((32,), (64,), (128,))
    """Channels of the convolutions of each block."""

    def __init__(self, n_genres: int, *, n_mels: int, crop_frames: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for block in self.channels:
            for channels in block:
                layers.append(_convolution(before, channels))
                before = channels
            layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
        self.convolutions = nn.Sequential(*layers)
        halvings = len(self.channels)
        self.dense = nn.Linear(before * (n_mels >> halvings) * (crop_frames >> halvings), self.n_features)
        self.dropout = nn.Dropout(0.25)
        self.head = nn.Linear(self.n_features, n_genres)

    def features(self, x: Tensor) -> Tensor:
        """(batch, 1, n_mels, crop_frames) -> (batch, 128)."""
        return functional.relu(self.dense(self.convolutions(x).flatten(1)))

    def classify(self, features: Tensor) -> Tensor:
        """(batch, 128) -> logits (batch, n_genres)."""
        logits: Tensor = self.head(self.dropout(features))
        return logits


class DeepMusicRecNet(MusicRecNet):
    """A deeper adaptation: four blocks of two 3x3 convolutions, 32 to 256 channels, with batch normalisation.

    Unlike in the published code, there is an activation between the two convolutions of a block.
    """

    channels = ((32, 32), (64, 64), (128, 128), (256, 256))


class MusicRecNetSVM(MusicRecNet):
    """MusicRecNet whose last layer is replaced, after training, by linear support vector machines on its features."""

    def fit_head(self, features: FloatArray, targets: FloatArray, *, seed: int) -> None:
        """One machine a genre against the rest; their decision values are the logits.

        `features` (n_crops, 128), `targets` (n_crops, n_genres); a crop counts for its top genre.
        """
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC

        scaler = StandardScaler().fit(features)
        genres = targets.argmax(axis=1)
        for genre in range(targets.shape[1]):
            machine = LinearSVC(class_weight="balanced", random_state=seed)
            machine.fit(scaler.transform(features), genres == genre)
            weight = machine.coef_[0] / scaler.scale_
            bias = float(machine.intercept_[0] - weight @ scaler.mean_)
            with torch.no_grad():
                self.head.weight[genre] = torch.from_numpy(np.asarray(weight, np.float32))
                self.head.bias[genre] = bias
