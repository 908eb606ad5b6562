"""System: is all well, what is at work, what takes how much room, backups, and the settings in force."""

import streamlit as st

from app import state, system, ui

VIEWS = {
    "health": "Health",
    "jobs": "Jobs",
    "disk": "Disk",
    "backup": "Backup",
    "settings": "Settings",
}

ui.header("System", "Is all well on this machine, what is at work, and what takes how much room?")
view = st.segmented_control(
    "View",
    list(VIEWS),
    format_func=VIEWS.__getitem__,
    default="health",
    required=True,
    label_visibility="collapsed",
    key=state.SYSTEM_VIEW,
)
if view == "jobs":
    system.jobs_section()
elif view == "disk":
    system.disk_section()
elif view == "backup":
    system.backup_section()
elif view == "settings":
    system.settings_section()
else:
    system.health_section()
