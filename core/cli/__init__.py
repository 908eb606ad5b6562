"""The commands: everything the app does, without a screen.

With `--json`, standard output is one JSON document and nothing else; progress is told on standard error, to people.
Exit codes: 0 done; 1 some items failed (each told), or the command failed (`{"error": text}`); 2 wrong usage.

Rooms: `frame` (what all commands share) · `playlists` · `songs` · `collecting` · `models` · `sharing` · `evaluating` · `labelling` ·
`workspace` ·
`keeping`.
"""

# importing a room registers its commands
from core.cli import collecting, evaluating, keeping, labelling, models, playlists, sharing, songs, workspace  # noqa: F401
from core.cli.frame import app

__all__ = ["app"]
