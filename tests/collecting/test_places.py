import string
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.collecting.failures import NotFetched
from core.collecting.places import Place, host_of, pause_of, place_of
from core.errors import RateLimited, SourceError
from core.reach import AllowedHost, allowed_hosts
from core.settings import Settings
from core.sources.sites import SITES, SiteSource

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
ALLOWED = Settings(allowed_hosts="Songs.Example, 127.0.0.1:8000 [::1]:8000,other.example:8080")


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        (VIDEO, "youtube", VIDEO),
        ("http://m.youtube.com/watch?list=PLx&v=dQw4w9WgXcQ&t=3#x", "youtube", VIDEO),
        (" https://youtu.be/dQw4w9WgXcQ?si=abc\n", "youtube", VIDEO),
        ("music.youtube.com/watch?v=dQw4w9WgXcQ&list=RDx", "youtube", VIDEO),
        ("https://youtube.com/shorts/dQw4w9WgXcQ", "youtube", VIDEO),
        ("https://soundcloud.com/some-body/a_song?in=x", "soundcloud", "https://soundcloud.com/some-body/a_song"),
        ("https://m.soundcloud.com/a/b/s-T0k3n", "soundcloud", "https://soundcloud.com/a/b/s-T0k3n"),
        ("http://band.bandcamp.com/track/a-song?from=x", "bandcamp", "https://band.bandcamp.com/track/a-song"),
        ("https://www.jamendo.com/track/196219/stories", "jamendo", "https://www.jamendo.com/track/196219"),
        ("https://www.audius.co/some_body/my-song-12", "audius", "https://audius.co/some_body/my-song-12"),
        ("https://archive.org/details/gd77.sbd", "archive", "https://archive.org/details/gd77.sbd"),
        ("https://archive.org/details/item/a%20b.flac", "archive", "https://archive.org/details/item/a%20b.flac"),
        ("https://archive.org/download/item/disc%201/a+b.mp3", "archive", "https://archive.org/details/item/disc%201/a%2Bb.mp3"),
        ("HTTP://SONGS.example:8123/A%20b.mp3?x=1#y", "host-songs.example-8123", "http://songs.example:8123/A%20b.mp3?x=1"),
        ("https://songs.example:443/ä", "host-songs.example-443", "https://songs.example/%C3%A4"),
        ("http://127.0.0.1:8000/a.mp3", "host-127.0.0.1-8000", "http://127.0.0.1:8000/a.mp3"),
        ("http://[0:0::1]:8000/a.mp3", "host-__1-8000", "http://[::1]:8000/a.mp3"),
    ],
)  # fmt: skip
def test_a_song_has_one_address(text: str, name: str, address: str) -> None:
    place = place_of(text, ALLOWED)
    assert place and (place.name, place.address) == (name, address)
    assert place_of(place.address, ALLOWED) == place
    assert bool(place.extractors) == (not name.startswith("host-"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "listed:12",
        "dQw4w9WgXcQ",
        "ytsearch:x",
        "/home/me/song.mp3",
        "C:\\song.mp3",
        "file:///etc/passwd",
        "file://songs.example/etc/passwd",
        "ftp://songs.example/x.mp3",
        "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC",
        "https://www.deezer.com/track/3135556",
        "https://www.youtube.com/playlist?list=PLx",
        "https://www.youtube.com/watch?v=short",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ0",
        "https://www.youtube.com:444/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com@evil.example/watch?v=dQw4w9WgXcQ",
        "https://evil.example/?u=https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://soundcloud.com/a",
        "https://soundcloud.com/a/sets/b",
        "https://soundcloud.com/a/likes",
        "https://soundcloud.com/discover/sets",
        "https://www.bandcamp.com/track/x",
        "https://band.bandcamp.com/album/x",
        "https://audius.co/a/playlist/b",
        "https://audius.co/a/playlist",
        "https://archive.org/download/item",
        "https://archive.org/details/item/../../x",
        "https://archive.org/details/item/%2e%2e/x",
        "https://archive.org/details/..",
        "http://127.0.0.1/a.mp3",
        "http://127.0.0.1:8001/a.mp3",
        "http://127.1:8000/a.mp3",
        "http://2130706433:8000/a.mp3",
        "http://0x7f.0.0.1:8000/a.mp3",
        "http://other.example/a.mp3",
        "http://user:word@songs.example/a.mp3",
        "http://songs.example\\@evil.example/a.mp3",
        "http://evil.example#@songs.example/a.mp3",
        "http://songs.example:99999/",
        "http://songs.example:x/",
        "http://not-songs.example/",
        "http://sub.songs.example/",
        "http://songs.example/a\nb",
        "http://[::1/",
        "http://[fe80::1%25eth0]:8000/",
    ],
)
def test_nothing_else_is_a_place(text: str) -> None:
    assert place_of(text, ALLOWED) is None


HOSTS = {"www.youtube.com", "soundcloud.com", "www.jamendo.com", "audius.co", "archive.org"}


def known(place: Place) -> bool:
    host = urlsplit(place.address).hostname or ""
    if place.extractors:
        return host in HOSTS or (place.name == "bandcamp" and host.endswith(".bandcamp.com"))
    return host in {"songs.example", "127.0.0.1", "::1", "other.example"}


PIECES = st.sampled_from(
    [
        *("https://", "http://", "file://", "//", "@", ":", "/", "..", "?", "#", "&", "\\", "%2e", "%00", " ", "\n", "[", "]"),
        *("www.youtube.com", "youtu.be", "music.youtube.com", "songs.example", "127.0.0.1", ":8000", "[::1]", "evil.example"),
        *("soundcloud.com", "a.bandcamp.com", "archive.org", "audius.co", "jamendo.com", "/watch?v=", "dQw4w9WgXcQ"),
        *("/track/", "/details/", "/download/", "item", "/shorts/", "song.mp3", "7", "ä", "\u202e", "\u212a"),
    ]
)  # fmt: skip


@given(
    st.text()
    | st.lists(PIECES, max_size=9).map("".join)
    | st.text(string.printable).map("http://songs.example/".__add__)
)
def test_any_text_is_a_known_place_in_its_one_form_or_none(text: str) -> None:
    place = place_of(text, ALLOWED)
    if place is not None:
        assert known(place)
        assert place_of(place.address, ALLOWED) == place
        assert place.address.isascii() and place.address.isprintable() and " " not in place.address
        assert "/" not in place.name and ".." not in place.name
        assert host_of(place.address)[0] == (urlsplit(place.address).hostname or "")


@given(st.from_regex(r"[\w-]{11}", fullmatch=True))
def test_every_video_id_is_taken(video: str) -> None:
    place = place_of(f"https://youtu.be/{video}", Settings())
    assert (place is not None) == video.isascii()


def test_without_settings_no_host_is_allowed() -> None:
    assert allowed_hosts(Settings()) == () and place_of("http://songs.example/a.mp3", Settings()) is None


def test_hosts_are_read_as_people_write_them() -> None:
    assert allowed_hosts(Settings(allowed_hosts=" A.example.,127.0.0.1:8000  [::1] [0:0::2]:80,\n b ")) == (
        AllowedHost("a.example"),
        AllowedHost("127.0.0.1", 8000),
        AllowedHost("::1"),
        AllowedHost("::2", 80),
        AllowedHost("b"),
    )


@pytest.mark.parametrize(
    "entry", ["http://a.example", "a.example/x", "a:0", "a:65536", "a:b", "::1", "[x]", "*", "*.a.example", "u@a", "ä.example"]
)  # fmt: skip
def test_a_host_that_is_none_is_told(entry: str) -> None:
    with pytest.raises(SourceError) as told:
        place_of("https://else.example", Settings(allowed_hosts=f"a.example {entry}"))
    assert entry in str(told.value) and "GENRESCOPE_ALLOWED_HOSTS" in str(told.value)


def test_a_pause_is_that_of_the_site_s_playlists(settings: Settings) -> None:
    for site in SITES:
        pause_of(site.name, site.title, settings).begin(60)
        with pytest.raises(RateLimited):
            SiteSource(site, settings).fetch(
                {
                    "youtube": "PL" + "a1B2" * 8,
                    "soundcloud": "https://soundcloud.com/a/sets/b",
                    "bandcamp": "https://a.bandcamp.com/album/b",
                    "jamendo": "https://www.jamendo.com/album/1",
                    "audius": "https://audius.co/a/playlist/b",
                    "archive": "https://archive.org/details/b",
                }[site.name]
            )


def test_every_place_of_a_site_is_read_by_an_extractor_that_there_is() -> None:
    from yt_dlp.extractor import gen_extractor_classes

    extractors = {one.IE_NAME: one for one in gen_extractor_classes()}
    for text in (
        VIDEO,
        "https://soundcloud.com/a/b",
        "https://a.bandcamp.com/track/b",
        "https://www.jamendo.com/track/1",
        "https://audius.co/a/b",
        "https://archive.org/details/item/a%20b.flac",
    ):
        place = place_of(text, Settings())
        assert place and all(extractors[name].suitable(place.address) for name in place.extractors)


@pytest.mark.parametrize("url", ["", "x", "ftp://a/", "http://", "http://[::1", "http://u@a.example/", "http://a:b/"])
def test_what_is_no_address_has_no_host(url: str) -> None:
    with pytest.raises(NotFetched):
        host_of(url)
