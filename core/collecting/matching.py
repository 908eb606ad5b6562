"""Which of the recordings that a search found is the wanted track? Pure.

Each candidate gets a score: the sum of named reasons, each worth at most its weight (`WEIGHTS`). From `ACCEPTED` on it is
taken without asking; from `DOUBTFUL` on a person is asked; below, it is not the track. A wrong song is worse than a
missing one: what is not explained by the track's own names speaks against a candidate.

Titles are read as `library.titles` does: words are lower-case ASCII, noise such as "official video" is dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from core.library.names import artists, words
from core.library.titles import read_title
from core.music import Candidate, ListedTrack

VERSION = 1
"""Of the weights and rules here; it is stored with every match."""

ACCEPTED = 0.8
"""From here on a candidate is taken without asking."""
DOUBTFUL = 0.5
"""From here on a person is asked."""
JUST_DOUBTFUL = ACCEPTED - 0.01
"""What a candidate comes to at most that must not be taken without asking."""

NEAR_S, FAR_S = 2.0, 7.0
"""Lengths this near (seconds) are equal: services round, and count silence differently. Farther than `FAR_S` they are
two recordings, whatever they are called: live takes, edits and loops differ by more, remasters by less."""
FAR_SHARE = 0.25
"""... nor may a short track's length differ by more than this share of it: of a 20 s track, by 5 s."""

WEIGHTS: Mapping[str, float] = {
    "title": 0.45,  # nothing can be without it
    "artist": 0.30,  # covers and namesakes have the same title, often the same length
    "length": 0.20,  # between recordings of one name it tells them apart best
    "official": 0.05,  # from a catalogue of music, from a "Topic" channel, or from the artist's own
    "album": 0.05,
    "ISRC": 0.15,  # the service gave it for this very code; it is not proof, since codes are given twice
    "other words": -0.25,  # the first word of its title that nothing explains: "piano", "tutorial", "just"
    "more other words": -0.10,  # each further one, up to three
    "number": -0.30,  # a number of the track's title is missing: "Part 1", "No. 5", "100 Hz" are told apart by nothing else
    "live album": -0.25,  # its album says that it is live, and the track does not
    "guest": -0.15,  # it credits somebody whom the track does not name: in a fan's title often another version
}
"""What each reason is worth at most. What speaks for being another version is in `VERSIONS`."""

UNKNOWN_LENGTH = 0.25
"""Share of the weight of length where the track does not tell its own: only what is official is then sure."""

VERSIONS: Mapping[str, tuple[float, tuple[str, ...]]] = {
    # reason: (what it costs on one side alone, how it is written)
    "live": (-0.5, ("live", "concert", "unplugged", "en vivo", "en directo", "ao vivo", "dal vivo", "tour", "festival")),
    "cover": (-0.6, ("cover", "covers", "covered", "tribute", "as made famous by", "made famous by", "in the style of",
                     "originally performed", "performed by", "reaction to")),
    "karaoke": (-0.6, ("karaoke", "backing track", "backing tracks", "sing along", "minus one", "playback")),
    "remix": (-0.5, ("remix", "remixes", "rmx", "mashup", "mash up", "bootleg", "flip", "rework", "remake", "refix", "vip",
                     "medley", "megamix", "emulation")),
    "sped up": (-0.6, ("sped up", "speed up", "speeded up", "spedup", "fast version")),
    "slowed": (-0.6, ("slowed", "reverb", "slow version", "daycore", "slowed down")),
    "nightcore": (-0.6, ("nightcore",)),
    "8D": (-0.6, ("8d", "16d", "3d audio", "432hz", "432 hz", "bass boosted", "bassboosted")),
    "instrumental": (-0.5, ("instrumental", "instrumentals", "off vocal", "type beat")),
    "a cappella": (-0.5, ("acapella", "a cappella", "vocals only", "acappella")),
    "reaction": (-0.6, ("reaction", "reacts", "review", "explained", "interview", "trailer", "teaser", "preview",
                        "behind the scenes", "making of", "tutorial", "lesson", "how to play", "how to")),
    "full album": (-0.6, ("full album", "full ep", "complete album", "album completo", "playlist", "compilation",
                          "greatest hits", "mixtape", "dj set", "dj mix", "continuous mix")),
    "one hour": (-0.6, ("1 hour", "one hour", "10 hours", "hour loop", "1h", "1 hr", "hours", "loop", "looped",
                        "extended loop")),
    "acoustic": (-0.4, ("acoustic", "acustico", "acustica", "akustik", "stripped", "piano version")),
    "demo": (-0.4, ("demo", "rehearsal", "outtake", "alternate take", "early version")),
    "mix": (-0.3, ("extended mix", "extended", "club mix", "radio edit", "radio mix", "radio version", "edit", "dub",
                   "12 inch", "7 inch", "single version", "video edit", "clean version")),
}  # fmt: skip
"""Words that tell another recording, where only one of the two titles has them."""

HARMLESS = frozenset(
    words(
        "official video audio lyrics lyric music hd hq uhd 4k 1080p 720p mv clip videoclip visualizer visualiser full song "
        "feat ft featuring with x vs by prod und mit et avec y e con original version ncs release letra letras paroles "
        "testo remaster remastered out now new premiere exclusive free download single the a an and"
    )
)
"""Words of titles that say nothing about the recording."""

ARTICLES = frozenset({"the", "a", "an", "and"})
"""Left out of titles as people write them, or added."""

CERTAIN_ARTIST = 0.75
"""Without an artist that is known this surely, nothing is taken without asking."""
_OTHER_ARTIST = 0.8  # one named beside the main one: songs are often listed under another of their artists
_IN_TITLE = 0.9  # named in the title of somebody else's video
_SPELLED = 0.85  # named with a misspelling
_IN_TITLE_OF_SONG = 0.3  # named in the title of somebody else's release: most are covers and tributes
_ALIKE = 86.0  # rapidfuzz's ratio of two spellings of one word


@dataclass(frozen=True)
class Match:
    """A candidate and how well it fits: `score` is the sum of `reasons`, each a name with what it is worth here."""

    candidate: Candidate
    score: float
    reasons: Mapping[str, float]

    @property
    def is_sure(self) -> bool:
        """Whether it may be taken without asking."""
        return self.score >= ACCEPTED

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should be asked."""
        return DOUBTFUL <= self.score < ACCEPTED


def best(track: ListedTrack, candidates: Iterable[Candidate]) -> Match | None:
    """The best match that may be taken without asking, or None."""
    ranked = rank(track, candidates)
    return ranked[0] if ranked and ranked[0].is_sure else None


def rank(track: ListedTrack, candidates: Iterable[Candidate]) -> list[Match]:
    """A match for each candidate that could be the track at all, best first; the order of `candidates` does not matter.

    Left out are candidates that do not tell their length, those whose length is another's, and those which share no word
    with the title.
    """
    matches = [match for candidate in candidates if (match := judge(track, candidate))]
    return sorted(matches, key=lambda match: (-match.score, _order(track, match.candidate)))


def judge(track: ListedTrack, candidate: Candidate) -> Match | None:
    """How well a candidate fits, or None if it cannot be the track."""
    length = _length(track.duration_s, candidate.duration_s)
    if length is None:
        return None
    wanted, found = _Words.of(track.title), _Words.of(candidate.title)
    known = _artist(track, candidate, found)
    missing, other = _compare(wanted, found, _explained(track, candidate))
    title = max(0.0, 1.0 - 2.0 * _share(missing, wanted.title))
    if title == 0.0:
        return None
    reasons = {
        "title": WEIGHTS["title"] * title,
        "artist": WEIGHTS["artist"] * known,
        "length": WEIGHTS["length"] * length,
        "official": WEIGHTS["official"] * _is_official(track, candidate),
        "album": WEIGHTS["album"] * (bool(track.album) and words(track.album) == words(candidate.album)),
        "ISRC": WEIGHTS["ISRC"] * candidate.has_isrc,
        "other words": WEIGHTS["other words"] * (len(other) > 0),
        "more other words": WEIGHTS["more other words"] * min(max(len(other) - 1, 0), 3),
        "number": WEIGHTS["number"] * any(word.isdigit() for word in missing),
        "guest": WEIGHTS["guest"] * _has_a_stranger(track, candidate),
        **_versions(track, candidate),
    }
    score = sum(reasons.values())
    if known < CERTAIN_ARTIST and score >= ACCEPTED and not candidate.has_isrc:
        reasons["artist not certain"] = JUST_DOUBTFUL - score
        score = sum(reasons.values())
    return Match(candidate, round(score, 4), {name: round(value, 4) for name, value in reasons.items() if value})


# -- length ------------------------------------------------------------------------------------------------------------


def same_length(wanted_s: float, found_s: float) -> bool:
    """Whether two lengths may be of one recording."""
    return _length(wanted_s, found_s) is not None


def _length(wanted_s: float | None, found_s: float | None) -> float | None:
    """How well two lengths agree, 0 to 1; None if they are two recordings', or the candidate does not tell its own."""
    if not found_s or found_s <= 0:
        return None
    if not wanted_s or wanted_s <= 0:
        return UNKNOWN_LENGTH
    apart_s, far_s = abs(found_s - wanted_s), min(FAR_S, max(NEAR_S, FAR_SHARE * wanted_s))
    if apart_s > far_s:
        return None
    return 1.0 if apart_s <= NEAR_S else (far_s - apart_s) / (far_s - NEAR_S)


# -- words -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Words:
    """A title in words: all of it (as written, and as read), and what names the song: without noise, credits, version."""

    all: tuple[str, ...]
    title: tuple[str, ...]

    @classmethod
    def of(cls, title: str) -> "_Words":
        read, everything = read_title(title), words(title)
        paid_for = {
            word for _, phrases in VERSIONS.values() for one in _said(everything, phrases) for word in one.split()
        }
        named = [word for word in words(f"{read.base} {read.version}") if word not in ARTICLES]
        core = tuple([word for word in named if word not in paid_for] or named or everything) or (
            title.casefold().strip(),
        )
        return cls((*everything, *core), core)


def _compare(wanted: _Words, found: _Words, explained: frozenset[str]) -> tuple[list[str], list[str]]:
    """(words of the wanted title that are missing, words found that nothing explains); misspelled ones are neither."""
    missing = [word for word in dict.fromkeys(wanted.title) if word not in found.all]
    other = [
        word
        for word in dict.fromkeys(found.title)
        if word not in (*wanted.all, *explained, *HARMLESS) and not _is_year(word)
    ]
    for word in list(missing):
        alike = [one for one in other if _is_alike(word, one)]
        if alike:
            missing.remove(word)
            other.remove(alike[0])
    if missing and "".join(wanted.title) == "".join(word for word in found.title if word not in explained):
        missing = []  # "Back in Black", "Backin Black"
        other = []
    return missing, other


def _explained(track: ListedTrack, candidate: Candidate) -> frozenset[str]:
    """Words that a candidate's title may hold besides: who plays, on what album, on whose channel."""
    named = [*track.artists, track.album, candidate.channel if _is_official(track, candidate) else ""]
    return frozenset(word for name in named for word in words(name)) | frozenset(
        "".join(words(artist)) for artist in track.artists
    )


def _is_alike(word: str, other: str) -> bool:
    if min(len(word), len(other)) < 5 or any(ch.isdigit() for ch in word + other):
        return False
    return fuzz.ratio(word, other) >= _ALIKE


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit() and word.startswith(("19", "20"))


def _share(part: Sequence[str], whole: Sequence[str]) -> float:
    """By letters: of "the depths" a missing "depths" weighs more than a missing "the"."""
    letters = sum(map(len, dict.fromkeys(whole)))
    return sum(map(len, part)) / letters if letters else 1.0


# -- artists -----------------------------------------------------------------------------------------------------------


def _artist(track: ListedTrack, candidate: Candidate, found: _Words) -> float:
    """How surely the candidate is by one of the track's artists, 0 to 1."""
    credited = [*candidate.artists, candidate.channel]
    by_nobody_else = 1.0 if candidate.is_song is not True else _IN_TITLE_OF_SONG
    sure = 0.0
    for place, artist in enumerate(track.artists):
        rank = 1.0 if place == 0 else _OTHER_ARTIST
        if _names(artist, credited):
            sure = max(sure, rank)
        elif _phrase(_without_article(words(artist)), found.all):
            sure = max(sure, rank * _IN_TITLE * by_nobody_else)
        elif _nearly_names(artist, credited):
            sure = max(sure, rank * _SPELLED)
    return sure


def _names(artist: str, credited: Iterable[str]) -> bool:
    """Whether one of the names is this artist, or holds it: "Taco Hemingway und OKI"."""
    wanted = {one.key for one in artists(artist)[:1]}
    bare = _without_article(words(artist))
    return any(wanted & {one.key for one in artists(name)} or _phrase(bare, words(name)) for name in credited if name)


def _nearly_names(artist: str, credited: Iterable[str]) -> bool:
    name = "".join(words(artist))
    return len(name) >= 5 and any(
        fuzz.ratio(name, other.key) >= _ALIKE for one in credited for other in artists(one) if len(other.key) >= 5
    )


def _without_article(name: tuple[str, ...]) -> tuple[str, ...]:
    return name[1:] if len(name) > 1 and name[0] in ARTICLES else name


def _phrase(part: Sequence[str], whole: Sequence[str]) -> bool:
    return bool(part) and f" {' '.join(part)} " in f" {' '.join(whole)} "


def _is_official(track: ListedTrack, candidate: Candidate) -> bool:
    """Whether a label or the artist put it there."""
    if candidate.is_song or candidate.channel.endswith(" - Topic"):
        return True
    channel = "".join(words(candidate.channel)).removesuffix("vevo").removesuffix("official").removesuffix("music")
    return channel != "" and any(channel == "".join(words(artist)) for artist in track.artists)


def _has_a_stranger(track: ListedTrack, candidate: Candidate) -> bool:
    """Whether the candidate's title credits somebody whom the track does not name."""
    known = {one.key for credit in track.artists for one in artists(credit)} | read_title(track.title).featured
    title = "".join(words(track.title))  # "With the Moon Behind" credits nobody
    return any(person not in title for person in read_title(candidate.title).featured - known)


# -- versions ----------------------------------------------------------------------------------------------------------


def _versions(track: ListedTrack, candidate: Candidate) -> dict[str, float]:
    """What it costs that one of the two is another version. An album may tell it too: all of a live album is live."""
    wanted, found = words(track.title), _without_artists(words(candidate.title), track)
    wanted_with_album, found_with_album = wanted + words(track.album), found + words(candidate.album)
    costs = {}
    for name, (cost, phrases) in VERSIONS.items():
        if _said(found, phrases) and not _said(wanted_with_album, phrases):
            costs[name] = cost
        elif _said(wanted, phrases) and not _said(found_with_album, phrases):
            costs[f"not {name}"] = cost
    live = VERSIONS["live"][1]
    if "live" not in costs and _said(words(candidate.album), live) and not _said(wanted_with_album, live):
        costs["live album"] = WEIGHTS["live album"]
    return costs


def _without_artists(title: tuple[str, ...], track: ListedTrack) -> tuple[str, ...]:
    """A title without the names of the track's artists, each left out once: Loop make no loops, but Live have live takes."""
    text = f" {' '.join(title)} "
    for artist in track.artists:
        text = text.replace(f" {' '.join(words(artist))} ", " ", 1)
    return tuple(text.split())


def _said(text: Sequence[str], phrases: Iterable[str]) -> list[str]:
    """Those of `phrases` that a text holds, as whole words."""
    joined = f" {' '.join(text)} "
    return [phrase for phrase in phrases if f" {phrase} " in joined]


def _order(track: ListedTrack, candidate: Candidate) -> tuple[float, int, str]:
    """Of equals: the nearest in length, then the most heard."""
    apart_s = abs((candidate.duration_s or 0.0) - (track.duration_s or candidate.duration_s or 0.0))
    return apart_s, -(candidate.views or 0), candidate.url
