"""The queue of labels to look at: songs, their labels, what the machine answered, and what was decided since. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from core.library.evaluations import EvaluatedSong
from core.library.label_reviews import LabelReview
from core.library.store import TrackRow
from core.music import FloatArray, GenreDistribution
from core.quality.issues import Judgement, judge

Order = Literal["suspicion", "uncertainty"]
Judge = Callable[[FloatArray, FloatArray, Sequence[str]], list[Judgement]]
DIFFERENT = 1e-4
"""Weights of two labels that differ by no more are the same, up to rounding."""


@dataclass(frozen=True)
class Entry:
    """A song of the queue. `judgement` and `spectrum` (n_genres,) are None where the machine was not asked about it."""

    track: TrackRow
    review: LabelReview | None
    judgement: Judgement | None = None
    spectrum: FloatArray | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether its label is a suspected error."""
        return self.judgement is not None and self.judgement.is_issue


@dataclass(frozen=True)
class Stock:
    """How things stand.

    `entries`: every song with sound, a label and a spectrogram, and those that were looked at and set aside. `changed`:
    songs whose label is not the one they had when the machine was asked; `by_hand` of them in this queue. `added`:
    songs it was not asked about. `agreement`: (songs whose strongest genre was the machine's answer when it was asked,
    of how many; the same with the labels of now).
    """

    genres: tuple[str, ...]
    entries: tuple[Entry, ...]
    changed: int
    by_hand: int
    added: int
    agreement: tuple[tuple[int, int], tuple[int, int]]

    @cached_property
    def suspects(self) -> list[Entry]:
        """All suspected songs, looked at or not."""
        return [entry for entry in self.entries if entry.is_suspect]

    @cached_property
    def looked_at(self) -> int:
        """How many of the suspected songs were decided on."""
        return sum(entry.review is not None for entry in self.suspects)

    @cached_property
    def labels(self) -> set[str]:
        """Every genre that a label names."""
        return {genre for entry in self.entries if entry.track.label for genre, _ in entry.track.label.weights}

    def waiting(self, order: Order, *, genre: str | None = None) -> list[Entry]:
        """Songs that were not looked at, in this order; those without an answer last.

        By suspicion these are the suspected ones only. With `genre`, those whose label or whose answer holds it.
        """
        left = [entry for entry in self.entries if entry.review is None and not entry.track.set_aside]
        if order == "suspicion":
            left = [entry for entry in left if entry.is_suspect]
        if genre is not None:
            left = [entry for entry in left if genre in genres_of(entry)]
        return ranked(left, order)


def ranked(entries: Sequence[Entry], order: Order) -> list[Entry]:
    """In this order, suspected songs before others; those without an answer last."""

    def key(entry: Entry) -> tuple[bool, bool, float, int]:
        if entry.judgement is None:
            return True, False, 0.0, entry.track.id
        by_suspicion = order == "suspicion"
        value = entry.judgement.suspicion if by_suspicion else entry.judgement.uncertainty
        return False, by_suspicion and not entry.judgement.is_issue, -value, entry.track.id

    return sorted(entries, key=key)


def genres_of(entry: Entry) -> set[str]:
    """Genres of a song's label, and those that the machine suggests."""
    label = {genre for genre, _ in entry.track.label.weights} if entry.track.label else set()
    return label | set(entry.judgement.suggested if entry.judgement else ())


def take_stock(
    tracks: Sequence[TrackRow],
    genres: tuple[str, ...],
    answers: Sequence[EvaluatedSong],
    reviews: Mapping[int, LabelReview],
    *,
    judged_by: Judge = judge,
) -> Stock:
    """How things stand, from the library's tracks, the answers of one evaluation over `genres`, and all decisions.

    A song that was looked at is judged by the label that it had when the machine was asked, all others by the one they
    have now: so what is suspected does not shift while a person works through it.
    """
    known = {song.sha256: song for song in answers}
    entries: list[Entry] = []
    judged: list[int] = []
    labels: list[FloatArray] = []
    changed = by_hand = added = 0
    for track in tracks:
        review = _still(reviews.get(track.id), track)
        is_learned_from = track.state == "ready" and not track.set_aside and track.label is not None
        answer = known.get(track.sha256)
        if not is_learned_from and not (review and answer):
            continue
        vector = _vector(track.label, genres)
        if answer is None:
            added += 1
        elif is_learned_from and np.abs(vector - answer.truth).max(initial=0.0) > DIFFERENT:
            changed += 1
            by_hand += review is not None
        if answer is not None:
            counted = answer.truth if review else vector
            if counted.any():
                judged.append(len(entries))
                labels.append(counted)
        entries.append(Entry(track, review, None, answer.spectrum if answer else None))
    if judged:
        spectra = np.stack([known[entries[place].track.sha256].spectrum for place in judged])
        for place, judgement in zip(judged, judged_by(np.stack(labels), spectra, genres), strict=True):
            entry = entries[place]
            entries[place] = Entry(entry.track, entry.review, judgement, entry.spectrum)
    return Stock(genres, tuple(entries), changed, by_hand, added, _agreement(entries, known, genres))


def _still(review: LabelReview | None, track: TrackRow) -> LabelReview | None:
    """A decision that the sound was another song's says nothing of a sound that was found since."""
    is_over = review is not None and review.decision == "wrong song" and not track.set_aside
    return None if is_over else review


def _agreement(
    entries: Sequence[Entry], known: Mapping[str, EvaluatedSong], genres: tuple[str, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """((songs agreed on when the machine was asked, songs), (those agreed on now, songs still learned from))."""
    before = [song.truth.argmax() == song.spectrum.argmax() for song in known.values() if song.truth.any()]
    now = [
        genres[int(entry.spectrum.argmax())] == entry.track.label.top
        for entry in entries
        if entry.spectrum is not None and entry.track.label and not entry.track.set_aside
    ]
    return (int(sum(before)), len(before)), (int(sum(now)), len(now))


def _vector(label: GenreDistribution | None, genres: tuple[str, ...]) -> FloatArray:
    """A label over `genres`, (n_genres,), summing to 1 where any of its weight is on them, as songs are learned from."""
    vector = label.vector(genres) if label else np.zeros(len(genres), np.float32)
    total = vector.sum()
    return vector / total if total > 0 else vector
