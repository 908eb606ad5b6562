"""The queue of labels to look at."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.library.label_reviews import Decision, LabelReview
from core.library.store import TrackRow
from core.music import FloatArray
from core.quality.issues import Judgement, judge
from core.quality.queue import Entry, Stock, ranked, take_stock
from tests.quality.songs import GENRES, answer, shares, track

JAZZ, ROCK = shares(jazz=1.0), shares(rock=1.0)
SURE = {"jazz": shares(jazz=0.9, rock=0.1), "rock": shares(rock=0.9, jazz=0.1)}


def review(decision: Decision) -> LabelReview:
    return LabelReview(decision, "Ada", "2026-01-01")


@pytest.fixture
def tracks() -> list[TrackRow]:
    """Twelve songs; 1 and 2 are called jazz and sound like rock, 3 sounds like anything; 13 is new."""
    return [track(n, {"jazz": 1.0} if n < 7 else {"rock": 1.0}) for n in range(1, 14)]


ANSWERS = [
    answer(1, JAZZ, SURE["rock"]),
    answer(2, JAZZ, shares(rock=0.95, jazz=0.05)),
    answer(3, JAZZ, shares(jazz=0.4, rock=0.3, techno=0.3)),
    *(answer(n, JAZZ, SURE["jazz"]) for n in range(4, 7)),
    *(answer(n, ROCK, shares(rock=0.8, jazz=0.2)) for n in range(7, 13)),
]


def ids(entries: Sequence[Entry]) -> list[int]:
    return [entry.track.id for entry in entries]


def stock(tracks: list[TrackRow], **reviews: Decision) -> Stock:
    decided = {int(name[1:]): review(decision) for name, decision in reviews.items()}
    return take_stock(tracks, GENRES, ANSWERS, decided)


def test_suspected_songs_come_by_suspicion(tracks: list[TrackRow]) -> None:
    now = stock(tracks)
    assert ids(now.waiting("suspicion")) == [2, 1] and (len(now.suspects), now.looked_at) == (2, 0)
    assert (now.changed, now.added, now.agreement) == (0, 1, ((10, 12), (10, 12)))


def test_all_songs_come_by_uncertainty_and_new_ones_last(tracks: list[TrackRow]) -> None:
    order = ids(stock(tracks).waiting("uncertainty"))
    assert order[0] == 3 and order[-1] == 13 and sorted(order) == list(range(1, 14))
    assert ids(ranked(stock(tracks).entries, "suspicion"))[:2] == [2, 1]
    assert ids(ranked(stock(tracks).entries, "suspicion"))[-1] == 13


def test_a_genre_is_looked_at_by_label_or_answer(tracks: list[TrackRow]) -> None:
    now = stock(tracks)
    assert ids(now.waiting("suspicion", genre="rock")) == [2, 1]
    assert set(ids(now.waiting("uncertainty", genre="jazz"))) == {1, 2, 3, 4, 5, 6}
    assert now.waiting("suspicion", genre="techno") == []


def test_what_was_decided_leaves_the_queue_and_nothing_else_moves(tracks: list[TrackRow]) -> None:
    tracks[1] = track(2, {"rock": 1.0})
    now = stock(tracks, t2="changed")
    assert ids(now.waiting("suspicion")) == [1] and (len(now.suspects), now.looked_at) == (2, 1)
    assert (now.changed, now.by_hand) == (1, 1) and now.agreement == ((10, 12), (11, 12))
    confirmed = stock([tracks[0], track(2, {"jazz": 1.0}), *tracks[2:]], t2="confirmed")
    assert ids(confirmed.waiting("suspicion")) == [1] and confirmed.changed == 0
    assert confirmed.agreement == ((10, 12), (10, 12)), "a person may say that the machine is wrong"


def test_what_is_no_music_counts_as_looked_at_and_is_learned_from_no_more(tracks: list[TrackRow]) -> None:
    tracks[0] = track(1, {"jazz": 1.0}, set_aside=True)
    now = stock(tracks, t1="not music")
    assert (len(now.suspects), now.looked_at, ids(now.waiting("suspicion"))) == (2, 1, [2])
    assert now.agreement == ((10, 12), (10, 11))
    assert 1 not in ids(stock(tracks).entries), "set aside for another reason: it is no part of this"


def test_another_sound_of_a_track_that_had_the_wrong_one_is_new(tracks: list[TrackRow]) -> None:
    tracks[0] = track(1, {"jazz": 1.0}, sha256="f" * 64)
    now = stock(tracks, t1="wrong song")
    (entry,) = [entry for entry in now.entries if entry.track.id == 1]
    assert entry.review is None and entry.judgement is None and now.added == 2


def test_a_label_that_changed_elsewhere_is_judged_as_it_is_now(tracks: list[TrackRow]) -> None:
    tracks[1] = track(2, {"rock": 1.0})
    now = stock(tracks)
    assert ids(now.waiting("suspicion")) == [1] and (now.changed, now.by_hand) == (1, 0)


def test_songs_without_a_genre_that_was_asked_about_are_not_judged(tracks: list[TrackRow]) -> None:
    tracks[1] = track(2, {"polka": 1.0})
    tracks[0] = track(1, {"polka": 0.5, "jazz": 0.5})
    now = stock(tracks)
    assert ids(now.waiting("suspicion")) == [1] and ids(now.waiting("uncertainty"))[-2:] == [2, 13]
    assert now.changed == 1, "jazz is all that is left of the label where polka was not asked about"


def test_songs_that_cannot_be_learned_from_are_no_part_of_it(tracks: list[TrackRow]) -> None:
    odd = [track(20, None), track(21, {"jazz": 1.0}, state="waiting"), track(22, {"jazz": 1.0}, set_aside=True)]
    assert len(stock(tracks + odd).entries) == 13
    assert take_stock([], GENRES, [], {}) == Stock(GENRES, (), 0, 0, 0, ((0, 0), (0, 0)))


def test_labels_are_judged_once_with_those_of_then_for_songs_looked_at(tracks: list[TrackRow]) -> None:
    asked: list[FloatArray] = []

    def noting(labels: FloatArray, spectra: FloatArray, genres: Sequence[str]) -> list[Judgement]:
        asked.append(labels)
        return judge(labels, spectra, genres)

    tracks[1] = track(2, {"rock": 1.0})
    take_stock(tracks, GENRES, ANSWERS, {2: review("changed")}, judged_by=noting)
    (labels,) = asked
    np.testing.assert_array_equal(labels[1], JAZZ)
    assert len(labels) == 12
