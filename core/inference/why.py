"""Why: which seconds and which frequencies of a song spoke for a genre.

By occlusion (Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4): a patch of the
spectrogram is covered with what usually sounds there, and the network is asked again. What it then takes back, the patch
had said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from core.audio import waveform
from core.audio.codes import codes_of
from core.audio.crops import BATCH, Logits, crop_starts, cut, predict_song
from core.audio.spectrogram import mel_frequencies, quantise
from core.errors import ModelError
from core.inference.prediction import Decode, GenreModel
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe

SECONDS = 30.0
"""Length of the stretch that is looked into, seconds."""
SLOT_S = 0.5
"""Least length of a patch, seconds."""
MAX_SLOTS = 60
"""Patches one after another: longer stretches have longer ones."""
BAND_GROUPS = 8
"""Patches one above another; with as many mel bands in each, so that they are as wide as the ear hears them."""


@dataclass(frozen=True)
class Reasons:
    """What spoke for `genre` in a stretch of a song.

    `influence` (n_slots, n_groups) is by how much the log-odds of the genre, the mean over the stretch, fall when a patch is
    covered, nats: above 0 it
    spoke for the genre, below 0 against it. `by_time` (n_slots,) covers all frequencies of a slot at once, `by_band`
    (n_groups,) is the mean of a group's patches. `edges_s` (n_slots + 1,) are seconds of the song, `edges_hz` (n_groups + 1,) hertz.
    """

    genre: str
    share: float
    influence: FloatArray
    by_time: FloatArray
    by_band: FloatArray
    edges_s: npt.NDArray[np.float64]
    edges_hz: npt.NDArray[np.float64]

    @property
    def strongest(self) -> tuple[float, float, float, float]:
        """(from second, to second, from hertz, to hertz) of the patch that spoke most for the genre."""
        slot, group = np.unravel_index(int(self.influence.argmax()), self.influence.shape)
        return self.patch(int(slot), int(group))

    def best(self, n: int) -> list[tuple[float, float, float, float]]:
        """Patches as `strongest`, the `n` that spoke most; fewer, if fewer spoke for the genre at all."""
        order = np.argsort(-self.influence, axis=None, kind="stable")[:n]
        places = zip(*np.unravel_index(order, self.influence.shape), strict=True)
        return [self.patch(int(slot), int(group)) for slot, group in places if self.influence[slot, group] > 0]

    def patch(self, slot: int, group: int) -> tuple[float, float, float, float]:
        """(from second, to second, from hertz, to hertz) of a patch."""
        return (
            float(self.edges_s[slot]),
            float(self.edges_s[slot + 1]),
            float(self.edges_hz[group]),
            float(self.edges_hz[group + 1]),
        )


def why(
    source: waveform.Source,
    model: GenreModel,
    *,
    genre: str | None = None,
    start_s: float | None = None,
    seconds: float = SECONDS,
    max_s: float = 4 * 3600,
    max_bytes: int = 2_000_000_000,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[float], object] = lambda share: None,
    decode: Decode = codes_of,
) -> Reasons:
    """What in a stretch of a sound file spoke for `genre`, by default the strongest, and where that is strongest.

    Raises `AudioError` if the file cannot be used, `ModelError` if the model does not know the genre.
    """
    if genre is not None and genre not in model.genres:
        raise ModelError(f"The model does not know {genre!r}. It knows {', '.join(model.genres)}.")
    recipe, crop_frames = model.recipe, model.crop_frames
    codes, _ = decode(source, recipe, filters=model.filters, max_s=max_s, max_bytes=max_bytes)

    def logits(crops: CodeArray) -> FloatArray:
        return model.answer(crops)[0]

    if genre is None or start_s is None:
        told = predict_song(codes, logits, crop_frames=crop_frames, stride=crop_frames // 2)
        genre = genre or model.genres[int(told.spectrum.argmax())]
        column, starts_s = model.genres.index(genre), np.asarray(told.starts * recipe.frame_s, np.float64)
        if start_s is None:
            start_s = strongest_stretch(told.taggram, starts_s, crop_frames * recipe.frame_s, column, seconds=seconds)
    first = min(max(0, round(start_s / recipe.frame_s)), len(codes) - 1)
    stretch = codes[first : first + max(1, round(seconds / recipe.frame_s))]
    return reasons(
        stretch,
        logits,
        genre,
        model.genres,
        recipe,
        model.usual,
        model.filters,
        crop_frames=crop_frames,
        begin_s=first * recipe.frame_s,
        check=check,
        on_progress=on_progress,
    )


def reasons(
    codes: CodeArray,
    logits: Logits,
    genre: str,
    genres: tuple[str, ...],
    recipe: SpectrogramRecipe,
    usual: FloatArray,
    filters: FloatArray,
    *,
    crop_frames: int,
    begin_s: float = 0.0,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[float], object] = lambda share: None,
) -> Reasons:
    """What spoke for `genre` in `codes` (n_frames, n_mels), a stretch that begins at `begin_s` of its song.

    `usual` (n_mels,) dB is what patches are covered with: the mean of each band over the songs that the network learned
    from; `filters` its mel filter bank, (n_mels, 1 + n_fft // 2). `check` may raise to stop; `on_progress` is told the share that is done. Raises `ValueError` for an unknown genre.
    """
    column = genres.index(genre)
    cover = quantise(np.broadcast_to(np.asarray(usual, np.float32), (1, recipe.n_mels)))[0]
    length = max(round(SLOT_S / recipe.frame_s), -(-len(codes) // MAX_SLOTS))
    slots = [(start, min(start + length, len(codes))) for start in range(0, len(codes), length)]
    edges = np.linspace(0, recipe.n_mels, min(BAND_GROUPS, recipe.n_mels) + 1).round().astype(int)
    groups = list(pairwise(edges))
    stride = crop_frames // 2
    starts = crop_starts(max(len(codes), crop_frames), crop_frames, stride=stride)

    def ask(crops: CodeArray) -> npt.NDArray[np.float64]:
        answers = [logits(crops[first : first + BATCH]) for first in range(0, len(crops), BATCH)]
        return log_odds(np.concatenate(answers), column)

    whole = ask(cut(codes, crop_frames=crop_frames, stride=stride))

    def taken_back(start: int, end: int, low: int, high: int) -> tuple[CodeArray, npt.NDArray[np.intp]]:
        """The crops that hear a patch, with it covered; and which they are."""
        covered = codes.copy()
        covered[start:end, low:high] = cover[low:high]
        hear = np.flatnonzero((starts < end) & (starts + crop_frames > start))
        return cut(covered, crop_frames=crop_frames, stride=stride)[hear], hear

    def fall(patches: list[tuple[int, int, int, int]]) -> list[float]:
        """By how much the log-odds, the mean over all crops, fall."""
        made = [taken_back(*patch) for patch in patches]
        told = np.split(ask(np.concatenate([crops for crops, _ in made])), np.cumsum([len(h) for _, h in made])[:-1])
        return [float((whole[hear] - odds).sum() / len(whole)) for (_, hear), odds in zip(made, told, strict=True)]

    rows = []
    for number, (start, end) in enumerate(slots, start=1):
        check()
        rows.append(fall([(start, end, low, high) for low, high in [(0, recipe.n_mels), *groups]]))
        on_progress(number / len(slots))
    told = np.array(rows, np.float32)
    frequencies = mel_frequencies(recipe, filters=filters)
    inner = [(frequencies[edge - 1] + frequencies[edge]) / 2 for edge in edges[1:-1]]
    return Reasons(
        genre,
        float((1 / (1 + np.exp(-whole))).mean()),
        told[:, 1:],
        told[:, 0],
        told[:, 1:].mean(axis=0),
        begin_s + np.array([slots[0][0], *(end for _, end in slots)]) * recipe.frame_s,
        np.array([0.0, *inner, recipe.sample_rate / 2], np.float64),
    )


def heard_alone(y: FloatArray, low_hz: float, high_hz: float, *, sample_rate: int = 16_000) -> FloatArray:
    """What y (n,) sounds like without the frequencies outside two: (n,), its loudest sample at 0.9."""
    spectrum = np.fft.rfft(y)
    frequencies = np.fft.rfftfreq(len(y), 1 / sample_rate)
    spectrum[(frequencies < low_hz) | (frequencies > high_hz)] = 0
    alone = np.fft.irfft(spectrum, len(y))
    return np.asarray(0.9 * alone / max(float(np.abs(alone).max()), 1e-6), np.float32)


def log_odds(logits: FloatArray, column: int) -> npt.NDArray[np.float64]:
    """Of one class against all others, (n,) nats, from logits (n, n_classes)."""
    others = np.delete(logits.astype(np.float64), column, axis=1)
    most = others.max(axis=1)
    return np.asarray(logits[:, column] - most - np.log(np.exp(others - most[:, None]).sum(axis=1)), np.float64)


def strongest_stretch(
    taggram: FloatArray, starts_s: npt.NDArray[np.float64], crop_s: float, column: int, *, seconds: float
) -> float:
    """Where a stretch of `seconds` begins in which a genre is strongest: `taggram` (n_crops, n_genres).

    A stretch that is shorter than a crop, `crop_s`, begins where the strongest crop does.
    """
    length = max(seconds, crop_s)
    last = max(0.0, float(starts_s[-1]) + crop_s - length)
    inside = [
        taggram[(starts_s >= begin) & (starts_s + crop_s <= begin + length + 1e-6), column].mean()
        for begin in starts_s[starts_s <= last]
    ]
    return float(starts_s[int(np.argmax(inside))]) if inside else 0.0
