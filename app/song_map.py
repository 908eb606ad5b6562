"""The map of the library: look, hear, label many at once, and see what lies far from its genre."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from app import answers, charts, predicting, sounds, state, ui
from app.navigation import pages
from core.inference.embedding import LEAST_FOR_TSNE, outliers, placed_among, principal_map
from core.jobs import kinds
from core.learning import model as models
from core.library.store import TrackRow
from core.music import FloatArray

KINDS = {"fine": "By likeness", "quick": "At once"}
MOUSE = {"listen": "Click to hear", "draw": "Draw around to label"}
NO_GENRE = "(no genre yet)"
MOST_POINTS = 20_000
"""Songs that are drawn: more would make a page slow that is to be moved by hand."""
LISTED = 200
"""Selected songs that are named; more are counted."""


def offer(entry: models.Entry) -> None:
    """To listen to what was not listened to, and to draw the fine map."""
    known = state.embedded(entry)
    predicting.offer_to_listen(entry, "map")
    if len(known.track_ids) >= LEAST_FOR_TSNE and len(state.song_places(entry)) < len(known.track_ids):
        drawn = (
            "again, with the new songs" if state.song_places(entry) else "by likeness: neighbours come closer (t-SNE)"
        )
        if st.button(f"Draw the map {drawn}", icon=":material/scatter_plot:"):
            state.begin(kinds.submit_embed(state.queue(), entry.name, on_map=True))
            st.rerun()


def section(entry: models.Entry, tracks: Sequence[TrackRow]) -> None:
    """The map, what is selected on it, and the outliers."""
    by_id = {track.id: track for track in tracks if not track.set_aside}
    known, fine = state.embedded(entry), state.song_places(entry)
    kind = "quick"
    if fine:
        kind = st.segmented_control(
            "How", list(KINDS), format_func=KINDS.__getitem__, default="fine", required=True,
            label_visibility="collapsed", key=state.MAP_KIND,
        )  # fmt: skip
    rows = [
        row for row, number in enumerate(known.track_ids) if number in by_id and (kind == "quick" or number in fine)
    ]
    every = -(-len(rows) // MOST_POINTS) or 1
    if every > 1:
        st.caption(f"Of your {len(rows):,} songs one in {every} is drawn.")
    rows = rows[::every]
    ids = [known.track_ids[row] for row in rows]
    vectors = known.vectors[rows]
    places = principal_map(vectors) if kind == "quick" else np.array([fine[number] for number in ids], np.float32)
    shown = [by_id[number] for number in ids]
    _map(entry, shown, vectors, places)
    _outliers(vectors, shown)


@st.fragment
def _map(entry: models.Entry, shown: Sequence[TrackRow], vectors: FloatArray, places: FloatArray) -> None:
    """The points; a click or a selection draws only this anew."""
    mouse = st.segmented_control(
        "The mouse", list(MOUSE), format_func=MOUSE.__getitem__, default="listen", required=True,
        label_visibility="collapsed", key=state.MAP_MOUSE,
    )  # fmt: skip
    drawing = mouse == "draw"
    figure = charts.song_map(
        places,
        [genre_of(track) for track in shown],
        [name_of(track) for track in shown],
        [track.id for track in shown],
        {**state.colours(), NO_GENRE: "#9E9E9E"},
        uploads=_uploads(entry, vectors, places),
        drawing=drawing,
    )
    event = st.plotly_chart(
        figure,
        on_select="rerun",
        selection_mode=("box", "lasso") if drawing else ("points",),  # Streamlit hears no clicks while the mouse draws
        config={"displaylogo": False, "scrollZoom": True},
        key=f"map-{entry.name}-{mouse}",
    )
    what = "Draw around songs to give them all a genre." if drawing else "Point at a song to see it, click to hear it."
    st.caption(f"{what} Scroll to come closer, double-click to go back.")
    by_id = {track.id: track for track in shown}
    points = event["selection"]["points"]
    selected = [by_id[number] for number in dict.fromkeys(_number(point) for point in points) if number in by_id]
    if selected and not drawing:
        one(selected[0])
    if selected:
        many(selected)
    ui.undo_button()


def one(track: TrackRow) -> None:
    """A song that was clicked."""
    st.markdown(f"**{ui.plain(name_of(track))}** · {ui.plain(ui.label_in_words(track.label)) or NO_GENRE}")
    sounds.player(track, key="on-map", autoplay=True)
    if st.button("Explore this song", icon=":material/equalizer:"):
        state.put(state.LOOKED_AT, track.id)
        st.switch_page(pages()["explore"])


def many(selected: Sequence[TrackRow]) -> None:
    """Songs that were drawn around: named, and labelled together."""
    if len(selected) > 1:
        st.markdown(f"**{ui.counted(len(selected), 'song')} selected**")
        st.dataframe(
            [
                {"artist": track.artist, "title": track.title, "genre": ui.label_in_words(track.label)}
                for track in selected[:LISTED]
            ],
            hide_index=True,
            height=min(240, 38 + 35 * len(selected)),
        )
    ui.label_form([track.id for track in selected], key="map-label", what="selected")


def _outliers(vectors: FloatArray, shown: Sequence[TrackRow]) -> None:
    """Songs that lie far from their genre: wrong labels, or the odd ones."""
    labelled = [row for row, track in enumerate(shown) if track.label]
    found = outliers(vectors[labelled], [genre_of(shown[row]) for row in labelled]) if labelled else {}
    if not found:
        return
    st.subheader("Far from their genre")
    st.caption("These sound least like the rest of their genre: wrongly labelled, or worth a second listen.")
    genre = st.selectbox("Genre", list(found), key="outliers")
    for place in found[genre][: predicting.SHOWN]:
        track = shown[labelled[place]]
        left, right = st.columns([3, 2], vertical_alignment="center")
        left.markdown(f"**{ui.plain(name_of(track))}**")
        with right:
            sounds.small_player(track)


def _uploads(entry: models.Entry, vectors: FloatArray, places: FloatArray) -> list[tuple[str, float, float]]:
    """Uploads of this session that the model has answered, among the songs most like each."""
    if not len(places):
        return []
    placed = []
    for name, answer in answers.answered_uploads(entry):
        embedding = answer.embedding()
        if embedding is not None and answer.verdict.kind != "not music":
            placed.append((name, *placed_among(embedding, vectors, places)))
    return placed


def _number(point: Mapping[str, object]) -> int:
    """The track of a selected point; -1 for an upload."""
    told = point.get("customdata")
    told = told[0] if isinstance(told, list) and told else told
    return int(told) if isinstance(told, int | float) else -1


def genre_of(track: TrackRow) -> str:
    """The strongest genre of a track."""
    return track.label.top if track.label else NO_GENRE


def name_of(track: TrackRow) -> str:
    """Artist and title."""
    return f"{track.artist} – {track.title}" if track.artist else track.title
