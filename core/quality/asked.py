"""Whom to believe about labels: the latest machine that was asked about songs by artists that it had not heard."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import LibraryError
from core.library.evaluations import Evaluation, Evaluations
from core.library.label_reviews import LabelReviews
from core.library.store import TrackRow
from core.quality.queue import Stock, take_stock


@dataclass(frozen=True)
class Asked:
    """A cross-validation by artists, and how labels stand by it."""

    evaluation: Evaluation
    stock: Stock


def latest(evaluations: Evaluations) -> Evaluation | None:
    """The latest finished cross-validation that kept artists apart: others have heard the song's artist."""
    found = evaluations.finished(kind="crossvalidation")
    return next((one for one in found if one.about.get("protocol") == "artist-folds"), None)


def asked(tracks: Sequence[TrackRow], evaluations: Evaluations, reviews: LabelReviews) -> Asked | None:
    """How the labels of `tracks` stand by the latest answers; None if no machine was asked yet."""
    evaluation = latest(evaluations)
    if evaluation is None:
        return None
    return Asked(evaluation, take_stock(tracks, evaluation.genres, evaluations.songs(evaluation), reviews.all()))


def require_asked(tracks: Sequence[TrackRow], evaluations: Evaluations, reviews: LabelReviews) -> Asked:
    """As `asked`. `LibraryError` if no machine was asked yet."""
    found = asked(tracks, evaluations, reviews)
    if found is None:
        raise LibraryError(
            "No machine was asked about your labels yet. Run `python -m core crossvalidate` first: it answers about every "
            "song without having learned from it."
        )
    return found
