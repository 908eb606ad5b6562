"""Evaluate: how good the answers are, on songs that were not learned from, and how far the numbers can be trusted."""

import streamlit as st

from app import evaluating, state, ui

VIEWS = {"report": "Report", "confusion": "What is taken for what", "compare": "Compare"}

ui.header("Evaluate", "How often is the answer right, what is taken for what, and how far can the numbers be trusted?")
jobs = [state.queue().latest(kind) for kind in ("crossvalidate", "evaluate")]
finished = state.evaluations()
if not finished and not state.tracks():
    ui.empty("There is nothing to test yet: import songs first.", go_to="library", label="Import songs")
    st.stop()
for job in jobs:
    ui.job_panel(job)
evaluating.begin_section(expanded=not finished)
if not finished:
    st.stop()
chosen = evaluating.choose(finished, "Evaluation", key=state.EVALUATION)
songs = state.evaluated_songs(chosen)
if not songs:
    st.info("This evaluation has no songs.", icon=":material/info:")
    st.stop()
view = st.segmented_control(
    "View",
    list(VIEWS),
    format_func=VIEWS.__getitem__,
    default="report",
    required=True,
    label_visibility="collapsed",
    key=state.EVALUATE_VIEW,
)
if view == "confusion":
    evaluating.confusion_section(chosen, songs)
elif view == "compare":
    evaluating.compare_section(chosen, finished)
else:
    evaluating.report_section(chosen)
    evaluating.downloads(chosen, songs)
