"""The trainer: the moving parts of a run, its steps, epochs and checkpoints.

All chance of a step comes from (seed, epoch, step); what a step changes is in the checkpoint, written whole after each
epoch. So a run that goes on from a checkpoint repeats what the undisturbed run does.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from core.audio.crops import BATCH, crop_starts, cut, padded, softmax
from core.audio.spectrogram import mel_frequencies
from core.audio.store import SpectrogramStore
from core.errors import ModelError, TrainingRefused
from core.files import whole
from core.learning import metrics
from core.learning.augment import SpecAugment, drawn, gain, mixup, shift, stretch, tilt
from core.learning.calibration import fit_temperature
from core.learning.dataset import CropSampler
from core.learning.evaluation import song_spectra
from core.learning.networks import GenreNetwork, as_logits, decibels
from core.learning.plan import Plan
from core.library.runs import Epoch
from core.library.store import BandStatistics
from core.music import CodeArray, FloatArray, Song
from core.recipes import TrainingRecipe

WARMUP_STEPS, MEASURED_STEPS = 3, 8
"""Steps of the throw-away training that `max_minutes` is turned into a number of steps with."""
MIN_BAND_STD = 1.0
"""dB; a band that hardly varies (above the cut-off of lossy files) is not blown up by more than this."""
HEAD_CROPS, TEXTURE_CROPS, CROPS_OF_A_SONG = 6000, 2000, 6
"""At most so many crops are learned from by support vector machines: their cost grows faster than these."""
MAX_WEIGHT = 4.0
"""A rare genre counts up to this much more than its songs: beyond, its few songs would be learned by heart."""
MAX_NORM = 5.0
"""Gradients longer than this are shortened to it."""


@dataclass
class Progress:
    """How far a training is; lies in the checkpoint."""

    epoch: int = 0
    step: int = 0
    crops: int = 0
    seconds: float = 0.0
    training_s: float = 0.0
    best_epoch: int = 0
    epochs_without_gain: int = 0


@dataclass
class Trainer:
    """The moving parts of a run. `folder` holds its checkpoint (`last`) and its best weights (`best`)."""

    plan: Plan
    recipe: TrainingRecipe
    folder: Path
    store: SpectrogramStore
    statistics: BandStatistics
    progress: Progress = field(default_factory=Progress)
    lowest: FloatArray | None = None
    """Losses of the validation songs, (n_songs,), in the epoch where their mean was lowest."""
    spectra: FloatArray | None = None
    """What was last said of the validation songs, (n_songs, n_genres): after an epoch, or by the finished network."""

    def __post_init__(self) -> None:
        """Make network, optimiser and sampler as the seed says."""
        torch.manual_seed(self.recipe.seed)
        mean, std = standardisation(self.statistics)
        recipe = self.recipe
        self.network = GenreNetwork(recipe.network, len(self.plan.genres), mean, std, crop_frames=recipe.crop_frames)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)  # exponential moving average of the weights
        self.optimizer = _optimizer(self.network, recipe)
        self.weights = torch.from_numpy(genre_weights(self.plan.split.train, self.plan.genres))
        self.frequencies = mel_frequencies(self.plan.spectrogram)
        self.mask = SpecAugment(time_mask_frames=recipe.time_mask_frames, freq_mask_bands=recipe.freq_mask_bands)
        self.sampler = CropSampler(
            self.plan.split.train,
            self.plan.genres,
            self.store,
            crop_frames=math.ceil(recipe.crop_frames * (1 + recipe.stretch)),
            crops_per_song=recipe.crops_per_song,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
        )

    @property
    def unfinished(self) -> bool:
        """Whether there are steps to do, and the validation loss has not stopped falling."""
        return self.progress.step < self.plan.steps and self.progress.epochs_without_gain < self.recipe.patience

    def limit(self, check: Callable[[], None]) -> Plan:
        """Settle the number of steps: as asked for, or what fits into `max_minutes` by a measured warm-up."""
        per_epoch = self.sampler.steps_per_epoch
        if self.recipe.steps is not None:
            steps = self.recipe.steps
        elif self.recipe.epochs is not None:
            steps = self.recipe.epochs * per_epoch
        else:
            kept = {id(self.store): self.store}  # it holds files open, and is not changed by reading
            step_s, song_s = copy.deepcopy(self, kept).measure(check)
            split = self.plan.split
            left_s = (self.recipe.max_minutes or 0) * 60 - 2 * song_s * len(split.test)
            steps = max(1, int(left_s / (step_s + song_s * len(split.validation) / per_epoch)))
        self.plan = Plan(**{**vars(self.plan), "steps": steps})
        return self.plan

    def measure(
        self, check: Callable[[], None], *, warmup: int = WARMUP_STEPS, steps: int = MEASURED_STEPS
    ) -> tuple[float, float]:
        """(seconds a training step, seconds a song of validation); uses this trainer up."""
        self.plan = Plan(**{**vars(self.plan), "steps": warmup + steps})
        durations: list[float] = []
        epoch = 0
        while len(durations) < self.plan.steps:
            epoch += 1
            for step, (codes, targets) in enumerate(self.sampler.batches(epoch)):
                check()
                begun = time.perf_counter()
                self._step(epoch, step, torch.from_numpy(codes), torch.from_numpy(targets))
                durations.append(time.perf_counter() - begun)
                if len(durations) == self.plan.steps:
                    break
        begun = time.perf_counter()
        songs = self.plan.split.validation[:8]
        self._validate(songs, check)
        return float(np.mean(durations[warmup:])), (time.perf_counter() - begun) / len(songs)

    def run_epoch(self, check: Callable[[], None], on_progress: Callable[[int, int, str, float | None], None]) -> Epoch:
        """Train one epoch (the last may be a part of one), validate, and keep the weights if they are the best."""
        begun = time.perf_counter()
        now = self.progress
        epoch = now.epoch + 1
        losses: list[float] = []
        crops = 0
        for number, (codes, targets) in enumerate(self.sampler.batches(epoch)):
            if now.step + number >= self.plan.steps:
                break
            check()
            losses.append(self._step(epoch, now.step + number, torch.from_numpy(codes), torch.from_numpy(targets)))
            crops += len(codes)
            spent = time.perf_counter() - begun
            left = self._seconds_left(now.step + len(losses), now.training_s + spent, now.crops + crops)
            on_progress(now.step + len(losses), self.plan.steps, f"Epoch {epoch}", left)
        training_s = time.perf_counter() - begun
        songs = self.plan.split.validation
        truth, spectra, crop_accuracy = self._validate(songs, check)
        self.spectra = spectra
        losses_now = metrics.cross_entropy(truth, spectra)
        # Validation songs are few, so the lowest loss is often luck, early on: of the epochs that cannot be told from
        # it, the latest is kept, which has seen most and had its learning rate lowered furthest.
        best = self.lowest is None or not metrics.clearly_worse(losses_now, self.lowest)
        if self.lowest is None or losses_now.mean() < self.lowest.mean():
            self.lowest = losses_now
        report = metrics.report(truth, spectra, self.plan.genres)
        seconds = time.perf_counter() - begun
        self.progress = Progress(
            epoch=epoch,
            step=now.step + len(losses),
            crops=now.crops + crops,
            seconds=now.seconds + seconds,
            training_s=now.training_s + training_s,
            best_epoch=epoch if best else now.best_epoch,
            epochs_without_gain=0 if best else now.epochs_without_gain + 1,
        )
        if best:
            self.keep_best()
        return Epoch(
            epoch=epoch,
            step=self.progress.step,
            train_loss=float(np.mean(losses)),
            validation_loss=float(losses_now.mean()),
            crop_accuracy=crop_accuracy,
            song_accuracy=report["accuracy"],
            confusion=report["confusion"],
            learning_rate=learning_rate(self.progress.step - 1, self.plan.steps, self.recipe),
            crops_per_second=crops / training_s,
            seconds=seconds,
            seconds_left=self.progress.seconds / self.progress.step * (self.plan.steps - self.progress.step),
            best=best,
        )

    def keep_best(self) -> None:
        """The weights now are the best so far: what `finished_network` is made of."""
        with whole(self.folder / "best.safetensors") as partial:
            save_file(_contiguous(self.average.state_dict()), partial)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        moments = {
            f"optimizer.{number}.{name}": value
            for number, state in self.optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        tensors = {
            **{f"network.{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"average.{name}": tensor for name, tensor in self.average.state_dict().items()},
            **moments,
            **({} if self.lowest is None else {"lowest": torch.from_numpy(self.lowest)}),
        }
        with whole(self.folder / "last.safetensors") as partial:
            save_file(_contiguous(tensors), partial, metadata={k: repr(v) for k, v in vars(self.progress).items()})

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        path = self.folder / "last.safetensors"
        if not path.exists():
            return
        with _reading(path), safe_open(path, framework="pt") as stored:
            told = stored.metadata()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            self.progress = Progress(**{name: type(default)(told[name]) for name, default in vars(Progress()).items()})
            self.lowest = tensors["lowest"].numpy()
            self.network.load_state_dict(_under("network.", tensors))
            self.average.load_state_dict(_under("average.", tensors))
            optimizer = self.optimizer.state_dict()
            optimizer["state"] = {}
            for name, tensor in _under("optimizer.", tensors).items():
                number, _, moment = name.partition(".")
                optimizer["state"].setdefault(int(number), {})[moment] = tensor
            self.optimizer.load_state_dict(optimizer)

    def best_network(self) -> GenreNetwork:
        """The network with the weights of the best epoch."""
        path = self.folder / "best.safetensors"
        with _reading(path), safe_open(path, framework="pt") as stored:
            self.average.load_state_dict({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
        return self.average

    def finished_network(self, check: Callable[[], None]) -> GenreNetwork:
        """The network of the best epoch, its heads that are not learned by steps fitted, its probabilities calibrated."""
        network = self.best_network().eval()
        if hasattr(network.body, "fit_head"):
            crops, targets = self._whole_crops(HEAD_CROPS, check)
            features = _by_batch(lambda codes: network.answer(codes)[1], crops)
            network.body.fit_head(features, targets, seed=self.recipe.seed)
        if network.texture is not None:
            crops, targets = self._whole_crops(TEXTURE_CROPS, check)
            statistics = network.texture.statistics
            told = _by_batch(lambda codes: statistics(decibels(codes)), crops)
            network.texture.fit(told, targets, seed=self.recipe.seed)
        self._calibrate(network, check)
        return network

    def _calibrate(self, network: GenreNetwork, check: Callable[[], None]) -> None:
        """Fit the temperatures on the validation songs: of each voice, where there are two, then of their mean."""
        voices: list[Callable[[Tensor], Tensor]] = [network.own_logits]
        if (texture := network.texture) is not None:
            voices.append(lambda codes: texture(decibels(codes)))
        told: list[list[FloatArray]] = [[] for _ in voices]  # of each voice, of each song (n_crops, n_genres)
        truth = []
        for song in self.plan.split.validation:
            check()
            frames = self.recipe.crop_frames
            crops = cut(self.store.read(song.sha256), crop_frames=frames, stride=frames // 2)
            for voice, answers in zip(voices, told, strict=True):
                answers.append(_by_batch(voice, crops))
            truth.append(song.label.vector(self.plan.genres))
        fitted = [fit_temperature(answers, np.stack(truth)) for answers in told]
        if len(voices) == 1:
            network.temperature.fill_(fitted[0])
            self.spectra = _mean_shares(told[0], fitted[0])
            return
        network.own_temperature.fill_(fitted[0])
        network.texture_temperature.fill_(fitted[1])
        together = [
            network.together(torch.from_numpy(a), torch.from_numpy(b)).numpy() for a, b in zip(*told, strict=True)
        ]
        temperature = fit_temperature(together, np.stack(truth))
        network.temperature.fill_(temperature)
        self.spectra = _mean_shares(together, temperature)

    def _whole_crops(self, at_most: int, check: Callable[[], None]) -> tuple[CodeArray, FloatArray]:
        """(crops (n, crop_frames, n_mels), their songs' labels (n, n_genres)) of training songs, as many of every song.

        Evenly spread over a song; where there are more songs than `at_most` crops, one each of some of them, by the seed.
        """
        songs, frames = self.plan.split.train, self.recipe.crop_frames
        chance = np.random.default_rng(self.recipe.seed)
        chosen = np.sort(chance.permutation(len(songs))[:at_most])
        each = max(1, min(CROPS_OF_A_SONG, at_most // len(songs)))
        crops, targets = [], []
        for song in (songs[i] for i in chosen):
            check()
            starts = crop_starts(song.n_frames, frames, stride=frames // 2)
            for start in starts[np.linspace(0, len(starts) - 1, min(each, len(starts))).astype(int)]:
                crops.append(padded(self.store.read_crop(song.sha256, int(start), frames), frames))
                targets.append(song.label.vector(self.plan.genres))
        return np.stack(crops), np.stack(targets)

    def _step(self, epoch: int, step: int, codes: Tensor, targets: Tensor) -> float:
        """One optimiser step; returns its loss."""
        chance = np.random.default_rng([self.recipe.seed, epoch, step])
        torch.manual_seed(int(chance.integers(2**62)))
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.plan.steps, self.recipe)
        x = self.mask(self.network.standardise(self._as_played_elsewhere(decibels(codes), chance)))
        if self.recipe.mixup_alpha:
            share = float(chance.beta(self.recipe.mixup_alpha, self.recipe.mixup_alpha))
            x, targets = mixup(x, targets, share=share, other=torch.from_numpy(chance.permutation(len(x))))
        body = self.network.body
        logits = body.classify(body.features(x.contiguous(memory_format=torch.channels_last)))
        loss = functional.cross_entropy(logits, targets, self.weights, label_smoothing=self.recipe.label_smoothing)
        if not torch.isfinite(loss):
            raise TrainingRefused(
                "The training has come apart: its loss is not a number any more. Train again with a lower learning rate."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        self.optimizer.step()
        decay = min(self.recipe.ema_decay, (1 + step) / (10 + step))  # a short run's average is not its beginning
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)
        return float(loss.detach())

    def _as_played_elsewhere(self, S: Tensor, chance: np.random.Generator) -> Tensor:
        """Crops as another mastering, another tempo or key would have them: S (batch, crop_frames, n_mels) dB."""
        recipe, n = self.recipe, len(S)
        if recipe.stretch:
            S = stretch(S, 1 + drawn(chance, n, up_to=recipe.stretch), crop_frames=recipe.crop_frames)
        if recipe.shift_semitones:
            S = shift(S, drawn(chance, n, up_to=recipe.shift_semitones), self.frequencies)
        S = gain(S, drawn(chance, n, up_to=recipe.gain_db))
        return tilt(S, drawn(chance, n, up_to=recipe.tilt_db))

    def _validate(self, songs: Sequence[Song], check: Callable[[], None]) -> tuple[FloatArray, FloatArray, float]:
        """(truth, spectra, both (n_songs, n_genres), accuracy on single crops) of the averaged weights."""
        spectra, taggrams = song_spectra(
            songs,
            self.store,
            as_logits(self.average),
            crop_frames=self.recipe.crop_frames,
            stride=self.recipe.crop_frames,
            check=check,
        )
        truth = np.stack([song.label.vector(self.plan.genres) for song in songs])
        hits = [taggram.argmax(axis=1) == row.argmax() for taggram, row in zip(taggrams, truth, strict=True)]
        return truth, spectra, float(np.concatenate(hits).mean())

    def _seconds_left(self, step: int, training_s: float, crops: int) -> float:
        """From the speed so far; epochs before this one also tell what validation takes."""
        done = self.progress
        validation_s = (done.seconds - done.training_s) / done.step if done.step else 0.0
        return (training_s / step + validation_s) * (self.plan.steps - step) if crops else 0.0


def standardisation(statistics: BandStatistics) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation of each band over all frames of some songs, (n_mels,) each, dB."""
    share = (statistics.n_frames / statistics.n_frames.sum())[:, None].astype(np.float64)
    mean = (share * statistics.mean).sum(axis=0)
    variance = (share * (statistics.std.astype(np.float64) ** 2 + (statistics.mean - mean) ** 2)).sum(axis=0)
    return mean.astype(np.float32), np.maximum(np.sqrt(variance), MIN_BAND_STD).astype(np.float32)


def genre_weights(songs: Sequence[Song], genres: tuple[str, ...]) -> FloatArray:
    """How much each genre counts in the loss, (n_genres,): the inverse of its share of `songs`, up to `MAX_WEIGHT`."""
    shares = np.stack([song.label.vector(genres) for song in songs]).sum(axis=0) / len(songs)
    return np.asarray(np.clip(1 / np.maximum(shares * len(genres), 1e-9), 0, MAX_WEIGHT), np.float32)


def _optimizer(network: GenreNetwork, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    weights = network.parameters()
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            weights, lr=recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
        )
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _by_batch(function: Callable[[Tensor], Tensor], crops: CodeArray) -> FloatArray:
    """What `function` makes of `crops` (n, crop_frames, n_mels), a batch at a time, (n, ...) float32."""
    with torch.inference_mode():
        rows = [function(torch.from_numpy(crops[i : i + BATCH])) for i in range(0, len(crops), BATCH)]
        made = torch.cat(rows).numpy()
    return np.asarray(made, np.float32)


def _mean_shares(logits: Sequence[FloatArray], temperature: float) -> FloatArray:
    """Spectra (n_songs, n_genres) of songs, from the logits (n_crops, n_genres) of their crops."""
    return np.stack([softmax(told / np.float32(temperature)).mean(axis=0) for told in logits]).astype(np.float32)


def learning_rate(step: int, steps: int, recipe: TrainingRecipe) -> float:
    """Linear warm-up to `recipe.learning_rate`, then half a cosine down to 0 after the last step."""
    warmup = max(1, int(steps * recipe.warmup_fraction))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@contextmanager
def _reading(checkpoint: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"The checkpoint {checkpoint} is damaged: {reason}. Train again under another name."
        ) from error


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
