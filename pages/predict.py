"""Predict: give songs, see which genres they are made of, and where."""

import streamlit as st

from app import answers, examples, intake, predicting, results, state, ui
from app import models as model_panel
from core.inference.prediction import Prediction
from core.learning import model as models


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


def choose_example() -> None:
    """A song of the library, or one that was made up."""
    predicting.from_the_library()
    examples.choose()


intake.boxes({intake.EXAMPLES: choose_example, "Paste a link": predicting.from_a_link})
uploads = answers.uploads()
if uploads and chosen.card:
    look = results.choose_look(chosen.card.genres, state.colours(), state.parents())
    told = answers.predictions(chosen, uploads)
    place = results.compare(list(zip(uploads, told, strict=True)), look)
    if place is not None and isinstance(answer := told[place], Prediction):
        with st.container(border=True):
            results.show(uploads[place], answer, look, place=place)
            predicting.closer(uploads[place].data or b"", chosen, answer, place=place)
            predicting.as_page(uploads[place], chosen, answer, look, place=place)
