"""Votes from MusicBrainz: what its users call a track. One request a second; goes on where it was."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from core.library.identity import CERTAIN, sameness
from core.library.store import Library
from core.music import ListedTrack, Vote
from core.sources.musicbrainz import Found, MusicBrainz

WEIGHT = 0.25
"""Of a recording's genres together: a quarter of one playlist, since strangers named them, not the builder."""
WEIGHT_OF_ARTIST = 0.1
"""Of an artist's genres together: they need not be this song's."""
MOST = 3
"""Genres taken of one track, those named by most people."""


def look_up(library: Library, service: MusicBrainz, *, on_progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """Ask about every track that was not asked about yet. `on_progress(done, total, track)` may raise to stop.

    Answers `{"asked", "found"}`. A pause that the service asks for ends it with `RateLimited`; asked again, it goes on.
    """
    todo = library.not_looked_up()
    found = 0
    for number, (track_id, track) in enumerate(todo):
        on_progress(number, len(todo), track.title)
        answer = service.genres(track, same=partial(_same, track))
        votes = votes_of(answer) if answer else []
        found += bool(votes)
        library.looked_up(track_id, votes, json.dumps(vars(answer) if answer else None))
    on_progress(len(todo), len(todo), "")
    return {"asked": len(todo), "found": found}


def votes_of(found: Found) -> list[Vote]:
    """Votes that share one low weight in proportion to how many people named each genre."""
    best = sorted(found.genres, key=lambda genre: (-genre[1], genre[0]))[:MOST]
    people = sum(max(n, 1) for _, n in best)
    weight = WEIGHT if found.of == "recording" else WEIGHT_OF_ARTIST
    return [Vote(name, "musicbrainz", weight * max(n, 1) / people, found.url) for name, n in best]


def _same(wanted: ListedTrack, other: ListedTrack) -> bool:
    return sameness(wanted, other).certainty >= CERTAIN
