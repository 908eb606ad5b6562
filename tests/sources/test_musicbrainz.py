"""Genres from MusicBrainz, against a real server on this machine that answers in MusicBrainz's form."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from core.errors import RateLimited, SourceError
from core.music import ListedTrack
from core.settings import Settings
from core.sources import musicbrainz
from core.sources.musicbrainz import Found, MusicBrainz
from tests.loopback import Answer, Asked, Loopback, as_json, serving

TRACK = ListedTrack("Song (feat. B) - Remastered", ("A & Co", "B"), duration_s=200.0, isrc="GBUM71029604")
UNCODED = replace(TRACK, isrc=None)
R1 = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
R2 = "c2a9c0e9-d987-4042-ae91-78d6a3267d69"
ARTIST = "0383dadf-2a4e-4d10-a46a-e9e041da8eb3"
VARIOUS = "89ad4ac3-39f7-470e-963a-56509c546377"
GENRES = [
    {"id": "x", "name": "disco", "count": 1, "disambiguation": ""},
    {"id": "y", "name": "drum and bass", "count": 7, "disambiguation": ""},
    {"id": "z", "name": "polka", "count": 0, "disambiguation": ""},
]
SORTED = (("drum and bass", 7), ("disco", 1))


def recording(mbid: str = R1, *, artist: str = ARTIST, **more: Any) -> dict[str, Any]:
    credit = {"name": "A & Co", "joinphrase": "", "artist": {"id": artist, "name": "A & Co", "sort-name": "A & Co"}}
    return {"id": mbid, "title": "Song", "length": 201000, "video": False, "artist-credit": [credit]} | more


def hits(*found: dict[str, Any]) -> dict[str, Any]:
    return {"created": "2024-01-01T00:00:00.000Z", "count": len(found), "offset": 0, "recordings": list(found)}


class Service:
    """MusicBrainz as far as a test fills it: an answer for each path, 404 for the rest."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.server: Loopback

    def answer(self, asked: Asked) -> Answer:
        found = self.answers.get(asked.path.removeprefix("/ws/2/"))
        if isinstance(found, Answer):
            return found
        return as_json({"error": "Not Found", "help": "…"}, 404) if found is None else as_json(found)

    @property
    def paths(self) -> list[str]:
        return [path.removeprefix("/ws/2/") for path in self.server.paths]


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with serving(service.answer) as service.server:
        yield service


@pytest.fixture
def settings(settings: Settings, service: Service) -> Settings:
    return settings.model_copy(
        update={"musicbrainz_url": f"{service.server.url}/ws/2", "contact": "someone@example.org"}
    )


@pytest.fixture
def ask(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Found | None]:
    """`genres` of a service that need not be asked slowly."""
    monkeypatch.setattr(musicbrainz, "REQUESTS_PER", (1000, 1.0))
    asked = MusicBrainz(settings)

    def ask(track: ListedTrack, same: Callable[[ListedTrack], bool] = lambda _: True) -> Found | None:
        return asked.genres(track, same=same)

    return ask


Ask = Callable[..., Found | None]


def test_a_recording_is_found_by_its_code(service: Service, ask: Ask) -> None:
    service.answers["isrc/GBUM71029604"] = {"isrc": "GBUM71029604", "recordings": [recording(genres=GENRES)]}
    found = ask(TRACK, lambda _: pytest.fail("a code needs no comparing"))
    assert found == Found(SORTED, f"https://musicbrainz.org/recording/{R1}", "isrc", "recording")
    [asked] = service.server.asked
    assert dict(asked.query) == {"fmt": "json", "inc": "artist-credits genres"}
    assert asked.headers["User-Agent"].startswith("Genrescope/")
    assert asked.headers["User-Agent"].endswith(" ( someone@example.org )")


def test_of_several_recordings_of_a_code_the_first_with_genres_counts(service: Service, ask: Ask) -> None:
    service.answers["isrc/GBUM71029604"] = {"recordings": [recording(genres=[]), recording(R2, genres=GENRES)]}
    found = ask(TRACK)
    assert found is not None and found.url.endswith(R2)


def test_without_genres_of_its_own_a_recording_has_those_of_its_artist(service: Service, ask: Ask) -> None:
    service.answers["isrc/GBUM71029604"] = {"recordings": [recording(genres=[])]}
    service.answers[f"artist/{ARTIST}"] = {"id": ARTIST, "name": "A & Co", "genres": GENRES}
    assert ask(TRACK) == Found(SORTED, f"https://musicbrainz.org/artist/{ARTIST}", "isrc", "artist")
    assert dict(service.server.asked[-1].query) == {"fmt": "json", "inc": "genres"}


def test_various_artists_have_no_genre(service: Service, ask: Ask) -> None:
    service.answers["isrc/GBUM71029604"] = {"recordings": [recording(artist=VARIOUS, genres=[])]}
    service.answers[f"artist/{VARIOUS}"] = {"id": VARIOUS, "genres": GENRES}
    assert ask(TRACK) is None
    assert service.paths == ["isrc/GBUM71029604"]


@pytest.mark.parametrize("isrc", [None, "", "GBUM71029604", "no code", "../artist"])
def test_else_it_is_found_by_its_name(service: Service, ask: Ask, isrc: str | None) -> None:
    low = recording(R2, score=89)
    service.answers["recording"] = hits(low, recording(R2, title="Other", score=95), recording(score=90))
    service.answers[f"recording/{R1}"] = recording(genres=GENRES)
    seen: list[ListedTrack] = []

    def same(other: ListedTrack) -> bool:
        seen.append(other)
        return other.title == "Song"

    found = ask(replace(TRACK, isrc=isrc), same)
    assert found == Found(SORTED, f"https://musicbrainz.org/recording/{R1}", "name", "recording")
    assert seen[-1] == ListedTrack("Song", ("A & Co",), duration_s=201.0, source_id=R1)
    assert [other.title for other in seen] == ["Other", "Song"], "hits with a low score are not even looked at"
    expected = ["recording", f"recording/{R1}"]
    assert service.paths == (["isrc/GBUM71029604", *expected] if isrc == TRACK.isrc else expected)


def test_names_are_escaped_for_the_search(service: Service, ask: Ask) -> None:
    service.answers["recording"] = hits()
    assert ask(ListedTrack('Is "it" AND/OR (this)? [live]', ("AC/DC: a+b!",))) is None
    assert ask(ListedTrack("Plain", ("", "A"))) is None
    first, second = (asked.query["query"] for asked in service.server.asked)
    assert first == (
        r'recording:("Is \"it\" AND\/OR \(this\)\? \[live\]" OR "Is \"it\" AND\/OR") AND artist:"AC\/DC\: a\+b\!"'
    )
    assert second == 'recording:("Plain") AND artist:"A"'
    assert service.server.asked[0].query["limit"] == "10"


@pytest.mark.parametrize("track", [ListedTrack("Song", ()), ListedTrack("Song", (" ",)), ListedTrack("", ("A",))])
def test_half_a_name_is_not_searched_for(service: Service, ask: Ask, track: ListedTrack) -> None:
    assert ask(track) is None
    assert service.paths == []


def test_nothing_known_is_none(service: Service, ask: Ask) -> None:
    assert ask(TRACK) is None
    service.answers["recording"] = hits(recording(score=100))
    assert ask(replace(UNCODED, title="Another"), lambda _: False) is None
    service.answers[f"recording/{R1}"] = recording(genres=[])
    service.answers[f"artist/{ARTIST}"] = {"id": ARTIST, "genres": []}
    assert ask(replace(UNCODED, title="A third")) is None


def test_answers_are_kept(service: Service, ask: Ask, settings: Settings) -> None:
    service.answers["isrc/GBUM71029604"] = {"recordings": [recording(genres=GENRES)]}
    first = ask(TRACK)
    service.answers.clear()
    assert ask(TRACK) == MusicBrainz(settings).genres(TRACK, same=lambda _: True) == first
    assert len(service.paths) == 1


def test_no_more_than_one_request_a_second(service: Service, settings: Settings) -> None:
    asked = MusicBrainz(settings)
    for isrc in ("GBUM71029601", "GBUM71029602", "GBUM71029603"):
        asked.genres(ListedTrack("Song", (), isrc=isrc), same=lambda _: True)
    times = [asked.at for asked in service.server.asked]
    assert [later - earlier >= 1.0 for earlier, later in pairwise(times)] == [True, True]


def test_when_it_asks_for_a_pause_nobody_asks_until_then(service: Service, ask: Ask) -> None:
    service.answers["isrc/GBUM71029604"] = Answer(b"{}", 503, {"Retry-After": "120"})
    with pytest.raises(RateLimited) as told:
        ask(TRACK)
    assert 100 < (told.value.retry_at - datetime.now(UTC)).total_seconds() <= 120
    with pytest.raises(RateLimited, match="MusicBrainz"):
        ask(UNCODED)
    assert len(service.paths) == 1


@pytest.mark.parametrize("contact", ["", "  ", "\n", "☎"])
def test_whoever_cannot_be_reached_is_refused(settings: Settings, contact: str) -> None:
    with pytest.raises(SourceError, match="Set GENRESCOPE_CONTACT"):
        MusicBrainz(settings.model_copy(update={"contact": contact}))


def test_a_contact_cannot_break_the_header(service: Service, settings: Settings) -> None:
    asked = MusicBrainz(settings.model_copy(update={"contact": "a@example.org\r\nX-Evil: 1 ü"}))
    assert asked.genres(TRACK, same=lambda _: True) is None
    assert service.server.asked[0].headers["User-Agent"].endswith(" ( a@example.org X-Evil: 1 )")


@pytest.mark.parametrize("answer", [[], "text", 7])
def test_an_answer_of_another_form_is_refused(service: Service, ask: Ask, answer: Any) -> None:
    service.answers["isrc/GBUM71029604"] = answer
    with pytest.raises(SourceError, match="cannot be read"):
        ask(TRACK)


@pytest.mark.parametrize(
    "answer",
    [
        {"recordings": None},
        {"recordings": [7, {"id": "../../etc"}, {"id": None}]},
        {"recordings": [recording(genres="many")]},
        {"recordings": [recording(genres=[7, {"name": None, "count": 1}, {"name": "x", "count": "1"}])]},
        {"recordings": [recording(genres=[{"name": "\x00", "count": 3}])]},
        {"recordings": [recording(**{"artist-credit": [{"artist": {"id": "../x"}}]})]},
        {"recordings": [recording(**{"artist-credit": "A"})]},
        {"recordings": [recording(**{"artist-credit": []})]},
    ],
)
def test_damaged_entries_are_passed_over(service: Service, ask: Ask, answer: Any) -> None:
    service.answers["isrc/GBUM71029604"] = answer
    assert ask(replace(TRACK, title="")) is None


@pytest.mark.parametrize("hit", [{"score": "x"}, {"score": None}, {"score": 100, "artist-credit": [7], "length": "?"}])
def test_damaged_hits_are_passed_over(service: Service, ask: Ask, hit: dict[str, Any]) -> None:
    service.answers["recording"] = hits(recording(**hit))
    assert ask(UNCODED) is None
