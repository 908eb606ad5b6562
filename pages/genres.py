"""Genres: the vocabulary, and what the votes come to."""

from collections import Counter

import pandas as pd
import streamlit as st

from app import charts, state, ui, vocabulary
from app.navigation import pages
from core.jobs import kinds
from core.library import summary
from core.library.store import TrackRow

SHOWN = 500  # songs of a list


def charts_view(tracks: list[TrackRow], genres: list[str], grain: str) -> None:
    """Songs and artists per genre, `fine` or `coarse`; where genres overlap."""
    counts = state.kept(lambda: summary.per_genre(tracks), "per genre", grain)
    for column, field in zip(st.columns(2), ("songs", "artists"), strict=True):
        column.altair_chart(charts.per_genre(counts, field, genres, state.colours()))
    matrix = state.kept(lambda: summary.overlap(tracks, genres), "overlap", grain)
    if not any(matrix[i][j] for i in range(len(genres)) for j in range(i)):
        st.caption("No song has votes for two genres: no overlap to show.")
        return
    st.subheader("Where genres overlap")
    st.caption("Songs with votes for both. Click a cell to see them.")
    picked = st.altair_chart(charts.overlap(matrix, genres), on_select="rerun", key="overlap")
    cells = picked["selection"].get("cell", [])
    if cells:
        pair = cells[0]["one"], cells[0]["other"]
        st.markdown(f"**{ui.plain(pair[0])} and {ui.plain(pair[1])}**")
        song_list(summary.with_genres(tracks, pair), key="cell-songs")


def several_view(tracks: list[TrackRow]) -> None:
    """Songs of more than one genre, and those whose genres have nothing to do with each other."""
    several = summary.several(tracks)
    clashing = summary.conflicts(tracks, state.parents())
    which = st.segmented_control(
        "Show",
        ["several", "conflicts"],
        format_func={
            "several": f"{len(several):,} songs of several genres",
            "conflicts": f"{len(clashing):,} conflicts",
        }.__getitem__,
        default="conflicts" if clashing else "several",
        required=True,
        label_visibility="collapsed",
    )
    st.caption(
        "A conflict: two genres claim the song, neither is a kind of the other, and nobody has settled it by hand. "
        "Tick songs to settle them."
    )
    song_list(clashing if which == "conflicts" else several, key=f"songs-{which}")


def song_list(tracks: list[TrackRow], *, key: str) -> None:
    """Songs with their votes; ticked ones can be labelled, a single one looked at."""
    shown = tracks[:SHOWN]
    table = pd.DataFrame(
        {
            "title": [track.title for track in shown],
            "artist": [track.artist for track in shown],
            "genres": [ui.label_in_words(track.label) for track in shown],
            "votes": [
                "; ".join(f"{vote.genre}: {vote.reference or vote.source}" for vote in track.votes) for track in shown
            ],
        }
    )
    ticked = st.dataframe(table, hide_index=True, on_select="rerun", selection_mode="multi-row", height=320, key=key)
    if len(tracks) > SHOWN:
        st.caption(f"The first {SHOWN:,} of {len(tracks):,}.")
    rows = [shown[i] for i in ticked["selection"]["rows"] if i < len(shown)]
    if rows:
        ui.label_form([track.id for track in rows], key=f"{key}-label")
    if len(rows) == 1 and st.button("Where its votes come from", icon=":material/how_to_vote:", key=f"{key}-open"):
        state.put(state.LOOKED_AT, rows[0].id)
        st.switch_page(pages()["explore"])


def twins_view() -> None:
    """Pairs that may be the same recording."""
    pairs, total = state.catalogue().pairs()
    if not pairs:
        st.info("No two tracks are in doubt of being the same recording.", icon=":material/check:")
        ui.undo_button()
        return
    st.caption(
        "The same recording under two names, or two recordings? Where it was sure (90 % and more) they are one already. "
        "Tick pairs and decide."
    )
    table = pd.DataFrame(
        {
            "one": [pair.names[0] for pair in pairs],
            "other": [pair.names[1] for pair in pairs],
            "lengths": [" / ".join(ui.clock(duration) for duration in pair.durations_s) for pair in pairs],
            "certainty": [pair.certainty for pair in pairs],
            "why": [", ".join(pair.reasons) for pair in pairs],
        }
    )
    ticked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"certainty": st.column_config.NumberColumn(format="percent")},
        key="twins",
    )
    if total > len(pairs):
        st.caption(f"The surest {len(pairs):,} of {total:,}.")
    chosen = [(pairs[i].track_id, pairs[i].other_id) for i in ticked["selection"]["rows"] if i < len(pairs)]
    left, right = st.columns(2)
    if left.button(f"Make {len(chosen)} one", icon=":material/merge:", disabled=not chosen, width="stretch"):
        ui.do(lambda: state.catalogue().merge(chosen), f"{len(chosen)} pairs merged.")
    if right.button(f"Keep {len(chosen)} apart", icon=":material/call_split:", disabled=not chosen, width="stretch"):
        ui.do(lambda: state.catalogue().keep_apart(chosen), f"{len(chosen)} pairs kept apart.")
    ui.undo_button()


def balance_view(tracks: list[TrackRow]) -> None:
    """No genre much larger than the others: seen before it is done."""
    labelled = [track for track in tracks if track.label]
    before = Counter(track.label.top for track in labelled if track.label)
    aside_now = sum(track.set_aside for track in tracks)
    sizes = sorted(before.values())
    st.caption(
        "A network shown a hundred songs of one genre and ten of another learns to say the first. Songs over the limit "
        "are set aside: they stay in the library, and are not learned from."
    )
    left, right = st.columns(2)
    most = left.slider("Most songs of a genre", 1, sizes[-1], max(sizes[len(sizes) // 2], 1)) if sizes[-1] > 1 else 1
    by = right.radio(
        "Which stay",
        ["artists", "random"],
        format_func={"artists": "as many artists as can be", "random": "drawn at random"}.__getitem__,
        horizontal=True,
    )
    aside = state.kept(lambda: summary.to_set_aside(labelled, most=most, by=by), "aside", most, by)
    out = set(aside)
    after = Counter(track.label.top for track in labelled if track.label and track.id not in out)
    order = dict(before.most_common())
    st.altair_chart(charts.before_and_after(order, after))
    artists = len({track.artist for track in labelled if track.id not in out})
    st.markdown(
        f"**{len(labelled) - len(aside):,} of {len(labelled):,} songs stay**, by {artists:,} artists."
        + (f" Now {aside_now:,} are set aside." if aside_now else "")
    )
    left, middle, right = st.columns([1, 1, 2])
    if left.button(f"Set {len(aside):,} aside", type="primary", disabled=not aside, width="stretch"):
        ui.do(lambda: state.library().set_aside(aside), f"{len(aside):,} songs set aside.")
    if middle.button("Use all songs", disabled=not aside_now, width="stretch"):
        ui.do(lambda: state.library().set_aside([]), "All songs are used.")
    with right:
        ui.undo_button()


def musicbrainz_view() -> None:
    """Votes of strangers, at low weight."""
    st.markdown(
        "MusicBrainz is an open encyclopaedia of music. Genrescope can ask it for the genres of each of your tracks: by "
        "ISRC, else by artist and title. Each answer votes with **a quarter** of a playlist's weight (a tenth where only "
        "the artist's genres are known), and says where it comes from. **One request a second**: an hour for 1,800 to "
        "3,600 tracks; it goes on where it was stopped. Nothing is asked until you press the button."
    )
    todo = state.library().count_not_looked_up()
    if not state.settings().contact:
        st.warning(
            "MusicBrainz wants to know whom to write to if an app misbehaves. Set GENRESCOPE_CONTACT to your e-mail "
            "address or web page (in the environment or the file .env), and start the app again.",
            icon=":material/mail:",
        )
    if st.button(
        f"Ask about {todo:,} tracks",
        type="primary",
        disabled=not (todo and state.settings().contact),
        icon=":material/public:",
    ):
        state.begin(kinds.submit_genre_votes(state.queue()))
        st.rerun()
    ui.job_panel(state.queue().latest("musicbrainz"))


ui.header("Genres", "Your genres, what speaks for them, and where they overlap.")
musicbrainz = state.queue().latest("musicbrainz")
genres, tracks = state.vocabulary(), state.tracks()
if not genres:
    ui.empty(
        "There are no genres yet. They come with playlists, and with songs you import.",
        go_to="playlists",
        label="Add playlists",
    )
    ui.undo_button()
    st.stop()
labelled = [track for track in tracks if track.label]
views = ["Vocabulary", "Charts", "Several genres", "Balance", "Same song twice?", "MusicBrainz"]
view = st.segmented_control(
    "View", views, default=views[0], required=True, label_visibility="collapsed", key=state.VIEW
)
if view in ("Charts", "Several genres", "Balance") and not labelled:
    st.info("No song has a genre yet. Say what your playlists stand for.", icon=":material/queue_music:")
elif view == "Charts":
    grain = st.segmented_control(
        "Grain", ["fine", "coarse"], default="fine", required=True, help="Coarse: by the topmost genres."
    )
    parents = state.parents()
    if grain == "coarse" and parents:
        tracks = summary.coarse(tracks, parents)
    named = [genre.name for genre in genres if grain == "fine" or genre.name not in parents]
    present = {name for track in tracks for name, _ in (track.label.weights if track.label else ())}
    charts_view(tracks, [name for name in named if name in present], grain)
elif view == "Several genres":
    several_view(tracks)
elif view == "Balance":
    balance_view(tracks)
elif view == "Same song twice?":
    twins_view()
elif view == "MusicBrainz":
    musicbrainz_view()
else:
    vocabulary.section(
        genres, {counts.genre: counts for counts in state.kept(lambda: summary.per_genre(tracks), "per genre", "fine")}
    )
