from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import RateLimited, SourceError
from core.music import ListedTrack
from core.settings import Settings
from core.sources import deezer as deezer_module
from core.sources.deezer import DeezerSource
from tests.loopback import Answer, Loopback, as_json, serving
from tests.sources.deezer_server import Deezer, error, song

LIST = "deezer:playlist:908622995"


@pytest.fixture
def deezer() -> Deezer:
    return Deezer({908622995: ("A List", [song(number) for number in range(1, 251)])})


@pytest.fixture
def server(deezer: Deezer) -> Iterator[Loopback]:
    with ExitStack() as stack:
        yield stack.enter_context(serving(deezer))


@pytest.fixture
def source(server: Loopback, settings: Settings) -> DeezerSource:
    return DeezerSource(settings.model_copy(update={"deezer_api_url": server.url}))


@pytest.mark.parametrize(
    "text",
    [
        LIST,
        f"  {LIST}\n",
        "https://www.deezer.com/playlist/908622995",
        "https://www.deezer.com/en/playlist/908622995?utm=x#y",
        "http://deezer.com/us/playlist/908622995/",
        "www.deezer.com/pt-br/playlist/908622995",
        "HTTPS://WWW.DEEZER.COM/FR/PLAYLIST/908622995",
    ],
)
def test_recognised(source: DeezerSource, text: str) -> None:
    assert source.recognise(text) == LIST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "908622995",
        "deezer:album:908622995",
        "https://www.deezer.com/album/908622995",
        "https://www.deezer.com/playlist/x",
        "https://deezer.com.evil.example/playlist/908622995",
        "https://evil.example/playlist/908622995",
        "https://link.deezer.com/s/30abcXYZ",
        "https://deezer.page.link/abc",
        "https://www.deezer.com/playlist/٣",
    ],
)
def test_not_recognised(source: DeezerSource, text: str) -> None:
    assert source.recognise(text) is None


def test_a_playlist_is_read_by_pages(source: DeezerSource, server: Loopback) -> None:
    told: list[tuple[int, int | None]] = []
    playlist = source.fetch(LIST, on_progress=lambda done, total: told.append((done, total)))
    assert (playlist.title, playlist.owner, playlist.n_listed, playlist.skipped) == ("A List", "Ada", 250, {})
    assert playlist.url == "https://www.deezer.com/playlist/908622995"
    assert [track.title for track in playlist.tracks] == [f"Song {number}" for number in range(1, 251)]
    assert playlist.tracks[0] == ListedTrack(
        "Song 1", ("Artist 1",), "An Album", 181.0, "GBAAA0000001", "1", "https://www.deezer.com/track/1"
    )
    assert told == [(100, 250), (200, 250), (250, 250)]
    assert server.paths == ["/playlist/908622995"] + ["/playlist/908622995/tracks"] * 3


def test_rows_that_deezer_hides_end_nothing(source: DeezerSource, deezer: Deezer) -> None:
    deezer.hidden = frozenset({*range(95, 105), *range(200, 220)})
    playlist = source.fetch(LIST)
    assert len(playlist.tracks) == 220 and playlist.tracks[-1].title == "Song 250"


def test_a_total_that_is_wrong_or_missing_is_survived(source: DeezerSource, deezer: Deezer) -> None:
    for total in (10**9, None, -1, "x"):
        deezer.errors = {"/playlist/908622995": as_json({"title": "T", "nb_tracks": total})}
        assert len(source.fetch(LIST).tracks) == 250


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": "A (Live)", "title_version": "(Live)"}, {"title": "A (Live)"}),
        ({"title": "A", "title_version": "(Live)"}, {"title": "A (Live)"}),
        ({"contributors": [{"name": "Artist 1"}, {"name": "Guest; X"}]}, {"artists": ("Artist 1", "Guest, X")}),
        ({"artist": None, "album": "x", "isrc": "nope", "duration": "x"}, {"artists": (), "album": "", "isrc": None}),
        ({"isrc": "gb-aaa-00-00001"}, {"isrc": "GBAAA0000001"}),
        ({"id": -5, "duration": 0}, {"source_id": "-5", "url": "", "duration_s": None}),
        ({"readable": False}, {"title": "Song 1"}),
        ({"link": "javascript:alert(1)"}, {"url": "https://www.deezer.com/track/1"}),
    ],
)
def test_rows(source: DeezerSource, deezer: Deezer, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    deezer.playlists[1] = ("L", [song(1, **changes)])
    (track,) = source.fetch("deezer:playlist:1").tracks
    assert {name: getattr(track, name) for name in expected} == expected


def test_what_is_no_song_is_counted(source: DeezerSource, deezer: Deezer) -> None:
    deezer.playlists[1] = ("L", [song(1, title=" "), song(2, type="episode"), song(3), song(4, title=None)])
    playlist = source.fetch("deezer:playlist:1")
    assert playlist.skipped == {"no title": 2, "no song": 1} and len(playlist.tracks) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (error(800), "deleted"),
        (error(200), "private"),
        (error(300), "private"),
        (error(700), "busy"),
        (error(500, "=bad <b>thing</b>"), "=bad <b>thing</b>"),
        (as_json({"error": "what"}), "refused"),
        (as_json([1, 2]), "cannot be read"),
        (as_json({}, 404), "deleted"),
        (as_json({}, 403), "403"),
        (Answer(b"<html>"), "no JSON"),
    ],
)
@pytest.mark.parametrize("path", ["/playlist/908622995", "/playlist/908622995/tracks"])
def test_errors_are_told(source: DeezerSource, deezer: Deezer, path: str, answer: Answer, told: str) -> None:
    deezer.errors = {path: answer}
    with pytest.raises(SourceError, match=told):
        source.fetch(LIST)


def test_a_spent_quota_is_a_pause(source: DeezerSource, deezer: Deezer, server: Loopback) -> None:
    deezer.errors = {"/playlist/908622995": error(4, "Quota limit exceeded")}
    with pytest.raises(RateLimited, match="Deezer") as told:
        source.fetch(LIST)
    assert timedelta(0) < told.value.retry_at - datetime.now(UTC) < timedelta(minutes=5)
    asked = len(server.asked)
    with pytest.raises(RateLimited):
        source.search("x")
    assert len(server.asked) == asked


def test_search(source: DeezerSource, deezer: Deezer, server: Loopback) -> None:
    row: dict[str, Any] = {"id": 5, "title": "Jazz", "nb_tracks": 40, "public": True, "user": {"name": "Ada"}}
    deezer.found = [
        row,
        row,
        {"id": 6, "title": ""},
        {"id": 7, "title": "P", "public": False},
        {"title": "no id"},
        None,
    ]  # type: ignore[list-item]
    (hit,) = source.search("jazz & blues", limit=500)
    assert (hit.reference, hit.title, hit.owner, hit.n_tracks) == ("deezer:playlist:5", "Jazz", "Ada", 40)
    assert server.asked[0].query == {"q": "jazz & blues", "limit": "100"}
    assert source.search(" ") == [] and source.search("x", limit=0) == []


def test_the_pace_is_kept(source: DeezerSource, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deezer_module, "REQUESTS_PER", (2, 0.4))
    source.fetch(LIST)
    times = [asked.at for asked in server.asked]
    assert len(times) == 4
    assert all(later - earlier > 0.35 for earlier, later in zip(times, times[2:], strict=False))
