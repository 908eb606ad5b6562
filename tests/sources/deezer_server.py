"""A stand-in for api.deezer.com on 127.0.0.1, with made-up playlists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Answer, Asked, as_json

Json = dict[str, Any]


def song(number: int, **changes: Any) -> Json:
    """A row as the API gives it."""
    return {
        "id": number,
        "readable": True,
        "title": f"Song {number}",
        "title_short": f"Song {number}",
        "title_version": "",
        "isrc": f"GBAAA{number:07d}",
        "link": f"https://www.deezer.com/track/{number}",
        "duration": 180 + number % 60,
        "rank": 500_000,
        "artist": {"id": 7, "name": f"Artist {number % 5}", "type": "artist"},
        "album": {"id": 9, "title": "An Album", "type": "album"},
        "type": "track",
    } | changes


def error(code: int, message: str = "said") -> Answer:
    """An error in the body of a good answer, as Deezer tells them."""
    return as_json({"error": {"type": "Exception", "message": message, "code": code}})


@dataclass
class Deezer:
    """What the server knows; `errors` are answered first, by path. `hidden` rows take a place on a page, unseen."""

    playlists: dict[int, tuple[str, Sequence[Json]]] = field(default_factory=dict)
    found: Sequence[Json] = ()
    errors: Mapping[str, Answer] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def __call__(self, asked: Asked) -> Answer:
        if asked.path in self.errors:
            return self.errors[asked.path]
        match asked.path.strip("/").split("/"):
            case ["playlist", number] if int(number) in self.playlists:
                title, rows = self.playlists[int(number)]
                about = {"id": int(number), "title": title, "nb_tracks": len(rows), "public": True, "type": "playlist"}
                return as_json(about | {"creator": {"id": 1, "name": "Ada"}, "tracks": {"data": list(rows[:3])}})
            case ["playlist", number, "tracks"] if int(number) in self.playlists:
                return self._rows(self.playlists[int(number)][1], int(asked.query["index"]), int(asked.query["limit"]))
            case ["search", "playlist"]:
                return as_json({"data": list(self.found)[: int(asked.query["limit"])], "total": len(self.found)})
        return error(800, "no data")

    def _rows(self, rows: Sequence[Json], start: int, limit: int) -> Answer:
        page = [row for place, row in enumerate(rows[start : start + limit], start) if place not in self.hidden]
        elsewhere = "http://127.0.0.1:1/never"  # a link that nobody should follow
        return as_json({"data": page, "total": len(rows), "next": elsewhere})
