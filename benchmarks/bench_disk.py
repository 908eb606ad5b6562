"""What a song takes on disk as a spectrogram, against the sound that it was made of: mono, 16,000 Hz, 16 bits."""

import statistics
import tempfile
from pathlib import Path

from benchmarks.bench_preprocess import chosen
from benchmarks.timing import Row, at_least
from core.audio import waveform
from core.audio.codes import codes_of
from core.audio.store import SpectrogramStore
from core.recipes import SpectrogramRecipe

NUMBER = 7
EVERY = 16


def measure(songs: Path) -> list[Row]:
    recipe = SpectrogramRecipe()
    spectrograms, waves = [], []
    with tempfile.TemporaryDirectory() as scratch:
        store = SpectrogramStore(Path(scratch), recipe.fingerprint)
        for number, path in enumerate(sorted(chosen(Path(scratch), songs, every=EVERY).rglob("*.*"))):
            name = f"{number:064x}"
            store.write(name, codes_of(path, recipe)[0])
            spectrograms.append(store.path(name).stat().st_size)
            waves.append(len(waveform.as_wav(waveform.load(path))))
    ratio = statistics.median(wave / own for wave, own in zip(waves, spectrograms, strict=True))
    own_kb, wave_kb = (statistics.mean(sizes) / 1000 for sizes in (spectrograms, waves))
    claim = f"disk of a song's spectrogram, times less than its sound as WAV (16,000 Hz, 16 bits); {len(waves)} songs"
    return [Row(NUMBER, claim, f"{own_kb:.0f} KB a song", f"{wave_kb:.0f} KB a song", *at_least(ratio, 7.9))]
