-- Labels that were looked at: what a person said of a song, so that it is not asked about again.

CREATE TABLE label_reviews (
    track_id INTEGER PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    decision TEXT NOT NULL CHECK (decision IN ('confirmed', 'changed', 'not music', 'wrong song', 'duplicate')),
    who TEXT NOT NULL,
    decided_at TEXT NOT NULL
) STRICT;
