"""How well a playlist stands for a genre, as a score that explains itself. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from core.library.identity import main_artist
from core.library.names import comparable
from core.music import GenreDistribution, Playlist

WEIGHTS = {"title": 0.35, "purity": 0.35, "artists": 0.15, "size": 0.15}
"""What counts how much. The title is what its maker says, purity what the library's votes say: the two that speak of
genre count alike, and more than the two that speak of usefulness."""
GOOD_SIZE = (30, 500)
"""Tracks of a playlist that was made with care; fewer teach little, many more are often a heap."""
PRIOR = 2.0
"""Purity begins as if this many tracks were half of the genre: one shared track proves little."""
ARTISTS = 0.6
"""Artists per track from which on a playlist is as varied as one could wish."""


@dataclass(frozen=True)
class Score:
    """`total` in [0, 1]: the weighted mean of `reasons`, each in [0, 1]. What is not known is not among them."""

    total: float
    reasons: dict[str, float]


def score(
    playlist: Playlist, names: Collection[str], known: Sequence[GenreDistribution], related: Collection[str]
) -> Score:
    """How well `playlist` stands for the genre of these `names` (its name and aliases).

    `known` are the labels of those of its tracks that the library knows; `related` the genres that count as the one
    looked for: itself and those below it. Of one whose tracks could not be read, purity is the prior's half.
    """
    ours = sum(weight for label in known for genre, weight in label.weights if genre in related)
    reasons = {"title": _title(playlist.title, names), "purity": (ours + PRIOR / 2) / (len(known) + PRIOR)}
    if playlist.tracks:
        artists = {main_artist(track.artists) for track in playlist.tracks}
        reasons["artists"] = min(1.0, len(artists) / len(playlist.tracks) / ARTISTS)
    if playlist.tracks or playlist.n_listed is not None:
        reasons["size"] = _size(len(playlist.tracks) if playlist.n_listed is None else playlist.n_listed)
    return Score(_mean(reasons), reasons)


def _mean(reasons: Mapping[str, float]) -> float:
    return sum(WEIGHTS[name] * value for name, value in reasons.items()) / sum(WEIGHTS[name] for name in reasons)


def _title(title: str, names: Collection[str]) -> float:
    """1 if a name of the genre stands in the title, else the largest share of a name's words that do, halved."""
    words = f" {_words(title)} "
    wanted = [_words(name) for name in names if _words(name)]
    if any(f" {name} " in words for name in wanted):
        return 1.0
    shares = [sum(f" {word} " in words for word in name.split()) / len(name.split()) for name in wanted]
    return max(shares, default=0.0) / 2


def _words(text: str) -> str:
    return comparable(text.replace("&", " and "))


def _size(n: int) -> float:
    low, high = GOOD_SIZE
    return min(1.0, n / low, high / max(n, 1))
