"""Which addresses sound may be fetched from, and nothing else: single songs of known sites, and hosts that were allowed.

An address is taken apart and put together again before anybody is asked for it. The known sites are those that
playlists are read from (`core.sources.sites`); hosts are allowed with `GENRESCOPE_ALLOWED_HOSTS`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from core.collecting.failures import NotFetched
from core.fetch import Pause
from core.reach import AllowedHost, allowed_hosts, as_host
from core.settings import Settings
from core.sources import cleaning
from core.sources.sites import SITES

_TITLES = {site.name: site.title for site in SITES}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Place:
    """One song's address, at a place where sound may be fetched.

    `name` is what pauses are kept under, `title` names the place to a person, `address` is in its one form.
    `extractors` are the names of yt-dlp's that may read it; none for an allowed host, which is asked plainly.
    """

    name: str
    title: str
    address: str
    extractors: tuple[str, ...] = ()


def place_of(url: str, settings: Settings) -> Place | None:
    """Where `url` leads to; None if that is no single song of a known site, and no allowed host.

    `SourceError` if the settings name a host that is none.
    """
    url = url.strip()
    for name, extractors, recognise in _SONGS:
        if address := recognise(url):
            return Place(name, _TITLES[name], address, extractors)
    return _place_at_host(url, allowed_hosts(settings))


def pause_of(place_name: str, title: str, settings: Settings) -> Pause:
    """The pause that a place asked for. For a known site it is that of its playlists too."""
    return Pause(settings.answers / f"{place_name}.pause.json", title)


def pauses(settings: Settings) -> list[tuple[str, datetime]]:
    """Places that ask for a pause now: the title of each, and until when (UTC)."""
    titles = dict(_TITLES)
    for one in allowed_hosts(settings):
        titles |= {
            path.name.removesuffix(".pause.json"): one.host for path in settings.answers.glob(f"host-{one.host}-*")
        }
    found = {title: pause_of(name, title, settings).until() for name, title in titles.items()}
    return [(title, until) for title, until in found.items() if until]


def host_of(url: str) -> tuple[str, int]:
    """Host (in small letters, without brackets) and port of a web address; `NotFetched` if it is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname and parts.username is None:
            return parts.hostname.rstrip("."), parts.port or _PORTS[parts.scheme]
    except ValueError:
        pass
    raise NotFetched("not allowed", "A request was to go to something that is no web address, so it was not sent.")


# -- hosts -------------------------------------------------------------------------------------------------------------


def _place_at_host(url: str, allowed: tuple[AllowedHost, ...]) -> Place | None:
    if not allowed or not cleaning.address(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = host_of(url)
        host = as_host(host, is_ipv6=":" in host)
    except (NotFetched, ValueError):
        return None
    if not host or not any(one.covers(host, port) for one in allowed):
        return None
    shown = f"[{host}]" if ":" in host else host
    where = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~") or "/"
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    address = f"{parts.scheme}://{where}{path}" + (f"?{query}" if query else "")
    if len(address) > cleaning.MAX_ADDRESS:
        return None
    return Place(f"host-{re.sub(r'[^a-z0-9.-]', '_', host)}-{port}", host, address)


# -- songs of known sites ----------------------------------------------------------------------------------------------

_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
_YOUTUBE_HOSTS = ("www.youtube.com", "youtube.com", "m.youtube.com", "music.youtube.com")
_WORD = r"[\w-]+"
_NAME = r"[\w%.~:!@,'()*+-]+"
_NOT_SONGS_OF_SOUNDCLOUD = {"sets", "tracks", "albums", "popular-tracks", "reposts", "likes", "comments"} | {
    *("followers", "following", "spotlight", "toptracks", "groups", "playlists", "stations", "recommended")
}
_NOT_USERS_OF_SOUNDCLOUD = {"discover", "search", "you", "charts", "stations", "pages", "tags", "upload", "stream"}
_NOT_SONGS_OF_AUDIUS = {"playlist", "album", "tracks", "albums", "playlists", "reposts", "collectibles"}


def _youtube(text: str) -> str | None:
    """`watch?v=ID`, `youtu.be/ID`, `shorts/ID`; of a song in a list, the song."""
    place = cleaning.web_place(text)
    if place is None:
        return None
    host, path, query = place
    said = ""
    if host == "youtu.be":
        said = path.removeprefix("/").removesuffix("/")
    elif host in _YOUTUBE_HOSTS and path.rstrip("/") == "/watch":
        said = query.get("v", "")
    elif host in _YOUTUBE_HOSTS and path.startswith("/shorts/"):
        said = path.removeprefix("/shorts/").removesuffix("/")
    return f"https://www.youtube.com/watch?v={said}" if _YOUTUBE_ID.fullmatch(said) else None


def _soundcloud(text: str) -> str | None:
    found = _match(
        text, r"(?:www\.|m\.)?soundcloud\.com", rf"/(?P<user>{_WORD})/(?P<song>{_WORD})(?P<secret>/s-\w+)?/?"
    )
    if not found or found["song"] in _NOT_SONGS_OF_SOUNDCLOUD or found["user"] in _NOT_USERS_OF_SOUNDCLOUD:
        return None
    return f"https://soundcloud.com/{found['user']}/{found['song']}{found['secret'] or ''}"


def _bandcamp(text: str) -> str | None:
    found = _match(text, r"(?P<band>(?!www\.)[a-z0-9-]+)\.bandcamp\.com", rf"/track/(?P<song>{_NAME})/?")
    return f"https://{found['band']}.bandcamp.com/track/{found['song']}" if found else None


def _jamendo(text: str) -> str | None:
    found = _match(text, r"(?:www\.)?jamendo\.com", r"/track/(?P<song>[0-9]+)(?:/[^/]*)?/?")
    return f"https://www.jamendo.com/track/{found['song']}" if found else None


def _audius(text: str) -> str | None:
    found = _match(text, r"(?:www\.)?audius\.co", rf"/(?P<user>{_WORD})/(?P<song>{_NAME})/?")
    if not found or found["song"] in _NOT_SONGS_OF_AUDIUS:
        return None
    return f"https://audius.co/{found['user']}/{found['song']}"


def _archive(text: str) -> str | None:
    """`details/ITEM`, `details/ITEM/FILE` and `download/ITEM/FILE`; a file may lie in a folder of its item."""
    found = _match(
        text,
        r"(?:www\.)?archive\.org",
        r"/(?P<kind>details|download)/(?P<item>[A-Za-z0-9][\w.-]*)(?:/(?P<file>.*?))?/?",
    )
    if not found or (found["kind"] == "download" and not found["file"]):
        return None
    # `+` is written out, as yt-dlp would take it for a space; a `%` that is left over is one of the name.
    file = quote(unquote(found["file"] or "", errors="replace"), safe="/~!$'()*,;:@&=")
    if any(part in ("", ".", "..") for part in file.split("/") if file):
        return None
    return f"https://archive.org/details/{found['item']}" + (f"/{file}" if file else "")


def _match(text: str, host: str, path: str) -> dict[str, str | None] | None:
    """The named groups of host and path, where both match whole; no part of a path may climb."""
    place = cleaning.web_place(text)
    if place is None:
        return None
    found, rest = re.fullmatch(host, place[0], re.ASCII), re.fullmatch(path, place[1], re.ASCII)
    return {**found.groupdict(), **rest.groupdict()} if found and rest else None


_SONGS: tuple[tuple[str, tuple[str, ...], Callable[[str], str | None]], ...] = (
    ("youtube", ("youtube",), _youtube),
    ("soundcloud", ("soundcloud",), _soundcloud),
    ("bandcamp", ("Bandcamp",), _bandcamp),
    ("jamendo", ("Jamendo",), _jamendo),
    ("audius", ("Audius",), _audius),
    ("archive", ("archive.org",), _archive),
)
