"""Pages of YouTube, SoundCloud, Bandcamp, Jamendo, Audius and archive.org as yt-dlp reads them, with made-up songs."""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Answer, Asked, as_json

PAGE = 100
"""Videos that YouTube puts on a page."""


@dataclass(frozen=True)
class Video:
    """A video of a made-up playlist."""

    id: str
    title: str
    channel: str = ""
    clock: str = "3:05"


@dataclass
class YouTube:
    """Answers as www.youtube.com does: pages of a playlist, their continuations, and search.

    `lockups` plays the layout of 2026, else that of years before. `found` are (list id, title, channel).
    """

    lists: dict[str, tuple[str, str, Sequence[Video]]] = field(default_factory=dict)
    found: Sequence[tuple[str, str, str]] = ()
    lockups: bool = True
    alerts: dict[str, str] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        match asked.path:
            case "/playlist":
                return _page(self._first(asked.query["list"]))
            case "/":
                return _page({"contents": {}})
            case "/youtubei/v1/browse":
                return self._browse(json.loads(asked.body))
            case "/youtubei/v1/search":
                return as_json(self._found(json.loads(asked.body)))
        return Answer(b"", 404)

    def _browse(self, wanted: Mapping[str, Any]) -> Answer:
        if "continuation" in wanted:
            list_id, start = wanted["continuation"].split("|")
            items = self._rows(list_id, int(start))
            return as_json(
                {"onResponseReceivedActions": [{"appendContinuationItemsAction": {"continuationItems": items}}]}
            )
        return as_json(self._first(str(wanted["browseId"]).removeprefix("VL")))

    def _first(self, list_id: str) -> dict[str, Any]:
        """The data of a playlist's page; of a playlist that is not there, only what YouTube says about it."""
        if list_id not in self.lists:
            said = self.alerts.get(list_id, "The playlist does not exist.")
            return {"contents": {}, "alerts": [{"alertRenderer": {"type": "ERROR", "text": {"simpleText": said}}}]}
        title, owner, videos = self.lists[list_id]
        rows = self._rows(list_id, 0)
        listed = rows if self.lockups else [{"playlistVideoListRenderer": {"contents": rows}}]
        section = {"itemSectionRenderer": {"contents": listed}}
        if self.lockups and "continuationItemRenderer" in (rows[-1] if rows else {}):
            section = {"itemSectionRenderer": {"contents": rows[:-1]}}
        parts = [section, rows[-1]] if self.lockups and len(videos) > PAGE else [section]
        tab = {"selected": True, "content": {"sectionListRenderer": {"contents": parts}}}
        about = {"stats": [{"runs": [{"text": f"{len(videos):,}"}, {"text": " videos"}]}]}
        maker = {"videoOwner": {"videoOwnerRenderer": {"title": {"runs": [{"text": owner}]}}}}
        return {
            "contents": {"twoColumnBrowseResultsRenderer": {"tabs": [{"tabRenderer": tab}]}},
            "metadata": {"playlistMetadataRenderer": {"title": title}},
            "sidebar": {
                "playlistSidebarRenderer": {
                    "items": [
                        {"playlistSidebarPrimaryInfoRenderer": about},
                        {"playlistSidebarSecondaryInfoRenderer": maker},
                    ]
                }
            },
        }

    def _rows(self, list_id: str, start: int) -> list[dict[str, Any]]:
        videos = self.lists[list_id][2]
        rows = [_lockup(one) if self.lockups else _renderer(one) for one in videos[start : start + PAGE]]
        if start + PAGE < len(videos):
            token = {"continuationCommand": {"token": f"{list_id}|{start + PAGE}"}}
            rows.append({"continuationItemRenderer": {"continuationEndpoint": token}})
        return rows

    def _found(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        assert wanted["params"] == "EgIQAw==", "only playlists are searched for"
        lists = [
            {
                "lockupViewModel": {
                    "contentId": list_id,
                    "contentType": "LOCKUP_CONTENT_TYPE_PLAYLIST",
                    "metadata": _said(title, channel),
                }
            }
            for list_id, title, channel in self.found
        ]
        section = {"sectionListRenderer": {"contents": [{"itemSectionRenderer": {"contents": lists}}]}}
        return {"contents": {"twoColumnSearchResultsRenderer": {"primaryContents": section}}}


def _page(data: Mapping[str, Any]) -> Answer:
    config = {
        "INNERTUBE_CLIENT_VERSION": "2.20261001.00.00",
        "INNERTUBE_CONTEXT": {"client": {"clientName": "WEB", "clientVersion": "2.20261001.00.00", "hl": "en"}},
    }
    scripts = f"ytcfg.set({json.dumps(config)});</script><script>var ytInitialData = {json.dumps(data)};"
    page = f"<html><head><script>{scripts}</script></head><body></body></html>"
    return Answer(page.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def _lockup(video: Video) -> dict[str, Any]:
    badge = {"thumbnailBadgeViewModel": {"text": video.clock}}
    shown = {"overlays": [{"thumbnailBottomOverlayViewModel": {"badges": [badge]}}]}
    return {
        "lockupViewModel": {
            "contentId": video.id,
            "contentType": "LOCKUP_CONTENT_TYPE_VIDEO",
            "contentImage": {"thumbnailViewModel": shown},
            "metadata": _said(video.title, video.channel),
        }
    }


def _said(title: str, channel: str) -> dict[str, Any]:
    link = {"browseEndpoint": {"browseId": "UC" + "x" * 22}}
    maker = {"text": {"content": channel, "commandRuns": [{"onTap": {"innertubeCommand": link}}]}}
    rows = [{"metadataParts": [maker]}] if channel else []
    return {
        "lockupMetadataViewModel": {
            "title": {"content": title},
            "metadata": {"contentMetadataViewModel": {"metadataRows": rows}},
        }
    }


def _renderer(video: Video) -> dict[str, Any]:
    minutes, _, seconds = video.clock.partition(":")
    told: dict[str, Any] = {"videoId": video.id, "title": {"runs": [{"text": video.title}]}}
    if video.channel:
        told |= {
            "shortBylineText": {"runs": [{"text": video.channel}]},
            "lengthSeconds": str(60 * int(minutes) + int(seconds)),
        }
    return {"playlistVideoRenderer": told}


# -- the others --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Song:
    """A song of a made-up album."""

    id: int
    title: str
    artist: str
    duration_s: float = 185.0
    gone: bool = False


def bandcamp(title: str, songs: Sequence[Song]) -> Any:
    """An album of any band, and the pages of its songs."""

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/album/a"):
            listed = [_on_album(song) for song in songs]
            return _tralbum({"trackinfo": listed, "current": {"title": title}}, {})
        song = next((one for one in songs if asked.path == f"/track/{one.id}" and not one.gone), None)
        if song is None:
            return Answer(b"<html><title>Sorry</title></html>", 404)
        return _tralbum({"trackinfo": [_on_album(song)], "current": {}}, {"artist": song.artist, "album_title": title})

    return answer


def _on_album(song: Song) -> dict[str, Any]:
    return {
        "title": song.title,
        "title_link": f"/track/{song.id}",
        "track_id": song.id,
        "duration": song.duration_s,
        "file": {"mp3-128": f"https://t4.bandcamp.com/{song.id}"},
    }


def _tralbum(tralbum: Mapping[str, Any], embed: Mapping[str, Any]) -> Answer:
    told = "".join(
        f' data-{name}="{html.escape(json.dumps(said))}"' for name, said in (("tralbum", tralbum), ("embed", embed))
    )
    return Answer(f"<html><title>Album</title><script{told}></script></html>".encode())


def archive(title: str, songs: Sequence[Song]) -> Any:
    """An item with these songs: the player's list, and the metadata of its files."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/embed/a-item":
            listed = [{"title": one.title, "artist": one.artist, "orig": f"{one.id}.flac"} for one in songs]
            told = html.escape(json.dumps(listed))
            return Answer(f'<html><play-av playlist="{told}"></play-av></html>'.encode())
        if asked.path == "/metadata/a-item":
            files = [
                {"name": f"{one.id}.flac", "title": one.title, "length": str(one.duration_s), "album": title}
                for one in songs
            ]
            return as_json({"metadata": {"identifier": "a-item", "title": title}, "files": files})
        return Answer(b"", 404)

    return answer


def soundcloud(title: str, songs: Sequence[Song]) -> Any:
    """A set; of its songs only the first five with all that is known, as on the real one."""
    client_id = "0" * 32

    def full(song: Song) -> dict[str, Any]:
        return {
            "id": song.id,
            "title": song.title,
            "duration": 30_000,
            "full_duration": round(song.duration_s * 1000),
            "permalink_url": f"https://soundcloud.com/somebody/{song.id}",
            "user": {"username": "somebody"},
            "publisher_metadata": {"artist": song.artist, "isrc": f"GBAAA{song.id:07d}"},
        }

    def answer(asked: Asked) -> Answer:
        if asked.host == "soundcloud.com" and asked.path == "/":
            return Answer(b'<script crossorigin src="https://a.soundcloud.com/app.js"></script>')
        if asked.path == "/app.js":
            return Answer(f'x={{client_id:"{client_id}"}}'.encode())
        if asked.query.get("client_id") != client_id:
            return Answer(b"", 401)
        if asked.path == "/resolve" and "/sets/a" in asked.query["url"]:
            tracks = [full(one) if place < 5 else {"id": one.id} for place, one in enumerate(songs)]
            return as_json({"id": 7, "title": title, "user": {"username": "somebody"}, "tracks": tracks})
        if asked.path == "/tracks":
            wanted = asked.query["ids"].split(",")
            assert len(wanted) <= 50, "SoundCloud takes no more"
            # The real one sorts them as it likes, and leaves out what is gone.
            return as_json([full(one) for one in reversed(songs) if str(one.id) in wanted and not one.gone])
        return Answer(b"{}", 404)

    return answer


def audius(title: str, songs: Sequence[Song]) -> Any:
    """A playlist, on the one host that Audius names."""

    def answer(asked: Asked) -> Answer:
        if asked.path in ("", "/"):
            return as_json({"data": ["https://one.audius.co"]})
        if asked.path == "/v1/resolve" and "/playlist/a" in asked.query["url"]:
            return as_json({"data": [{"id": "L1", "playlist_name": title}]})
        if asked.path == "/v1/playlists/L1/tracks":
            return as_json({"data": [{"id": f"T{one.id}"} for one in songs]})
        for one in songs:
            if asked.path == f"/v1/tracks/T{one.id}" and not one.gone:
                said = {"title": one.title, "user": {"name": one.artist}, "duration": one.duration_s}
                return as_json({"data": {"id": f"T{one.id}", **said}})
        return as_json({"message": "not found"}, 404)

    return answer


def jamendo(title: str, songs: Sequence[Song]) -> Any:
    """The album 1, by the API of the site's own pages."""

    def answer(asked: Asked) -> Answer:
        number = int(asked.query.get("id[]", 0))
        match asked.path:
            case "/api/albums" if number == 1:
                return as_json([{"id": 1, "name": title, "tracks": [{"id": one.id} for one in songs]}])
            case "/api/tracks":
                found = [one for one in songs if one.id == number and not one.gone]
                told = [{"name": one.title, "duration": one.duration_s, "artistId": 5000 + one.id} for one in found]
                return as_json(told, 200 if told else 404)
            case "/api/artists":
                return as_json([{"name": one.artist} for one in songs if one.id == number - 5000])
        return as_json([], 404)

    return answer
