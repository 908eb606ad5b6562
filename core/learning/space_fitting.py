"""How a `FeatureSpace` comes about, after a training: from training songs, made-up sounds, and validation songs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.stats import t as t_distribution
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from core.audio.crops import BATCH, Answer, crop_starts, cut, padded, smoothed
from core.audio.spectrogram import log_mel, mel_filters, quantise
from core.audio.store import SpectrogramStore
from core.learning.not_music import sounds
from core.learning.space import FeatureSpace
from core.learning.splits import Split
from core.music import CodeArray, FloatArray, Song
from core.recipes import SpectrogramRecipe

N_DIMENSIONS = 32
"""Principal components: 16 to 64 did alike on validation songs."""
N_SOUNDS = 720
"""Made-up sounds that are no music. With 240, fewer others of their kind were known, and the limits were laxer."""
MAX_CROPS = 2000
CROPS_OF_A_SONG = 6
STRICTNESS = 0.05
"""Inverse strength of the penalty on the direction of music: sounds are few and made up, features many."""
FALSE_ALARMS = 0.05
"""Share of validation songs that may be refused, for either reason."""
SURELY_MUSIC = -2.0
"""Log-odds below which nothing is refused, however alike validation songs are."""
SMALL = 1e-4


def fit_space(
    answer: Answer,
    split: Split,
    genres: tuple[str, ...],
    store: SpectrogramStore,
    recipe: SpectrogramRecipe,
    *,
    crop_frames: int,
    check: Callable[[], None] = lambda: None,
) -> FeatureSpace:
    """The space of a network's features: `answer` as a published model has it. `check` may raise to stop.

    Centres and spread are those of training crops, limits those of validation songs: with them, `FALSE_ALARMS` of these are
    refused, half for each reason.
    """

    def features(codes: CodeArray) -> FloatArray:
        told = []
        for first in range(0, len(codes), BATCH):
            check()
            told.append(answer(codes[first : first + BATCH])[1])
        return np.concatenate(told)

    crops, classes = _training_crops(split.train, genres, store, crop_frames)
    known = features(crops)
    other = features(_foreign_crops(recipe, crop_frames))
    mean, scale = known.mean(axis=0), np.maximum(known.std(axis=0), SMALL)
    z = (known - mean) / scale
    components = PCA(min(N_DIMENSIONS, *z.shape), random_state=0).fit(z)
    basis = components.components_.T / scale[:, None]
    embeddings = (known - mean) @ basis
    present = np.unique(classes)  # a genre that is nobody's strongest has the centre of all
    centres = np.stack(
        [embeddings[(classes == number) | (number not in present)].mean(axis=0) for number in range(len(genres))]
    )
    spread = LedoitWolf().fit(embeddings - centres[classes])
    machine = LogisticRegression(C=STRICTNESS, class_weight="balanced", max_iter=1000)
    machine.fit(np.concatenate([z, (other - mean) / scale]), [0] * len(z) + [1] * len(other))
    arrays = (mean, basis, centres, spread.precision_, machine.coef_[0] / scale, machine.intercept_, [0, 0], [0, 0])
    space = FeatureSpace(*(np.ascontiguousarray(array, np.float32) for array in arrays))
    told = [
        space.measures(features(cut(store.read(song.sha256), crop_frames=crop_frames, stride=crop_frames // 2)))
        for song in split.validation
    ]
    return replace(
        space,
        # a longer song says more: where lengths differ, the limits are those of long ones
        song_limits=_limits([np.broadcast_to(one.mean(axis=0), one.shape) for one in told]),
        crop_limits=_limits([smoothed(one) for one in told]),
    )


def _limits(measures: Sequence[FloatArray]) -> FloatArray:
    """(2,): what distance and foreignness seldom exceed, from the rows (n, 2) of each validation song.

    A quantile; of few songs none can be told, so there the limit is at least that of a normal prediction interval for one
    more song.
    """
    rows, n_songs = np.concatenate(measures).astype(np.float64), len(measures)
    rare = FALSE_ALARMS / 2
    limits = np.quantile(rows, 1 - rare, axis=0, method="higher")
    if 1 < n_songs < 1 / rare:
        reach = t_distribution.ppf(1 - rare, n_songs - 1) * np.sqrt(1 + 1 / n_songs)
        limits = np.maximum(limits, rows.mean(axis=0) + reach * rows.std(axis=0, ddof=1))
    limits[1] = max(limits[1], SURELY_MUSIC)
    return np.asarray(limits, np.float32)


def _training_crops(
    songs: Sequence[Song], genres: tuple[str, ...], store: SpectrogramStore, crop_frames: int
) -> tuple[CodeArray, np.ndarray]:
    """(crops (n, crop_frames, n_mels), their songs' strongest genre (n,)): some of every song, evenly spread."""
    each = max(1, min(CROPS_OF_A_SONG, MAX_CROPS // len(songs)))
    chosen = [songs[i] for i in np.linspace(0, len(songs) - 1, min(len(songs), MAX_CROPS)).astype(int)]
    crops, classes = [], []
    for song in chosen:
        starts = crop_starts(song.n_frames, crop_frames, stride=crop_frames // 2)
        for start in starts[np.linspace(0, len(starts) - 1, min(each, len(starts))).astype(int)]:
            crops.append(padded(store.read_crop(song.sha256, int(start), crop_frames), crop_frames))
            classes.append(int(song.label.vector(genres).argmax()))
    return np.stack(crops), np.array(classes)


@lru_cache(maxsize=2)
def _foreign_crops(recipe: SpectrogramRecipe, crop_frames: int) -> CodeArray:
    """One crop of each made-up sound, (N_SOUNDS, crop_frames, n_mels). Kept: the same for every training."""
    return foreign_crops(recipe, crop_frames, N_SOUNDS)


def foreign_crops(recipe: SpectrogramRecipe, crop_frames: int, n: int) -> CodeArray:
    """One crop of each of `n` made-up sounds that are no music, (n, crop_frames, n_mels)."""
    seconds, filters = crop_frames * recipe.frame_s, mel_filters(recipe)
    made = [
        quantise(log_mel(y, recipe, filters=filters))
        for y in sounds(n, seconds, sample_rate=recipe.sample_rate, seed=0)
    ]
    return np.stack([padded(codes, crop_frames)[:crop_frames] for codes in made])
