"""Labels: a pure function from votes to a distribution."""

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from core.library.labels import resolve
from core.music import Vote

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
@examples(deadline=None, max_examples=60)
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
@examples(deadline=None, max_examples=60)
def test_the_order_of_votes_does_not_matter(given_votes: list[Vote], chance) -> None:
    shuffled = given_votes.copy()
    chance.shuffle(shuffled)
    assert resolve(shuffled) == resolve(given_votes)


@given(st.lists(votes, min_size=1, max_size=12))
@examples(deadline=None, max_examples=60)
def test_where_there_are_hand_votes_only_they_count(given_votes: list[Vote]) -> None:
    by_hand = [vote for vote in given_votes if vote.source == "hand"]
    assert resolve(given_votes) == resolve(by_hand or given_votes)


@given(st.lists(votes, min_size=1, max_size=8), st.sampled_from([0.25, 2, 8]))
@examples(deadline=None, max_examples=50)
def test_only_the_proportion_of_weights_matters(given_votes: list[Vote], factor: float) -> None:
    scaled = [Vote(vote.genre, vote.source, vote.weight * factor) for vote in given_votes]
    assert resolve(scaled) == resolve(given_votes)


def test_a_label_as_a_vector_follows_the_order_of_the_genres() -> None:
    label = resolve([Vote("rock", "folder", 3), Vote("pop", "tag", 1)])
    assert label is not None
    assert label.vector(("jazz", "pop", "rock")).tolist() == [0, 0.25, 0.75]
    assert label.vector(("jazz",)).tolist() == [0]
