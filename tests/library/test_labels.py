"""Labels: a pure function from votes to a distribution."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.labels import at_or_below, coarse, related, resolve, topmost
from core.music import GenreDistribution, Vote

votes = st.builds(
    Vote,
    genre=st.sampled_from(["rock", "Pop", "jazz", "Drum & Bass"]),
    source=st.sampled_from(["folder", "tag", "csv", "hand"]),
    weight=st.integers(1, 8).map(lambda eighths: eighths / 8),  # sums of these are exact, in any order
)


def test_without_votes_there_is_no_label() -> None:
    assert resolve([]) is None


def test_one_vote_is_the_label() -> None:
    label = resolve([Vote("rock", "folder")])
    assert label is not None
    assert label.weights == (("rock", 1.0),)
    assert label.top == "rock"


def test_weights_are_shares() -> None:
    label = resolve([Vote("rock", "folder", 3), Vote("pop", "tag", 1), Vote("rock", "csv", 1)])
    assert label is not None
    assert label.weights == (("rock", 0.8), ("pop", 0.2))


def test_equals_come_by_name() -> None:
    label = resolve([Vote("rock", "folder"), Vote("Pop", "tag"), Vote("jazz", "csv"), Vote("blues", "csv")])
    assert label is not None
    assert [genre for genre, _ in label.weights] == ["blues", "jazz", "Pop", "rock"]


def test_a_hand_vote_outweighs_all_others() -> None:
    label = resolve([Vote("rock", "folder", 100), Vote("pop", "tag", 100), Vote("jazz", "hand", 0.01)])
    assert label is not None
    assert label.weights == (("jazz", 1.0),)


@given(st.lists(votes, min_size=1, max_size=12))
def test_a_label_is_a_distribution_strongest_first(given_votes: list[Vote]) -> None:
    label = resolve(given_votes)
    assert label is not None
    shares = [share for _, share in label.weights]
    assert sum(shares) == pytest.approx(1)
    assert all(share > 0 for share in shares)
    assert shares == sorted(shares, reverse=True)
    genres = [genre for genre, _ in label.weights]
    assert len(set(genres)) == len(genres)
    assert set(genres) <= {vote.genre for vote in given_votes}
    assert label.top == genres[0]


@given(st.lists(votes, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(given_votes: list[Vote], chance) -> None:
    shuffled = given_votes.copy()
    chance.shuffle(shuffled)
    assert resolve(shuffled) == resolve(given_votes)


@given(st.lists(votes, min_size=1, max_size=12))
def test_where_there_are_hand_votes_only_they_count(given_votes: list[Vote]) -> None:
    by_hand = [vote for vote in given_votes if vote.source == "hand"]
    assert resolve(given_votes) == resolve(by_hand or given_votes)


@given(st.lists(votes, min_size=1, max_size=8), st.sampled_from([0.25, 2, 8]))
def test_only_the_proportion_of_weights_matters(given_votes: list[Vote], factor: float) -> None:
    scaled = [Vote(vote.genre, vote.source, vote.weight * factor) for vote in given_votes]
    assert resolve(scaled) == resolve(given_votes)


def test_a_label_as_a_vector_follows_the_order_of_the_genres() -> None:
    label = resolve([Vote("rock", "folder", 3), Vote("pop", "tag", 1)])
    assert label is not None
    assert label.vector(("jazz", "pop", "rock")).tolist() == [0, 0.25, 0.75]
    assert label.vector(("jazz",)).tolist() == [0]


# -- parents -----------------------------------------------------------------------------------------------------------

PARENTS = {"minimal techno": "techno", "techno": "electronic", "house": "electronic", "jungle": "drum and bass"}


def test_a_coarse_label_gives_shares_to_the_topmost_genres() -> None:
    label = GenreDistribution((("techno", 0.375), ("jungle", 0.25), ("minimal techno", 0.25), ("jazz", 0.125)))
    assert coarse(label, PARENTS).weights == (("electronic", 0.625), ("drum and bass", 0.25), ("jazz", 0.125))
    assert coarse(label, {}) == label


def test_topmost() -> None:
    assert [topmost(genre, PARENTS) for genre in ("minimal techno", "electronic", "no such")] == [
        "electronic",
        "electronic",
        "no such",
    ]


def test_at_or_below() -> None:
    assert at_or_below("electronic", PARENTS) == {"electronic", "techno", "minimal techno", "house"}
    assert at_or_below("techno", PARENTS) == {"techno", "minimal techno"}
    assert at_or_below("jungle", PARENTS) == {"jungle"}
    assert at_or_below("no such", PARENTS) == {"no such"}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("techno", "techno", True),
        ("minimal techno", "electronic", True),
        ("electronic", "minimal techno", True),
        ("techno", "house", False),
        ("jazz", "electronic", False),
        ("jazz", "jazz", True),
    ],
)
def test_related_is_above_or_below(a: str, b: str, expected: bool) -> None:
    assert related(a, b, PARENTS) is expected


trees = st.lists(st.integers(0, 9), min_size=9, max_size=9).map(
    lambda above: {f"g{n}": f"g{min(n - 1, parent)}" for n, parent in enumerate(above, start=1) if parent != n}
)
"""Parents of g1 to g9, each of a smaller number: no circles."""
tree_votes = st.lists(
    st.builds(Vote, st.integers(0, 9).map("g{}".format), st.just("csv"), st.integers(1, 8).map(lambda n: n / 8)),
    min_size=1,
    max_size=12,
)


@given(tree_votes, trees)
def test_a_coarse_label_is_a_distribution_over_topmost_genres(given_votes: list[Vote], parents: dict[str, str]) -> None:
    label = resolve(given_votes)
    assert label is not None
    result = coarse(label, parents)
    shares = [share for _, share in result.weights]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert {genre for genre, _ in result.weights} == {topmost(genre, parents) for genre, _ in label.weights}
    assert not {genre for genre, _ in result.weights} & set(parents)
    assert coarse(result, parents) == result


@given(trees, st.integers(0, 9).map("g{}".format), st.integers(0, 9).map("g{}".format))
def test_related_and_at_or_below_agree(parents: dict[str, str], a: str, b: str) -> None:
    assert related(a, b, parents) == (a in at_or_below(b, parents) or b in at_or_below(a, parents))
    assert related(a, b, parents) == related(b, a, parents)
    assert a in at_or_below(topmost(a, parents), parents)
