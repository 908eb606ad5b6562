"""What `core.sources.contract` promises, of every source alike, each against what it really asks: a server, or a file."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import escape

import pytest

from core.errors import JobStopped, RateLimited, SourceError
from core.music import Playlist
from core.names import MAX_NAME, clean
from core.settings import Settings
from core.sources import registry
from core.sources.contract import PlaylistSource
from tests.loopback import Answer, Asked, as_json, serving
from tests.sources import deezer_server, site_pages, spotify_server
from tests.sources.conftest import Internet

Songs = Sequence[tuple[str, str]]
"""(artist, title) of each."""

SOURCES = (
    *("spotify", "youtube", "deezer", "soundcloud", "bandcamp", "jamendo", "audius", "archive"),
    *("csv", "m3u", "xspf", "text"),
)
ONE_BY_ONE = ("bandcamp", "jamendo", "audius")
"""These ask for each song by itself; their lists are albums, or short."""

ODD = [
    ("Motörhead", "Ace of Spades"),
    ("東京事変", "群青日和"),
    ("أم كلثوم", "إنت عمري"),
    ("Ænima \U0001f3b8", "naïve\u00a0café"),
    ("<b>Bold</b>", "<script>alert('x')</script>"),
    ("R&B &quot", "Rock &amp; Roll &lt;3"),
    ("+44", "=1+1"),
    ("@SUM(A1)", '=HYPERLINK("http://x";"y")'),
    ("Hidden\u202e\u200b", "turned\u202etxt"),
    ("Long", "x" * 400),
    ("{0}%s$HOME", "'; DROP TABLE tracks; --"),
]


class Place(Protocol):
    """Where a source finds its playlists, as far as a test may change it."""

    def put(self, title: str, songs: Songs) -> str:
        """A playlist appears; the text by which a person would name it."""

    def empty(self) -> None:
        """All playlists are gone."""


# -- places ------------------------------------------------------------------------------------------------------------


class SpotifyPlace:
    """Spotify as it was in 2021, where an app may read every public playlist."""

    def __init__(self, server: spotify_server.SpotifyServer) -> None:
        self.server = server

    def put(self, title: str, songs: Songs) -> str:
        rows = [
            spotify_server.row(spotify_server.track(number, name=name, artists=[{"name": artist}]))
            for number, (artist, name) in enumerate(songs, 1)
        ]
        self.server.add(spotify_server.FakePlaylist(spotify_server.playlist_id(1), title, rows=rows))
        return f"https://open.spotify.com/playlist/{spotify_server.playlist_id(1)}?si=x"

    def empty(self) -> None:
        self.server.playlists.clear()


class DeezerPlace:
    def __init__(self, deezer: deezer_server.Deezer) -> None:
        self.deezer = deezer
        self.deezer.found = [{"id": n, "title": f"List\u202e {n} <b>", "user": {"name": "Ada"}} for n in range(1, 40)]

    def put(self, title: str, songs: Songs) -> str:
        rows = [
            deezer_server.song(number, title=name, artist={"name": artist})
            for number, (artist, name) in enumerate(songs, 1)
        ]
        self.deezer.playlists[1] = (title, rows)
        return "https://www.deezer.com/en/playlist/1"

    def empty(self) -> None:
        self.deezer.playlists.clear()


class YouTubePlace:
    def __init__(self, youtube: site_pages.YouTube) -> None:
        self.youtube = youtube
        self.youtube.found = [(f"PL{number:032d}", f"List\u202e {number} <b>", "Ada") for number in range(40)]

    def put(self, title: str, songs: Songs) -> str:
        videos = [
            site_pages.Video(f"v{number:010d}", f"{artist} - {name}", "Somebody")
            for number, (artist, name) in enumerate(songs)
        ]
        self.youtube.lists["PL" + "x" * 32] = (title, "Ada", videos)
        return "https://music.youtube.com/playlist?list=PL" + "x" * 32

    def empty(self) -> None:
        self.youtube.lists.clear()


class SitePlace:
    """A site whose pages are made by a function of `site_pages`."""

    def __init__(self, name: str) -> None:
        self.make: Callable[[str, list[site_pages.Song]], Any] = getattr(site_pages, name)
        self.address = {
            "soundcloud": "https://m.soundcloud.com/somebody/sets/a?x=y",
            "bandcamp": "http://band.bandcamp.com/album/a",
            "jamendo": "https://www.jamendo.com/album/1/a-name",
            "audius": "https://audius.co/somebody/playlist/a",
            "archive": "https://archive.org/details/a-item",
        }[name]
        self.answer: Callable[[Asked], Answer] | None = None

    def __call__(self, asked: Asked) -> Answer:
        return self.answer(asked) if self.answer else as_json({}, 404)

    def put(self, title: str, songs: Songs) -> str:
        made = [site_pages.Song(number, name, artist) for number, (artist, name) in enumerate(songs, 1)]
        self.answer = self.make(title, made)
        return self.address

    def empty(self) -> None:
        self.answer = None


class FilePlace:
    """A file of its kind, written as others write them."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.path = folder / "unnamed"

    def put(self, title: str, songs: Songs) -> str:
        ending = {"text": "txt"}.get(self.kind, self.kind)
        self.path = self.folder / f"{title.replace(' ', '_')}.{ending}"
        with self.path.open("w", encoding="utf-8", newline="") as file:
            if self.kind == "csv":
                rows = [(f"spotify:track:{n:022d}", name, artist) for n, (artist, name) in enumerate(songs)]
                csv.writer(file).writerows([("Track URI", "Track Name", "Artist Name(s)"), *rows])
            else:
                file.write(self._text(songs))
        return self.path.as_uri()

    def _text(self, songs: Songs) -> str:
        lines = [f"{artist} - {name}" for artist, name in songs]
        if self.kind == "text":
            return "\n".join(lines)
        if self.kind == "m3u":
            return "#EXTM3U\n" + "".join(f"#EXTINF:200,{line}\n{n}.mp3\n" for n, line in enumerate(lines))
        tracks = "".join(
            f"<track><creator>{escape(artist)}</creator><title>{escape(name)}</title></track>" for artist, name in songs
        )
        return f'<playlist xmlns="http://xspf.org/ns/0/"><trackList>{tracks}</trackList></playlist>'

    def empty(self) -> None:
        self.path.unlink(missing_ok=True)


@pytest.fixture(params=SOURCES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def world(
    name: str, settings: Settings, tmp_path: Path, stack: ExitStack, request: pytest.FixtureRequest
) -> tuple[Place, dict[str, PlaylistSource]]:
    """The place of one source, and all sources as the app makes them."""
    where: dict[str, str] = {}
    place: Place
    if name == "spotify":
        server = stack.enter_context(spotify_server.SpotifyServer(shape="2021"))
        place, where = SpotifyPlace(server), server.settings()
    elif name == "deezer":
        deezer = deezer_server.Deezer()
        place, where = DeezerPlace(deezer), {"deezer_api_url": stack.enter_context(serving(deezer)).url}
    elif name in ("csv", "m3u", "xspf", "text"):
        place = FilePlace(name, tmp_path)
    else:
        internet: Internet = request.getfixturevalue("internet")
        if name == "youtube":
            youtube = site_pages.YouTube()
            internet(youtube)
            place = YouTubePlace(youtube)
        else:
            place = SitePlace(name)
            internet(place)
    return place, registry.sources(Settings(**json.loads(settings.model_dump_json()) | where))


@pytest.fixture
def place(world: tuple[Place, dict[str, PlaylistSource]]) -> Place:
    return world[0]


@pytest.fixture
def sources(world: tuple[Place, dict[str, PlaylistSource]]) -> dict[str, PlaylistSource]:
    return world[1]


@pytest.fixture
def source(sources: dict[str, PlaylistSource], name: str) -> PlaylistSource:
    return sources[name]


def some(n: int) -> Songs:
    return [(f"Artist {number % 7}", f"Song {number}") for number in range(1, n + 1)]


def read(source: PlaylistSource, text: str, **options: Any) -> Playlist:
    reference = source.recognise(text)
    assert reference is not None
    return source.fetch(reference, **options)


# -- the promises ------------------------------------------------------------------------------------------------------


def test_every_source_is_held_to_the_contract(settings: Settings) -> None:
    assert tuple(sorted(registry.sources(settings))) == tuple(sorted(SOURCES))


def test_a_reference_is_recognised_by_its_source_alone(
    name: str, place: Place, source: PlaylistSource, sources: dict[str, PlaylistSource]
) -> None:
    assert source.name == name and source.title and clean(source.title) == source.title
    text = place.put("A list", some(1))
    reference = source.recognise(f"  {text}\n")
    assert reference and source.recognise(reference) == reference
    for given in (text, reference):
        assert registry.recognise(given, sources) == (name, reference)
        assert [other for other in sources if sources[other].recognise(given)] == [name]
    for nonsense in ("", " ", "no playlist", "https://example.org/x", "http://[", "a\0b", "ä" * 5000):
        assert source.recognise(nonsense) is None


def test_a_playlist_comes_whole_and_clean(name: str, place: Place, source: PlaylistSource) -> None:
    playlist = read(source, place.put("A list", some(7)))
    assert (playlist.source, playlist.title) == (name, "A list")
    assert playlist.reference == source.recognise(playlist.reference)
    assert [(*one.artists, one.title) for one in playlist.tracks] == list(some(7))
    assert playlist.skipped == {} and playlist.n_listed in (7, None)
    assert playlist.url == "" or playlist.url.startswith("https://")
    assert all(one.duration_s is None or 10 < one.duration_s < 1000 for one in playlist.tracks)
    assert source.fetch(playlist.reference) == playlist, "nothing changed, so nothing is different"


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "bandcamp"])  # which has no page without songs
def test_an_empty_playlist(name: str, place: Place, source: PlaylistSource) -> None:
    assert read(source, place.put("A list", [])).tracks == ()


@pytest.mark.parametrize("limit", [0, 1, 5, 7, 100])
def test_no_more_than_the_limit_is_read(place: Place, source: PlaylistSource, limit: int) -> None:
    playlist = read(source, place.put("A list", some(7)), limit=limit)
    assert [one.title for one in playlist.tracks] == [title for _, title in some(7)[:limit]]


def test_odd_names_stay_text(place: Place, source: PlaylistSource) -> None:
    playlist = read(source, place.put("=List <i>ä & {0}", ODD))
    assert playlist.title == "=List <i>ä & {0}"
    found = [(*one.artists, one.title[:250]) for one in playlist.tracks]
    assert found == [(clean(artist), clean(title)[:250]) for artist, title in ODD]
    assert all(len(one.title) <= MAX_NAME for one in playlist.tracks)


def test_progress_grows_to_the_end(place: Place, source: PlaylistSource) -> None:
    told: list[tuple[int, int | None]] = []
    read(source, place.put("A list", some(55)), on_progress=lambda *said: told.append(said))
    done = [count for count, _ in told]
    assert done == sorted(done) and done[-1] == 55
    assert {total for _, total in told} <= {55, None}


def test_progress_may_stop_it(place: Place, source: PlaylistSource) -> None:
    def stop(done: int, total: int | None) -> None:
        raise JobStopped("enough")

    with pytest.raises(JobStopped, match="enough"):
        read(source, place.put("A list", some(55)), on_progress=stop)


def test_a_playlist_that_is_gone_is_told(place: Place, source: PlaylistSource) -> None:
    reference = source.recognise(place.put("A list", some(3)))
    assert reference
    source.fetch(reference)
    place.empty()
    with pytest.raises(SourceError) as told:
        source.fetch(reference)
    assert not isinstance(told.value, RateLimited)
    assert str(told.value).endswith((".", "?")) and "Traceback" not in str(told.value)


def test_what_is_no_reference_is_told(source: PlaylistSource) -> None:
    for text in ("", "nonsense", "https://example.org/x", "../../etc/passwd"):
        with pytest.raises(SourceError):
            source.fetch(text)


def test_search_gives_clean_playlists_that_can_be_recognised(
    name: str, place: Place, source: PlaylistSource, sources: dict[str, PlaylistSource]
) -> None:
    hits = source.search("rock & roll", limit=12)
    if not source.searches:
        assert hits == []
        return
    assert 0 < len(hits) <= 12
    for hit in hits:
        assert hit.source == name and hit.title and hit.title == clean(hit.title) and hit.owner == clean(hit.owner)
        assert registry.recognise(hit.reference, sources) == (name, hit.reference)
        assert not hit.url or sources[name].recognise(hit.url) == hit.reference
    assert len({hit.reference for hit in hits}) == len(hits)
    assert len(source.search("rock & roll", limit=1)) == 1


def test_a_long_playlist_comes_in_order(name: str, place: Place, source: PlaylistSource) -> None:
    n = 60 if name in ONE_BY_ONE else 3000
    playlist = read(source, place.put("A list", some(n)))
    assert [(*one.artists, one.title) for one in playlist.tracks] == list(some(n))
    assert len({one.source_id for one in playlist.tracks}) in (n, 1), "each has an id of its own, or none has"


@pytest.mark.parametrize("name", ["csv"])
def test_what_no_source_knows_is_told_with_what_is_understood(sources: dict[str, PlaylistSource]) -> None:
    with pytest.raises(SourceError, match=r"Spotify, YouTube, Deezer.*CSV, M3U, XSPF"):
        registry.recognise("https://example.org/list", sources)
    assert registry.recognise("x" * 22, sources) == ("spotify", "x" * 22)
