"""Playlists of sites that yt-dlp reads without an account: YouTube, SoundCloud, Bandcamp, Jamendo, Audius, archive.org.

A site is a row of the table `SITES`: which addresses are its playlists, and which of yt-dlp's extractors may read
them. No other extractor is loaded (above all not the one that follows any address), and an address is taken apart and
put together again before yt-dlp sees it. Only lists are read here, never sound.

yt-dlp goes by the usual proxy settings of the system (`HTTPS_PROXY`).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from core.errors import SourceError
from core.fetch import Pause
from core.music import ListedTrack, Playlist, PlaylistHit
from core.settings import Settings
from core.sources import cleaning, site_entries, site_errors, site_songs
from core.sources.contract import Progress, no_progress
from core.sources.site_songs import Complete, Info

PAUSE_S = 0.75
"""Between two requests of one reading."""
TIMEOUT_S = 20.0
MAX_TRACKS = 20_000
"""More than any of the sites lets a list hold."""
MAX_FOUND = 100
_EVERY = 50  # tracks between two words on progress


@dataclass(frozen=True)
class Site:
    """A site, and how its playlists are named, read and understood.

    `recognise` gives the canonical reference in a text, `address` what yt-dlp is asked for it. `extractors` are names
    of yt-dlp's. `complete` asks for what the list does not say. `split_titles`: see `site_entries.track_of`.
    """

    name: str
    title: str
    extractors: tuple[str, ...]
    recognise: Callable[[str], str | None]
    address: Callable[[str], str] = str
    complete: Complete = lambda _, entries: entries
    split_titles: bool = False
    refuse: Callable[[str], str | None] = lambda _: None
    searches: bool = False


class SiteSource:
    """A site of the table. Implements `PlaylistSource`."""

    def __init__(self, site: Site, settings: Settings) -> None:
        """Nothing is asked yet."""
        self.name = site.name
        self.title = site.title
        self.searches = site.searches
        self._site = site
        self._folder = settings.answers
        self._pause = Pause(settings.answers / f"{site.name}.pause.json", site.title)

    def recognise(self, text: str) -> str | None:
        """See `PlaylistSource.recognise`: the id of a list of YouTube; of other sites the address, without extras."""
        return self._site.recognise(text.strip())

    def fetch(self, reference: str, *, limit: int | None = None, on_progress: Progress = no_progress) -> Playlist:
        """See `PlaylistSource.fetch`. What is private, deleted, or a live stream is counted in `skipped`."""
        if self._site.recognise(reference) != reference:
            raise SourceError(f"This is no playlist of {self.title}: {cleaning.name(reference)}")
        if refusal := self._site.refuse(reference):
            raise SourceError(refusal)
        with self._reader() as reader:
            info = self._list(reader, self._site.address(reference))
            total, album = _count(info), cleaning.name(info.get("title")) if self._is_album(info) else ""
            tracks: list[ListedTrack] = []
            reasons: list[str] = []
            for entry in self._entries(reader, info) if limit != 0 else ():
                if reason := site_entries.reason_to_skip(entry):
                    reasons.append(reason)
                else:
                    tracks.append(site_entries.track_of(entry, album=album, split_titles=self._site.split_titles))
                if (len(tracks) + len(reasons)) % _EVERY == 0:
                    on_progress(len(tracks), total)
                if len(tracks) == limit:  # here, as the next entry may be on a page of its own
                    break
            on_progress(len(tracks), total)
        return Playlist(
            self.name,
            reference,
            cleaning.name(info.get("title")) or reference,
            tuple(tracks),
            owner=site_entries.owner_of(info),
            url=self._site.address(reference),
            skipped=site_entries.counted(reasons),
            n_listed=total,
        )

    def search(self, words: str, *, limit: int = 10) -> list[PlaylistHit]:
        """See `PlaylistSource.search`. Only YouTube can be searched; elsewhere nothing is found."""
        words = cleaning.name(words)
        if not self.searches or not words or limit < 1:
            return []
        with self._reader() as reader:
            info = self._list(reader, youtube_search(words))
            hits: dict[str, PlaylistHit] = {}
            for entry in islice(self._told(iter(info.get("entries") or ())), MAX_FOUND):
                hit = self._hit(entry)
                if hit and len(hits) < limit:
                    hits.setdefault(hit.reference, hit)
                if len(hits) == limit:
                    break
        return list(hits.values())

    def _hit(self, entry: Info) -> PlaylistHit | None:
        reference = self._site.recognise(str(entry.get("url") or ""))
        title = cleaning.name(entry.get("title"))
        if reference is None or not title or self._site.refuse(reference):
            return None
        owner, url = site_entries.owner_of(entry), self._site.address(reference)
        return PlaylistHit(self.name, reference, title, owner, url, entry.get("playlist_count"))

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        """yt-dlp with this site's extractors and nothing else."""
        self._pause.check()
        from yt_dlp import YoutubeDL  # here: it takes a third of a second

        with YoutubeDL(
            {
                "allowed_extractors": [re.escape(name) for name in self._site.extractors],
                "logger": Silence(),
                "quiet": True,
                "skip_download": True,
                "extract_flat": "in_playlist",
                "lazy_playlist": True,
                "socket_timeout": TIMEOUT_S,
                "extractor_retries": 1,
                "sleep_interval_requests": PAUSE_S,
                "geo_bypass": False,  # it would tell the site a made-up address
                "cachedir": str(self._folder / "yt-dlp"),
            }
        ) as reader:
            yield reader

    def _list(self, reader: Any, address: str) -> Info:
        """What yt-dlp says of a list; its entries may still be asked for as they are read."""
        info: Info | None = None
        for _ in range(3):  # a site may send on to its own other address
            info = self._ask(reader, address, (info or {}).get("ie_key"))
            if info is None or info.get("_type") not in ("url", "url_transparent"):
                break
            address = str(info.get("url") or "")
        if info is None or info.get("_type", "video") not in ("playlist", "video"):
            raise SourceError(f"{self.title} does not have this playlist: it may have been deleted, or is private.")
        return info

    def _ask(self, reader: Any, address: str, extractor: str | None) -> Info | None:
        """What yt-dlp says of an address, unprocessed: processing would look for sound."""
        with self._telling():
            info = reader.extract_info(address, download=False, process=False, ie_key=extractor)
            return info if isinstance(info, dict) else None

    def _entries(self, reader: Any, info: Info) -> Iterator[Info]:
        """The list's entries with all that is known of them; a page of a single song is a list of one."""
        listed = iter(info.get("entries") or ()) if info.get("_type") == "playlist" else iter([info])
        told = self._told(entry for entry in islice(listed, MAX_TRACKS) if isinstance(entry, dict))
        for entry in self._told(self._site.complete(reader, told)):
            yield entry or {}

    def _told(self, entries: Iterator[Any]) -> Iterator[Any]:
        """The same, where reading on may fail."""
        while True:
            with self._telling():
                entry = next(entries, _END)
            if entry is _END:
                return
            yield entry

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn yt-dlp's errors, of which there are all kinds, into ours."""
        try:
            yield
        except SourceError:
            raise
        except Exception as error:
            raise site_errors.told(error, self.title, self._pause) from error

    def _is_album(self, info: Info) -> bool:
        return "/album/" in str(info.get("webpage_url") or "") or str(info.get("id") or "").startswith("OLAK5uy_")


_END = object()


class Silence:
    """Nothing is printed: what matters comes as an error."""

    def debug(self, text: str) -> None:
        """Say nothing."""

    warning = error = info = debug


def _count(info: Info) -> int | None:
    count = info.get("playlist_count")
    if isinstance(count, int):
        return count
    entries = info.get("entries")
    return len(entries) if isinstance(entries, list) else None


# -- addresses ---------------------------------------------------------------------------------------------------------

_YOUTUBE_HOSTS = {"www.youtube.com", "youtube.com", "m.youtube.com", "music.youtube.com", "youtu.be"}
_YOUTUBE_ID = re.compile(r"(?:PL|OLAK5uy_|UU|FL|EC)[\w-]{16,80}|(?:RD|UL|PU|TL)[\w-]{11,80}|RDMM|WL|LL|LM", re.ASCII)


def youtube_list(text: str) -> str | None:
    """The id of a list in an address of YouTube or YouTube Music, or alone."""
    place = cleaning.web_place(text)
    if place and place[0] in _YOUTUBE_HOSTS:
        browsed = re.fullmatch(r"/browse/VL([\w-]+)", place[1])
        said = browsed[1] if browsed else place[2].get("list", "")
    else:
        said = text
    is_spotify = len(said) == 22  # none of YouTube's is so long
    return said if _YOUTUBE_ID.fullmatch(said) and not is_spotify else None


def youtube_search(words: str) -> str:
    """The page of playlists that YouTube finds (`sp` is its filter, "Type: Playlist")."""
    return "https://www.youtube.com/results?" + urlencode({"search_query": words, "sp": "EgIQAw=="})


def _youtube_refusal(list_id: str) -> str | None:
    if list_id in ("WL", "LL", "LM"):
        return "This list of YouTube is only for who is signed in. Make a playlist of it, public or unlisted."
    if list_id.startswith(("RD", "UL", "PU", "TL")) and not list_id.startswith("RDCLAK5uy_"):
        return (
            "A mix of YouTube is made anew for each listener, so it cannot be read as a list. "
            "Save its songs in a playlist and take that."
        )
    return None


def _addresses(hosts: str, path: str, canonical: str) -> Callable[[str], str | None]:
    """Recognise addresses whose host and path match whole; their groups fill `canonical`."""
    wanted_host, wanted_path = re.compile(hosts), re.compile(path)

    def recognise(text: str) -> str | None:
        place = cleaning.web_place(text)
        if place is None:
            return None
        host, rest = wanted_host.fullmatch(place[0]), wanted_path.fullmatch(place[1])
        return canonical.format(**host.groupdict(), **rest.groupdict()) if host and rest else None

    return recognise


_NAME = r"[\w%.~:!@,'()*+-]+"

SITES = (
    Site(
        "youtube",
        "YouTube",
        ("youtube:tab", "youtube:search_url"),
        youtube_list,
        lambda list_id: f"https://www.youtube.com/playlist?list={list_id}",
        split_titles=True,
        refuse=_youtube_refusal,
        searches=True,
    ),
    Site(
        "soundcloud",
        "SoundCloud",
        ("soundcloud", "soundcloud:set"),
        _addresses(
            r"(?:www\.|m\.)?soundcloud\.com",
            r"/(?P<user>[\w-]+)/sets/(?P<list>[\w:-]+(?:/s-\w+)?)/?",
            "https://soundcloud.com/{user}/sets/{list}",
        ),
        complete=site_songs.by_batches,
        split_titles=True,
    ),
    Site(
        "bandcamp",
        "Bandcamp",
        ("Bandcamp", "Bandcamp:album"),
        _addresses(
            r"(?P<band>(?!www\.)[a-z0-9-]+)\.bandcamp\.com",
            rf"/album/(?P<album>{_NAME})/?",
            "https://{band}.bandcamp.com/album/{album}",
        ),
        complete=site_songs.one_by_one,
    ),
    Site(
        "jamendo",
        "Jamendo",
        ("Jamendo", "JamendoAlbum"),
        _addresses(
            r"(?:www\.)?jamendo\.com", r"/album/(?P<album>[0-9]+)(?:/[^/]*)?/?", "https://www.jamendo.com/album/{album}"
        ),
        complete=site_songs.by_jamendo,
    ),
    Site(
        "audius",
        "Audius",
        ("audius:playlist", "audius:track"),
        _addresses(
            r"(?:www\.)?audius\.co",
            rf"/(?P<user>[\w-]+)/(?P<kind>playlist|album)/(?P<list>{_NAME})/?",
            "https://audius.co/{user}/{kind}/{list}",
        ),
        complete=site_songs.one_by_one,
    ),
    Site(
        "archive",
        "Internet Archive",
        ("archive.org",),
        _addresses(r"(?:www\.)?archive\.org", r"/details/(?P<item>[\w.-]+)/?", "https://archive.org/details/{item}"),
        complete=site_songs.with_addresses,
    ),
)
"""Every site that is read; `SiteSource(site, settings)` makes a source of one."""
