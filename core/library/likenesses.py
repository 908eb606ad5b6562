"""Songs of the library that are one recording by their sound, whatever they are called."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from core.audio.likeness import SAME, candidate_pairs, likeness, outline, signature
from core.audio.store import SpectrogramStore
from core.music import FloatArray

HELD = 2000
"""Outlines in memory at once; one of a song of four minutes takes 240 KB."""
CHECKED_EVERY = 100
"""Songs, or pairs, between two looks for a stop: less than a second's work."""

Pair = tuple[str, str, float]
"""SHA-256 of two songs, the lesser first, and how alike they are, in [0, 1]."""


def alike(
    sha256s: Sequence[str],
    store: SpectrogramStore,
    *,
    at_least: float = SAME,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Pair]:
    """Pairs of songs with spectrograms that are `at_least` so alike, the most alike first.

    `check` may raise to stop; `on_progress(songs listened to, songs)` follows. `AudioError` if a spectrogram is missing.
    """
    names = sorted(set(sha256s))
    signatures, outlines = [], OrderedDict[str, FloatArray]()
    for number, name in enumerate(names, start=1):
        if number % CHECKED_EVERY == 0:
            check()
        codes = store.read(name)
        signatures.append(signature(codes))
        _hold(outlines, name, outline(codes))
        on_progress(number, len(names))
    found = []
    for number, (i, j) in enumerate(candidate_pairs(np.stack(signatures)) if names else (), start=1):
        if number % CHECKED_EVERY == 0:
            check()
        one, other = (_outline(outlines, names[place], store) for place in (i, j))
        if (how_alike := likeness(one, other)) >= at_least:
            found.append((names[i], names[j], how_alike))
    return sorted(found, key=lambda pair: -pair[2])


def _outline(outlines: OrderedDict[str, FloatArray], name: str, store: SpectrogramStore) -> FloatArray:
    if name not in outlines:
        _hold(outlines, name, outline(store.read(name)))
    outlines.move_to_end(name)
    return outlines[name]


def _hold(outlines: OrderedDict[str, FloatArray], name: str, one: FloatArray) -> None:
    outlines[name] = one
    if len(outlines) > HELD:
        outlines.popitem(last=False)
