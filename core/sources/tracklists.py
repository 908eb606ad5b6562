"""Tracklists: lines of text such as `Artist - Title`, perhaps numbered, perhaps with clock times.

A clock such as `3:45` is a time or a part of a name ("4:44" is a song, "7:30" may be a band). The rules:

- A clock is a time only at the beginning or the end of a line, and only if artist and title remain without it.
- In brackets, with hours, or at `0:00` it is a time in any list.
- Otherwise the list decides: clocks are times if at least as many lines have one as have none. Clocks at the beginning are
  also times if several lines have one and they rise from line to line.
- A line of a clock and one more name is a time with a title if the clock is written like the others of its list and
  rises with them; such a line names no artist. In any other list it is `Artist - Title`.

A clock at the end is the track's length, unless the clocks of the list are positions in a mix: they begin at `0:00`, or
there are five or more, and they rise.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.errors import SourceError
from core.music import ListedTrack
from core.sources import cleaning

MAX_LINE = 4000
"""Characters of a line that are read; longer ones are no list."""

_CLOCK = r"(?:\d{1,2}[:：])?\d{1,3}[:：][0-5]\d"
_TO = rf"(?:\s*[-–—~]\s*{_CLOCK})"  # the end of a range
_LEAD = (
    re.compile(rf"[(\[{{]\s*(?P<clock>{_CLOCK}){_TO}?\s*[)\]}}]\s*(?:[-–—|:>→.,]+\s+)?"),
    re.compile(rf"(?P<clock>{_CLOCK}){_TO}(?:\s*[-–—|:>→.,)\]]+\s+|\s+)"),
    re.compile(rf"(?P<clock>{_CLOCK})(?:\s*[-–—|:>→.,)\]]+\s+|\s+|[-–—|]\s*)"),
)
_TRAIL = (
    re.compile(rf"[,;|]?\s*(?:[-–—|]\s+)?[(\[{{]\s*(?P<clock>{_CLOCK})(?P<to>{_TO})?\s*[)\]}}]$"),
    re.compile(rf"[,;]?\s+(?:[-–—|@]\s*)?(?P<clock>{_CLOCK})(?P<to>{_TO})?$"),
)
_CLOCK_CELL = re.compile(rf"[(\[{{]?\s*(?P<clock>{_CLOCK})\s*[)\]}}]?")
_BULLET = re.compile(
    r"^(?:[-*+•·▪◦‣>»–—]\s+|\(?\d{1,4}[.):\]]\s+|#\d{1,4}\s+|0\d{1,2}\s+(?=\S)"
    rf"|\d{{1,3}}[.)]?\s*(?=[(\[{{]\s*{_CLOCK}\b)|\d{{1,3}}\s+(?=(?:[-–—]\s+)?{_CLOCK}\s))"
)
_NUMBER_DASH = re.compile(r"^\d{1,3}\s+[-–—]\s+(?=.+\s[-–—]\s)")
"""`12 - Artist - Title`, in lists where most lines have it: else `99` may be the artist."""
_LINK = re.compile(r"(?i)<?(?:https?://|www\.|spotify:)\S+")
_SPOTIFY_TRACK = re.compile(
    r"(?i)<?(?:spotify:track:|(?:https?://)?open\.spotify\.com/(?:intl-[\w-]+/)?(?:embed/)?track/)([A-Za-z0-9]{22})\b\S*"
)


def lines_of(text: str) -> Iterator[str]:
    """Lines with anything in them, their ends stripped."""
    return filter(None, (line[:MAX_LINE].strip() for line in text.splitlines()))


def spotify_tracks(text: str) -> list[str]:
    """The lines of `text` that are links to Spotify tracks."""
    return [line for line in lines_of(text) if _SPOTIFY_TRACK.fullmatch(line)]


def spotify_tracks_unreadable(links: Sequence[str]) -> SourceError:
    """The error for links to Spotify tracks: it names them, and says what to do instead."""
    named = ", ".join(cleaning.name(link)[:100] for link in links[:3]) + (" …" if len(links) > 3 else "")
    what = (
        "This is a link to a Spotify track" if len(links) == 1 else f"These are {len(links):,} links to Spotify tracks"
    )
    return SourceError(
        f"{what}, not to a playlist: {named}. A track link holds no artist and title, and Genrescope reads only playlists "
        "from Spotify. In Spotify, add the songs to a playlist of your own, then read that playlist, or save it as CSV at "
        "exportify.net and add the file. Or write the songs as `Artist - Title`, one per line."
    )


def tracks_of(text: str) -> tuple[list[ListedTrack], dict[str, int]]:
    """The tracks in lines of text, and how many lines are none, by reason. Empty lines do not count.

    Raises `SourceError` if there are links to Spotify tracks and no track.
    """
    lines = list(lines_of(text))
    tracks: list[ListedTrack] = []
    skipped: dict[str, int] = {}
    read = _read(lines)
    for line, (artist, title, length) in zip(lines, read, strict=True):
        if artist and title and not _LINK.fullmatch(line):
            tracks.append(ListedTrack(title, cleaning.artist_names([artist]), duration_s=length))
            continue
        reason = "no artist and title"
        if _LINK.fullmatch(line):
            reason = "link to a Spotify track" if _SPOTIFY_TRACK.fullmatch(line) else "link without a name"
        skipped[reason] = skipped.get(reason, 0) + 1
    if not tracks and (links := spotify_tracks(text)):
        raise spotify_tracks_unreadable(links)
    return tracks, skipped


@dataclass(frozen=True)
class _Clock:
    """A clock at an end of a line; `sure` if it is a time in any list."""

    text: str
    sure: bool

    @property
    def seconds(self) -> int:
        parts = [int(part) for part in re.split("[:：]", self.text)]
        return sum(part * 60**place for place, part in enumerate(reversed(parts)))

    @property
    def padded(self) -> bool | None:
        """Whether minutes below ten are written with a zero; None if it cannot be seen."""
        first = re.split("[:：]", self.text)[0]
        return None if len(first) > 1 and first[0] != "0" else len(first) > 1


@dataclass(frozen=True)
class _Line:
    """A line with the clocks at its ends, and the names in it with and without them."""

    lead: _Clock | None
    trail: _Clock | None
    trail_is_range: bool
    names: dict[tuple[bool, bool], tuple[str, str]]
    """(without the lead, without the trail) to (artist, title); artist '' if there is none."""

    def names_remain(self, *, lead: bool = False, trail: bool = False) -> bool:
        return all(self.names.get((lead, trail), ("", "")))

    @property
    def lead_may_go(self) -> bool:
        return self.names_remain(lead=True) or self.names_remain(lead=True, trail=True)

    @property
    def trail_may_go(self) -> bool:
        return self.names_remain(trail=True) or self.names_remain(lead=True, trail=True)


def _read(lines: Sequence[str]) -> list[tuple[str, str, float | None]]:
    """Artist, title and length of each line; artist '' if it names none."""
    numbered = sum(bool(_NUMBER_DASH.match(line)) for line in lines) * 2 >= len(lines)
    parsed = [_parse(line, numbered=numbered) for line in lines]
    timed = sum(line.lead_may_go or line.trail_may_go for line in parsed)
    plain = sum(not line.lead and not line.trail and line.names_remain() for line in parsed)
    are_times = timed >= plain
    leads = [line.lead for line in parsed if line.lead]
    rise = _rise(leads)
    leads_are_times = are_times or (rise and len(leads) > 1 and all(line.lead_may_go for line in parsed if line.lead))
    titles_alone = rise and len(leads) * 2 > len(lines) and (len(leads) > 2 or leads[0].seconds == 0)
    trails = [line.trail for line in parsed if line.trail and line.trail_may_go]
    are_positions = _rise(trails) and (len(trails) > 4 or trails[0].seconds == 0)

    answers: list[tuple[str, str, float | None]] = []
    for line in parsed:
        lead, trail = line.lead, line.trail
        no_lead = bool(lead and line.lead_may_go and (lead.sure or leads_are_times))
        if lead and not line.lead_may_go:
            no_lead = lead.seconds == 0 or (titles_alone and _same_style(lead, leads))
        no_trail = bool(trail and (trail.sure or are_times) and line.names_remain(lead=no_lead, trail=True))
        artist, title = line.names.get((no_lead, no_trail), ("", ""))
        has_length = no_trail and not are_positions and not line.trail_is_range
        answers.append((artist, title, float(trail.seconds) or None if trail and has_length else None))
    return answers


def _rise(clocks: Sequence[_Clock]) -> bool:
    return bool(clocks) and all(a.seconds < b.seconds for a, b in pairwise(clocks))


def _same_style(clock: _Clock, others: Sequence[_Clock]) -> bool:
    return len({other.padded for other in (clock, *others)} - {None}) < 2


def _clock(match: re.Match[str] | None) -> _Clock | None:
    if match is None:
        return None
    text = match["clock"]
    in_brackets = match[0].strip(" ,;|-–—")[:1] in ("(", "[", "{")
    clock = _Clock(text, sure=False)
    return _Clock(text, sure=in_brackets or len(re.findall("[:：]", text)) == 2 or clock.seconds == 0)


def _parse(line: str, *, numbered: bool) -> _Line:
    if "\t" in line:
        cells = [" ".join(cell.split()) for cell in line.split("\t") if cell.strip()]
        if len(cells) > 1:
            return _parse_cells(cells, numbered=numbered)
    body = _without_number(" ".join(line.split()), numbered=numbered)
    for pattern in _LEAD:
        lead = pattern.match(body)
        rest = _without_number(body[lead.end() :], numbered=numbered) if lead else ""
        if lead and all(cleaning.artist_and_title(rest)):
            break
    trail = next((found for pattern in _TRAIL if (found := pattern.search(body))), None)
    names = {(False, False): cleaning.artist_and_title(body)}
    if lead:
        names[True, False] = cleaning.artist_and_title(rest)
    if trail:
        names[False, True] = cleaning.artist_and_title(body[: trail.start()])
    if lead and trail and (end := len(rest) - len(trail[0])) > 0:
        names[True, True] = cleaning.artist_and_title(rest[:end])
    return _Line(_clock(lead), _clock(trail), bool(trail and trail["to"]), names)


def _without_number(line: str, *, numbered: bool) -> str:
    """The line without a bullet or number before it."""
    line = _BULLET.sub("", line)
    return _NUMBER_DASH.sub("", line) if numbered else line


def _parse_cells(cells: Sequence[str], *, numbered: bool) -> _Line:
    """The same for cells between tabs: perhaps a number, a clock, artist, title, perhaps more and a clock."""
    if len(cells) > 2 and re.fullmatch(r"#?\d{1,4}[.)]?", cells[0]):
        cells = cells[1:]
    lead, trail = _CLOCK_CELL.fullmatch(cells[0]), _CLOCK_CELL.fullmatch(cells[-1])
    names = {}
    for no_lead in {False, bool(lead)}:
        for no_trail in {False, bool(trail)}:
            left = cells[no_lead : len(cells) - no_trail]
            if len(left) > 1:
                names[no_lead, no_trail] = cleaning.name(left[0].replace(";", ",")), cleaning.name(left[1])
            elif left:
                names[no_lead, no_trail] = cleaning.artist_and_title(_without_number(left[0], numbered=numbered))
    sure = len(cells) > 2  # a column of clocks beside artist and title
    return _Line(
        _Clock(lead["clock"], sure) if lead else None, _Clock(trail["clock"], sure) if trail else None, False, names
    )
