"""Predict: drop in songs, see which genres they are made of, and where."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app import answers, charts, predicting, sounds, state, ui
from app import models as model_panel
from app.player import Curves
from core.audio.waveform import SUFFIXES
from core.errors import GenrescopeError
from core.inference.prediction import Prediction, coarse
from core.inference.result import as_csv
from core.inference.words import in_words
from core.learning import model as models
from core.library.labels import topmost


def choose_model(entries: list[models.Entry]) -> models.Entry:
    """The model that answers; the newest, unless another is chosen."""
    by_name = {entry.name: entry for entry in entries}
    asked = st.query_params.get("model")
    names = list(by_name)
    name = st.selectbox("Model", names, names.index(asked) if asked in names else 0)
    st.query_params["model"] = name
    entry = by_name[name]
    assert entry.card is not None
    st.caption(
        f"Knows {ui.plain(', '.join(entry.card.genres))} · {model_panel.in_words(entry.card)} · {entry.card.created_at[:10]}"
    )
    return entry


def choose_grain(genres: Sequence[str]) -> bool:
    """Whether to show the spectrum by the topmost genres; asked only where that is another picture."""
    above = {topmost(genre, state.parents()) for genre in genres}
    if not 1 < len(above) < len(genres):
        return False
    grain = st.segmented_control(
        "Genres", ["fine", "coarse"], default="fine", required=True, help="Coarse: by the topmost of your genres."
    )
    return grain == "coarse"


def show(name: str, data: bytes, whole: Prediction, entry: models.Entry, *, coarsely: bool, place: int) -> None:
    """One upload, at a `place` among them: its genres, its sound and their course in it, and a closer look."""
    answer = coarse(whole, state.parents()) if coarsely else whole
    with st.container(border=True):
        st.markdown(f"##### {ui.plain(name)}")
        st.markdown(f"### {ui.plain(in_words(answer))}")
        if answer.verdict.refused:
            st.info(
                f"It is unlike the music that the model learned from. The bars compare only what it knows, of which "
                f"{ui.plain(answer.top)} is nearest.",
                icon=":material/help:",
            )
        for doubt in answer.doubts:
            st.warning(f"Not sure. {ui.plain(doubt)}", icon=":material/help:")
        left, right = st.columns([2, 3])
        muted = answer.verdict.refused
        left.altair_chart(charts.genre_bars(answer.spectrum, answer.genres, state.colours(), muted=muted))
        with right, ui.told_errors():
            times, shares = answer.course
            colours = charts.palette(answer.genres, state.colours())
            curves = Curves(times.round(2).tolist(), shares.round(4).tolist(), answer.genres, colours, muted)
            sounds.upload_player(name, data, key=f"upload-{place}", duration_s=answer.duration_s, curves=curves)
            predicting.parts(answer)
        predicting.closer(data, entry, whole, place=place)
        predicting.as_page(name, data, entry, answer, place=place)


def compare(names: Sequence[str], answers: Sequence[Prediction | GenrescopeError], *, coarsely: bool) -> int | None:
    """Several uploads side by side; the one to look at closer, by its place, if one of them could be used."""
    usable = [place for place, answer in enumerate(answers) if isinstance(answer, Prediction)]
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, GenrescopeError):
            st.error(f"{ui.plain(name)}: {ui.plain(str(answer))}", icon=":material/error:")
    if not usable:
        return None
    if len(names) == 1:
        return 0
    told = [answer for answer in answers if isinstance(answer, Prediction)]
    if coarsely:
        told = [coarse(answer, state.parents()) for answer in told]
    genres = told[0].genres
    st.altair_chart(
        charts.comparison(
            [names[place] for place in usable], np.stack([one.spectrum for one in told]), genres, state.colours()
        )
    )
    st.download_button(
        "These figures as CSV",
        as_csv([(names[place], one) for place, one in zip(usable, told, strict=True)]),
        "genres.csv",
        "text/csv",
        icon=":material/download:",
        type="tertiary",
    )
    return st.selectbox(
        "Look closer at", usable, format_func=lambda place: f"{usable.index(place) + 1}  {names[place]}"
    )


ui.header("Predict", "Drop in any song: which genres is it made of, and where in the song does each one sound?")
with st.container():  # always there, so that what comes after keeps its place, and what is open stays open
    ui.job_panel(state.queue().latest("fetch_model"))
entries = answers.model_entries()
usable = [entry for entry in entries if entry.card]
for broken in (entry for entry in entries if not entry.card):
    st.warning(
        f"The model {ui.plain(broken.name)} cannot be used. {ui.plain(broken.problem)}", icon=":material/warning:"
    )
if not usable:
    model_panel.undo_delete()
    model_panel.manage(None)
    ui.empty("There is no model yet: teach one your genres first.", go_to="train", label="Train a network")
    st.stop()
left, right = st.columns([4, 1], vertical_alignment="center")
with left:
    chosen = choose_model(usable)
with right:
    model_panel.manage(chosen)
    model_panel.undo_delete()
model_panel.about(chosen)
st.file_uploader(
    "Drop songs here",
    sorted(suffix[1:] for suffix in SUFFIXES),
    accept_multiple_files=True,
    key=answers.UPLOADER,
    on_change=answers.keep_uploads,
)
uploads = state.get(answers.UPLOADS) or []
coarsely = bool(uploads and chosen.card) and choose_grain(chosen.card.genres)
if uploads:
    names = [name for name, _ in uploads]
    answers = list(answers.predictions(chosen, [data for _, data in uploads]))
    place = compare(names, answers, coarsely=coarsely)
    if place is not None and isinstance(answer := answers[place], Prediction):
        show(*uploads[place], answer, chosen, coarsely=coarsely, place=place)
