"""What the Predict page of a library has beyond a guest's: songs from links, what sounds alike, what spoke for a genre."""

import random
from pathlib import Path
from typing import Any

import streamlit as st

from app import answers, charts, results, sounds, state, ui
from app.answers import Upload
from app.navigation import pages
from core.collecting.link import fetched
from core.files import size_in_words
from core.inference.neighbours import Similar, similar
from core.inference.prediction import Prediction
from core.inference.result import as_html, clock, hertz, reasons_in_words
from core.inference.why import SECONDS, strongest_stretch
from core.jobs import kinds
from core.learning import model as models

SHOWN = 5
"""Songs that sound alike."""
PATCHES = 3
"""Reasons to be heard."""
LONG_S = 20.0
"""From this length on, a part of a song can be chosen."""


def closer(data: bytes, entry: models.Entry, answer: Prediction, *, place: int) -> None:
    """What sounds alike, and why: worked out when it is asked for. `place` is that of the upload, as one may be there twice."""
    key = f"{place}-{answers.upload_key(data)[:16]}"
    chosen = st.segmented_control(
        "Look closer", ["Sounds like", "Why?"], label_visibility="collapsed", key=f"closer-{key}"
    )
    if chosen == "Sounds like":
        sounds_like(data, entry, answer, key)
    elif chosen == "Why?":
        why(data, entry, answer, key)


def sounds_like(data: bytes, entry: models.Entry, answer: Prediction, key: str) -> None:
    """The songs of the library that sound most like an upload, or like a part of it."""
    if answer.embeddings is None:
        st.info("This model was made by an older Genrescope and cannot tell. Train one anew.", icon=":material/info:")
        return
    offer_to_listen(entry, key)
    if not len(state.neighbourhood(entry)):
        return
    part = (0.0, answer.duration_s)
    if answer.duration_s >= LONG_S:
        part = st.slider(
            "Like which part of it?", 0.0, round(answer.duration_s, 1), (0.0, round(answer.duration_s, 1)), step=1.0,
            format="%d s", key=f"part-{key}",
        )  # fmt: skip
    artist = answers.upload_artist(data)
    others = bool(artist) and st.toggle(f"Leave out songs by {ui.plain(artist)}", key=f"others-{key}")
    for one in _alike(entry, answer, part, artist if others else ""):
        row(one)


def _alike(entry: models.Entry, answer: Prediction, part: tuple[float, float], not_by: str) -> list[Similar]:
    embedding = answer.embedding(*part)
    if embedding is None:
        return []
    tracks = {track.id: track for track in state.tracks()}
    return similar(state.neighbourhood(entry), tracks, embedding, n=SHOWN, sha256=answer.packets_sha256, not_by=not_by)


def row(one: Similar) -> None:
    """A song that sounds alike, and its sound."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    by = f"{ui.plain(one.artist)} – " if one.artist else ""
    left.markdown(
        f"{by}**{ui.plain(one.title)}**  \n:small[{ui.plain(one.label) or 'no genre yet'} · {one.likeness:.0%} alike]"
    )
    with right:
        track = next(track for track in state.tracks() if track.id == one.track_id)
        sounds.small_player(track)


def offer_to_listen(entry: models.Entry, key: str) -> None:
    """Songs that the model has not listened to yet, and a job for that."""
    job = state.queue().latest("embed")
    if job and job.unfinished:
        ui.job_panel(job)
        return
    assert entry.card is not None  # only such models are offered
    missing = len(state.embeddings(entry).missing(entry.card.spectrogram.fingerprint))
    if not missing and not len(state.neighbourhood(entry)):
        ui.empty("Your library has no song with a spectrogram yet.", go_to="library", label="Import songs")
    elif missing:
        st.markdown(f"The model has not listened to {ui.counted(missing, 'song')} of your library yet.")
        if st.button(f"Listen to {missing:,}", icon=":material/hearing:", type="primary", key=f"listen-{key}"):
            state.begin(kinds.submit_embed(state.queue(), entry.name))
            st.rerun()


def why(data: bytes, entry: models.Entry, answer: Prediction, key: str) -> None:
    """What in an upload spoke for a genre: seen, told, heard."""
    order = sorted(answer.genres, key=lambda genre: -answer.spectrum[answer.genres.index(genre)])
    genre = st.selectbox("What spoke for", order, key=f"genre-{key}")
    column = answer.genres.index(genre)
    start_s = strongest_stretch(answer.taggram, answer.crop_starts_s, answer.crop_s, column, seconds=SECONDS)
    if answer.duration_s > SECONDS:
        start_s = st.slider(
            f"Which {SECONDS:.0f} seconds?", 0.0, float(int(answer.duration_s - SECONDS)), float(int(start_s)), step=1.0,
            format="%d s", key=f"start-{key}-{genre}",
        )  # fmt: skip
    told = answers.reasons(entry, data, genre, start_s)
    model, codes = answers.model(entry), answers.upload_codes(entry, data)
    first, last = (round(edge / model.recipe.frame_s) for edge in (told.edges_s[0], told.edges_s[-1]))
    figure = charts.spectrogram(codes[first:last], model.recipe, begin_s=float(told.edges_s[0]), filters=model.filters)
    st.markdown(ui.plain(reasons_in_words(told)))
    st.plotly_chart(charts.influence(figure, told, model.recipe.n_mels), config={"displayModeBar": False})
    st.caption(
        f"Bright is what the model took {ui.plain(genre)} from: where it is covered, the model takes the answer back. "
        "What is veiled made no difference, or spoke against it. Time from left to right, frequency from bottom to top."
    )
    patches = told.best(PATCHES)
    for place, patch in zip(st.columns(PATCHES), patches, strict=False):
        start, end, low, high = patch
        place.caption(f"{clock(start)}–{clock(end)}, {hertz(low)} to {hertz(high)}, alone:")
        place.audio(answers.upload_alone(data, patch), format="audio/wav")


def as_page(upload: Upload, entry: models.Entry, answer: Prediction, look: results.Look, *, place: int) -> None:
    """The result as one file, with what sounds alike and what spoke for a genre, as far as it was asked for."""

    def page(name: str, told: Prediction, **about: Any) -> str:
        data = upload.data or b""
        alike = _alike(entry, answer, (0.0, answer.duration_s), "")
        return as_html(name, told, alike, answers.reasons_of(entry, data), **about)

    results.endings(upload, look.at(answer), look, place=place, page=page)


def from_a_link() -> None:
    """Paste a link to a song at a site that is known, or at a host that was allowed."""
    with st.form("link", border=False):
        url = st.text_input("Address of one song", placeholder="https://…")
        st.caption("At YouTube, SoundCloud, Bandcamp, Jamendo, Audius, archive.org, or a host that you have allowed.")
        if st.form_submit_button("Listen to it", icon=":material/link:") and url.strip():
            with ui.told_errors():
                name, data = _fetched(url.strip())
                answers.give([(name, data)])
                st.rerun()


def _fetched(url: str) -> tuple[str, bytes]:
    bar = st.progress(0.0, "Asking for it …")

    def tell(size_bytes: int) -> None:
        told = f"Fetching it: {size_in_words(size_bytes)} so far …" if size_bytes else "Asking for it …"
        bar.progress(0.0, told)

    try:
        return fetched(url, state.settings(), on_progress=tell)
    finally:
        bar.empty()


def from_the_library() -> None:
    """Any song of the library, to see what the model says of it."""
    heard = [track for track in state.tracks() if track.path]
    if not heard:
        return
    if st.button("A song of your library, by chance", icon=":material/shuffle:"):
        path = Path(random.choice(heard).path)  # noqa: S311 - any song, no secret
        try:
            answers.give([(path.name, path.read_bytes())])
        except OSError as error:
            st.error(f"{ui.plain(path.name)} cannot be read: {error.strerror}.", icon=":material/error:")
            return
        st.rerun()


def like_a_track(track_id: int, artist: str) -> None:
    """On the Explore page: songs of the library that sound most like one of them."""
    usable = [entry for entry in answers.model_entries() if entry.card]
    entry = next((entry for entry in usable if len(state.neighbourhood(entry))), usable[0] if usable else None)
    if entry is None:
        ui.empty("A model tells which songs sound alike. There is none yet.", go_to="train", label="Train a network")
        return
    offer_to_listen(entry, "explore")
    known = state.embedded(entry)
    if track_id not in known.track_ids:
        return
    others = bool(artist) and st.toggle(f"Leave out songs by {ui.plain(artist)}", key="others-explore")
    place = known.track_ids.index(track_id)
    tracks = {track.id: track for track in state.tracks()}
    found = similar(
        state.neighbourhood(entry), tracks, known.vectors[place], n=SHOWN, sha256=known.sha256s[place],
        not_by=artist if others else "",
    )  # fmt: skip
    for one in found:
        row(one)
    st.caption(f"By the ear of {ui.plain(entry.name)}.")
    st.page_link(pages()["map"], label="See the map of all songs", icon=":material/scatter_plot:")
