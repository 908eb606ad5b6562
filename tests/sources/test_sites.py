import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import RateLimited, SourceError
from core.music import ListedTrack
from core.settings import Settings
from core.sources import site_entries
from core.sources.sites import SITES, SiteSource
from tests.loopback import Answer, Asked, as_json
from tests.sources import site_pages
from tests.sources.conftest import Internet
from tests.sources.site_pages import Song, Video, YouTube

BY_NAME = {site.name: site for site in SITES}
LIST = "PL" + "a1B2" * 8
ALBUM = "OLAK5uy_" + "k" * 33


def source(name: str, settings: Settings) -> SiteSource:
    return SiteSource(BY_NAME[name], settings)


@pytest.fixture
def youtube(settings: Settings) -> SiteSource:
    return source("youtube", settings)


# -- which addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "reference"),
    [
        ("youtube", f"https://www.youtube.com/playlist?list={LIST}", LIST),
        ("youtube", f"youtube.com/playlist?list={LIST}&si=x", LIST),
        ("youtube", f" https://m.youtube.com/watch?v=dQw4w9WgXcQ&list={LIST}&index=3\n", LIST),
        ("youtube", f"https://youtu.be/dQw4w9WgXcQ?list={LIST}", LIST),
        ("youtube", f"https://music.youtube.com/playlist?list={ALBUM}", ALBUM),
        ("youtube", f"https://music.youtube.com/browse/VL{LIST}", LIST),
        ("youtube", f"HTTPS://WWW.YouTube.com/playlist?list={LIST}", LIST),
        ("youtube", LIST, LIST),
        ("youtube", "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=RDdQw4w9WgXcQ", "RDdQw4w9WgXcQ"),
        ("soundcloud", "https://m.soundcloud.com/some-body/sets/a_list?in=x", "https://soundcloud.com/some-body/sets/a_list"),
        ("soundcloud", "soundcloud.com/a/sets/b/s-T0k3n", "https://soundcloud.com/a/sets/b/s-T0k3n"),
        ("bandcamp", "http://band.bandcamp.com/album/an-album?from=x#y", "https://band.bandcamp.com/album/an-album"),
        ("jamendo", "https://www.jamendo.com/album/121486/duck-on-cover", "https://www.jamendo.com/album/121486"),
        ("audius", "https://audius.co/a/playlist/my-list-12", "https://audius.co/a/playlist/my-list-12"),
        ("audius", "https://www.audius.co/a/album/my-album", "https://audius.co/a/album/my-album"),
        ("archive", "https://archive.org/details/gd77-05-08.sbd", "https://archive.org/details/gd77-05-08.sbd"),
    ],
)  # fmt: skip
def test_addresses_are_brought_to_one_form(settings: Settings, name: str, text: str, reference: str) -> None:
    assert source(name, settings).recognise(text) == reference
    assert source(name, settings).recognise(reference) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PL",
        "PLEASE",
        "a" * 22,
        "PL" + "a" * 20,
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        f"https://www.youtube.com.evil.example/playlist?list={LIST}",
        f"https://evil.example/playlist?list={LIST}",
        f"https://www.youtube.com@evil.example/playlist?list={LIST}",
        f"https://www.youtube.com:8443/playlist?list={LIST}",
        f"http://127.0.0.1/playlist?list={LIST}",
        f"https://[::1/playlist?list={LIST}",
        "https://bandcamp.com/album/x",
        "https://www.bandcamp.com/album/x",
        "https://a.b.bandcamp.com/album/x",
        "https://evil.example/x.bandcamp.com/album/x",
        "https://evil.example?bandcamp.com/album/x",
        "https://band.bandcamp.com/track/x",
        "https://soundcloud.com/a/one-song",
        "https://soundcloud.com/a/sets/../../b",
        "https://archive.org/details/item/file.mp3",
        "https://archive.org/details/..%2F..",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "ytsearch5:x",
        "https://soundcloud.com/a/sets/b\nhttps://evil.example",
    ],
)
def test_nothing_else_is_recognised(settings: Settings, text: str) -> None:
    assert {site.name: site.recognise(text) for site in SITES} == dict.fromkeys(BY_NAME)


def test_only_the_extractors_of_the_table_are_loaded(settings: Settings) -> None:
    for site in SITES:
        with SiteSource(site, settings)._reader() as reader:
            names = {extractor.IE_NAME.casefold() for extractor in reader._ies.values()}
            assert names == {name.casefold() for name in site.extractors}
            assert "generic" not in names


def test_what_is_no_reference_reaches_nobody(internet: Internet, youtube: SiteSource) -> None:
    server = internet(YouTube())
    for reference in ("https://evil.example/x", f"https://www.youtube.com/playlist?list={LIST}", "", "../x"):
        with pytest.raises(SourceError, match="no playlist of YouTube"):
            youtube.fetch(reference)
    assert server.asked == []


@pytest.mark.parametrize("reference", ["RDdQw4w9WgXcQ", "RDMM", "RDAMVMdQw4w9WgXcQ"])
def test_a_mix_is_refused_plainly(internet: Internet, youtube: SiteSource, reference: str) -> None:
    server = internet(YouTube())
    with pytest.raises(SourceError, match=r"mix.*cannot be read"):
        youtube.fetch(reference)
    with pytest.raises(SourceError, match="signed in"):
        youtube.fetch("WL")
    assert server.asked == []


# -- YouTube -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lockups", [True, False])
def test_a_playlist_of_several_pages(internet: Internet, youtube: SiteSource, lockups: bool) -> None:
    videos = [
        Video(f"v{number:010d}", f"Artist {number % 7} - Song {number}", "Uploads", "4:05") for number in range(250)
    ]
    server = internet(YouTube({LIST: ("My list", "Ada", videos)}, lockups=lockups))
    told: list[tuple[int, int | None]] = []
    playlist = youtube.fetch(LIST, on_progress=lambda done, total: told.append((done, total)))
    assert (playlist.source, playlist.reference, playlist.title, playlist.owner) == ("youtube", LIST, "My list", "Ada")
    assert playlist.url == f"https://www.youtube.com/playlist?list={LIST}"
    assert playlist.n_listed == 250 and not playlist.skipped
    assert playlist.tracks[249] == ListedTrack(
        "Song 249",
        ("Artist 4",),
        duration_s=245.0,
        source_id="v0000000249",
        url="https://www.youtube.com/watch?v=v0000000249",
    )
    assert told[0] == (50, 250) and told[-1] == (250, 250)
    assert {asked.host for asked in server.asked} == {"www.youtube.com"}
    assert all("Cookie" not in asked.headers or "SID" not in asked.headers["Cookie"] for asked in server.asked)


def test_only_as_many_pages_are_read_as_needed(internet: Internet, youtube: SiteSource) -> None:
    videos = [Video(f"v{number:010d}", f"A - {number}", "U") for number in range(1000)]
    server = internet(YouTube({LIST: ("L", "Ada", videos)}))
    assert len(youtube.fetch(LIST, limit=120).tracks) == 120
    assert len(youtube.fetch(LIST, limit=100).tracks) == 100
    assert youtube.fetch(LIST, limit=0).tracks == ()
    continued = [asked for asked in server.asked if b'"continuation"' in asked.body]
    assert len(continued) == 1


def test_what_is_gone_is_counted(internet: Internet, youtube: SiteSource) -> None:
    videos = [
        Video("a" * 11, "[Private video]"),
        Video("b" * 11, "[Deleted video]"),
        Video("c" * 11, "A - B", "C"),
        Video("d" * 11, "", "C"),
    ]
    for lockups in (True, False):
        internet(YouTube({LIST: ("L", "Ada", videos)}, lockups=lockups))
        playlist = youtube.fetch(LIST)
        assert [track.title for track in playlist.tracks] == ["B"]
        assert playlist.skipped == {"unavailable": 3}


def test_an_album_of_youtube_music(internet: Internet, youtube: SiteSource) -> None:
    videos = [Video("a" * 11, "One - Two (Official Video)", "Some Band - Topic")]
    internet(YouTube({ALBUM: ("The Album", "", videos)}))
    track = youtube.fetch(ALBUM).tracks[0]
    assert (track.title, track.artists, track.album) == ("One - Two (Official Video)", ("Some Band",), "The Album")


def test_search_finds_playlists(internet: Internet, youtube: SiteSource) -> None:
    found = [(f"PL{number:032d}", f"Jazz {number} <b>&amp;</b>\u202e", f"Maker {number}") for number in range(30)]
    found.insert(1, ("RDCMUCxyzxyzxyzxyz", "A mix", "YouTube"))
    found.insert(2, found[0])
    server = internet(YouTube(found=found))
    hits = youtube.search("jazz & blues", limit=5)
    assert [hit.reference for hit in hits] == [f"PL{number:032d}" for number in range(5)]
    assert (hits[0].title, hits[0].owner) == ("Jazz 0 <b>&amp;</b>", "Maker 0")
    assert json.loads(server.asked[-1].body)["query"] == "jazz & blues"
    assert youtube.search("  ") == [] and youtube.search("x", limit=0) == []


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("The playlist does not exist.", "deleted"),
        ("This playlist is private.", "private"),
        ("This playlist type is unviewable.", "deleted"),
        ("The uploader has not made this video available in your country", "country"),
        ("Es ist ein Fehler aufgetreten.", "yt-dlp"),
    ],
)
def test_what_youtube_says_is_told_plainly(
    internet: Internet, youtube: SiteSource, said: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    internet(YouTube(alerts={LIST: said}))
    with pytest.raises(SourceError, match=told) as error:
        youtube.fetch(LIST)
    assert not isinstance(error.value, RateLimited) and "http" not in str(error.value)
    assert capfd.readouterr() == ("", ""), "nothing is printed"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(b"", 500), "problem of its own"),
        (Answer(b"", 403), "refuses"),
        (Answer(b"", 404), "deleted"),
        (Answer(b"<html>hello</html>"), "yt-dlp"),
        (Answer(b"\x00\xff" * 100), "yt-dlp"),
        (Answer(b'<script>var ytInitialData = {"contents": [1, "x"]};</script>'), "yt-dlp"),
        (Answer(cut=True), "could not be reached"),
    ],
)
def test_broken_answers(internet: Internet, youtube: SiteSource, answer: Answer, told: str) -> None:
    internet(lambda _: answer)
    with pytest.raises(SourceError, match=told):
        youtube.fetch(LIST)


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (Answer(b"", 429), 3600),
        (Answer(b"", 429, {"Retry-After": "120"}), 120),
        (as_json({"alerts": [{"x": {"type": "ERROR", "text": {"simpleText": "Sign in to confirm you’re not a bot"}}}]}), 3600),
    ],
)  # fmt: skip
def test_a_pause_is_kept(
    internet: Internet, youtube: SiteSource, settings: Settings, answer: Answer, wait_s: float
) -> None:
    server = internet(lambda _: answer)
    with pytest.raises(RateLimited, match="YouTube") as told:
        youtube.fetch(LIST)
    assert told.value.retry_at - datetime.now(UTC) == pytest.approx(
        timedelta(seconds=wait_s), abs=timedelta(seconds=20)
    )
    asked = len(server.asked)
    for again in (youtube, source("youtube", settings)):
        with pytest.raises(RateLimited):
            again.fetch(LIST)
        with pytest.raises(RateLimited):
            again.search("x")
    assert len(server.asked) == asked
    source("archive", settings)._pause.check()  # another site is not paused


def test_a_server_that_cannot_prove_itself_is_not_believed(
    internet: Internet, youtube: SiteSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi

    server = internet(YouTube({LIST: ("L", "", [])}))
    monkeypatch.undo()
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setattr("core.sources.sites.PAUSE_S", 0)
    assert "both.pem" not in certifi.where()
    with pytest.raises(SourceError, match="certificate"):
        youtube.fetch(LIST)
    assert server.asked == []


def test_a_fault_between_pages_is_told(internet: Internet, youtube: SiteSource) -> None:
    whole = YouTube({LIST: ("L", "Ada", [Video(f"v{number:010d}", "A - B", "C") for number in range(150)])})

    def answer(asked: Asked) -> Answer:
        return Answer(b"", 429) if b'"continuation"' in asked.body else whole(asked)

    internet(answer)
    with pytest.raises(RateLimited):
        youtube.fetch(LIST)


# -- the others --------------------------------------------------------------------------------------------------------

Pages = Callable[[str, list[Song]], Any]

OTHERS: list[tuple[str, str, Pages]] = [
    ("bandcamp", "https://band.bandcamp.com/album/a", site_pages.bandcamp),
    ("archive", "https://archive.org/details/a-item", site_pages.archive),
    ("soundcloud", "https://soundcloud.com/somebody/sets/a", site_pages.soundcloud),
    ("audius", "https://audius.co/somebody/playlist/a", site_pages.audius),
    ("jamendo", "https://www.jamendo.com/album/1", site_pages.jamendo),
]
SONGS = [Song(number, f"Song {number}", f"Artist {number % 3}", 100.0 + number) for number in range(1, 13)]


@pytest.mark.parametrize(("name", "reference", "pages"), OTHERS, ids=[name for name, _, _ in OTHERS])
def test_a_list_of_another_site(
    internet: Internet, settings: Settings, name: str, reference: str, pages: Pages
) -> None:
    internet(pages("The List", SONGS))
    playlist = source(name, settings).fetch(reference)
    assert (playlist.title, playlist.reference, playlist.url) == ("The List", reference, reference)
    assert [track.title for track in playlist.tracks] == [song.title for song in SONGS]
    assert [track.artists for track in playlist.tracks] == [(song.artist,) for song in SONGS]
    assert [track.duration_s for track in playlist.tracks] == [song.duration_s for song in SONGS]
    assert len({track.source_id for track in playlist.tracks}) == len(SONGS)
    assert playlist.n_listed == len(SONGS) and playlist.skipped == {}
    if name != "audius":  # which has no addresses by id
        assert all(track.url.startswith("https://") for track in playlist.tracks)
    if name in ("bandcamp", "jamendo", "archive"):
        assert {track.album for track in playlist.tracks} == {"The List"}


@pytest.mark.parametrize(
    ("name", "reference", "pages"), [one for one in OTHERS if one[0] != "archive"], ids=lambda one: str(one)[:12]
)
def test_a_song_that_is_gone_does_not_hide_the_others(
    internet: Internet, settings: Settings, name: str, reference: str, pages: Pages
) -> None:
    internet(pages("The List", [*SONGS[:2], replace(SONGS[2], gone=True), *SONGS[3:]]))
    playlist = source(name, settings).fetch(reference)
    assert len(playlist.tracks) == len(SONGS) - 1 and playlist.skipped == {"unavailable": 1}


@pytest.mark.parametrize(("name", "reference", "pages"), OTHERS, ids=[name for name, _, _ in OTHERS])
def test_a_list_that_is_gone(internet: Internet, settings: Settings, name: str, reference: str, pages: Pages) -> None:
    internet(lambda asked: Answer(b"<html></html>", 404))
    with pytest.raises(SourceError):
        source(name, settings).fetch(reference)
    assert source(name, settings).search("x") == []


def test_soundcloud_is_asked_for_many_songs_at_once(internet: Internet, settings: Settings) -> None:
    songs = [Song(number, f"Song {number}", "A") for number in range(1, 121)]
    server = internet(site_pages.soundcloud("L", songs))
    tracks = source("soundcloud", settings).fetch("https://soundcloud.com/somebody/sets/a").tracks
    assert [track.source_id for track in tracks] == [str(song.id) for song in songs]
    assert tracks[99].isrc == "GBAAA0000100"
    assert server.paths.count("/tracks") == 3


# -- titles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "title", "artists"),
    [
        ({"title": "A - B", "channel": "C"}, "B", ("A",)),
        ({"title": "A – B [Official Music Video] (HD)", "channel": "C"}, "B", ("A",)),
        ({"title": "A - B (Live at X) (Official Video)", "channel": "C"}, "B (Live at X)", ("A",)),
        ({"title": "A - B (Lyric Video) | Official Video", "channel": "C"}, "B", ("A",)),
        ({"title": "A - B (Official Remix)", "channel": "C"}, "B (Official Remix)", ("A",)),
        ({"title": "Draft - Left (The Music)", "channel": "C"}, "Left (The Music)", ("Draft",)),
        ({"title": "Just a title (Audio)", "channel": "C"}, "Just a title", ("C",)),
        ({"title": "(Official Video)", "channel": "C"}, "(Official Video)", ("C",)),
        ({"title": "A - B", "channel": "C - Topic"}, "A - B", ("C",)),
        ({"title": "A - B", "artists": ["A", "D; E"], "channel": "C"}, "B", ("A", "D, E")),
        ({"title": "A - B", "artist": "F", "channel": "C"}, "A - B", ("F",)),
        ({"title": "X - Y", "track": "Y", "artist": "X"}, "Y", ("X",)),
        ({"title": "A-ha", "channel": ""}, "A-ha", ()),
        ({"title": "Hello (Official Video)", "channel": "AdeleVEVO"}, "Hello", ("Adele",)),
    ],
)
def test_titles_and_artists(entry: dict[str, Any], title: str, artists: tuple[str, ...]) -> None:
    track = site_entries.track_of(entry)
    assert (track.title, track.artists) == (title, artists)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"title": "[Private video]"}, "unavailable"),
        ({"title": None}, "unavailable"),
        ({}, "unavailable"),
        ({"title": "x", "live_status": "is_live"}, "live stream"),
        ({"title": "x", "live_status": "was_live"}, None),
        ({"title": "x", "ie_key": "YoutubeTab"}, "no song"),
        ({"title": "x", "ie_key": "Youtube"}, None),
    ],
)
def test_what_is_no_track(entry: dict[str, Any], reason: str | None) -> None:
    assert site_entries.reason_to_skip(entry) == reason
