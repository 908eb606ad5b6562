"""The Explore page: which songs are looked at, and two to four songs or genres side by side. The address holds both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import charts, state, terms, ui
from core.audio.character import Character, spread
from core.files import csv_text
from core.library import summary
from core.library.store import TrackRow
from core.music import FloatArray

MOST = 4
"""So many are seen side by side."""
SAMPLE = 12
"""Songs of a genre that are listened to: the first by SHA-256, which is as good as at random, and always the same."""
OFFERED = 200
"""Songs to choose from: more is for searching."""


@dataclass(frozen=True)
class Subject:
    """What is compared: a genre, by some of its songs, or one song. `n_songs` are there in all."""

    name: str
    songs: Sequence[TrackRow]
    n_songs: int


def filters(tracks: Sequence[TrackRow]) -> list[TrackRow]:
    """The songs that hold the words that are searched for, and are of the genre that is chosen."""
    left, right = st.columns(2)
    words = left.text_input(
        "Search", placeholder="title, artist, genre …", icon=":material/search:", key=state.WORDS, bind="query-params"
    )
    genres = [genre.name for genre in state.vocabulary() if genre.has_votes]
    genre = right.selectbox("Genre", genres, None, placeholder="all genres", key=state.OF_GENRE, bind="query-params")
    found = summary.matching(tracks, words or "")
    return [track for track in found if not genre or (track.label and genre in dict(track.label.weights))]


def compare(tracks: Sequence[TrackRow]) -> None:
    """Choose, then see side by side: figures, mean course, mean spectra; and have the figures as a table."""
    by = st.segmented_control(
        "Compare", ["Genres", "Songs"], default="Genres", required=True, key=state.COMPARED_KIND, bind="query-params"
    )
    ready = [track for track in tracks if track.state == "ready"]
    if not ready:
        ui.empty(
            "Only songs with spectrograms can be compared. There are none yet.",
            go_to="library",
            label="Make spectrograms",
        )
        return
    subjects = _genres(ready) if by == "Genres" else _songs(ready)
    if len(subjects) < 2:
        st.info(f"Choose two to {MOST} {'genres' if by == 'Genres' else 'songs'} to see them side by side.")
        return
    with ui.told_errors():
        heard = _heard(subjects)
        _side_by_side(subjects, heard)
        _spectra(subjects, heard, by_genre=by == "Genres")
        _table(subjects, heard)


def _genres(ready: Sequence[TrackRow]) -> list[Subject]:
    by_genre: dict[str, list[TrackRow]] = {}
    for track in ready:
        if track.label:
            by_genre.setdefault(track.label.top, []).append(track)
    names = [genre.name for genre in state.vocabulary() if genre.name in by_genre]
    chosen = st.multiselect(
        "Genres to compare", names, names[:2], max_selections=MOST, key=state.COMPARED_GENRES, bind="query-params",
    )  # fmt: skip
    return [
        Subject(name, sorted(by_genre[name], key=lambda track: track.sha256)[:SAMPLE], len(by_genre[name]))
        for name in chosen
    ]


def _songs(ready: Sequence[TrackRow]) -> list[Subject]:
    by_id = {track.id: track for track in ready}
    asked = state.get(state.COMPARED_SONGS) or [int(one) for one in st.query_params.get_all("song") if one.isdigit()]
    known = [number for number in dict.fromkeys(asked) if number in by_id][:MOST]
    offered = list(dict.fromkeys([*known, *(track.id for track in filters(ready)[:OFFERED])]))
    chosen = st.multiselect(
        "Songs to compare", offered, known or offered[:2], max_selections=MOST, key=f"{state.COMPARED_SONGS}-box",
        format_func=lambda number: name_of(by_id[number]), help="Search above to find others.",
    )  # fmt: skip
    state.put(state.COMPARED_SONGS, chosen)
    st.query_params["song"] = [str(number) for number in chosen]
    return [Subject(name_of(by_id[number]), [by_id[number]], 1) for number in chosen]


def name_of(track: TrackRow) -> str:
    """A song in one line."""
    return f"{track.artist} – {track.title}" if track.artist else track.title


def _heard(subjects: Sequence[Subject]) -> Mapping[str, tuple[Character, FloatArray]]:
    """Figures and course of every song, by SHA-256. Shows progress; what was heard once is known."""
    songs = {track.sha256: track for subject in subjects for track in subject.songs}
    bar, heard = st.empty(), {}
    for done, sha256 in enumerate(songs):
        bar.progress(done / len(songs), f"Measuring tempo and level: song {done + 1:,} of {len(songs):,} …")
        heard[sha256] = state.character(sha256)
    bar.empty()
    return heard


def _side_by_side(subjects: Sequence[Subject], heard: Mapping[str, tuple[Character, FloatArray]]) -> None:
    courses = [np.mean([heard[track.sha256][1] for track in subject.songs], axis=0) for subject in subjects]
    low, high = np.percentile(courses, [2, 99.8])
    for place, (column, subject, course) in enumerate(zip(st.columns(len(subjects)), subjects, courses, strict=True)):
        with column.container(border=True):
            st.markdown(f"**{ui.plain(subject.name)}**")
            n = len(subject.songs)
            looked = (
                f"{ui.counted(n, 'song')}, all there are"
                if n == subject.n_songs
                else f"{n} of {subject.n_songs:,} songs"
            )
            st.caption(looked if subject.n_songs > 1 else f"{ui.clock(subject.songs[0].duration_s)} min")
            with st.container(horizontal=True):
                for what, told, more, meaning in _figures([heard[track.sha256][0] for track in subject.songs]):
                    st.metric(what, told, help=meaning + (f" {more}." if n > 1 else ""), width="content")
            st.plotly_chart(
                charts.mean_course(course, state.RECIPE, low=float(low), high=float(high)),
                config={"displayModeBar": False}, key=f"course-{place}",
            )  # fmt: skip
    st.caption(
        "Mean spectrograms: each song is brought to the same length, then the mean taken. From left to right the course of a "
        "song, low frequencies at the bottom; bright is loud, by the same scale for all."
    )
    terms.term("mel spectrogram")


def _figures(songs: Sequence[Character]) -> list[tuple[str, str, str, str]]:
    """(what, figure, middle half of the songs, what it means) of one song, or the median of several."""
    rows = []
    for what, unit, values, meaning in (
        ("Tempo", "bpm", [song.tempo_bpm for song in songs], "Beats a minute, as a machine counts them: it may count half or double."),
        ("Level", "dB", [song.level_db for song in songs], "Root mean square, in decibels below full scale (0 dB); not weighted as an ear hears."),
        ("Dynamics", "dB", [song.dynamics_db for song in songs], "How much louder the loud moments are than the soft ones (95th less 10th percentile)."),
    ):  # fmt: skip
        told = spread(values)
        digits = 0 if unit == "bpm" else 1
        rows.append(
            (
                what,
                f"{told.middle:.{digits}f} {unit}" if told else "none",
                f"This is the median; half of them are from {told.low:.{digits}f} to {told.high:.{digits}f} {unit}"
                if told
                else "There is no beat to count",
                meaning,
            )
        )
    return rows


def _spectra(subjects: Sequence[Subject], heard: Mapping[str, tuple[Character, FloatArray]], *, by_genre: bool) -> None:
    spectra = {
        _short(place, subject, by_genre=by_genre): np.mean(
            [heard[track.sha256][1].mean(axis=0) for track in subject.songs], axis=0
        )
        for place, subject in enumerate(subjects, start=1)
    }
    st.subheader("Mean spectra")
    st.caption("How loud each frequency is on average, in each of them.")
    st.altair_chart(
        charts.mean_spectra(spectra, list(spectra), state.RECIPE, state.colours() if by_genre else charts.NO_COLOURS)
    )


def _short(place: int, subject: Subject, *, by_genre: bool) -> str:
    """A name that has room in a legend, and is no other's."""
    return subject.name if by_genre else f"{place} · {subject.songs[0].title[:24]}"


def _table(subjects: Sequence[Subject], heard: Mapping[str, tuple[Character, FloatArray]]) -> None:
    """The figures of every song that was listened to, to be had as CSV."""
    head = ("compared", "artist", "title", "tempo, bpm", "level, dB below full scale", "dynamics, dB")
    rows = [
        (subject.name, track.artist, track.title, *_rounded(heard[track.sha256][0]))
        for subject in subjects
        for track in subject.songs
    ]
    st.download_button(
        f"The figures of {ui.counted(len(rows), 'song')} as CSV", csv_text([head, *rows]), "comparison.csv", "text/csv",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _rounded(song: Character) -> tuple[float | str, float, float]:
    tempo = "" if song.tempo_bpm is None else round(song.tempo_bpm, 1)
    return tempo, round(song.level_db, 1), round(song.dynamics_db, 1)
