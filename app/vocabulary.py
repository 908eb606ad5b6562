"""The genre vocabulary on the screen: a table, and what can be done with the ticked genres."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import state, ui
from core.library import summary
from core.library.genres import Genre


def section(genres: list[Genre], counts: dict[str, summary.GenreCounts]) -> None:
    """All genres; a ticked one can be changed, several can be merged."""
    none = summary.GenreCounts("", 0, 0, 0)
    table = pd.DataFrame(
        {
            "genre": [genre.name for genre in genres],
            "under": [genre.parent or "" for genre in genres],
            "songs": [counts.get(genre.name, none).songs for genre in genres],
            "shared": [counts.get(genre.name, none).shared for genre in genres],
            "artists": [counts.get(genre.name, none).artists for genre in genres],
            "playlists": [genre.playlists for genre in genres],
            "also called": [", ".join(genre.aliases) for genre in genres],
        }
    )
    ticked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        height=min(38 + 35 * len(genres), 460),
        column_config={
            "songs": st.column_config.NumberColumn(help="Songs whose strongest genre it is."),
            "shared": st.column_config.NumberColumn(help="Songs of it that are of other genres too."),
        },
        key="vocabulary",
    )
    rows = [genres[i] for i in ticked["selection"]["rows"] if i < len(genres)]
    if len(rows) == 1:
        change(rows[0], genres)
    elif rows:
        merge(rows)
    else:
        st.caption("Tick a genre to change it; tick several to make them one.")
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left.form("new", border=False, clear_on_submit=True):
        name, button = st.columns([3, 1], vertical_alignment="bottom")
        new = name.text_input("New genre", placeholder="dub techno")
        if button.form_submit_button("Add", icon=":material/add:", width="stretch"):
            ui.do(lambda: state.genres().add(new), f"{new} added.")
    with right:
        ui.undo_button()


def change(genre: Genre, genres: list[Genre]) -> None:
    """All that can be said of one genre."""
    with st.form(f"genre-{genre.id}"):
        left, middle, right = st.columns([3, 3, 1])
        name = left.text_input("Name", genre.name)
        others = ["–", *(other.name for other in genres if other.id != genre.id)]
        parent = middle.selectbox(
            "Is a kind of",
            others,
            others.index(genre.parent) if genre.parent in others else 0,
            help="A spectrum can be shown coarse (by the topmost genres) or fine.",
        )
        colour = right.color_picker("Colour", state.colours()[genre.name])
        aliases = st.multiselect(
            "Also called",
            list(genre.aliases),
            list(genre.aliases),
            accept_new_options=True,
            help="Written so on a playlist or in a tag, it is this genre.",
        )
        if st.form_submit_button("Save", type="primary", icon=":material/check:"):
            ui.do(
                lambda: state.genres().change(
                    genre.name,
                    rename=name if name != genre.name else None,
                    parent=None if parent == "–" else parent,
                    no_parent=parent == "–",
                    colour=colour if colour.upper() != state.colours()[genre.name].upper() else None,
                    aliases=aliases,
                ),
                f"{name} saved.",
            )
    place = [other.name for other in genres].index(genre.name)
    up, down, split_, remove = st.columns(4)
    names = [other.name for other in genres]
    if up.button("Up", icon=":material/arrow_upward:", disabled=place == 0, width="stretch"):
        ui.do(lambda: state.genres().order(_moved(names, place, place - 1)))
    if down.button("Down", icon=":material/arrow_downward:", disabled=place == len(names) - 1, width="stretch"):
        ui.do(lambda: state.genres().order(_moved(names, place, place + 1)))
    if remove.button(
        "Remove", icon=":material/delete:", width="stretch", help="With every vote for it; can be undone."
    ):
        ui.do(lambda: state.genres().remove(genre.name), f"{genre.name} removed.")
    standing = [row for row in state.playlist_rows() if genre.name in row.genres]
    popover = split_.popover("Split", icon=":material/call_split:", disabled=not standing, width="stretch")
    with popover.form(f"split-{genre.id}", border=False):
        new = st.text_input("New genre", placeholder=f"melodic {genre.name}")
        moved = st.multiselect("Playlists that stand for it", standing, format_func=lambda row: row.title)
        if st.form_submit_button("Split off", type="primary"):
            ui.do(lambda: state.genres().split(genre.name, new, [row.id for row in moved]), f"{new} split off.")


def merge(rows: Sequence[Genre]) -> None:
    """Make several genres one."""
    names = [genre.name for genre in rows]
    with st.form("merge"):
        into = st.selectbox(f"Make {ui.plain(', '.join(names))} one genre, called", names, accept_new_options=True)
        if st.form_submit_button("Merge", type="primary", icon=":material/merge:") and into:
            ui.do(lambda: state.genres().merge(names, into), f"Merged into {into}.")


def _moved(names: list[str], place: int, to: int) -> list[str]:
    rest = [*names[:place], *names[place + 1 :]]
    return [*rest[:to], names[place], *rest[to:]]
