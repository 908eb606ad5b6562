"""Answers on the screen: one song in words, bars, sound and course; several side by side. Knows no library."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import answers, charts, session, ui
from app.answers import Upload
from app.player import LARGEST_BYTES, Curves, draw_player
from core.audio.waveform import PLAYABLE
from core.errors import GenrescopeError
from core.inference.prediction import Prediction, coarse
from core.inference.result import LARGEST_SOUND, Sound, as_csv, as_html
from core.inference.turns import BusyError
from core.inference.unknown import Stretch
from core.inference.words import in_words
from core.library.labels import topmost

MOST_STRETCHES = 12
"""Parts that are told in words; more are better seen in the chart."""
MULTIPLES = 3
"""Small courses side by side."""


@dataclass(frozen=True)
class Look:
    """How genres are shown: the colour of each, the genre above each, and whether by the topmost only."""

    colours: Mapping[str, str]
    parents: Mapping[str, str]
    coarsely: bool = False

    def at(self, answer: Prediction) -> Prediction:
        """The answer as it is shown."""
        return coarse(answer, self.parents) if self.coarsely else answer


def choose_look(genres: Sequence[str], colours: Mapping[str, str], parents: Mapping[str, str]) -> Look:
    """Whether to show the spectrum by the topmost genres; asked only where that is another picture."""
    above = {topmost(genre, parents) for genre in genres}
    if not 1 < len(above) < len(genres):
        return Look(colours, parents)
    grain = st.segmented_control(
        "Genres", ["fine", "coarse"], default="fine", required=True, help="Coarse: only the broad genres above them."
    )
    return Look(colours, parents, grain == "coarse")


def show(upload: Upload, whole: Prediction, look: Look, *, place: int) -> None:
    """One song, at a `place` among them: its genres, its sound and their course in it."""
    answer = look.at(whole)
    st.markdown(f"##### {ui.plain(upload.name)}")
    st.markdown(f"### {ui.plain(in_words(answer))}")
    muted = answer.verdict.refused
    if muted:
        st.info(
            f"It is unlike the music that the model learned from. The bars compare only what it knows, of which "
            f"{ui.plain(answer.top)} is nearest.",
            icon=":material/help:",
        )
    for doubt in answer.doubts:
        st.warning(f"Not sure. {ui.plain(doubt)}", icon=":material/help:")
    left, right = st.columns([2, 3])
    left.altair_chart(charts.genre_bars(answer.spectrum, answer.genres, look.colours, muted=muted))
    with right, ui.told_errors():
        _course(upload, answer, look, place)
        _parts(answer.stretches)
        st.caption(ui.plain(answer.verdict.sentence))


def _course(upload: Upload, answer: Prediction, look: Look, place: int) -> None:
    """The course under the sound; alone, if the sound is no longer there or too long to be sent."""
    times, shares = answer.course
    muted = answer.verdict.refused
    if upload.data is None or len(upload.data) > LARGEST_BYTES:
        st.altair_chart(charts.course(times, shares, answer.genres, look.colours, muted=muted))
        st.caption("Its sound is not kept here any more. Drop the song again to hear it.")
        return
    colours = charts.palette(answer.genres, look.colours)
    curves = Curves(times.round(2).tolist(), shares.round(4).tolist(), answer.genres, colours, muted)
    sound, kind = _playable(upload.name, upload.data)
    draw_player(sound, kind, key=f"upload-{place}", duration_s=answer.duration_s, curves=curves)


def _playable(name: str, data: bytes) -> tuple[bytes, str]:
    """An upload as browsers play it, and its media type. `AudioError` if it cannot be read."""
    kind = PLAYABLE.get(Path(name).suffix.lower())
    return (data, kind) if kind else (answers.upload_wav(data), "audio/wav")


def _parts(stretches: Sequence[Stretch]) -> None:
    """Which part is what, where parts differ."""
    if not 1 < len(stretches) <= MOST_STRETCHES:
        return
    told = [
        f"{ui.clock(one.start_s)}–{ui.clock(one.end_s)} {ui.plain(one.verdict.kind if one.verdict.refused else ' + '.join(one.verdict.genres))}"
        for one in stretches
    ]
    st.caption(" · ".join(told))


def compare(songs: Sequence[tuple[Upload, Prediction | GenrescopeError]], look: Look) -> int | None:
    """Several songs side by side; the place of the one to look at closer, if one of them could be used."""
    for upload, answer in songs:
        if isinstance(answer, GenrescopeError):
            st.error(f"{ui.plain(upload.name)}: {ui.plain(str(answer))}", icon=":material/error:")
    unusable = [place for place, (_, answer) in enumerate(songs) if isinstance(answer, GenrescopeError)]
    if unusable:
        label = "Remove it" if len(unusable) == 1 else f"Remove these {len(unusable)}"
        st.button(label, icon=":material/close:", type="tertiary", on_click=answers.remove, args=tuple(unusable))
    if any(isinstance(answer, BusyError) for _, answer in songs):
        st.button("Ask again", icon=":material/refresh:", type="primary")
    usable = [place for place, (_, answer) in enumerate(songs) if isinstance(answer, Prediction)]
    if len(usable) < 2:
        return usable[0] if usable else None
    told = [(songs[place][0].name, look.at(answer)) for place in usable if isinstance(answer := songs[place][1], Prediction)]  # fmt: skip
    genres = told[0][1].genres
    spectra = np.stack([answer.spectrum for _, answer in told])
    st.subheader(f"{len(told)} songs side by side")
    st.altair_chart(charts.comparison([name for name, _ in told], spectra, genres, look.colours))
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(comparison_table(told), hide_index=True, column_config=_columns(genres))
    with st.expander("Over their time", icon=":material/stacked_line_chart:"):
        _multiples(told, look)
    with st.container(horizontal=True):
        st.download_button(
            "These figures as CSV", as_csv(told), "genres.csv", "text/csv", icon=":material/download:", type="tertiary"
        )
        st.button("Remove all", icon=":material/close:", type="tertiary", on_click=answers.remove)
    latest = session.get(answers.LATEST, 0)
    return st.selectbox(
        "Look closer at",
        usable,
        index=next((i for i, place in enumerate(usable) if place >= latest), len(usable) - 1),
        format_func=lambda place: f"{usable.index(place) + 1}  {songs[place][0].name}",
    )


def comparison_table(told: Sequence[tuple[str, Prediction]]) -> dict[str, list[object]]:
    """Songs, (name, answer) each, as columns: name, length, answer, and the share of each genre in percent."""
    columns: dict[str, list[object]] = {
        "song": [name for name, _ in told],
        "length": [ui.clock(answer.duration_s) for _, answer in told],
        "answer": [in_words(answer) for _, answer in told],
    }
    for i, genre in enumerate(told[0][1].genres):
        columns[f"% {genre}"] = [round(100 * float(answer.spectrum[i])) for _, answer in told]
    return columns


def _columns(genres: Sequence[str]) -> dict[str, Any]:
    bar = {
        f"% {genre}": st.column_config.ProgressColumn(genre, format="%d %%", min_value=0, max_value=100)
        for genre in genres
    }
    return {
        "song": st.column_config.TextColumn(width="medium"),
        "answer": st.column_config.TextColumn(width="medium"),
        **bar,
    }


def _multiples(told: Sequence[tuple[str, Prediction]], look: Look) -> None:
    """The course of every song, small, in one scale and one set of colours."""
    for first in range(0, len(told), MULTIPLES):
        row = told[first : first + MULTIPLES]
        for number, (column, (name, answer)) in enumerate(
            zip(st.columns(MULTIPLES), row, strict=False), start=first + 1
        ):
            column.caption(f"{number}  {ui.plain(name)}")
            muted = answer.verdict.refused
            column.altair_chart(
                charts.course(*answer.course, answer.genres, look.colours, muted=muted), key=f"multiple-{number}"
            )


def endings(upload: Upload, answer: Prediction, look: Look, *, place: int, page: Callable[..., str] = as_html) -> None:
    """What to do with an answer: save it as a file that needs nothing else, made when it is asked for; or remove it."""

    def made() -> str:
        colours, data = charts.palette(answer.genres, look.colours), upload.data
        sound = Sound(*_playable(upload.name, data)) if data and len(data) <= LARGEST_SOUND else None
        return page(upload.name, answer, sound=sound, colours=colours)

    with st.container(horizontal=True):
        st.download_button(
            "Save as a page to share",
            made,
            file_name="genres.html",
            mime="text/html",
            icon=":material/share:",
            key=f"page-{place}",
            on_click="ignore",
        )
        st.button(
            "Remove this song",
            icon=":material/close:",
            type="tertiary",
            key=f"remove-{place}",
            on_click=answers.remove,
            args=(place,),
        )
