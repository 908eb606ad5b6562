"""Comparisons: whether one evaluation is better than another, by the songs that both answered."""

from typing import Any

import numpy as np

from core.errors import LibraryError
from core.learning import metrics
from core.library.evaluations import EvaluatedSong, Evaluation, Evaluations


def compare_evaluations(evaluations: Evaluations, first: int, second: int) -> dict[str, Any]:
    """`metrics.compare` of two evaluations by their numbers, on the songs that both answered, labelled alike.

    Songs are the same by their key, or else by their path: evaluations of a folder by an earlier version have other keys.
    Adds `names`, `evaluations`, `relabelled` (songs in common that were left out because their label was another) and
    `differ`: the songs that only one had right. `LibraryError` if they have no song in common.
    """
    one, two = evaluations.get(first), evaluations.get(second)
    ours = {song.sha256: song for song in evaluations.songs(one)}
    at = {song.path: name for name, song in ours.items() if song.path}
    theirs = {
        song.sha256 if song.sha256 in ours else at.get(song.path, song.sha256): song for song in evaluations.songs(two)
    }
    common = sorted(ours.keys() & theirs.keys())
    same = [name for name in common if label(ours[name], one) == label(theirs[name], two)]
    if not same:
        raise LibraryError(
            f"{one.name!r} and {two.name!r} have no song in common that was labelled alike, so they cannot be compared."
        )
    right = [
        np.array([answer(songs[name], of) == label(songs[name], of) for name in same], bool)
        for songs, of in ((ours, one), (theirs, two))
    ]
    differ = [
        {
            "sha256": name,
            "path": ours[name].path,
            "title": ours[name].title,
            "artist": ours[name].artist,
            "label": label(ours[name], one),
            "answers": [answer(ours[name], one), answer(theirs[name], two)],
        }
        for name, is_right, is_other_right in zip(same, *right, strict=True)
        if is_right != is_other_right
    ]
    return {
        **metrics.compare(*right),
        "evaluations": [first, second],
        "names": [one.name, two.name],
        "relabelled": len(common) - len(same),
        "differ": differ,
    }


def label(song: EvaluatedSong, evaluation: Evaluation) -> str:
    """The genre that a song counts for."""
    return evaluation.genres[int(song.truth.argmax())]


def answer(song: EvaluatedSong, evaluation: Evaluation) -> str:
    """The genre that was answered."""
    return evaluation.genres[int(song.spectrum.argmax())]
