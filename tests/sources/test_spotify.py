"""Spotify: against a real server on this machine that answers as Spotify does, and with recorded answers."""

import gzip
import json
import logging
import os
import re
import socket
import stat
import threading
import time
import tracemalloc
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors import JobStopped, RateLimited, SourceError
from core.settings import Settings
from core.sources import spotify_web
from core.sources.contract import PlaylistSource
from core.sources.spotify import MAX_ROWS, POLICY, READINGS, SpotifySource
from core.sources.spotify_answers import track_of
from core.sources.spotify_signin import SignIn
from tests.sources.spotify_server import (
    CLIENT_SECRET,
    FakePlaylist,
    Reply,
    Shape,
    SpotifyServer,
    error,
    json_reply,
    playlist_id,
    row,
    songs,
    track,
)

MINE, THEIRS = playlist_id(1), playlist_id(2)
BACK = "http://127.0.0.1:8501/playlists"
SHAPES: list[Shape] = ["2021", "2026", "both"]


@pytest.fixture
def server() -> Iterator[SpotifyServer]:
    with SpotifyServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_waiting_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(spotify_web, "_BACKOFF_S", 0.0)


@pytest.fixture
def here(tmp_path: Path, server: SpotifyServer) -> Settings:
    """A workspace whose Spotify is `server`, with client id and secret."""
    return Settings(home=tmp_path / "workspace", **server.settings())  # type: ignore[arg-type]


@pytest.fixture
def sign_in(here: Settings, server: SpotifyServer) -> SignIn:
    """Somebody is signed in."""
    signed_in = SignIn(here)
    do_sign_in(signed_in)
    server.requests.clear()
    return signed_in


@pytest.fixture
def source(here: Settings, sign_in: SignIn) -> SpotifySource:
    """The source, where somebody is signed in."""
    return SpotifySource(here)


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    return shared_data / "spotify_api"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def consent(address: str) -> dict[str, str]:
    """What the browser brings back when the user has agreed: the query of the redirect."""
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay).open(address)
    except urllib.error.HTTPError as redirect:
        assert redirect.code == 302
        parts = urlsplit(redirect.headers["Location"])
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == BACK
        return {key: values[0] for key, values in parse_qs(parts.query).items()}
    raise AssertionError("no redirect")


def do_sign_in(sign_in: SignIn) -> None:
    address, state, verifier = sign_in.begin(BACK)
    brought = consent(address)
    assert brought["state"] == state
    sign_in.finish(brought["code"], verifier, BACK)


def stored(settings: Settings) -> dict[str, Any]:
    token: dict[str, Any] = json.loads(settings.spotify_token.read_text())
    return token


def expire(settings: Settings) -> None:
    """The stored token has ended by its own word."""
    settings.spotify_token.write_text(json.dumps(stored(settings) | {"expires_at": int(time.time()) - 5}))


def refusal(source: SpotifySource, reference: str = MINE) -> str:
    """What is told of a playlist that cannot be read."""
    with pytest.raises(SourceError) as told:
        source.fetch(reference)
    text = str(told.value)
    assert text.endswith(".") and (text[0].isupper() or text[0] == "“") and len(text) < 500
    assert "Traceback" not in text and "{" not in text
    return text


# -- recognising -------------------------------------------------------------------------------------------------------

ID = "37i9dQZF1DXcBWIGoYBM5M"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"  {ID}\n",
        f"https://open.spotify.com/playlist/{ID}",
        f"https://open.spotify.com/playlist/{ID}?si=0123abcd&pt=9",
        f"https://open.spotify.com/playlist/{ID}/",
        f"https://open.spotify.com/playlist/{ID}#top",
        f"http://open.spotify.com/playlist/{ID}",
        f"HTTPS://Open.Spotify.com/playlist/{ID}",
        f"open.spotify.com/playlist/{ID}",
        f"https://open.spotify.com/intl-de/playlist/{ID}?si=1",
        f"https://open.spotify.com/intl-pt-br/playlist/{ID}",
        f"https://open.spotify.com/embed/playlist/{ID}?utm_source=generator",
        f"https://open.spotify.com/user/spotify/playlist/{ID}",
        f"spotify:playlist:{ID}",
        f"spotify:user:some.one:playlist:{ID}",
    ],
)
def test_playlists_are_recognised(settings: Settings, text: str) -> None:
    source = SpotifySource(settings)
    assert source.recognise(text) == ID
    assert source.recognise(ID) == ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "two words",
        ID[:-1],
        f"{ID}x",
        f"{ID[:-1]}-",
        f"https://open.spotify.com/album/{ID}",
        f"https://open.spotify.com/track/{ID}",
        f"https://open.spotify.com/artist/{ID}?playlist/{ID}",
        f"https://open.spotify.com/playlist/{ID}/../x",
        f"https://open.spotify.com/playlist/{ID}x",
        f"https://open.spotify.com.example.org/playlist/{ID}",
        f"https://example.org/open.spotify.com/playlist/{ID}",
        f"https://open.spotify.com@example.org/playlist/{ID}",
        f"https://openXspotify.com/playlist/{ID}",
        f"spotify:track:{ID}",
        f"spotify:album:{ID}",
        f"spotify:playlist:{ID}\nspotify:playlist:{ID}",
        "٣" * 22,
        "https://www.deezer.com/playlist/908622995",
    ],
)
def test_everything_else_is_not(settings: Settings, text: str) -> None:
    assert SpotifySource(settings).recognise(text) is None


def test_it_is_a_source(settings: Settings, server: SpotifyServer) -> None:
    source: PlaylistSource = SpotifySource(settings)
    assert (source.name, source.title, source.searches) == ("spotify", "Spotify", False), "there is nothing to ask with"
    assert SpotifySource(settings.model_copy(update=server.settings())).searches
    assert "III.14" in POLICY and "machine-learning" in POLICY and SpotifySource.policy == POLICY


def test_nothing_is_asked_for_what_is_no_playlist(source: SpotifySource, server: SpotifyServer) -> None:
    assert "no playlist of Spotify" in refusal(source, "../../me")
    assert server.requests == []


# -- reading a playlist ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_a_playlist_in_every_shape(source: SpotifySource, server: SpotifyServer, shape: Shape) -> None:
    server.shape = shape
    server.add(FakePlaylist(MINE, "  My\nsongs\x00 ", rows=songs(120)))
    seen: list[tuple[int, int | None]] = []
    playlist = source.fetch(f"spotify:playlist:{MINE}", on_progress=lambda done, total: seen.append((done, total)))
    assert (playlist.source, playlist.reference, playlist.title) == ("spotify", MINE, "My songs")
    assert (playlist.owner, playlist.url) == ("Ada L.", f"https://open.spotify.com/playlist/{MINE}")
    assert (playlist.n_listed, playlist.skipped) == (120, {})
    assert [one.title for one in playlist.tracks] == [f"Song {n}" for n in range(120)]
    first = playlist.tracks[0]
    assert (first.artists, first.album, first.duration_s) == (("Artist 0",), "Album 0", 180.0)
    assert (first.isrc, first.source_id) == ("GBAAA0000000", playlist_id(0))
    assert first.url == f"https://open.spotify.com/track/{playlist_id(0)}"
    assert seen == [(50, 120), (100, 120), (120, 120)]


@pytest.mark.parametrize(("shape", "endpoint"), [("2021", "tracks"), ("2026", "items"), ("both", "items")])
def test_the_new_endpoint_is_asked_first(
    source: SpotifySource, server: SpotifyServer, shape: Shape, endpoint: str
) -> None:
    server.shape = shape
    server.add(FakePlaylist(MINE, "Mine", rows=songs(120)))
    source.fetch(MINE)
    pages = [path.rpartition("/")[2] for path in server.paths() if path.count("/") == 4]
    assert pages == (["items"] if shape == "2021" else []) + [endpoint] * 3


def test_an_endpoint_that_is_not_allowed_is_not_there_either(source: SpotifySource, server: SpotifyServer) -> None:
    server.shape = "2021"
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    server.reply(f"/v1/playlists/{MINE}/items", error(405, "Method not allowed"))
    assert len(source.fetch(MINE).tracks) == 3


def test_rows_that_are_no_songs_are_counted(source: SpotifySource, server: SpotifyServer) -> None:
    rows = [
        row(track(1)),
        row(track(2, name="")),
        row(track(3, name="\u200b\x00")),
        row(track(4, is_local=True), is_local=True),
        row(track(5, uri="spotify:local:A:B:C:100")),
        row(track(6, type="episode", episode=True, track=False)),
        row(track(7, uri="spotify:episode:1")),
        row(None),
        None,
        {"added_at": None},
        {"track": True},
        row(track(8)),
    ]
    server.add(FakePlaylist(MINE, "Mine", rows=rows))
    playlist = source.fetch(MINE)
    assert [one.title for one in playlist.tracks] == ["Song 1", "Song 8"]
    assert playlist.skipped == {"withdrawn": 2, "local file": 2, "podcast": 2, "empty row": 4}
    assert playlist.n_listed == len(playlist.tracks) + sum(playlist.skipped.values())


@pytest.mark.parametrize("limit", [0, 1, 50, 51, 119, 120, 999])
def test_a_limit(source: SpotifySource, server: SpotifyServer, limit: int) -> None:
    rows = [row(None), *songs(60), row(None), *songs(60)]
    server.add(FakePlaylist(MINE, "Mine", rows=rows))
    seen: list[tuple[int, int | None]] = []
    playlist = source.fetch(MINE, limit=limit, on_progress=lambda done, total: seen.append((done, total)))
    assert [one.title for one in playlist.tracks] == [f"Song {n % 60}" for n in range(min(limit, 120))]
    assert not seen or seen[-1][0] == min(limit, 120)
    rows_asked = sum(int(seen.query["limit"]) for seen in server.requests if "limit" in seen.query)
    assert rows_asked <= limit + 2 or limit > 120, "no more is asked for than is wanted"


def test_pages_are_as_long_as_they_come(source: SpotifySource, server: SpotifyServer) -> None:
    pages = {0: 20, 20: 7, 27: 3}
    made = {
        offset: json.dumps({"items": [row(track(offset + n)) for n in range(size)], "total": 30}).encode()
        for offset, size in pages.items()
    }
    server.add(FakePlaylist(MINE, "Mine"))
    server.reply_pages(f"/v1/playlists/{MINE}/items", made)
    assert [one.title for one in source.fetch(MINE).tracks] == [f"Song {n}" for n in range(30)]


def test_a_total_that_is_not_told_or_not_kept(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine"))
    items = [row(track(n)) for n in range(50)]
    for total, skipped in ((None, {}), (True, {}), ("many", {}), (53, {"not sent by Spotify": 3})):
        pages = {0: items, 50: []}
        replies = {at: json.dumps({"items": rows, "total": total}).encode() for at, rows in pages.items()}
        server.reply_pages(f"/v1/playlists/{MINE}/items", replies)
        playlist = source.fetch(MINE)
        assert (len(playlist.tracks), playlist.skipped) == (50, skipped)


def test_progress_may_stop_the_reading(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(500)))

    def stop(done: int, _total: int | None) -> None:
        if done >= 100:
            raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        source.fetch(MINE, on_progress=stop)
    assert server.paths().count(f"/v1/playlists/{MINE}/items") == 2


def test_an_empty_playlist(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "", rows=[]))
    playlist = source.fetch(MINE)
    assert (playlist.title, playlist.tracks, playlist.n_listed) == ("Untitled playlist", (), 0)


@pytest.mark.slow
def test_thirty_thousand_songs_in_bounded_memory(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Everything", rows=songs(30_000)))
    while_reading: list[int] = []

    def watch(done: int, total: int | None) -> None:
        assert total == 30_000
        if done == 15_000:  # beyond the songs themselves, a page is all that is kept: measured over some hundred pages
            server.requests.clear()
            tracemalloc.start()
        elif done == 20_000:
            while_reading.extend(tracemalloc.get_traced_memory())
            tracemalloc.stop()

    playlist = source.fetch(MINE, on_progress=watch)
    assert len(playlist.tracks) == playlist.n_listed == 30_000
    assert len({one.source_id for one in playlist.tracks}) == 30_000
    kept, peak = while_reading
    assert peak - kept < 2_000_000, "a page and its answer"
    assert kept < 5_000 * 2_000, "some hundred bytes a song"


def test_a_list_without_end_is_given_up(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine"))
    server.reply(f"/v1/playlists/{MINE}/items", json_reply({"items": [row(track(1))], "total": 10**12}))
    assert f"{MAX_ROWS:,}" in refusal(source)
    assert server.paths().count(f"/v1/playlists/{MINE}/items") == 1
    server.reply(f"/v1/playlists/{MINE}/items", json_reply({"items": [None] * 30_000}))
    assert f"{MAX_ROWS:,}" in refusal(source)


# -- a playlist that changes -------------------------------------------------------------------------------------------


def test_a_playlist_that_changed_is_read_again(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(120), edits=2))
    assert len(source.fetch(MINE).tracks) == 120
    assert server.paths().count(f"/v1/playlists/{MINE}/items") == 6, "two readings of three pages"


def test_a_playlist_that_keeps_changing_is_told(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(120), edits=10**6))
    assert "changes while it is read" in refusal(source)
    assert server.paths().count(f"/v1/playlists/{MINE}/items") == 3 * READINGS


def test_a_single_page_cannot_be_torn(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(50), edits=10**6))
    assert len(source.fetch(MINE).tracks) == 50
    assert server.paths() == [f"/v1/playlists/{MINE}", f"/v1/playlists/{MINE}/items"]


# -- tracks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("GBAAA0000001", "GBAAA0000001"),
        ("ushm80852320", "USHM80852320"),
        ("US-HM8-08-52320", "USHM80852320"),
        ("USHM8085232", None),
        ("USHM808523201", None),
        ("12HM80852320", None),
        ("USHM8085232０", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_isrcs(given: Any, expected: str | None) -> None:
    found = track_of(row(track(1, external_ids={"isrc": given})))
    assert not isinstance(found, str) and found.isrc == expected


def test_names_are_clean() -> None:
    artists = [{"name": "A; B"}, {"name": " C\u202e\n D "}, {"name": ""}, {"name": None}, None, {}]
    found = track_of(row(track(1, name="x" * 400, artists=artists, album={"name": "a\tb"})))
    assert not isinstance(found, str)
    assert (found.title, found.artists, found.album) == ("x" * 300, ("A, B", "C D"), "a b")


@pytest.mark.parametrize(
    "changes",
    [
        {"artists": None, "album": None, "external_ids": None, "duration_ms": None, "id": None, "uri": None},
        {"artists": "A", "album": [], "external_ids": 3, "duration_ms": -1, "id": "../../x", "uri": 5},
        {"artists": [1], "album": {"name": 4}, "external_ids": [], "duration_ms": True, "id": "short", "uri": {}},
        {"artists": {}, "album": {}, "external_ids": {}, "duration_ms": 10**400, "id": 22, "uri": []},
        {"artists": [], "duration_ms": float("nan"), "id": "x" * 23, "external_ids": {"isrc": {}}, "album": {}},
    ],
)
def test_what_is_not_told_is_empty(changes: dict[str, Any]) -> None:
    found = track_of(row(track(1, **changes)))
    assert not isinstance(found, str)
    assert (found.title, found.artists, found.album) == ("Song 1", (), "")
    assert (found.duration_s, found.isrc, found.source_id, found.url) == (None, None, "", "")


def test_item_goes_before_track_and_a_boolean_is_neither() -> None:
    new, old = track(1, name="New"), track(2, name="Old")
    for both, title in (
        ({"item": new, "track": old}, "New"),
        ({"item": None, "track": old}, "Old"),
        ({"item": new, "track": True}, "New"),
    ):
        found = track_of(both)
        assert not isinstance(found, str) and found.title == title


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_not_ones_own_playlist(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(THEIRS, "Theirs", rows=songs(3), owner="eve"))
    told = refusal(source, THEIRS)
    assert "Theirs" in told and "you are neither" in told and "Exportify" in told and "CSV" in told
    assert server.paths() == [f"/v1/playlists/{THEIRS}"], "its songs are not asked for: Spotify said already"


def test_a_playlist_one_collaborates_on(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(THEIRS, "Ours", rows=songs(3), owner="eve", collaborators=(server.user,)))
    assert len(source.fetch(THEIRS).tracks) == 3


@pytest.mark.parametrize("at", [f"/v1/playlists/{MINE}", f"/v1/playlists/{MINE}/items"])
def test_forbidden(source: SpotifySource, server: SpotifyServer, at: str) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    server.reply(at, error(403, "Forbidden"))
    told = refusal(source)
    assert "only to its owner and its collaborators" in told and "Exportify" in told


def test_not_ones_own_playlist_without_a_sign_in(here: Settings, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    told = refusal(SpotifySource(here))
    assert "If it is yours, sign in" in told and "Exportify" in told


@pytest.mark.parametrize(
    "reply",
    [
        error(404, "Resource not found"),
        Reply(404, b"", ()),
        Reply(404, b"<html>not here"),
        json_reply({"error": {"type": "not_found", "description": "non existing id"}}, 404),
        json_reply({"error": "not_found"}, 404),
        json_reply(["not found"], 404),
        error(400, "Invalid base62 id"),
    ],
)
def test_a_playlist_that_is_not_there(source: SpotifySource, server: SpotifyServer, reply: Reply) -> None:
    server.reply(f"/v1/playlists/{MINE}", reply)
    told = refusal(source)
    assert "gone, private, or made by Spotify itself" in told and "Exportify" in told


def test_a_playlist_that_vanishes_while_it_is_read(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine"))
    page = json_reply({"items": [row(track(n)) for n in range(50)], "total": 100})
    server.reply(f"/v1/playlists/{MINE}/items", page, error(404))
    assert "gone, private" in refusal(source)
    server.reply(f"/v1/playlists/{MINE}/items", error(404))
    assert "gone, private" in refusal(source), "neither endpoint has it"
    assert server.paths()[-1] == f"/v1/playlists/{MINE}/tracks"


def test_a_token_that_is_not_accepted(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    server.forget_tokens()
    told = refusal(source)
    assert "Sign in again" in told and not any(secret in told for secret in server.issued)


def test_an_app_token_that_is_not_accepted(here: Settings, server: SpotifyServer) -> None:
    server.reply(f"/v1/playlists/{MINE}", error(401))
    assert "check client id and secret" in refusal(SpotifySource(here))


def test_other_refusals(source: SpotifySource, server: SpotifyServer) -> None:
    server.reply(f"/v1/playlists/{MINE}", error(451))
    assert "HTTP 451" in refusal(source)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_faults_that_pass_are_tried_again(source: SpotifySource, server: SpotifyServer, status: int) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    at = f"/v1/playlists/{MINE}/items"
    server.reply_once(at, *[error(status, Retry_After="86400")] * 3)
    assert len(source.fetch(MINE).tracks) == 3
    assert server.paths().count(at) == 4


def test_faults_that_stay_are_told(source: SpotifySource, server: SpotifyServer) -> None:
    server.reply(f"/v1/playlists/{MINE}", error(503, "Service unavailable"))
    assert "out of order at the moment (HTTP 503)" in refusal(source)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hotel wifi</html>",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"{}",
        b'{"items": ',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"error": {}}',
        b"1" * 5000,
    ],
)
@pytest.mark.parametrize("at", ["", "/items"])
def test_nonsense(source: SpotifySource, server: SpotifyServer, at: str, body: bytes) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    server.reply(f"/v1/playlists/{MINE}{at}", Reply(200, body))
    assert "cannot be read" in refusal(source)


def test_an_absurdly_large_answer(
    source: SpotifySource, server: SpotifyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spotify_web, "MAX_ANSWER_BYTES", 2_000_000)
    zipped = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    for reply in (Reply(200, b" " * 2_100_000), Reply(200, gzip.compress(b" " * 2_100_000), zipped)):
        server.reply(f"/v1/playlists/{MINE}", reply)
        assert "more than 2 MB" in refusal(source)
    server.reply(f"/v1/playlists/{MINE}", Reply(200, b"not zipped", zipped))
    assert "cannot be read" in refusal(source)


def test_zipped_answers_are_read(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine"))
    body = json.dumps({"items": [row(track(1))], "total": 1}).encode()
    zipped = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    server.reply(f"/v1/playlists/{MINE}/items", Reply(200, gzip.compress(body), zipped))
    assert len(source.fetch(MINE).tracks) == 1


def nowhere() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "proxy", "words"),
    [
        ("http://{nowhere}", "", "could not be reached. Check the network"),
        ("https://{server}", "", "could not prove who it is"),
        ("http://{server}", "http://{nowhere}", "through the proxy"),
    ],
)
def test_spotify_is_not_reached(
    here: Settings, server: SpotifyServer, monkeypatch: pytest.MonkeyPatch, address: str, proxy: str, words: str
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if proxy:
        monkeypatch.setenv("http_proxy", proxy.format(nowhere=nowhere()))
    base = address.format(nowhere=nowhere(), server=server.url.removeprefix("http://"))
    led_away = here.model_copy(update={"spotify_api_url": f"{base}/v1", "spotify_accounts_url": base})
    assert words in refusal(SpotifySource(led_away))
    assert server.requests == []


def test_an_answer_that_does_not_come(
    source: SpotifySource, server: SpotifyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spotify_web, "TIMEOUT_S", (1.0, 0.1))
    over = threading.Event()

    def slow(_query: dict[str, Any]) -> Reply:
        over.wait(0.5)
        return Reply(200, b"{}")

    server.replies[f"/v1/playlists/{MINE}"] = slow
    assert "did not answer in time" in refusal(source)
    over.set()
    monkeypatch.setattr(spotify_web, "TIMEOUT_S", (1.0, 5.0))
    monkeypatch.setattr("core.fetch.MAX_ANSWER_S", -1.0)
    assert "did not answer in time" in refusal(source), "a byte now and then"


# -- nobody else is asked ----------------------------------------------------------------------------------------------


def test_links_to_other_hosts_are_not_followed(source: SpotifySource, server: SpotifyServer, sign_in: SignIn) -> None:
    with SpotifyServer() as stranger:
        server.next_host = stranger.url
        server.add(FakePlaylist(MINE, "Mine", rows=songs(120)))
        for number in range(100, 160):
            server.add(FakePlaylist(playlist_id(number), "More"))
        assert len(source.fetch(MINE).tracks) == 120
        assert len(source.search("words", limit=20)) == 15
        assert len(sign_in.own_playlists()) == 61
        assert stranger.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(source: SpotifySource, server: SpotifyServer, status: int) -> None:
    with SpotifyServer() as stranger:
        for host in (stranger.url, server.url):
            server.requests.clear()
            server.reply(f"/v1/playlists/{MINE}", Reply(status, b"", (("Location", f"{host}/v1/elsewhere"),)))
            assert "not followed" in refusal(source)
            assert server.paths() == [f"/v1/playlists/{MINE}"]
        assert stranger.requests == []


def test_a_netrc_does_not_replace_the_token(
    source: SpotifySource, server: SpotifyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    assert len(source.fetch(MINE).tracks) == 3


def test_nothing_is_written_where_it_does_not_belong(
    here: Settings, server: SpotifyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    SpotifySource(here).search("words")
    do_sign_in(SignIn(here))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert {path.name for path in here.spotify_token.parent.iterdir()} <= {"spotify.json", "spotify.lock"}


# -- pauses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("4", 4),
        ("86400", 86_400),
        (None, 30),
        ("", 30),
        ("soon", 30),
        ("-5", 30),
        ("1.5", 30),
        ("٣", 30),
        ("9" * 30, 7 * 86_400),
    ],
)
def test_a_pause_is_told_and_kept(
    here: Settings, sign_in: SignIn, server: SpotifyServer, header: str | None, seconds: int
) -> None:
    headers = (("Retry-After", header.encode("utf-8").decode("latin-1")),) if header is not None else ()
    server.reply(f"/v1/playlists/{MINE}", Reply(429, b'{"error": {"status": 429}}', headers))
    before = datetime.now(UTC)
    with pytest.raises(RateLimited) as told:
        SpotifySource(here).fetch(MINE)
    wait_s = (told.value.retry_at - before).total_seconds()
    assert seconds <= wait_s < seconds + 5
    assert len(server.requests) == 1, "nobody tries again, nobody sleeps"
    for ask in (
        lambda: SpotifySource(here).fetch(MINE),
        lambda: SpotifySource(here).search("words"),
        lambda: sign_in.own_playlists(),
        lambda: SignIn(here).finish("code", "verifier", BACK),
    ):
        with pytest.raises(RateLimited) as again:
            ask()
        assert again.value.retry_at == told.value.retry_at
    assert len(server.requests) == 1, "until it is over, nothing is sent"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        "{}",
        '{"retry_at": 5}',
        '{"retry_at": "never"}',
        '{"retry_at": "2999-01-01T00:00:00"}',
        '{"retry_at": "2999-01-01T00:00:00+00:00"}',
        '{"retry_at": "2024-05-01T00:00:00+00:00"}',
        "[" * 10,
    ],
)
def test_a_pause_that_is_over_or_damaged_is_none(
    source: SpotifySource, server: SpotifyServer, here: Settings, note: str
) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    here.answers.mkdir(parents=True)
    (here.answers / "spotify-retry.json").write_text(note)
    assert len(source.fetch(MINE).tracks) == 3


def test_a_pause_is_told_where_it_cannot_be_kept(
    source: SpotifySource, server: SpotifyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.fetch.write_json", full)
    server.reply(f"/v1/playlists/{MINE}", error(429, Retry_After="9"))
    with pytest.raises(RateLimited):
        source.fetch(MINE)


def test_a_pause_in_the_middle_of_a_playlist(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(120)))
    page = json_reply({"items": [row(track(n)) for n in range(50)], "total": 120})
    server.reply_once(f"/v1/playlists/{MINE}/items", page, error(429, Retry_After="0"))
    with pytest.raises(RateLimited):
        source.fetch(MINE)
    (source._settings.answers / "spotify-retry.json").unlink()  # as if the shortest pause, a second, were over
    assert len(source.fetch(MINE).tracks) == 120


# -- searching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_search(here: Settings, server: SpotifyServer, shape: Shape) -> None:
    server.shape = shape
    hits = SpotifySource(here).search("  late   night ")
    assert [hit.reference for hit in hits] == [playlist_id(n) for n in range(10) if n % 4 != 3]
    first = hits[0]
    assert (first.source, first.title, first.owner, first.n_tracks) == ("spotify", "late night 0", "Ada L.", 0)
    assert first.url == f"https://open.spotify.com/playlist/{playlist_id(0)}"
    asked = server.requests[-1].query
    assert (asked["q"], asked["type"], asked["limit"]) == ("late night", "playlist", "10")


@pytest.mark.parametrize(("limit", "pages"), [(-1, 0), (0, 0), (1, 1), (10, 1), (11, 2), (25, 3), (1000, 3)])
def test_search_asks_for_ten_at_a_time(here: Settings, server: SpotifyServer, limit: int, pages: int) -> None:
    hits = SpotifySource(here).search("words", limit=limit)
    assert len(hits) <= max(limit, 0)
    asked = [seen for seen in server.requests if seen.path == "/v1/search"]
    assert len(asked) == pages
    assert all(int(seen.query["limit"]) <= 10 for seen in asked)
    assert [int(seen.query["offset"]) for seen in asked] == [0, 10, 20][:pages]


def test_search_for_nothing_asks_nobody(here: Settings, server: SpotifyServer) -> None:
    assert SpotifySource(here).search(" \n ") == []
    assert server.requests == []


def test_search_that_finds_nothing_or_nonsense(here: Settings, server: SpotifyServer) -> None:
    source = SpotifySource(here)
    server.n_found = 0
    assert source.search("words") == []
    bodies: list[dict[str, Any]] = [{}, {"playlists": None}, {"playlists": {"items": None}}, {"playlists": []}]
    for body in bodies:
        server.reply("/v1/search", json_reply(body))
        with pytest.raises(SourceError, match="cannot be read"):
            source.search("words")
    entries = [7, "x", {}, {"id": 5}, {"id": MINE, "name": None, "owner": None, "items": 3, "tracks": {"total": "x"}}]
    server.reply("/v1/search", json_reply({"playlists": {"items": entries}}))
    (hit,) = source.search("words")
    assert (hit.reference, hit.title, hit.owner, hit.n_tracks) == (MINE, "Untitled playlist", "", None)


def test_search_that_is_refused(source: SpotifySource, server: SpotifyServer) -> None:
    server.reply("/v1/search", error(400))
    with pytest.raises(SourceError, match="Try others"):
        source.search("words")
    server.allowed = False
    server.replies.clear()
    with pytest.raises(SourceError, match="User Management"):
        source.search("words")


# -- whose token -------------------------------------------------------------------------------------------------------


def test_without_anything_the_way_to_a_client_id_is_told(settings: Settings) -> None:
    told = refusal(SpotifySource(settings))
    for words in ("developer.spotify.com/dashboard", BACK, "GENRESCOPE_SPOTIFY_CLIENT_ID", "spotify_client_id"):
        assert words in told
    with pytest.raises(SourceError, match="client id"):
        SignIn(settings).begin(BACK)
    assert "client id" in refusal(SpotifySource(Settings(home=settings.home, spotify_client_id=" ")))


def test_with_a_client_id_only_one_must_sign_in(tmp_path: Path, server: SpotifyServer) -> None:
    given = Settings(home=tmp_path, **server.settings(with_secret=False))  # type: ignore[arg-type]
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    assert "not signed in" in refusal(SpotifySource(given))
    with pytest.raises(SourceError, match="not signed in"):
        SignIn(given).own_playlists()
    assert server.requests == []
    do_sign_in(SignIn(given))
    assert len(SpotifySource(given).fetch(MINE).tracks) == 3


def test_the_apps_own_token_is_asked_for_once(here: Settings, server: SpotifyServer) -> None:
    server.shape = "2021"
    server.add(FakePlaylist(MINE, "Mine", rows=songs(120)))
    source = SpotifySource(here)
    assert len(source.fetch(MINE).tracks) == 120
    source.search("words")
    assert server.paths().count("/api/token") == 1
    assert not here.spotify_token.exists()


def test_a_wrong_secret(here: Settings, server: SpotifyServer) -> None:
    wrong = Settings(home=here.home, **server.settings() | {"spotify_client_secret": "other"})  # type: ignore[arg-type]
    assert "GENRESCOPE_SPOTIFY_CLIENT_SECRET" in refusal(SpotifySource(wrong))
    odd = Settings(home=here.home, **server.settings() | {"spotify_client_secret": "ünfit"})  # type: ignore[arg-type]
    refusal(SpotifySource(odd))


@pytest.mark.parametrize("body", ["[]", "null", "{}", '{"access_token": "x", "expires_in": "long"}', "nonsense"])
def test_nonsense_from_the_sign_in_server(here: Settings, server: SpotifyServer, body: str) -> None:
    server.reply("/api/token", Reply(200, body.encode()))
    assert "cannot be read" in refusal(SpotifySource(here))
    _, _, verifier = SignIn(here).begin(BACK)
    with pytest.raises(SourceError, match="cannot be read"):
        SignIn(here).finish("code", verifier, BACK)
    assert SignIn(here).signed_in_as() is None


def test_who_is_signed_in_goes_before_the_app(source: SpotifySource, server: SpotifyServer) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    source.fetch(MINE)
    assert "/api/token" not in server.paths()


# -- signing in --------------------------------------------------------------------------------------------------------


def test_a_sign_in_from_begin_to_end(here: Settings, server: SpotifyServer) -> None:
    sign_in = SignIn(here)
    assert sign_in.signed_in_as() is None
    address, state, verifier = sign_in.begin(BACK)
    query = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
    assert address.startswith(f"{server.url}/authorize?")
    assert set(query["scope"].split()) == {"playlist-read-private", "playlist-read-collaborative"}
    assert (query["code_challenge_method"], query["state"], query["redirect_uri"]) == ("S256", state, BACK)
    assert 43 <= len(verifier) <= 128 and re.fullmatch(r"[\w.~-]+", verifier) and verifier not in address
    assert server.requests == [], "beginning asks nobody"
    assert sign_in.begin(BACK)[1:] != (state, verifier)

    brought = consent(address)
    assert brought["state"] == state
    sign_in.finish(brought["code"], verifier, BACK)
    assert sign_in.signed_in_as() == SignIn(here).signed_in_as() == "Ada L."
    assert CLIENT_SECRET not in str(server.requests), "PKCE needs no secret"

    sign_in.sign_out()
    assert sign_in.signed_in_as() is None and not here.spotify_token.exists()
    sign_in.sign_out()


def test_a_refused_consent(here: Settings, server: SpotifyServer) -> None:
    server.consents = False
    address, state, _ = SignIn(here).begin(BACK)
    assert consent(address) == {"error": "access_denied", "state": state}


def test_a_code_works_once_and_with_its_verifier(here: Settings, server: SpotifyServer) -> None:
    sign_in = SignIn(here)
    address, _, verifier = sign_in.begin(BACK)
    code = consent(address)["code"]
    for other_code, other_verifier in ((code, verifier[:-1] + "~"), (code, verifier), ("made-up", verifier)):
        with pytest.raises(SourceError, match="too old, or was used already"):
            sign_in.finish(other_code, other_verifier, BACK)
    for nothing in (("", verifier), (code, "")):
        with pytest.raises(SourceError, match="no code"):
            sign_in.finish(*nothing, BACK)
    assert sign_in.signed_in_as() is None and not here.spotify_token.exists()


def test_a_client_id_that_spotify_does_not_know(here: Settings, server: SpotifyServer) -> None:
    wrong = Settings(home=here.home, **server.settings() | {"spotify_client_id": "other"})  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="does not know the app"):
        SignIn(wrong).finish("code", "verifier", BACK)


def test_an_account_that_is_not_on_the_list(here: Settings, server: SpotifyServer) -> None:
    server.allowed = False
    with pytest.raises(SourceError, match="User Management"):
        do_sign_in(SignIn(here))
    assert SignIn(here).signed_in_as() is None


def test_someone_without_a_shown_name(here: Settings, server: SpotifyServer) -> None:
    server.user_name = None
    do_sign_in(SignIn(here))
    assert SignIn(here).signed_in_as() == server.user


def test_a_user_without_anything_is_no_user(here: Settings, server: SpotifyServer) -> None:
    server.reply("/v1/me/", json_reply({"display_name": 5}))
    with pytest.raises(SourceError, match="cannot be read"):
        do_sign_in(SignIn(here))
    assert SignIn(here).signed_in_as() is None


def test_a_token_that_lasts_absurdly_long(here: Settings, server: SpotifyServer) -> None:
    server.expires_in = 10**400
    do_sign_in(SignIn(here))
    assert SignIn(here).access_token() in server.user_tokens


def test_only_this_user_may_read_the_token(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    really = os.fdopen

    def watched(number: int, *args: Any, **kwargs: Any) -> Any:
        modes.append(stat.S_IMODE(os.fstat(number).st_mode))
        return really(number, *args, **kwargs)

    before = os.umask(0)
    try:
        here.spotify_token.parent.mkdir(parents=True, mode=0o777)
        monkeypatch.setattr(os, "fdopen", watched)
        do_sign_in(SignIn(here))
    finally:
        os.umask(before)
    assert modes == [0o600], "before the first byte"
    assert stat.S_IMODE(here.spotify_token.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.spotify_token.parent.stat().st_mode) == 0o700


def test_a_token_that_cannot_be_written_leaves_the_old_one(
    here: Settings, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = here.spotify_token.read_text()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        do_sign_in(sign_in)
    assert here.spotify_token.read_text() == was
    assert list(here.spotify_token.parent.glob(".partial-*")) == []


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "null",
        "[]",
        "{}",
        '"text"',
        '{"access_token": "a", "refresh_token": "b", "expires_at": 1}',
        '{"access_token": "a", "refresh_token": null, "expires_at": 1, "name": "x"}',
        '{"access_token": "a\\nb", "refresh_token": "b", "expires_at": 1, "name": "x"}',
        '{"access_token": "a", "refresh_token": "b", "expires_at": "soon", "name": "x"}',
        '{"access_token": "a", "refresh_token": "b", "expires_at": 1, "name": null}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_damaged_token_is_none(here: Settings, sign_in: SignIn, server: SpotifyServer, damage: str) -> None:
    here.spotify_token.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert sign_in.signed_in_as() is None and sign_in.access_token() is None
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    assert "If it is yours, sign in" in refusal(SpotifySource(here))
    do_sign_in(sign_in)
    assert sign_in.signed_in_as() == "Ada L."


def test_a_token_that_cannot_be_opened_is_none(here: Settings, sign_in: SignIn) -> None:
    here.spotify_token.unlink()
    here.spotify_token.mkdir()
    assert sign_in.signed_in_as() is None


# -- renewing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotates", [True, False])
def test_a_token_that_ended_is_renewed_and_stored(
    here: Settings, source: SpotifySource, server: SpotifyServer, rotates: bool
) -> None:
    server.rotates = rotates
    server.add(FakePlaylist(MINE, "Mine", rows=songs(120)))
    for _ in range(2):
        old = stored(here)
        expire(here)
        server.requests.clear()
        assert len(source.fetch(MINE).tracks) == 120
        new = stored(here)
        assert server.paths().count("/api/token") == 1
        assert new["access_token"] != old["access_token"] and new["name"] == "Ada L."
        assert (new["refresh_token"] == old["refresh_token"]) is not rotates
        assert stat.S_IMODE(here.spotify_token.stat().st_mode) == 0o600


def test_a_token_is_renewed_in_the_middle_of_a_playlist(
    here: Settings, source: SpotifySource, server: SpotifyServer
) -> None:
    server.add(FakePlaylist(MINE, "Mine", rows=songs(120)))

    def expire_now(_done: int, _total: int | None) -> None:
        server.forget_tokens()
        expire(here)

    assert len(source.fetch(MINE, on_progress=expire_now).tracks) == 120


def test_two_who_renew_at_once_do_it_once(here: Settings, sign_in: SignIn, server: SpotifyServer) -> None:
    expire(here)
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(SignIn(here).access_token())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1 and None not in found
    assert server.paths() == ["/api/token"]


def test_a_renewal_that_is_refused_signs_out(here: Settings, source: SpotifySource, server: SpotifyServer) -> None:
    expire(here)
    server.refresh_tokens.clear()
    assert "Sign in again" in refusal(source)
    assert not here.spotify_token.exists() and SignIn(here).signed_in_as() is None


def test_a_renewal_that_fails_otherwise_does_not(here: Settings, source: SpotifySource, server: SpotifyServer) -> None:
    expire(here)
    server.reply("/api/token", error(503))
    assert "out of order" in refusal(source)
    server.reply("/api/token", json_reply({"error": "invalid_client"}, 400))
    assert "does not know the app" in refusal(source)
    assert SignIn(here).signed_in_as() == "Ada L."
    server.replies.clear()
    assert SignIn(here).access_token() in server.user_tokens


# -- playlists of who is signed in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_own_playlists(sign_in: SignIn, server: SpotifyServer, shape: Shape) -> None:
    server.shape = shape
    for number in range(120):
        server.add(FakePlaylist(playlist_id(number), f"List {number}", rows=songs(number)))
    hits = sign_in.own_playlists()
    assert [(hit.reference, hit.title, hit.n_tracks) for hit in hits] == [
        (playlist_id(number), f"List {number}", number) for number in range(120)
    ], "all pages, without the null entry and the one without an id"
    assert server.paths() == ["/v1/me/playlists"] * 3


def test_own_playlists_refused(sign_in: SignIn, server: SpotifyServer) -> None:
    server.allowed = False
    with pytest.raises(SourceError, match="User Management"):
        sign_in.own_playlists()
    server.forget_tokens()
    with pytest.raises(SourceError, match="Sign in again"):
        sign_in.own_playlists()


def test_a_list_of_playlists_that_ends_early(sign_in: SignIn, server: SpotifyServer) -> None:
    server.reply("/v1/me/playlists", json_reply({"items": [], "total": 99}))
    assert sign_in.own_playlists() == []
    server.reply("/v1/me/playlists", json_reply({"items": [None] * 5000}))
    assert sign_in.own_playlists() == [], "one without end is given up"


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_no_secret_is_ever_told_or_logged(
    here: Settings, server: SpotifyServer, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("spotipy", "spotipy.client", "spotipy.oauth2", "spotipy.cache_handler", "urllib3", "requests", "filelock")
    for name in ("", *names):
        caplog.set_level(logging.DEBUG, logger=name or None)
    server.add(FakePlaylist(MINE, "Mine", rows=songs(3)))
    told: list[BaseException] = []
    sign_in, source = SignIn(here), SpotifySource(here)
    source.search("words")
    address, state, verifier = sign_in.begin(BACK)
    code = consent(address)["code"]
    sign_in.finish(code, verifier, BACK)
    with pytest.raises(SourceError) as used:
        sign_in.finish(code, verifier, BACK)
    told.append(used.value)
    source.fetch(MINE)
    expire(here)
    source.fetch(MINE)
    replies = [error(401), error(403), error(404), error(418), error(500), Reply(200, b"?"), Reply(302, b"")]
    for reply in [*replies, error(429, Retry_After="0")]:
        server.reply(f"/v1/playlists/{MINE}", reply)
        with pytest.raises(SourceError) as refused:
            source.fetch(MINE)
        told.append(refused.value)
    expire(here)
    server.refresh_tokens.clear()
    with pytest.raises(SourceError) as ended:
        source.fetch(MINE)
    told.append(ended.value)

    everything = caplog.text + "".join(f"{one!s}{one!r}{one.__cause__!r}" for one in told) + repr(source.__dict__)
    assert "connectionpool" in caplog.text, "logging was on"
    for secret in [*server.issued, CLIENT_SECRET, verifier, code, state]:
        assert secret not in everything
    assert "Basic " not in everything and "Bearer" not in everything
    for kept in here.home.rglob("*"):
        if kept.is_file() and kept != here.spotify_token:
            assert not any(secret in kept.read_text() for secret in server.issued)


def test_a_stored_token_does_not_show_itself(here: Settings, sign_in: SignIn, server: SpotifyServer) -> None:
    shown = repr(sign_in._read())
    assert "Ada L." in shown and not any(secret in shown for secret in server.issued)


# -- recorded answers --------------------------------------------------------------------------------------------------

NCS, EDITORIAL = "5LkNhFidYyyjRWwnkcMbQs", "37i9dQZF1DZ06evO25rXbO"
FOLDERS = [("recorded", "tracks"), ("shape_2026", "items")]


def play(server: SpotifyServer, endpoint: str, of: str, body: Path, head: Path | None = None) -> None:
    """Have `server` tell recorded rows of playlist `of`, at the endpoint of their year."""
    server.shape = "2021" if endpoint == "tracks" else "2026"
    server.add(FakePlaylist(of, "Recorded"))
    server.reply(f"/v1/playlists/{of}/{endpoint}", Reply(200, body.read_bytes()))
    if head is not None:
        server.reply(f"/v1/playlists/{of}", Reply(200, head.read_bytes()))


@pytest.mark.parametrize(("folder", "endpoint"), FOLDERS)
def test_recorded_a_playlist_with_a_withdrawn_track(
    source: SpotifySource, server: SpotifyServer, recorded: Path, folder: str, endpoint: str
) -> None:
    play(server, endpoint, NCS, recorded / folder / "playlist_items.json", recorded / folder / "playlist_full.json")
    playlist = source.fetch(f"https://open.spotify.com/playlist/{NCS}?si=1")
    assert (playlist.title, playlist.owner) == ("Top 10 NCS Songs Episode 2", "Teejay.limm")
    assert (len(playlist.tracks), playlist.skipped, playlist.n_listed) == (9, {"withdrawn": 1}, 10)
    first = playlist.tracks[0]
    assert (first.title, first.artists, first.album) == ("Cradles", ("Sub Urban",), "Cradles")
    assert (first.isrc, first.duration_s, first.source_id) == ("GB2LD1800949", 209.829, "18A7ha5BitZjmdHTCwXFbU")


@pytest.mark.parametrize(("folder", "endpoint"), FOLDERS)
@pytest.mark.parametrize(
    ("name", "n_tracks", "n_different"),
    [
        ("playlist_items_editorial_48", 48, 48),
        ("playlist_items_only_duplicates", 8, 2),
        ("playlist_items_with_duplicate", None, None),
        ("playlist_items_same_name", None, None),
    ],
)
def test_recorded_rows(
    source: SpotifySource,
    server: SpotifyServer,
    recorded: Path,
    folder: str,
    endpoint: str,
    name: str,
    n_tracks: int | None,
    n_different: int | None,
) -> None:
    path = recorded / folder / f"{name}.json"
    play(server, endpoint, MINE, path)
    playlist = source.fetch(MINE)
    rows = json.loads(path.read_text())
    assert len(playlist.tracks) == (n_tracks or rows["total"]), (
        "duplicates are kept: what is one song is asked elsewhere"
    )
    ids = {one.source_id for one in playlist.tracks}
    assert len(ids) == (n_different or len(playlist.tracks) - 1) and "" not in ids
    for listed, one in zip(playlist.tracks, rows["items"], strict=True):
        real = one[endpoint.removesuffix("s")]
        assert listed.title == " ".join(real["name"].split())
        assert listed.isrc == real["external_ids"]["isrc"].upper()
        assert listed.artists == tuple(artist["name"] for artist in real["artists"])
        assert listed.duration_s == real["duration_ms"] / 1000


@pytest.mark.parametrize(("year", "endpoint"), [("2021", "tracks"), ("2026", "items")])
def test_recorded_pages(
    source: SpotifySource, server: SpotifyServer, recorded: Path, year: Shape, endpoint: str
) -> None:
    server.shape = year
    server.add(FakePlaylist(EDITORIAL, "48"))
    pages = {20 * (n - 1): (recorded / "derived_edge" / f"paged_{year}_page{n}.json").read_bytes() for n in range(1, 4)}
    server.reply_pages(f"/v1/playlists/{EDITORIAL}/{endpoint}", pages)
    playlist = source.fetch(EDITORIAL)
    assert len({one.source_id for one in playlist.tracks}) == playlist.n_listed == 48


@pytest.mark.parametrize(("year", "endpoint"), [("2021", "tracks"), ("2026", "items")])
def test_recorded_rows_that_are_no_songs(
    source: SpotifySource, server: SpotifyServer, recorded: Path, year: Shape, endpoint: str
) -> None:
    play(server, endpoint, MINE, recorded / "derived_edge" / f"items_null_local_episode_{year}.json")
    playlist = source.fetch(MINE)
    assert playlist.skipped == {"withdrawn": 1, "empty row": 1, "local file": 1, "podcast": 1}
    assert len(playlist.tracks) == 6


def test_recorded_a_playlist_of_somebody_else(source: SpotifySource, server: SpotifyServer, recorded: Path) -> None:
    head = recorded / "derived_edge" / "playlist_2026_not_owned.json"
    server.reply(f"/v1/playlists/{NCS}", Reply(200, head.read_bytes()))
    told = refusal(source, NCS)
    assert "Top 10 NCS Songs Episode 2" in told and "you are neither" in told
    assert len(server.requests) == 1


@pytest.mark.parametrize(("folder", "endpoint"), FOLDERS)
def test_recorded_an_old_playlist(
    source: SpotifySource, server: SpotifyServer, recorded: Path, folder: str, endpoint: str
) -> None:
    old = recorded / folder
    play(server, endpoint, MINE, old / "jmperez_playlist_tracks.json", old / "jmperez_playlist.json")
    rows = json.loads((old / "jmperez_playlist_tracks.json").read_text())["items"]
    playlist = source.fetch(MINE, limit=len(rows))
    assert len(playlist.tracks) == len(rows) and playlist.title and all(one.isrc for one in playlist.tracks)


@pytest.mark.parametrize(("folder", "_"), FOLDERS)
@pytest.mark.parametrize(
    ("name", "n_hits"),
    [("search_playlists_with_nulls", 6), ("search_playlists_2023", 10), ("jmperez_search_playlist", 5)],
)
def test_recorded_searches(
    here: Settings, server: SpotifyServer, recorded: Path, folder: str, _: str, name: str, n_hits: int
) -> None:
    server.reply("/v1/search", Reply(200, (recorded / folder / f"{name}.json").read_bytes()))
    hits = SpotifySource(here).search("this is gorillaz")
    assert len(hits) == n_hits
    assert all(hit.title and hit.owner and hit.n_tracks and re.fullmatch(r"\w{22}", hit.reference) for hit in hits)


@pytest.mark.parametrize(("folder", "_"), FOLDERS)
def test_recorded_playlists_of_a_user(
    sign_in: SignIn, server: SpotifyServer, recorded: Path, folder: str, _: str
) -> None:
    server.reply("/v1/me/playlists", Reply(200, (recorded / folder / "jmperez_user_playlists.json").read_bytes()))
    hits = sign_in.own_playlists()
    assert hits[0].title == "Brit Awards 2010"
    assert len(hits) == 3 and hits[0].n_tracks == 68


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("error_401_token_expired", 401, "Sign in again"),
        ("error_429_rate_limited", 429, "asks for a pause"),
        ("error_503_unavailable", 503, "out of order"),
        ("error_504_gateway_timeout", 504, "out of order"),
        ("error_404_empty_body", 404, "gone, private"),
        ("jmperez_error_id_not_found", 404, "gone, private"),
    ],
)
def test_recorded_errors(
    source: SpotifySource, server: SpotifyServer, recorded: Path, name: str, status: int, words: str
) -> None:
    body = (recorded / "recorded" / f"{name}.json").read_bytes()
    server.reply(f"/v1/playlists/{MINE}", Reply(status, body))
    assert words in refusal(source)
