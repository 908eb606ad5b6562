"""Log-mel of four minutes on one core, against librosa's, which it equals."""

import time
from pathlib import Path

import librosa
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.timing import compare
from core.audio.spectrogram import log_mel
from core.recipes import SpectrogramRecipe


def measure(songs: Path) -> list[tuple[str, str, str, float]]:
    recipe = SpectrogramRecipe()
    y = np.random.default_rng(0).normal(0, 0.1, 240 * recipe.sample_rate).astype(np.float32)

    def reference() -> object:
        power = librosa.feature.melspectrogram(
            y=y, sr=recipe.sample_rate, n_fft=recipe.n_fft, hop_length=recipe.hop_length, n_mels=recipe.n_mels
        )
        return librosa.power_to_db(power, ref=1.0, top_db=None)

    with threadpool_limits(1):
        ours_s, reference_s, ratio = compare(lambda: log_mel(y, recipe), reference, clock=time.process_time)
    return [
        ("log-mel of 4 minutes, CPU time", f"{ours_s * 1000:.0f} ms", f"librosa {reference_s * 1000:.0f} ms", ratio)
    ]
