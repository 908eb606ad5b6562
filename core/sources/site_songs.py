"""What the lists of some sites leave out, asked for song by song or many at once.

Two sites are asked by yt-dlp's own access to their API, as its way of reading one song takes many requests. These
parts of yt-dlp are not public: it is pinned, and the tests of the sources tell if a new one differs.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from core.sources import cleaning, site_errors

Info = dict[str, Any]
Complete = Callable[[Any, Iterator[Info]], Iterator[Info | None]]
"""yt-dlp and what a list says of its entries -> what is known of each; None where it is gone."""

_BATCH = 50  # tracks that SoundCloud tells of at once


def with_addresses(reader: Any, entries: Iterator[Info]) -> Iterator[Info]:
    """Archive.org's lists tell everything but the page of each song."""
    return ({**one, "webpage_url": f"https://archive.org/details/{quote(str(one.get('id')))}"} for one in entries)


def one_by_one(reader: Any, entries: Iterator[Info]) -> Iterator[Info | None]:
    """Ask for each entry by itself; what is gone is None."""
    for entry in entries:
        try:
            info = reader.extract_info(
                entry.get("url"), download=False, process=False, ie_key=entry.get("ie_key"), extra_info={}
            )
        except Exception as error:
            if not site_errors.is_gone(error):
                raise
            info = None
        yield {**entry, **{key: said for key, said in info.items() if said}} if isinstance(info, dict) else None


def by_batches(reader: Any, entries: Iterator[Info]) -> Iterator[Info | None]:
    """Ask SoundCloud for many entries at once, by their ids; its own list tells no names.

    This uses yt-dlp's access to SoundCloud's API. One by one would be several requests a song, of the 600 that
    SoundCloud allows in ten minutes.
    """
    api = reader.get_info_extractor("Soundcloud")
    while batch := list(islice(entries, _BATCH)):
        ids = [str(entry.get("id") or "") for entry in batch]
        api.initialize()
        told = api._call_api(
            f"{api._API_V2_BASE}tracks", "tracks", "Downloading tracks", query={"ids": ",".join(ids)}, headers={}
        )
        known = {str(track.get("id")): _of_soundcloud(track) for track in told if isinstance(track, dict)}
        yield from ({**entry, **known[one]} if one in known else None for one, entry in zip(ids, batch, strict=True))


def by_jamendo(reader: Any, entries: Iterator[Info]) -> Iterator[Info | None]:
    """Ask Jamendo's API for each song, and once for each artist; reading songs whole would ask for all their covers."""
    api = reader.get_info_extractor("Jamendo")
    artists: dict[Any, Any] = {}
    for entry in entries:
        try:
            track = api._call_api("track", entry["id"])
        except Exception as error:
            if not site_errors.is_gone(error):
                raise
            yield None
            continue
        made_by = track.get("artistId")
        if made_by not in artists:
            artists[made_by] = (api._call_api("artist", made_by, fatal=False) or {}).get("name")
        yield {**entry, "title": track.get("name"), "artist": artists[made_by], "duration": track.get("duration")}


def _of_soundcloud(track: Info) -> Info:
    """SoundCloud's own words in yt-dlp's. `duration` may be that of a preview; lengths are in milliseconds."""
    label, user = track.get("publisher_metadata") or {}, track.get("user") or {}
    return {
        "title": track.get("title"),
        "uploader": user.get("username"),
        "artist": label.get("artist"),
        "album": label.get("release_title") or label.get("album_title"),
        "isrc": label.get("isrc"),
        "duration": cleaning.duration_s(track.get("full_duration") or track.get("duration"), unit_s=0.001),
        "webpage_url": track.get("permalink_url"),
    }
