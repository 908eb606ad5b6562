"""What is to be done next for a track, from what is known of it. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from core.audio.waveform import SUFFIXES
from core.collecting import matching
from core.collecting.matching import Match
from core.library.candidates import Found
from core.library.collection import Wanted


@dataclass(frozen=True)
class Search:
    """Ask which recordings there are."""


@dataclass(frozen=True)
class Fetch:
    """Fetch what lies at `url`: to be the track's sound, or (`hear`) to be put before a person."""

    url: str
    hear: bool


@dataclass(frozen=True)
class GiveUp:
    """Nothing more can be done without a person. `reason` is one of `failures`, `message` a sentence."""

    reason: str
    message: str


Step = Search | Fetch | GiveUp


def next_step(wanted: Wanted, found: Sequence[Found], is_place: Callable[[str], bool]) -> Step:
    """The next step for a track. `is_place` says of an address whether sound may be fetched from there.

    In this order: what a person wishes; where its sound came from before; its own addresses; a search; the best candidate
    that is left. A track with an address of its own is searched for only after a person said so (which rejects the
    address).
    """
    known = {one.candidate.url: one for one in found}

    def is_open(url: str) -> bool:
        return url not in known or known[url].state == "open"

    if wanted.url and (wanted.wish or is_open(wanted.url)):
        return Fetch(wanted.url, wanted.wish == "hear")
    for url in wanted.urls:
        if is_open(url) and is_place(url):
            return Fetch(url, hear=False)
    if closed := [url for url in wanted.urls if is_open(url) and is_file(url)]:
        host = urlsplit(closed[0]).netloc
        return GiveUp("not allowed", f"Songs are not fetched from {host}: it is not among the allowed hosts.")
    failed = [known[url] for url in wanted.urls if url in known and known[url].state == "failed"]
    if not wanted.searched and not failed:
        return Search()
    for match in ranked(wanted, found):
        if match.is_sure or match.is_doubtful:
            return Fetch(match.candidate.url, hear=not match.is_sure)
    return _give_up(found, failed)


def ranked(wanted: Wanted, found: Iterable[Found]) -> list[Match]:
    """Candidates that are still open, best first; what older rules have judged is judged anew."""
    matches = [
        Match(one.candidate, one.score, one.reasons)
        if one.rules == matching.VERSION
        else matching.judge(wanted.track, one.candidate)
        for one in found
        if one.state == "open" and one.score is not None
    ]
    return sorted((match for match in matches if match), key=lambda match: -match.score)


def is_file(url: str) -> bool:
    """Whether an address is that of a sound file, and not of a page about a song."""
    return PurePosixPath(urlsplit(url).path).suffix.lower() in SUFFIXES


def _give_up(found: Sequence[Found], failed: Sequence[Found]) -> GiveUp:
    """Why nothing is left to try: what went wrong with the track's own address, else with the best candidate."""
    failed = failed or [one for one in found if one.state == "failed"]
    if failed:
        return GiveUp(failed[0].reason, failed[0].message)
    if any(one.state == "rejected" and one.score is not None for one in found):
        return GiveUp("rejected", "What was found has been rejected, and there is nothing else.")
    if not found:
        return GiveUp("no match", "Nothing was found.")
    best = max(found, key=lambda one: one.score or 0.0)
    return GiveUp("no match", f"The best of {len(found)} found is not surely it: {best.candidate.title}.")
