"""YouTube and YouTube Music with made-up recordings: searches, pages, and sound."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.collecting import youtube_search_pages as pages
from tests.collecting.youtube_watch_pages import Watch, ranged
from tests.loopback import Answer, Asked, as_json


@dataclass(frozen=True)
class Recording:
    """A video; `isrc` and `is_song` make YouTube Music list it. `answer` is given instead of its sound."""

    id: str
    title: str
    channel: str
    seconds: int = 5
    isrc: str = ""
    is_song: bool = False
    sound: bytes = b""
    answer: Answer | None = None
    playability: Mapping[str, Any] | None = None
    is_live: bool = False
    clock: str | None = None


class YouTube:
    """Answers as youtube.com and music.youtube.com do; a search lists what shares words with it, the most first."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = {one.id: one for one in recordings}
        self.queries: list[tuple[str, str]] = []
        self.refusal: Answer | None = None
        self.hidden_from_videos = False

    def __call__(self, asked: Asked) -> Answer:
        if self.refusal:
            return self.refusal
        if asked.path == "/youtubei/v1/search":
            body = json.loads(asked.body)
            return self._found(asked.host, str(body["query"]))
        if asked.path == "/videoplayback":
            one = self.recordings[asked.query["of"]]
            return one.answer or ranged(asked, one.sound, "audio/webm")
        if asked.path == "/youtubei/v1/player":
            return self._player(json.loads(asked.body)["videoId"])
        if asked.path == "/watch":
            one = self.recordings[asked.query["v"]]
            return pages.watch_page(pages.Page(one.id, one.title, one.channel, one.seconds, has_player=False))
        return Watch()(asked)

    def _found(self, host: str, query: str) -> Answer:
        is_music = host.startswith("music.")
        self.queries.append(("music" if is_music else "videos", query))
        wanted = _words(query)
        shared = {one.id: len(wanted & _words(f"{one.title} {one.channel}")) for one in self.recordings.values()}
        found = [
            one
            for one in sorted(self.recordings.values(), key=lambda one: -shared[one.id])
            if (one.isrc and one.isrc == query) or (shared[one.id] and (one.is_song or not is_music))
        ]
        if self.hidden_from_videos and not is_music:
            found = []
        if is_music:
            return as_json(pages.songs_found([pages.song_row(one.id) for one in found]))
        return as_json(pages.videos_found([pages.renderer(_listed(one)) for one in found]))

    def _player(self, video_id: str) -> Answer:
        one = self.recordings[video_id]
        told = Watch(one.sound, one.title, one.seconds, dict(one.playability or {}))._player(video_id)
        told["videoDetails"]["author"] = one.channel
        if told["playabilityStatus"]["status"] == "ERROR":
            return as_json({"playabilityStatus": told["playabilityStatus"]})
        for sound in told["streamingData"]["adaptiveFormats"]:
            sound["url"] += f"&of={video_id}"
        return as_json(told)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _listed(one: Recording) -> pages.Video:
    clock = f"{one.seconds // 60}:{one.seconds % 60:02d}" if one.clock is None else one.clock
    return pages.Video(one.id, one.title, one.channel, clock, status="live" if one.is_live else "")
