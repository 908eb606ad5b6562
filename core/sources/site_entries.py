"""From what yt-dlp says of an entry to a track: who made it, and what it is called. Pure.

A video's title is often "Artist - Title (Official Video)" and its channel the artist or anybody; where the site names
artists itself, these count.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from core.music import ListedTrack
from core.sources import cleaning

Entry = Mapping[str, Any]

_GONE = {"[private video]", "[deleted video]", "[unavailable video]"}
_TOPIC, _VEVO = " - Topic", "VEVO"
_BRACKETS = re.compile(r"\s*[(\[【]([^()\[\]【】]*)[)\]】]")
_ADVERTS = {
    "video",
    "videoclip",
    "clip",
    "audio",
    "lyric",
    "lyrics",
    "visualizer",
    "visualiser",
    "m/v",
    "mv",
    "hd",
    "4k",
}
_ADVERTS |= {"official", "officiel", "officielle", "oficial", "offizielles"}
_BESIDE = {"music", "with", "and", "&", "full", "high", "quality", "hq", "uhd", "1080p", "720p", "the", "only"}
_TAIL = re.compile(r"\s*[|•]\s*official\b[^|•]*$", re.IGNORECASE)


def reason_to_skip(entry: Entry) -> str | None:
    """Why an entry is no track: it is gone, still to come, or something else than a song; None if it is one."""
    title = _title(entry)
    if not title or title.casefold() in _GONE:
        return "unavailable"
    if entry.get("live_status") in ("is_live", "is_upcoming"):
        return "live stream"
    return "no song" if _is_a_list(entry) else None


def track_of(entry: Entry, *, album: str = "", split_titles: bool = True) -> ListedTrack:
    """The track that an entry tells; `album` is what all entries of its list are of, if the list is an album.

    Where no artist is told but an uploader, `split_titles` takes the artist from a title such as `Artist - Title`.
    """
    title, artists = _title_and_artists(entry, split_titles)
    return ListedTrack(
        title=title,
        artists=artists,
        album=cleaning.name(entry.get("album")) or album,
        duration_s=cleaning.duration_s(entry.get("duration")),
        isrc=cleaning.isrc(entry.get("isrc")),
        source_id=cleaning.name(str(entry.get("id") or "")),
        url=cleaning.address(entry.get("webpage_url")) or cleaning.address(entry.get("url")),
    )


def without_adverts(title: str) -> str:
    """`title` without `(Official Video)` and the like; what tells a version, such as `(Live)`, stays."""

    def keep(bracket: re.Match[str]) -> str:
        words = set(bracket[1].casefold().split())
        return "" if words & _ADVERTS and words <= _ADVERTS | _BESIDE else bracket[0]

    return cleaning.name(_BRACKETS.sub(keep, _TAIL.sub("", title))) or title


def owner_of(info: Entry) -> str:
    """Who made a list."""
    return _maker(_first(info, "uploader", "channel", "album_artist", "uploader_id"))


def _title_and_artists(entry: Entry, split_titles: bool) -> tuple[str, tuple[str, ...]]:
    uploader = _first(entry, "uploader", "channel")
    said = _said_artists(entry)
    title = _title(entry)
    if not said and uploader.endswith(_TOPIC):  # made by YouTube from the label's own data
        return title, cleaning.artist_names([_maker(uploader)])
    title = without_adverts(title)
    artist, rest = cleaning.artist_and_title(title)
    if said and artist.casefold() in {one.casefold() for one in said}:
        return rest, said
    if not said and split_titles and artist:
        return rest, cleaning.artist_names([artist])
    return title, said or cleaning.artist_names([_maker(uploader)])


def _said_artists(entry: Entry) -> tuple[str, ...]:
    for field in ("artists", "artist", "creators"):
        said = entry.get(field)
        if names := cleaning.artist_names([said] if isinstance(said, str) else said if isinstance(said, list) else []):
            return names
    return ()


def _title(entry: Entry) -> str:
    return _first(entry, "track", "title")


def _first(entry: Entry, *fields: str) -> str:
    return next((said for field in fields if (said := cleaning.name(entry.get(field)))), "")


def _maker(channel: str) -> str:
    """Who a channel is of: `Adele - Topic` and `AdeleVEVO` are Adele's."""
    return channel.removesuffix(_TOPIC).removesuffix(_VEVO).strip() or channel


def _is_a_list(entry: Entry) -> bool:
    return entry.get("_type") == "playlist" or entry.get("ie_key") in ("YoutubeTab", "YoutubePlaylist")


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """How often each reason was given."""
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason] = counts.get(reason, 0) + 1
    return counts
