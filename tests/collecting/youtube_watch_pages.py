"""A made-up video of YouTube as yt-dlp reads it: its page, what the player is told, and its sound."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Answer, Asked, as_json

MEDIA = "r1.youtube.com"
"""Where the sound is (the real one keeps it at googlevideo.com)."""


@dataclass
class Watch:
    """The only video there is. `playability` and `details` are added to what the player is told; no `sound`, no formats."""

    sound: bytes = b""
    title: str = "A - B"
    seconds: int = 5
    playability: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    media: Answer | None = None
    player: Answer | None = None

    def __call__(self, asked: Asked) -> Answer:
        if asked.host.startswith(MEDIA):
            return self.media or ranged(asked, self.sound, "audio/webm")
        match asked.path:
            case "/watch":
                return _page()
            case "/youtubei/v1/player":
                return self.player or as_json(self._player(json.loads(asked.body)["videoId"]))
            case "/iframe_api":
                return Answer(b"")
            case path if path.startswith("/embed/"):
                return _page()
        return Answer(b"", 404)

    def _player(self, video_id: str) -> dict[str, Any]:
        sound = {
            "itag": 251,
            "url": f"https://{MEDIA}/videoplayback?itag=251&clen={len(self.sound)}",
            "mimeType": 'audio/webm; codecs="opus"',
            "bitrate": 128_000,
            "contentLength": str(len(self.sound)),
            "audioQuality": "AUDIO_QUALITY_MEDIUM",
            "approxDurationMs": str(1000 * self.seconds),
            "audioSampleRate": "48000",
            "audioChannels": 2,
        }
        return {
            "playabilityStatus": {"status": "OK"} | self.playability,
            "videoDetails": {
                "videoId": video_id,
                "title": self.title,
                "lengthSeconds": str(self.seconds),
                "author": "Channel",
                "channelId": "UC" + "x" * 22,
                "isLiveContent": False,
            }
            | self.details,
            "streamingData": {"adaptiveFormats": [sound] if self.sound else []},
        }


def ranged(asked: Asked, sound: bytes, kind: str, **headers: str) -> Answer:
    """The sound, or the part of it that was asked for."""
    told = {"Content-Type": kind, "Accept-Ranges": "bytes"} | headers
    wanted = asked.headers.get("Range", "")
    if not wanted:
        return Answer(sound, headers=told)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or len(sound)), len(sound) - 1)
    if start >= len(sound):
        return Answer(b"", 416, {"Content-Range": f"bytes */{len(sound)}"})
    return Answer(sound[start : end + 1], 206, told | {"Content-Range": f"bytes {start}-{end}/{len(sound)}"})


def _page() -> Answer:
    config = {
        "INNERTUBE_CLIENT_VERSION": "2.20261001.00.00",
        "INNERTUBE_CONTEXT": {"client": {"clientName": "WEB", "clientVersion": "2.20261001.00.00", "hl": "en"}},
    }
    data = '<script>var ytInitialData = {"contents": {"twoColumnWatchNextResults": {}}};</script>'
    page = f"<html><head><script>ytcfg.set({json.dumps(config)});</script>{data}</head><body></body></html>"
    return Answer(page.encode(), headers={"Content-Type": "text/html; charset=utf-8"})
