"""A library in the feature space of a model: each song's embedding, made once, and a map of all of them in two dimensions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.audio.crops import crop_starts, padded
from core.audio.store import SpectrogramStore
from core.errors import ModelError
from core.inference.prediction import Far, GenreModel
from core.jobs.compute import fan_out_far
from core.library.embeddings import Embeddings
from core.music import FloatArray

CROPS = 16
"""Crops of a song that its embedding is the mean of, evenly spread: more change it little and cost as much again."""
AT_ONCE = 100
"""Songs between two writes."""
LEAST_FOR_TSNE = 30
"""With fewer songs, neighbourhoods mean nothing, and the principal components say as much."""
ITERATIONS, LOOK_EVERY = 750, 25
"""Steps of t-SNE in openTSNE's two phases (250 and 500), and between two looks for a stop."""
PERPLEXITY = 30
"""Neighbours that t-SNE looks at, as usual (van der Maaten & Hinton 2008: 5 to 50)."""


def embed_library(
    embeddings: Embeddings,
    store: SpectrogramStore,
    model: GenreModel,
    *,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    far: Far | None = None,
) -> int:
    """Embed every song that has a spectrogram of the model's recipe and no embedding yet; how many those were.

    On this machine, or on the cluster of `far`. `check` may raise to stop, and what was done is kept. `ModelError` if the
    model has no space.
    """
    if model.space is None:
        raise ModelError("This model was made by an older Genrescope and cannot place songs. Train one anew.")
    missing = embeddings.missing(model.recipe.fingerprint)
    if not missing:
        return 0
    made: list[tuple[int, FloatArray]] = []
    done = 0
    try:
        for one in _embedded_far(missing, store, far, check) if far else _embedded(missing, store, model, check):
            made.append(one)
            done += 1
            on_progress(done, len(missing))
            if len(made) == AT_ONCE:
                embeddings.add(made)
                made = []
    finally:
        embeddings.add(made)
    return len(missing)


def _embedded(
    songs: Sequence[tuple[int, str]], store: SpectrogramStore, model: GenreModel, check: Callable[[], None]
) -> Iterator[tuple[int, FloatArray]]:
    """Each of `songs` (number, SHA-256) with its embedding, in their order."""
    for audio_id, sha256 in songs:
        check()
        yield audio_id, _embedding(store, sha256, model)


@dataclass(frozen=True)
class _Order:
    """A song for a worker of a cluster."""

    audio_id: int
    sha256: str
    root: Path
    model: Callable[[], GenreModel]


def _ordered(order: _Order) -> FloatArray:
    model = order.model()
    return _embedding(SpectrogramStore(order.root, model.recipe.fingerprint), order.sha256, model)


def _embedded_far(
    songs: Sequence[tuple[int, str]], store: SpectrogramStore, far: Far, check: Callable[[], None]
) -> Iterator[tuple[int, FloatArray]]:
    """As `_embedded`, as they come. The first error ends it."""
    orders = (_Order(audio_id, sha256, store.root, far.model) for audio_id, sha256 in songs)
    for order, answer in fan_out_far(_ordered, orders, check=check, scheduler=far.scheduler):
        if isinstance(answer, Exception):
            raise answer
        yield order.audio_id, answer


def _embedding(store: SpectrogramStore, sha256: str, model: GenreModel) -> FloatArray:
    """(n_dimensions,) of a song."""
    assert model.space is not None
    codes = padded(store.read(sha256), model.crop_frames)
    starts = crop_starts(len(codes), model.crop_frames, stride=model.crop_frames // 2)
    chosen = np.unique(starts[np.linspace(0, len(starts) - 1, min(CROPS, len(starts))).astype(int)])
    _, features = model.answer(np.stack([codes[start : start + model.crop_frames] for start in chosen]))
    return np.asarray(model.space.embed(features).mean(axis=0), np.float32)


def principal_map(vectors: FloatArray) -> FloatArray:
    """The two principal components of `vectors` (n, n_dimensions), (n, 2); signs such that the same songs lie the same."""
    if len(vectors) == 0:
        return np.zeros((0, 2), np.float32)
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred.T @ centred)
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    places = centred @ axes.T
    return np.asarray(np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), np.float32)


def tsne_map(vectors: FloatArray, *, check: Callable[[], None], on_progress: Callable[[float], None]) -> FloatArray:
    """t-SNE of `vectors` (n, n_dimensions) by the angle between them, (n, 2). Begun at the principal components.

    `check` may raise to stop; `on_progress` is told the share that is done. The same vectors give the same map.
    """
    from openTSNE import TSNE  # a second: only where a map is really made

    if len(vectors) < LEAST_FOR_TSNE:
        return principal_map(vectors)

    looks = 0

    def look(iteration: int, error: float, places: FloatArray) -> None:
        nonlocal looks
        check()
        looks += 1
        on_progress(min(1.0, looks * LOOK_EVERY / ITERATIONS))

    start = principal_map(vectors).astype(np.float64)
    made = TSNE(
        perplexity=min(PERPLEXITY, (len(vectors) - 1) // 3),
        metric="cosine",
        initialization=start / max(float(start.std()), 1e-9) * 1e-4,
        random_state=0,
        callbacks=look,
        callbacks_every_iters=LOOK_EVERY,
    ).fit(vectors.astype(np.float64))
    return np.asarray(made, np.float32)


def placed_among(embedding: FloatArray, vectors: FloatArray, places: FloatArray, *, n: int = 5) -> tuple[float, float]:
    """Where a new song lies on a map: among the `n` songs most like it, nearer to the liker. `places` (n_songs, 2)."""
    lengths = np.linalg.norm(vectors, axis=1) * max(float(np.linalg.norm(embedding)), 1e-9)
    likeness = vectors @ embedding / np.maximum(lengths, 1e-9)
    nearest = np.argsort(-likeness)[:n]
    weights = np.maximum(likeness[nearest].astype(np.float64), 0.01) ** 8
    x, y = (weights[:, None] * places[nearest]).sum(axis=0) / weights.sum()
    return float(x), float(y)


def outliers(vectors: FloatArray, genres: Sequence[str], *, share: float = 0.05) -> dict[str, list[int]]:
    """Rows that lie farthest from their genre, the farthest first: at least one in ten songs, `share` of more.

    Farthest: least like the median direction of its genre, by cosine.
    """
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    named = np.asarray(genres)
    found = {}
    for genre in dict.fromkeys(genres):
        rows = np.flatnonzero(named == genre)
        if len(rows) < 10:
            continue
        middle = np.median(directions[rows], axis=0)
        order = rows[np.argsort(directions[rows] @ middle, kind="stable")]
        found[genre] = [int(row) for row in order[: max(1, round(share * len(rows)))]]
    return found
