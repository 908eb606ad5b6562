"""From votes to a label. Pure: the same votes always give the same distribution."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from core.music import GenreDistribution, Vote


def resolve(votes: Iterable[Vote]) -> GenreDistribution | None:
    """The label that `votes` come to: each genre's share of all weight. None without votes.

    A person has the last word: where there are hand votes, only they count.
    """
    votes = list(votes)
    if len(votes) == 1:  # most tracks: worth a way of its own
        return GenreDistribution(((votes[0].genre, 1.0),))
    counted = [vote for vote in votes if vote.source == "hand"] or votes
    weights: defaultdict[str, float] = defaultdict(float)
    for vote in counted:
        weights[vote.genre] += vote.weight
    total = sum(weights.values())
    if not total:
        return None
    shares = ((genre, weight / total) for genre, weight in weights.items())
    return GenreDistribution(tuple(sorted(shares, key=lambda share: (-share[1], share[0].casefold()))))


def coarse(label: GenreDistribution, parents: Mapping[str, str]) -> GenreDistribution:
    """`label` with every genre's share given to the topmost genre above it; `parents` by genre, without circles."""
    weights: defaultdict[str, float] = defaultdict(float)
    for genre, weight in label.weights:
        weights[topmost(genre, parents)] += weight
    return GenreDistribution(tuple(sorted(weights.items(), key=lambda share: (-share[1], share[0].casefold()))))


def topmost(genre: str, parents: Mapping[str, str]) -> str:
    """The genre above `genre` that has none above it."""
    while genre in parents:
        genre = parents[genre]
    return genre


def at_or_below(genre: str, parents: Mapping[str, str]) -> set[str]:
    """`genre`, and every genre below it."""
    return {genre} | {other for other in parents if genre in _line(other, parents)}


def related(a: str, b: str, parents: Mapping[str, str]) -> bool:
    """Whether one of two genres is the other, or above it."""
    return a in _line(b, parents) or b in _line(a, parents)


def _line(genre: str, parents: Mapping[str, str]) -> list[str]:
    line = [genre]
    while line[-1] in parents:
        line.append(parents[line[-1]])
    return line
