"""The same recording twice, by its sound."""

from core.quality.duplicates import twins
from tests.quality.songs import track

JAZZ = {"jazz": 1.0}


def sound(number: int) -> str:
    return f"{number:064d}"


def test_pairs_come_with_both_tracks_the_most_alike_first() -> None:
    tracks = [track(n, JAZZ) for n in range(1, 6)]
    found = twins(tracks, [(sound(1), sound(2), 0.8), (sound(5), sound(3), 0.9)], set())
    assert [(pair.ids, pair.likeness) for pair in found] == [((3, 5), 0.9), ((1, 2), 0.8)]
    assert (found[0].one.id, found[0].other.id) == (3, 5)


def test_what_was_decided_is_not_asked_again() -> None:
    pairs = [(sound(1), sound(2), 0.8), (sound(2), sound(3), 0.9)]
    tracks = [track(1, JAZZ), track(2, JAZZ), track(3, JAZZ, set_aside=True)]
    assert [pair.ids for pair in twins(tracks, pairs, set())] == [(1, 2)]
    assert twins(tracks, pairs, {(1, 2)}) == []


def test_two_sounds_of_one_track_and_sounds_that_are_gone_are_left_out() -> None:
    tracks = [track(1, JAZZ), track(1, JAZZ, sha256=sound(7)), track(2, None), track(3, JAZZ, sha256="")]
    pairs = [
        (sound(1), sound(7), 0.99),
        (sound(1), sound(9), 0.9),
        (sound(1), sound(2), 0.7),
        (sound(7), sound(2), 0.8),
    ]
    assert [(pair.ids, pair.likeness) for pair in twins(tracks, pairs, set())] == [((1, 2), 0.8)]
