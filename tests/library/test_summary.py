"""Summaries: tiny libraries counted by hand."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.labels import resolve
from core.library.store import TrackRow
from core.library.summary import (
    coarse,
    conflicts,
    matching,
    overlap,
    per_genre,
    several,
    to_set_aside,
    with_genres,
)
from core.music import Vote

PARENTS = {"minimal techno": "techno", "techno": "electronic", "house": "electronic", "jungle": "drum and bass"}


def row(number: int, genres: dict[str, float] | None = None, *, source: str = "playlist", **changes: Any) -> TrackRow:
    """A track with one vote a genre."""
    votes = tuple(Vote(genre, source, weight) for genre, weight in (genres or {}).items())
    told: dict[str, Any] = {
        "id": number,
        "title": f"Title {number}",
        "artist": f"Artist {number}",
        "album": "",
        "duration_s": None,
        "isrc": None,
        "path": "",
        "sha256": "",
        "codec": "",
        "sample_rate": 0,
        "set_aside": False,
        "votes": votes,
        "label": resolve(votes),
        "state": "no sound",
        "reason": "",
        "has_sound": False,
    }
    return TrackRow(**{**told, **changes})


LIBRARY = [
    row(1, {"techno": 1.0}, artist="A"),
    row(2, {"techno": 3.0, "house": 1.0}, artist="A"),
    row(3, {"house": 1.0, "jazz": 1.0}, artist="B"),
    row(4, {"Jungle": 1.0}, artist=""),
    row(5),
]


def ids(rows: list[TrackRow]) -> list[int]:
    return [row.id for row in rows]


def test_counts_per_genre() -> None:
    counts = [(count.genre, count.songs, count.shared, count.artists) for count in per_genre(LIBRARY)]
    assert counts == [("techno", 2, 1, 1), ("house", 1, 2, 2), ("Jungle", 1, 0, 1), ("jazz", 0, 1, 1)]
    assert per_genre([]) == []


def test_overlap_counts_songs_with_votes_for_both() -> None:
    assert overlap(LIBRARY, ["techno", "house", "jazz", "blues"]) == [
        [2, 1, 0, 0],
        [1, 2, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    assert overlap(LIBRARY, []) == []
    assert overlap([], ["techno"]) == [[0]]


def test_overlap_counts_votes_that_a_hand_label_outweighs() -> None:
    votes = (Vote("techno", "playlist"), Vote("jazz", "hand"))
    assert overlap([row(1, votes=votes, label=resolve(votes))], ["techno", "jazz"]) == [[1, 1], [1, 1]]


def test_songs_of_several_genres() -> None:
    assert ids(several(LIBRARY)) == [2, 3]
    assert ids(with_genres(LIBRARY, ["techno"])) == [1, 2]
    assert ids(with_genres(LIBRARY, ["techno", "house"])) == [2]
    assert ids(with_genres(LIBRARY, [])) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("genres", "source", "is_one"),
    [
        ({"techno": 1.0, "house": 1.0}, "playlist", True),
        ({"techno": 3.0, "house": 1.0}, "playlist", True),
        ({"techno": 3.1, "house": 1.0}, "playlist", False),  # less than a quarter
        ({"techno": 1.0, "minimal techno": 1.0}, "playlist", False),
        ({"electronic": 1.0, "minimal techno": 1.0}, "playlist", False),
        ({"techno": 1.0, "electronic": 1.0, "jazz": 1.0}, "playlist", True),
        ({"techno": 1.0, "house": 1.0}, "hand", False),
        ({"techno": 1.0}, "playlist", False),
        ({}, "playlist", False),
    ],
)
def test_conflicts(genres: dict[str, float], source: str, is_one: bool) -> None:
    assert ids(conflicts([row(1, genres, source=source)], PARENTS)) == [1] * is_one


def test_coarse_songs_have_the_topmost_genres() -> None:
    minimal, mixed, none = coarse(
        [row(1, {"minimal techno": 1.0}), row(2, {"techno": 1.0, "house": 1.0, "jungle": 2.0}), row(3)], PARENTS
    )
    assert minimal.label is not None
    assert mixed.label is not None
    assert minimal.label.weights == (("electronic", 1.0),)
    assert [vote.genre for vote in minimal.votes] == ["electronic"]
    assert mixed.label.weights == (("drum and bass", 0.5), ("electronic", 0.5))
    assert conflicts([minimal], PARENTS) == []
    assert (none.label, none.votes) == (None, ())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("  ", [1, 2, 3, 4, 5]),
        ("TECHNO", [1, 2]),
        ("techno house", [2]),
        ("title 3", [3]),
        ("jung", [4]),
        ("nothing", []),
        ("%", []),
        ("_", []),
        (".*", []),
    ],
)
def test_matching(words: str, expected: list[int]) -> None:
    assert ids(matching(LIBRARY, words)) == expected


def test_matching_looks_at_title_artist_album_and_genres() -> None:
    one = row(1, {"Trip Hop": 1.0}, title="Straße", artist="<b>Björk</b>", album="Début 🎵")
    for words in ("STRASSE", "björk", "<b>", "début", "🎵", "trip", "hop bjö str"):
        assert ids(matching([one], words)) == [1]


# -- balance -----------------------------------------------------------------------------------------------------------


def test_no_genre_keeps_more_songs_than_most() -> None:
    library = [row(n, {"techno": 1.0}) for n in range(10)] + [
        row(n, {"house": 2.0, "techno": 1.0}) for n in range(20, 23)
    ]
    for by in ("artists", "random"):
        aside = to_set_aside([*library, row(99)], most=4, by=by)
        assert len(aside) == 6
        assert set(aside) <= set(range(10))
        assert aside == sorted(aside) == to_set_aside(library[::-1], most=4, by=by)
        assert to_set_aside(library, most=10, by=by) == []
        assert to_set_aside(library, most=0, by=by) == sorted(ids(library))
    assert to_set_aside(library, most=4, by="random") != to_set_aside(library, most=4, by="random", seed=1)


def test_balance_by_artists_keeps_as_many_artists_as_can_be() -> None:
    artists = ["Many"] * 20 + ["The Few"] * 2 + ["few; Guest"] + ["One", "Two"]
    library = [row(n, {"techno": 1.0}, artist=artist) for n, artist in enumerate(artists)]
    for seed in range(5):
        aside = set(to_set_aside(library, most=6, by="artists", seed=seed))
        kept = Counter(
            track.artist.replace("The Few", "few").split(";")[0] for track in library if track.id not in aside
        )
        assert kept == {"Many": 2, "few": 2, "One": 1, "Two": 1}


@given(
    st.lists(st.tuples(st.sampled_from(["techno", "house", "jazz"]), st.sampled_from("ABC")), max_size=30),
    st.integers(0, 8),
    st.integers(0, 3),
)
def test_balance_leaves_each_genre_the_smaller_of_its_songs_and_most(
    told: list[tuple[str, str]], most: int, seed: int
) -> None:
    library = [row(n, {genre: 1.0}, artist=artist) for n, (genre, artist) in enumerate(told)]
    random.Random(seed).shuffle(library)
    before = Counter(genre for genre, _ in told)
    for by in ("artists", "random"):
        aside = set(to_set_aside(library, most=most, by=by, seed=seed))
        kept = [track for track in library if track.id not in aside]
        assert Counter(track.label.top for track in kept if track.label) == {
            genre: min(n, most) for genre, n in before.items() if min(n, most)
        }
        if by == "artists":
            for genre in before:
                there = {artist for of, artist in told if of == genre}
                stay = {track.artist for track in kept if track.label and track.label.top == genre}
                assert len(stay) == min(len(there), most)
