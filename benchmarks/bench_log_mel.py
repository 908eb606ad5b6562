"""Log-mel of four minutes on one core, against librosa's, which it equals, and torchaudio's."""

import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import torch
import torchaudio
from threadpoolctl import threadpool_limits

from benchmarks import samples
from benchmarks.timing import Row, at_least, compare
from core.audio.spectrogram import AMIN, log_mel
from core.music import FloatArray
from core.recipes import SpectrogramRecipe

NUMBER = 2
SECONDS = 60.0 * samples.MINUTES
EQUAL_DB = 0.05
"""A tenth of the step in which spectrograms are kept."""


def measure(songs: Path) -> list[Row]:
    recipe = SpectrogramRecipe()
    y = samples.stereo(songs, SECONDS, sample_rate=recipe.sample_rate).mean(axis=0)
    settings = {"n_fft": recipe.n_fft, "hop_length": recipe.hop_length, "n_mels": recipe.n_mels}
    power = torchaudio.transforms.MelSpectrogram(
        recipe.sample_rate, pad_mode="constant", norm="slaney", mel_scale="slaney", **settings
    )
    decibels = torchaudio.transforms.AmplitudeToDB("power", top_db=None)

    def by_librosa() -> FloatArray:
        mel = librosa.feature.melspectrogram(y=y, sr=recipe.sample_rate, **settings)
        S: FloatArray = librosa.power_to_db(mel, ref=1.0, amin=AMIN, top_db=None)
        return S.T

    def by_torchaudio() -> FloatArray:
        with torch.inference_mode():
            S: FloatArray = decibels(power(torch.from_numpy(y))).numpy()
        return S.T

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            ours = lambda: log_mel(y, recipe)  # noqa: E731 - asked several times
            return [_row(ours, by_librosa, "librosa", 1.4), _row(ours, by_torchaudio, "torchaudio", 4.0)]
    finally:
        torch.set_num_threads(threads)


def _row(ours: Callable[[], FloatArray], reference: Callable[[], FloatArray], name: str, limit: float) -> Row:
    apart = float(np.abs(ours() - reference()).max())
    ours_s, reference_s, ratio = compare(ours, reference, clock=time.process_time)
    claim = f"log-mel of {SECONDS / 60:g} minutes, one thread, times as quick as {name}'s"
    told = f"{name} {reference_s * 1000:.0f} ms; largest difference {apart:.4f} dB"
    ratio, reach, held = at_least(1 / ratio, limit)
    reach, held = f"{reach}, within {EQUAL_DB} dB", held and apart <= EQUAL_DB
    return Row(NUMBER, claim, f"{ours_s * 1000:.0f} ms", told, ratio, reach, held)
