"""Searches of YouTube and YouTube Music, and pages of videos, in the layouts of 2026, with made-up recordings.

Whoever asks otherwise than a browser would (another client, another filter) gets no answer at all.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Answer, Asked, as_json

VIDEOS_ONLY, SONGS_ONLY = "EgIQAfABAQ==", "EgWKAQIIAWoKEAoQAxAEEAkQBQ=="
"""The filters "Type: Video" of YouTube and "Songs" of YouTube Music."""
_CHANNEL = {"browseEndpoint": {"browseId": "UC" + "x" * 22, "canonicalBaseUrl": "/@maker"}}

Row = dict[str, Any]


@dataclass(frozen=True)
class Video:
    """A video as a search lists it; `clock` '' for none. `status` is "live", "upcoming", "members" or ''."""

    id: str
    title: str
    channel: str
    clock: str = "10:37"
    views: str = "1,234 views"
    status: str = ""


@dataclass(frozen=True)
class Page:
    """A video as its page tells it. With `artists` and `album` it is one that YouTube made of a label's data.

    `playability` is what the player is told instead of OK; without `has_player`, the page does not hold what it is told.
    """

    id: str
    title: str = "Strobe"
    channel: str = "deadmau5 - Topic"
    seconds: int | None = 637
    artists: Sequence[str] = ()
    album: str = ""
    views: int = 77
    playability: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    has_player: bool = True


@dataclass
class SearchPages:
    """Answers as www.youtube.com and music.youtube.com do.

    `rows` are what YouTube lists, whatever is asked; `songs` the ids that YouTube Music lists for a query. `instead` may
    answer a path otherwise. `queries` are what was searched for, and where.
    """

    rows: Sequence[Row] = ()
    songs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pages: Sequence[Page] = ()
    instead: Mapping[str, Answer] = field(default_factory=dict)
    queries: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        if asked.path in self.instead:
            return self.instead[asked.path]
        pages = {page.id: page for page in self.pages}
        match asked.host.removesuffix(":443"), asked.path:
            case "www.youtube.com", "/youtubei/v1/search":
                query = self._query(asked, "WEB", VIDEOS_ONLY)
                return as_json(videos_found(self.rows if query else ()))
            case "music.youtube.com", "/youtubei/v1/search":
                query = self._query(asked, "WEB_REMIX", SONGS_ONLY)
                return as_json(songs_found([song_row(one) for one in self.songs.get(query, ())]))
            case "www.youtube.com", "/watch":
                return watch_page(pages[asked.query["v"]])
            case "www.youtube.com", "/youtubei/v1/player":
                return as_json(player(pages[json.loads(asked.body)["videoId"]]))
        return Answer(b"", 404)

    def _query(self, asked: Asked, client: str, only: str) -> str:
        body = json.loads(asked.body)
        assert asked.method == "POST" and body["params"] == only and "continuation" not in body
        assert body["context"]["client"]["clientName"] == client
        self.queries.append((asked.host.removesuffix(":443"), body["query"]))
        return str(body["query"])


# -- lists -------------------------------------------------------------------------------------------------------------


def videos_found(rows: Sequence[Row]) -> Row:
    """What a search of YouTube answers; with no rows, that nothing was found."""
    listed = list(rows) or [{"backgroundPromoRenderer": {"title": {"runs": [{"text": "No results found"}]}}}]
    more = {"continuationItemRenderer": {"continuationEndpoint": {"continuationCommand": {"token": "more"}}}}
    parts = [{"itemSectionRenderer": {"contents": listed}}, *([more] if rows else [])]
    found = {"primaryContents": {"sectionListRenderer": {"contents": parts}}}
    return {"estimatedResults": "1000", "contents": {"twoColumnSearchResultsRenderer": found}}


def renderer(video: Video) -> Row:
    """A row of a search in the older of the two layouts."""
    told: Row = {
        "videoId": video.id,
        "title": {"runs": [{"text": video.title}], "accessibility": {"accessibilityData": {"label": video.title}}},
        "ownerText": {"runs": [{"text": video.channel, "navigationEndpoint": _CHANNEL}]},
        "shortBylineText": {"runs": [{"text": video.channel, "navigationEndpoint": _CHANNEL}]},
        "publishedTimeText": {"simpleText": "14 years ago"},
        "viewCountText": {"simpleText": video.views},
    }
    if video.clock:
        told["lengthText"] = {"simpleText": video.clock}
    if video.status == "live":
        told["badges"] = [{"metadataBadgeRenderer": {"style": "BADGE_STYLE_TYPE_LIVE_NOW", "label": "LIVE"}}]
    if video.status == "upcoming":
        told["upcomingEventData"] = {"startTime": "1800000000"}
    if video.status == "members":
        told["badges"] = [
            {"metadataBadgeRenderer": {"style": "BADGE_STYLE_TYPE_MEMBERS_ONLY", "label": "Members only"}}
        ]
    return {"videoRenderer": told}


def lockup(video: Video) -> Row:
    """The same in the newer layout."""
    shown = {"live": "LIVE", "upcoming": "Upcoming"}.get(video.status, video.clock)
    badge = {"text": shown}
    if video.status == "live":
        badge["badgeStyle"] = "THUMBNAIL_OVERLAY_BADGE_STYLE_LIVE"
    overlays = [{"thumbnailBottomOverlayViewModel": {"badges": [{"thumbnailBadgeViewModel": badge}]}}] if shown else []
    maker = {"text": {"content": video.channel, "commandRuns": [{"onTap": {"innertubeCommand": _CHANNEL}}]}}
    views = {"text": {"content": video.views}, "accessibilityLabel": video.views}
    age = {"text": {"content": "14 years ago"}, "accessibilityLabel": "14 years ago"}
    rows: list[Row] = [{"metadataParts": [maker]}, {"metadataParts": [views, age]}]
    if video.status == "members":
        rows.append({"badges": [{"badgeViewModel": {"badgeStyle": "BADGE_MEMBERS_ONLY", "badgeText": "Members only"}}]})
    return {
        "lockupViewModel": {
            "contentId": video.id,
            "contentType": "LOCKUP_CONTENT_TYPE_VIDEO",
            "contentImage": {"thumbnailViewModel": {"overlays": overlays}},
            "metadata": {
                "lockupMetadataViewModel": {
                    "title": {"content": video.title},
                    "metadata": {"contentMetadataViewModel": {"metadataRows": rows}},
                }
            },
        }
    }


LAYOUTS: tuple[Callable[[Video], Row], ...] = (renderer, lockup)

NO_VIDEOS: tuple[Row, ...] = (
    {"adSlotRenderer": {"slotId": "ad"}},
    {"channelRenderer": {"channelId": "UC" + "x" * 22, "title": {"simpleText": "deadmau5"}}},
    {"playlistRenderer": {"playlistId": "PL" + "x" * 32, "title": {"simpleText": "Strobe"}}},
    {"lockupViewModel": {"contentId": "RDstrobe000", "contentType": "LOCKUP_CONTENT_TYPE_PLAYLIST"}},
    {"lockupViewModel": {"contentId": "UC" + "y" * 22, "contentType": "LOCKUP_CONTENT_TYPE_ARTIST"}},
)
"""What else a search of YouTube may list."""


def song_row(song_id: str) -> Row:
    """A row of YouTube Music, of which yt-dlp reads the id and the title alone."""
    play = {"watchEndpoint": {"videoId": song_id}}
    title = {"text": {"runs": [{"text": "Strobe", "navigationEndpoint": play}]}}
    about = {
        "text": {"runs": [{"text": text} for text in ("deadmau5", " • ", "For Lack of a Better Name", " • ", "10:37")]}
    }
    return {
        "musicResponsiveListItemRenderer": {
            "playlistItemData": {"videoId": song_id},
            "flexColumns": [{"musicResponsiveListItemFlexColumnRenderer": column} for column in (title, about)],
        }
    }


def songs_found(rows: Sequence[Row]) -> Row:
    """What a search of YouTube Music answers."""
    none = {"itemSectionRenderer": {"contents": [{"messageRenderer": {"text": {"runs": [{"text": "No results"}]}}}]}}
    parts = [{"musicShelfRenderer": {"contents": list(rows)}} if rows else none]
    tab = {
        "tabRenderer": {"title": "YT Music", "selected": True, "content": {"sectionListRenderer": {"contents": parts}}}
    }
    return {"contents": {"tabbedSearchResultsRenderer": {"tabs": [tab]}}}


# -- pages -------------------------------------------------------------------------------------------------------------


def player(page: Page) -> Row:
    """What the player is told of a video. Of one that is refused nothing else, unless `details` do."""
    details: Row = {
        "videoId": page.id,
        "title": page.title,
        "author": page.channel.removesuffix(" - Topic"),
        "channelId": "UC" + "x" * 22,
        "viewCount": str(page.views),
        "isLiveContent": False,
        "shortDescription": _description(page),
    }
    if page.seconds is not None:
        details["lengthSeconds"] = str(page.seconds)
    if page.playability:
        told: Row = {"playabilityStatus": dict(page.playability)}
        return told | ({"videoDetails": {**details, **page.details}} if page.details else {})
    # Addresses of sound are no use here, and a page gives none that could be used as they are.
    return {"playabilityStatus": {"status": "OK"}, "videoDetails": {**details, **page.details}, "streamingData": {}}


def _description(page: Page) -> str:
    if not page.artists:
        return "Buy my album!"
    return (
        f"Provided to YouTube by mau5trap\n\n{page.title} · {' · '.join(page.artists)}\n\n{page.album}\n\n"
        "℗ 2009 mau5trap\n\nReleased on: 2009-09-22\n\nAuto-generated by YouTube."
    )


def watch_page(page: Page) -> Answer:
    """The page of a video: scripts that hold what the player is told, and what is shown around it."""
    owner = {"videoOwnerRenderer": {"title": {"runs": [{"text": page.channel, "navigationEndpoint": _CHANNEL}]}}}
    shown = {"results": {"results": {"contents": [{"videoSecondaryInfoRenderer": {"owner": owner}}]}}}
    config = {
        "INNERTUBE_CLIENT_VERSION": "2.20261001.00.00",
        "INNERTUBE_CONTEXT": {"client": {"clientName": "WEB", "clientVersion": "2.20261001.00.00", "hl": "en"}},
    }
    scripts = [
        f"ytcfg.set({json.dumps(config)});",
        f"var ytInitialPlayerResponse = {json.dumps(player(page))};" if page.has_player else "",
        f"var ytInitialData = {json.dumps({'contents': {'twoColumnWatchNextResults': shown}})};",
    ]
    text = "".join(f"<script>{script}</script>" for script in scripts)
    return Answer(
        f"<html><head>{text}</head><body></body></html>".encode(), headers={"Content-Type": "text/html; charset=utf-8"}
    )
