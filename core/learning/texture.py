"""Texture: what a crop sounds like as a list of statistics, and support vector machines on them.

On small libraries, statistics of timbre and rhythm with a kernel machine are as good as networks and err on other songs
(Tzanetakis & Cook 2002 on texture windows; Seyerlehner et al. 2010 on correlation and fluctuation patterns). So a network
may take their word beside its own.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.music import FloatArray
from core.recipes import SpectrogramRecipe

QUIET_DB = -60.0
"""What is below is silence; else the noise floor of an encoder would count."""
N_CEPSTRA = 20
N_GROUPS, FINE_GROUPS = 16, 32
"""Groups of neighbouring bands that contrast and modulation, and changes, are told of."""
MODULATION_HZ = (0.1, 0.25, 0.4, 0.5, 0.75, 1.0, 1.4, 1.9, 2.5, 3.4, 4.5, 6.0, 8.0, 11.0, 15.6)
"""Edges of the bands of modulation: from a phrase to a flutter."""
TEMPI_BPM = (30, 312)
"""Slowest and fastest beat that a rhythm is looked for at."""
SMALL = 1e-4

SLACK = 3.0
"""C of the machines: how dear a crop on the wrong side is."""
OUTERMOST = 5.0
"""Standardised statistics are cut off here."""
HIDDEN, LESSONS, NOISE = 256, 6000, 0.3
TEACHING_STEPS, TEACHING_RATE = 400, 2e-3

Decisions = Callable[[FloatArray], FloatArray]


class CropStatistics(nn.Module):
    """Statistics of the log-mel spectrogram S of a crop: nothing is learned. Made for one size of crop."""

    cosines: Tensor
    modulation: Tensor
    bands: Tensor
    pairs: Tensor
    grouped: Tensor
    later: Tensor

    def __init__(self, *, n_mels: int, crop_frames: int, frame_s: float = SpectrogramRecipe().frame_s) -> None:
        super().__init__()
        self.n_mels, self.crop_frames = n_mels, crop_frames
        band = torch.arange(n_mels) + 0.5
        order = torch.arange(min(N_CEPSTRA, n_mels))
        scale = torch.where(order == 0, math.sqrt(1 / n_mels), math.sqrt(2 / n_mels))
        self.register_buffer("cosines", torch.cos(math.pi / n_mels * band[:, None] * order) * scale, persistent=False)
        rows, columns = torch.triu_indices(len(order), len(order), 1)
        self.register_buffer("pairs", rows * len(order) + columns, persistent=False)
        # bands in the order of their groups; the last one fills up what is not a multiple of theirs
        in_groups = torch.arange(-(-n_mels // FINE_GROUPS) * FINE_GROUPS).clamp_max(n_mels - 1)
        self.register_buffer("grouped", in_groups, persistent=False)
        # a Fourier transform over the frames, as two products, so that any runtime can do it
        frames, frequency = torch.arange(crop_frames), torch.arange(1, crop_frames // 2 + 1)
        angle = 2 * math.pi * frequency[:, None] * frames / crop_frames
        window = torch.hann_window(crop_frames, periodic=False)
        self.register_buffer(
            "modulation", torch.cat([angle.cos(), angle.sin()]).mul(window).T.contiguous(), persistent=False
        )
        hertz = frequency / (crop_frames * frame_s)
        inside = [(hertz >= low) & (hertz < high) for low, high in pairwise(MODULATION_HZ)]
        bands = torch.stack([mask / mask.sum() for mask in inside if mask.any()], dim=1).float()
        self.register_buffer("bands", bands, persistent=False)
        slowest = min(round(60 / TEMPI_BPM[0] / frame_s), crop_frames // 2)
        self.lags = lags = range(round(60 / TEMPI_BPM[1] / frame_s), slowest + 1)
        onset = torch.arange(crop_frames - 1)
        self.register_buffer("later", onset[:, None] + torch.tensor(lags), persistent=False)

    def forward(self, S: Tensor) -> Tensor:
        """S (batch, crop_frames, n_mels) dB -> (batch, n_statistics)."""
        S = S.clamp_min(QUIET_DB)
        return torch.cat([*self._timbre(S), *self._contrast(S), self._fluctuation(S), *self._rhythm(S)], dim=1)

    def _timbre(self, S: Tensor) -> list[Tensor]:
        """Mel cepstra: their mean, deviation, deviation of their changes, and which move together."""
        cepstra = S @ self.cosines
        mean = cepstra.mean(dim=1, keepdim=True)
        deviation = _deviation(cepstra)
        z = (cepstra - mean) / deviation[:, None]
        correlation = torch.bmm(z.transpose(1, 2), z).flatten(1) / S.shape[1]
        changes = cepstra[:, 2:] - cepstra[:, :-2]
        return [mean[:, 0], deviation, _deviation(changes), correlation[:, self.pairs]]

    def _contrast(self, S: Tensor) -> list[Tensor]:
        """How far peaks stand out of valleys in each group of bands, and how low the valleys lie."""
        groups = self._groups(S)
        valleys = groups.amin(dim=3)
        contrast = groups.amax(dim=3) - valleys
        return [contrast.mean(dim=1), _deviation(contrast), valleys.mean(dim=1)]

    def _fluctuation(self, S: Tensor) -> Tensor:
        """Strength of modulation by its frequency, in pairs of groups of bands, each against its own mean, log."""
        level = self._groups(S).mean(dim=3)
        waves = (level - level.mean(dim=1, keepdim=True)).transpose(1, 2) @ self.modulation
        half = self.crop_frames // 2
        strength = (waves[:, :, :half].square() + waves[:, :, half:].square() + SMALL).sqrt()
        logs = ((strength @ self.bands) + SMALL).log()
        logs = logs - logs.mean(dim=2, keepdim=True)
        in_pairs = logs.reshape(-1, N_GROUPS // 2, 2, self.bands.shape[1]).mean(dim=2)
        return in_pairs.flatten(1)

    def _rhythm(self, S: Tensor) -> list[Tensor]:
        """Onsets, of all bands and of the bass: how strong, and how they repeat at each lag (autocorrelation)."""
        rises = S[:, 1:] - S[:, :-1]
        onsets = rises.clamp_min(0)
        told = []
        for strength in (onsets.mean(dim=2), onsets[:, :, : self.n_mels // 8].mean(dim=2)):
            z = strength - strength.mean(dim=1, keepdim=True)
            power = z.square().mean(dim=1, keepdim=True) + SMALL
            later = functional.pad(z, (0, self.lags[-1]))[:, self.later]
            repeats = (z[:, :, None] * later).sum(dim=1)
            repeats = repeats / (S.shape[1] * power)
            told += [strength.mean(dim=1, keepdim=True), power.sqrt(), repeats, repeats.amax(dim=1, keepdim=True)]
        changes = (
            rises.abs()
            .mean(dim=1)[:, self.grouped]
            .reshape(-1, FINE_GROUPS, len(self.grouped) // FINE_GROUPS)
            .mean(dim=2)
        )
        return [*told, changes]

    def _groups(self, S: Tensor) -> Tensor:
        """(batch, frames, n_mels) -> (batch, frames, N_GROUPS, bands of a group)."""
        return S[:, :, self.grouped].reshape(-1, S.shape[1], N_GROUPS, len(self.grouped) // N_GROUPS)


class TextureMachine(nn.Module):
    """What support vector machines say of `CropStatistics`, one a genre against the rest, taught to two dense layers.

    The machines themselves are made of the crops that they learned from. A model may be handed on where its songs may
    not, and should not grow with them; so it keeps layers that were taught to answer alike
    (Hinton et al. 2015, "Distilling the knowledge in a neural network"). Until then `is_fitted` is False.
    """

    mean: Tensor
    scale: Tensor
    fitted: Tensor

    def __init__(self, n_genres: int, *, n_mels: int, crop_frames: int) -> None:
        super().__init__()
        self.statistics = CropStatistics(n_mels=n_mels, crop_frames=crop_frames)
        n = self.statistics(torch.zeros(1, crop_frames, n_mels)).shape[1]
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("scale", torch.ones(n))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.uint8))
        self.layers = nn.Sequential(nn.Linear(n, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, n_genres)).requires_grad_(False)

    @property
    def is_fitted(self) -> bool:
        """Whether it has learned."""
        return bool(self.fitted)

    def forward(self, S: Tensor) -> Tensor:
        """S (batch, crop_frames, n_mels) dB -> logits (batch, n_genres): the machines' decision values."""
        logits: Tensor = self.layers(self._standardised(self.statistics(S)))
        return logits

    def fit(self, statistics: FloatArray, targets: FloatArray, *, seed: int) -> None:
        """Learn from crops: `statistics` (n_crops, n_statistics), `targets` (n_crops, n_genres) rows summing to 1."""
        self.mean.copy_(torch.from_numpy(statistics.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(np.maximum(statistics.std(axis=0), SMALL)))
        z = self._standardised(torch.from_numpy(statistics)).numpy()
        self._teach(z, support_vector_machines(z, targets), np.random.default_rng(seed))
        self.fitted.fill_(1)

    def _teach(self, z: FloatArray, decide: Decisions, rng: np.random.Generator) -> None:
        """Fit the layers to what `decide` says of crops that never were: each statistic is of one or of another crop.

        So lessons lie as far from the crops that the machines were made of as the crops of new songs do.
        """
        torch.manual_seed(int(rng.integers(2**62)))
        one, other = z[rng.integers(0, len(z), (2, LESSONS))]
        of_one = rng.random(one.shape) < rng.beta(0.7, 0.7, (LESSONS, 1))
        blends = np.where(of_one, one, other) + rng.normal(0, NOISE, one.shape).astype(np.float32)
        x, wanted = torch.from_numpy(blends), torch.from_numpy(decide(blends))
        for layer in (self.layers[0], self.layers[2]):
            layer.reset_parameters()  # type: ignore[operator]
        self.layers.requires_grad_(True)
        optimizer = torch.optim.AdamW(self.layers.parameters(), lr=TEACHING_RATE, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, TEACHING_RATE, total_steps=TEACHING_STEPS)
        with torch.enable_grad():
            for _ in range(TEACHING_STEPS):
                batch = torch.from_numpy(rng.integers(0, LESSONS, 256))
                loss = functional.mse_loss(self.layers(x[batch]), wanted[batch])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        self.layers.requires_grad_(False)

    def _standardised(self, statistics: Tensor) -> Tensor:
        return ((statistics - self.mean) / self.scale).clamp(-OUTERMOST, OUTERMOST)


def support_vector_machines(z: FloatArray, targets: FloatArray) -> Decisions:
    """Machines with a Gaussian kernel, one a genre against the rest: (n, n_statistics) -> decision values (n, n_genres).

    They learn from crops `z` (n_crops, n_statistics), standardised, and `targets` (n_crops, n_genres). Soft labels count in
    full: a crop is on a genre's side with that genre's share as its weight, and against it with the rest. Both sides weigh
    the same in total, so that rare genres are heard.
    """
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.svm import SVC

    n, gamma = len(z), 1 / z.shape[1]
    weights, bias = np.zeros((n, targets.shape[1]), np.float32), np.zeros(targets.shape[1], np.float32)
    for genre in range(targets.shape[1]):
        for_it, against = targets[:, genre], 1 - targets[:, genre]
        shares = np.concatenate([for_it / max(for_it.sum(), 1e-9), against / max(against.sum(), 1e-9)]) * n / 2
        rows = np.flatnonzero(shares)
        machine = SVC(C=SLACK, gamma=gamma).fit(z[rows % n], rows < n, sample_weight=shares[rows])
        np.add.at(weights[:, genre], rows[machine.support_] % n, machine.dual_coef_[0])
        bias[genre] = machine.intercept_[0]

    def decide(others: FloatArray) -> FloatArray:
        blocks = np.array_split(others, max(1, len(others) // 1000))
        return np.concatenate([rbf_kernel(block, z, gamma) @ weights + bias for block in blocks]).astype(np.float32)

    return decide


def _deviation(values: Tensor) -> Tensor:
    """Standard deviation over frames, (batch, frames, n) -> (batch, n); never 0, so that it can be divided by."""
    return ((values - values.mean(dim=1, keepdim=True)).square().mean(dim=1) + SMALL).sqrt()
