"""Is this recording that track? Judged on real searches with known answers, and by laws that hold for any names.

The corpus is `../shared/data/matching/golden.jsonl`, counted as its README says: `accepted` and `also_ok` are right;
`plausible` and `accepted_doubtful` count neither way; everything else is wrong.
"""

import itertools
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.collecting import matching
from core.collecting.matching import ACCEPTED, DOUBTFUL, VERSIONS, WEIGHTS, best, judge, rank
from core.library.identity import main_artist
from core.library.names import artists
from core.library.titles import read_title
from core.music import Candidate, ListedTrack
from core.sources.lists import read_list

PROJECT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]
FLAT = ("video_id", "title", "channel", "duration_s", "views")


# -- the golden corpus -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> list[Row]:
    with (shared_data / "matching" / "golden.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@dataclass(frozen=True)
class Count:
    """What a run of the matcher came to."""

    right: int
    wrong: int
    matched: int
    findable: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / self.findable


def right(row: Row) -> set[str]:
    return {*row["accepted"], *row["also_ok"]}


def neutral(row: Row) -> set[str]:
    return {*row["plausible"], *row["accepted_doubtful"]}


def match(rows: Sequence[Row], tmp_path: Path) -> dict[str, Row]:
    """What the command answers, by id."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "core", "match", str(file), "--json"]
    out = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True).stdout
    return {row["id"]: row for row in json.loads(out)}


def shuffled(row: Row, keep: Callable[[Row], Row], *, without: set[str] = frozenset()) -> Row:  # type: ignore[assignment]
    candidates = [keep(one) for one in row["candidates"] if one["video_id"] not in without]
    random.Random(row["id"]).shuffle(candidates)
    return {**{key: row[key] for key in ("id", "query")}, "candidates": candidates}


def whole(candidate: Row) -> Row:
    return {key: value for key, value in candidate.items() if key != "found_by"}


def flat(candidate: Row) -> Row:
    return {key: candidate[key] for key in FLAT}


def count(corpus: Sequence[Row], tmp_path: Path, keep: Callable[[Row], Row], *, removed: bool = False) -> Count:
    asked = [shuffled(row, keep, without=right(row) | neutral(row) if removed else set()) for row in corpus]
    answers = match(asked, tmp_path)
    accepted = [(row, answers[row["id"]]["accepted"]) for row in corpus]
    return Count(
        right=sum(video in right(row) for row, video in accepted),
        wrong=sum(video is not None and video not in right(row) | neutral(row) for row, video in accepted),
        matched=sum(video is not None for _, video in accepted),
        findable=sum(bool(right(row)) for row in corpus),
    )


def test_real_searches(corpus: list[Row], tmp_path: Path) -> None:
    found = count(corpus, tmp_path, whole)
    assert found.precision >= 0.97 and found.recall >= 0.95, found


def test_real_searches_as_a_flat_list_tells_them(corpus: list[Row], tmp_path: Path) -> None:
    found = count(corpus, tmp_path, flat)
    assert found.precision >= 0.97 and found.recall >= 0.95, found


@pytest.mark.parametrize("keep", [whole, flat])
def test_where_nothing_right_is_there_nothing_is_taken(
    corpus: list[Row], tmp_path: Path, keep: Callable[[Row], Row]
) -> None:
    assert count(corpus, tmp_path, keep, removed=True).matched <= 0.03 * len(corpus)


def test_nothing_but_id_query_and_candidates_is_read(corpus: list[Row], tmp_path: Path) -> None:
    rows = [{key: row[key] for key in ("id", "query", "candidates")} for row in corpus[:20]]
    junk = [
        {key: row.get(key, "junk") if key in ("id", "query", "candidates") else {"junk": 1} for key in row}
        for row in corpus[:20]
    ]
    assert match(rows, tmp_path) == match(junk, tmp_path)


def tracks(corpus: Sequence[Row]) -> list[tuple[ListedTrack, list[Candidate], Row]]:
    from core.cli.collecting import _candidate, _track

    return [(_track(row["query"]), [_candidate(one) for one in row["candidates"]], row) for row in corpus]


@pytest.mark.slow
def test_songs_of_other_searches_are_never_taken_however_long_they_are(corpus: list[Row]) -> None:
    rows = tracks(corpus)
    for track, _, row in rows:
        for _, candidates, other in rows:
            if other["group"] != row["group"]:
                stretched = [replace(one, duration_s=track.duration_s) for one in candidates]
                assert best(track, stretched) is None, (track, best(track, stretched))


MARKS = {
    "live": "(Live)", "cover": "- cover", "karaoke": "(Karaoke Version)", "remix": "(Somebody Remix)", "sped up": "(sped up)",
    "slowed": "(slowed + reverb)", "nightcore": "[Nightcore]", "8D": "8D audio", "instrumental": "(Instrumental)",
    "reaction": "REACTION", "full album": "full album", "one hour": "1 hour",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("reason", "mark"), MARKS.items())
def test_another_version_is_not_taken_unless_it_is_wanted(corpus: list[Row], reason: str, mark: str) -> None:
    for track, candidates, _ in tracks(corpus):
        found = best(track, candidates)
        if (
            found is None
            or reason in "".join(found.reasons)
            or f" {reason}" in f" {track.title} {track.album}".casefold()
        ):
            continue
        other = replace(found.candidate, title=f"{found.candidate.title} {mark}")
        judged = judge(track, other)
        assert judged is None or (not judged.is_sure and judged.reasons[reason] < 0), judged
        wanted = judge(replace(track, title=f"{track.title} {mark}"), other)
        assert wanted and wanted.score > (judged.score if judged else 0.0)


@pytest.fixture(scope="module")
def listed_tracks(shared_data: Path) -> list[ListedTrack]:
    """8,000 tracks of 65 playlists."""
    found = {
        (track.title, track.artists, round(track.duration_s)): track
        for path in sorted((shared_data / "playlists").rglob("*.csv"))
        for track in read_list(path.name, path.read_bytes()).tracks
        if track.duration_s and track.artists and track.artists[0]
    }
    assert len(found) > 8_000
    return list(found.values())


def as_a_label_lists(track: ListedTrack) -> Candidate:
    by = f"{track.artists[0]} - Topic"
    return Candidate("u", "u", track.title, by, track.artists, track.album, round(track.duration_s or 0), is_song=True)


def as_a_fan_does(track: ListedTrack) -> Candidate:
    named = f"{', '.join(track.artists)} - {track.title} (Lyrics)"
    return Candidate("u", "u", named, "a fan", duration_s=round(track.duration_s or 0))


@pytest.mark.slow
@pytest.mark.parametrize("form", [as_a_label_lists, as_a_fan_does])
def test_real_tracks_are_known_again(
    listed_tracks: list[ListedTrack], form: Callable[[ListedTrack], Candidate]
) -> None:
    missed = [track for track in listed_tracks if best(track, [form(track)]) is None]
    assert len(missed) <= 0.001 * len(listed_tracks), missed


def test_of_real_tracks_of_about_one_length_none_is_taken_for_another(listed_tracks: list[ListedTrack]) -> None:
    """Each pair with an artist or a title in common."""
    alike: defaultdict[object, set[int]] = defaultdict(set)
    for number, track in enumerate(listed_tracks):
        alike[main_artist(track.artists[:1])].add(number)
        alike[read_title(track.title).base].add(number)
    pairs = {
        (listed_tracks[i], listed_tracks[j])
        for numbers in alike.values()
        for i, j in itertools.permutations(sorted(numbers), 2)
        if matching.same_length(listed_tracks[i].duration_s or 0, listed_tracks[j].duration_s or 0)
    }
    assert len(pairs) > 1_000
    for wanted, other in pairs:
        if wanted.isrc and wanted.isrc == other.isrc:
            continue
        for form in (as_a_label_lists, as_a_fan_does):
            if found := best(wanted, [form(other)]):
                names = [{found.key for credit in one.artists for found in artists(credit)} for one in (wanted, other)]
                assert names[0] & names[1], found
                assert read_title(wanted.title).version == read_title(other.title).version, found


# -- laws --------------------------------------------------------------------------------------------------------------

TRACK = ListedTrack("Strobe", ("deadmau5", "Kaskade"), "For Lack of a Better Name", 637.0)
SONG = Candidate("u", "u", "Strobe", "deadmau5 - Topic", duration_s=637.0)


def score(candidate: Candidate, track: ListedTrack = TRACK) -> float:
    judged = judge(track, candidate)
    return judged.score if judged else 0.0


def test_weights_add_up_to_a_sure_match_and_its_parts_do_not() -> None:
    assert WEIGHTS["title"] + WEIGHTS["artist"] + WEIGHTS["length"] >= ACCEPTED > DOUBTFUL
    for part in ("title", "artist", "length"):
        assert WEIGHTS["title"] + WEIGHTS["artist"] + WEIGHTS["length"] - WEIGHTS[part] < ACCEPTED, part
    assert all(cost < 0 for cost, _ in VERSIONS.values())


def test_a_candidate_that_does_not_tell_its_length_is_none() -> None:
    assert rank(TRACK, [replace(SONG, duration_s=None), replace(SONG, duration_s=0.0)]) == []


@pytest.mark.parametrize(
    ("apart_s", "is_sure"), [(0, True), (2, True), (-2, True), (7.5, False), (-30, False), (3600, False)]
)
def test_the_gate_of_length(apart_s: float, is_sure: bool) -> None:
    found = judge(TRACK, replace(SONG, duration_s=637.0 + apart_s))
    assert (found is not None and found.is_sure) == is_sure


def test_short_tracks_have_a_narrower_gate() -> None:
    short = replace(TRACK, duration_s=20.0)
    assert judge(short, replace(SONG, duration_s=24.0)) and judge(short, replace(SONG, duration_s=26.0)) is None


def test_the_same_title_by_somebody_else_is_not_taken() -> None:
    other = replace(SONG, channel="Somebody Else", is_song=True)
    judged = judge(TRACK, other)
    assert judged and not judged.is_sure and judged.is_doubtful


def test_a_guest_whom_the_track_does_not_name_is_put_up_with_only_in_official_titles() -> None:
    assert judge(TRACK, replace(SONG, title="Strobe (feat. Rob Swire)")).is_sure  # type: ignore[union-attr]
    judged = judge(TRACK, replace(SONG, title="deadmau5 - Strobe feat. Rob Swire", channel="a fan"))
    assert judged and judged.is_doubtful
    assert judge(TRACK, replace(SONG, title="deadmau5 - Strobe ft. Kaskade", channel="a fan")).is_sure  # type: ignore[union-attr]


def test_an_artist_who_is_only_named_beside_in_a_fans_title_is_not_taken_without_asking() -> None:
    judged = judge(
        replace(TRACK, artists=("X", "deadmau5")), Candidate("u", "u", "deadmau5 - Strobe", "f", duration_s=637.0)
    )
    assert judged and judged.is_doubtful and "artist not certain" in judged.reasons


def test_an_isrc_counts_and_is_no_proof() -> None:
    assert score(replace(SONG, has_isrc=True)) > score(SONG)
    assert not judge(TRACK, Candidate("u", "u", "Quite Another", "x", duration_s=637.0, has_isrc=True))


def test_a_number_that_is_missing_or_another_is_not_taken() -> None:
    wanted = replace(TRACK, title="Gris, Pt. 1")
    assert judge(wanted, replace(SONG, title="Gris, Pt. 1")).is_sure  # type: ignore[union-attr]
    for title in ("Gris, Pt. 2", "Gris", "Gris, Pt."):
        judged = judge(wanted, replace(SONG, title=title))
        assert judged is None or not judged.is_sure, title


@pytest.mark.parametrize(
    ("title", "artists", "found", "channel"),
    [
        ("Live Forever", ("Oasis",), "Oasis - Live Forever (Official Video)", "OasisVEVO"),
        ("Live and Let Die", ("Wings",), "Live and Let Die (2018 Remaster)", "Wings - Topic"),
        ("Cover Me", ("Bruce Springsteen",), "Bruce Springsteen - Cover Me (Official Audio)", "Bruce Springsteen"),
        ("Loop", ("Maceo Plex",), "Maceo Plex - Loop", "Ellum"),
        ("Crazy (feat. JAY-Z)", ("Beyoncé",), "Crazy In Love", ""),
        ("Blue Monday - 2016 Remaster", ("New Order",), "New Order - Blue Monday", "New Order"),
        ("Around the World / Harder, Better", ("Daft Punk",), "Around the World / Harder, Better", "Daft Punk - Topic"),
        ("Кукушка", ("Кино",), "Кино - Кукушка", "Виктор Цой"),
        ("夜に駆ける", ("YOASOBI",), "YOASOBI「夜に駆ける」 Official Music Video", "Ayase / YOASOBI"),
        ("Sympathy for the Devil", ("The Rolling Stones",), "Rolling Stones - Sympathy For The Devil (lyrics)", "fan"),
        ("One More Time", ("Daft Punk",), "Daft Punk - One More Time | HD", "fan"),
        ("Simon Says", ("Pharoahe Monch",), "Pharoahe Monch — Simon Says [HQ]", "HipHopArchive"),
        ("Hey Jude", ("The Beatles",), "Hey Jude (Remastered 2015)", "The Beatles - Topic"),
        ("Me & You", ("Cassie & Friends",), "Me and You", "Cassie and Friends"),
        ("Déjà Vu", ("Beyoncé", "JAY-Z"), "Deja Vu ft. Jay-Z", "beyonceVEVO"),
    ],
)  # fmt: skip
def test_names_as_people_write_them(title: str, artists: tuple[str, ...], found: str, channel: str) -> None:
    judged = judge(ListedTrack(title, artists, "", 200.0), Candidate("u", "u", found, channel, duration_s=201.0))
    expected = title != "Crazy (feat. JAY-Z)"
    assert (judged is not None and judged.is_sure) == expected, judged


@pytest.mark.parametrize(
    ("found", "channel"),
    [
        ("deadmau5 - Strobe piano tutorial", "Easy Piano"),
        ("Strobe (Originally Performed by deadmau5)", "Karaoke Stars"),
        ("deadmau5 - Strobe x Ghosts n Stuff Mashup", "dj"),
        ("deadmau5 Strobe - Drum Cover", "drummer"),
        ("deadmau5 & Kaskade - I Remember", "deadmau5"),
        ("Strobe Light", "deadmau5 - Topic"),
        ("deadmau5 - Strobe (Michael Woods Remix)", "fan"),
        ("How to make Strobe by deadmau5 in Ableton", "producer"),
        ("deadmau5 interview about Strobe", "radio"),
        ("deadmau5 - Strobe (Club Edit)", "deadmau5"),
    ],
)
def test_what_is_something_else_is_not_taken(found: str, channel: str) -> None:
    judged = judge(TRACK, Candidate("u", "u", found, channel, duration_s=637.0))
    assert judged is None or not judged.is_sure, judged


def test_without_a_length_only_what_is_official_is_taken() -> None:
    track = replace(TRACK, duration_s=None)
    assert judge(track, SONG).is_sure  # type: ignore[union-attr]
    assert not judge(track, replace(SONG, title="deadmau5 - Strobe", channel="a fan")).is_sure  # type: ignore[union-attr]


text = st.text(max_size=40) | st.sampled_from(
    ["Strobe", "deadmau5", "deadmau5 - Strobe (Live)", "-", "()", "8D", "\u202e", ""]
)
candidates = st.builds(
    Candidate,
    url=st.uuids().map(str),
    source_id=st.just("x"),
    title=text,
    channel=text,
    artists=st.lists(text, max_size=3).map(tuple),
    album=text,
    duration_s=st.none() | st.floats(0, 4000),
    views=st.none() | st.integers(0, 10**10),
    is_song=st.sampled_from([None, True, False]),
    has_isrc=st.booleans(),
)
listed = st.builds(
    ListedTrack,
    title=text,
    artists=st.lists(text, max_size=3).map(tuple),
    album=text,
    duration_s=st.none() | st.floats(0, 4000),
)


@given(listed, st.lists(candidates, max_size=8), st.randoms(use_true_random=False))
def test_any_names_are_ranked_the_same_in_any_order(
    track: ListedTrack, found: list[Candidate], chance: random.Random
) -> None:
    ranked = rank(track, found)
    chance.shuffle(found)
    assert rank(track, found) == ranked
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    for one in ranked:
        assert sum(one.reasons.values()) == pytest.approx(one.score, abs=0.001)
        assert one.candidate.duration_s and one.is_sure + one.is_doubtful <= 1
        assert not ("artist not certain" in one.reasons and one.is_sure)
    assert best(track, found) == (ranked[0] if ranked and ranked[0].score >= ACCEPTED else None)
    assert matching.VERSION >= 1
