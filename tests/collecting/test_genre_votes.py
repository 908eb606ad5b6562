"""Votes from MusicBrainz, against a real server on this machine that answers in MusicBrainz's form."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from core.collecting.genre_votes import MOST, WEIGHT, WEIGHT_OF_ARTIST, look_up, votes_of
from core.database import Database
from core.errors import JobStopped, RateLimited
from core.library.playlists import Playlists
from core.library.store import Library, TrackRow
from core.music import ListedTrack, Vote
from core.settings import Settings
from core.sources import musicbrainz
from core.sources.musicbrainz import Found, MusicBrainz
from tests.lists import listed, playlist, undo_latest
from tests.loopback import Answer, serving
from tests.sources.test_musicbrainz import ARTIST, R1, Service, hits, recording

URL = f"https://musicbrainz.org/recording/{R1}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with serving(service.answer) as service.server:
        yield service


@pytest.fixture
def settings(settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A service that need not be asked slowly."""
    monkeypatch.setattr(musicbrainz, "REQUESTS_PER", (1000, 1.0))
    return settings.model_copy(
        update={"musicbrainz_url": f"{service.server.url}/ws/2", "contact": "someone@example.org"}
    )


@pytest.fixture
def look(settings: Settings, library: Library) -> Callable[..., dict[str, Any]]:
    """`look_up` by a service made anew, as each job does."""

    def look(on_progress: Callable[[int, int, str], None] = lambda *_: None) -> dict[str, Any]:
        return look_up(library, MusicBrainz(settings), on_progress=on_progress)

    return look


Look = Callable[..., dict[str, Any]]


def isrc(number: int) -> str:
    return f"GBAAA{number:07d}"


def coded(*numbers: int) -> list[ListedTrack]:
    return [listed(number, isrc=isrc(number)) for number in numbers]


def take_in(database: Database, tracks: Sequence[ListedTrack], **genres: float) -> None:
    Playlists(database).take_in(playlist("a", *tracks), genres)


def knows(service: Service, number: int, **genres: int) -> None:
    """A recording under a code, with its genres and how many people named each."""
    said = [{"id": name, "name": name, "count": count} for name, count in genres.items()]
    service.answers[f"isrc/{isrc(number)}"] = {"recordings": [recording(genres=said)]}


def rows(library: Library) -> list[TrackRow]:
    return library.tracks("")


def votes(track: TrackRow, source: str = "musicbrainz") -> dict[str, float]:
    return {vote.genre: vote.weight for vote in track.votes if vote.source == source}


# -- votes_of ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "whole"), [("recording", WEIGHT), ("artist", WEIGHT_OF_ARTIST)])
def test_genres_share_one_low_weight_by_how_many_named_them(of: Any, whole: float) -> None:
    found = Found((("techno", 6), ("house", 3), ("disco", 1), ("polka", 1)), URL, "isrc", of)
    assert votes_of(found) == [
        Vote("techno", "musicbrainz", whole * 6 / 10, URL),
        Vote("house", "musicbrainz", whole * 3 / 10, URL),
        Vote("disco", "musicbrainz", whole * 1 / 10, URL),
    ]
    assert len(votes_of(found)) == MOST == 3
    assert sum(vote.weight for vote in votes_of(found)) == pytest.approx(whole)


def test_the_weights_are_those_that_are_told() -> None:
    assert (WEIGHT, WEIGHT_OF_ARTIST) == (0.25, 0.1), "the Genres page says a quarter and a tenth"
    assert votes_of(Found((("techno", 1),), URL, "name", "recording")) == [Vote("techno", "musicbrainz", 0.25, URL)]
    assert votes_of(Found((("techno", 9),), URL, "name", "artist")) == [Vote("techno", "musicbrainz", 0.1, URL)]


def test_of_equals_the_first_by_name_counts_in_whatever_order() -> None:
    found = Found((("d", 2), ("b", 2), ("c", 2), ("a", 2)), URL, "isrc", "recording")
    assert [vote.genre for vote in votes_of(found)] == ["a", "b", "c"]
    assert votes_of(replace(found, genres=found.genres[::-1])) == votes_of(found)


# -- look_up -----------------------------------------------------------------------------------------------------------


def test_votes_are_given_with_where_they_come_from(
    service: Service, look: Look, library: Library, database: Database
) -> None:
    take_in(database, coded(1, 2, 3))
    knows(service, 1, techno=3, house=1)
    service.answers[f"isrc/{isrc(2)}"] = {"recordings": [recording(genres=[])]}
    service.answers[f"artist/{ARTIST}"] = {"id": ARTIST, "genres": [{"id": "x", "name": "disco", "count": 4}]}
    assert look() == {"asked": 3, "found": 2}
    one, two, three = rows(library)
    assert set(one.votes) == {
        Vote("techno", "musicbrainz", 0.1875, f"https://musicbrainz.org/recording/{R1}"),
        Vote("house", "musicbrainz", 0.0625, f"https://musicbrainz.org/recording/{R1}"),
    }
    assert two.votes == (Vote("disco", "musicbrainz", 0.1, f"https://musicbrainz.org/artist/{ARTIST}"),)
    assert three.votes == () and three.label is None
    with database.read() as db:
        found = [json.loads(row["found"]) for row in db.execute("SELECT found FROM genre_lookups ORDER BY track_id")]
    assert found[0]["genres"] == [["techno", 3], ["house", 1]] and found[0]["by"] == "isrc"
    assert found[1]["of"] == "artist" and found[2] is None, "that nothing was found is known too"


def test_a_track_is_asked_about_once(service: Service, look: Look, library: Library, database: Database) -> None:
    take_in(database, coded(1, 2))
    knows(service, 1, techno=1)
    look()
    asked = len(service.paths)
    assert look() == {"asked": 0, "found": 0} and len(service.paths) == asked
    Playlists(database).take_in(playlist("b", *coded(2, 3)))
    knows(service, 3, house=1)
    assert look() == {"asked": 1, "found": 1}
    assert [votes(track) for track in rows(library)] == [{"techno": 0.25}, {}, {"house": 0.25}]


def test_it_goes_on_where_it_was_stopped(service: Service, look: Look, library: Library, database: Database) -> None:
    take_in(database, coded(*range(6)))
    for number in range(6):
        knows(service, number, techno=1)
    told: list[tuple[int, int, str]] = []

    def stop_after_four(done: int, total: int, title: str) -> None:
        told.append((done, total, title))
        if done == 4:
            raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        look(stop_after_four)
    assert told == [(number, 6, listed(number).title) for number in range(5)]
    assert [votes(track) for track in rows(library)] == [{"techno": 0.25}] * 4 + [{}] * 2
    told.clear()
    assert look(lambda *report: told.append(report)) == {"asked": 2, "found": 2}
    assert told == [(0, 2, listed(4).title), (1, 2, listed(5).title), (2, 2, "")]
    assert service.paths == [f"isrc/{isrc(number)}" for number in range(6)], "no track was asked about twice"
    assert [votes(track) for track in rows(library)] == [{"techno": 0.25}] * 6


def test_a_pause_in_the_middle_loses_nothing(
    service: Service, look: Look, library: Library, database: Database, settings: Settings
) -> None:
    take_in(database, coded(*range(4)))
    for number in (0, 1, 3):
        knows(service, number, techno=1)
    service.answers[f"isrc/{isrc(2)}"] = Answer(b"{}", 503, {"Retry-After": "120"})
    with pytest.raises(RateLimited, match=r"MusicBrainz asks for a pause.*UTC"):
        look()
    assert [votes(track) for track in rows(library)] == [{"techno": 0.25}] * 2 + [{}] * 2
    assert [track_id for track_id, _ in library.not_looked_up()] == [row.id for row in rows(library)][2:]
    with pytest.raises(RateLimited):
        look()
    assert len(service.paths) == 3, "nobody asks before the pause is over"
    for pause in settings.answers.glob("*.pause.json"):  # it is over
        pause.unlink()
    knows(service, 2, house=1)
    assert look() == {"asked": 2, "found": 2}
    assert service.paths == [f"isrc/{isrc(number)}" for number in (0, 1, 2, 2, 3)]
    assert votes(rows(library)[2]) == {"house": 0.25}


def test_a_track_without_a_code_is_found_by_name_if_it_is_certainly_the_same(
    service: Service, look: Look, library: Library, database: Database
) -> None:
    take_in(
        database,
        [ListedTrack("Song", ("A & Co",), duration_s=201.0), ListedTrack("Song", ("A & Co",), duration_s=260.0)],
    )
    service.answers["recording"] = hits(recording(score=100))
    service.answers[f"recording/{R1}"] = recording(genres=[{"id": "x", "name": "techno", "count": 2}])
    assert look() == {"asked": 2, "found": 1}
    assert [votes(track) for track in rows(library)] == [{"techno": 0.25}, {}], "the other is a minute longer"
    assert service.paths.count(f"recording/{R1}") == 1


def test_playlists_weigh_more_and_a_hand_vote_decides_alone(
    service: Service, look: Look, library: Library, database: Database
) -> None:
    take_in(database, coded(1, 2), house=1.0)
    for number in (1, 2):
        knows(service, number, techno=1)
    library.label_by_hand([rows(library)[1].id], {"disco": 1.0}, who="you")
    look()
    one, two = rows(library)
    assert one.label and dict(one.label.weights) == pytest.approx({"house": 0.8, "techno": 0.2})
    assert two.label and two.label.weights == (("disco", 1.0),)
    assert votes(two) == {"techno": 0.25}, "it is shown all the same"
    assert votes(two, "playlist") == {"house": 1.0}


def test_names_of_genres_are_those_of_the_library(
    service: Service, look: Look, library: Library, database: Database
) -> None:
    take_in(database, coded(1), Techno=1.0)
    knows(service, 1, techno=1, dnb=1)
    look()
    assert votes(rows(library)[0]) == {"Techno": 0.125, "drum and bass": 0.125}


def test_what_was_voted_can_be_undone_with_the_playlist_that_brought_it(
    service: Service, look: Look, library: Library, database: Database
) -> None:
    take_in(database, coded(1), house=1.0)
    knows(service, 1, techno=1)
    look()
    Playlists(database).remove([Playlists(database).all()[0].id])
    assert rows(library) == []
    undo_latest(database)
    assert votes(rows(library)[0]) == {"techno": 0.25} and look() == {"asked": 0, "found": 0}
