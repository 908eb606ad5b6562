"""Keeping a workspace: backups of it, restored whole or not at all, and what of it takes how much disk."""
