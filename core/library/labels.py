"""From votes to a label. Pure: the same votes always give the same distribution."""

from collections import defaultdict
from collections.abc import Iterable

from core.music import GenreDistribution, Vote


def resolve(votes: Iterable[Vote]) -> GenreDistribution | None:
    """The label that `votes` come to: each genre's share of all weight. None without votes.

    A person has the last word: where there are hand votes, only they count.
    """
    votes = list(votes)
    counted = [vote for vote in votes if vote.source == "hand"] or votes
    weights: defaultdict[str, float] = defaultdict(float)
    for vote in counted:
        weights[vote.genre] += vote.weight
    total = sum(weights.values())
    if not total:
        return None
    shares = ((genre, weight / total) for genre, weight in weights.items())
    return GenreDistribution(tuple(sorted(shares, key=lambda share: (-share[1], share[0].casefold()))))
