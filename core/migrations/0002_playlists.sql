-- Playlists vote for genres; the vocabulary gets aliases, parents, colours and an order; every edit can be undone.

ALTER TABLE genres ADD COLUMN parent_id INTEGER REFERENCES genres;
ALTER TABLE genres ADD COLUMN colour TEXT;             -- #rrggbb; NULL: by its place
ALTER TABLE genres ADD COLUMN position INTEGER;        -- NULL: after those that have one, by name

CREATE TABLE genre_aliases (
    key TEXT PRIMARY KEY,                 -- the alias as it is compared
    alias TEXT NOT NULL,
    genre_id INTEGER NOT NULL REFERENCES genres ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_of_genre ON genre_aliases (genre_id);

ALTER TABLE tracks ADD COLUMN identity TEXT;           -- what tracks that may be the same have in common; NULL: not worked out yet
ALTER TABLE tracks ADD COLUMN set_aside INTEGER NOT NULL DEFAULT 0 CHECK (set_aside IN (0, 1));
CREATE INDEX tracks_of_identity ON tracks (identity);
CREATE INDEX tracks_of_isrc ON tracks (isrc) WHERE isrc IS NOT NULL;

CREATE TABLE track_urls (
    url TEXT PRIMARY KEY,                 -- where a source says the track is; `listed:...` for a place in a list
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX urls_of_track ON track_urls (track_id);

CREATE TABLE track_pairs (                -- perhaps the same recording: a person decides
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    other_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    certainty REAL NOT NULL,
    reasons TEXT NOT NULL,                -- JSON list
    kept_apart INTEGER NOT NULL DEFAULT 0 CHECK (kept_apart IN (0, 1)),
    PRIMARY KEY (track_id, other_id),
    CHECK (track_id < other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pairs_of_other ON track_pairs (other_id);

ALTER TABLE playlists ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE playlists ADD COLUMN url TEXT NOT NULL DEFAULT '';
ALTER TABLE playlists ADD COLUMN skipped TEXT NOT NULL DEFAULT '{}';   -- JSON: rows that are no tracks, by reason
ALTER TABLE playlists ADD COLUMN read_at TEXT;         -- NULL: mapped, but never read

CREATE TABLE playlist_genres (
    playlist_id INTEGER NOT NULL REFERENCES playlists ON DELETE CASCADE,
    genre_id INTEGER NOT NULL REFERENCES genres,
    weight REAL NOT NULL CHECK (weight > 0),
    PRIMARY KEY (playlist_id, genre_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX playlists_of_genre ON playlist_genres (genre_id);

-- A playlist that was read and waits for a person: added by hand, or found by a search for a genre.
CREATE TABLE readings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    reference TEXT NOT NULL,
    for_genre INTEGER NOT NULL DEFAULT 0, -- genres.id; 0: added by hand
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'rejected')),
    title TEXT NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    url TEXT NOT NULL DEFAULT '',
    n_listed INTEGER,
    tracks TEXT NOT NULL DEFAULT '[]',    -- JSON
    skipped TEXT NOT NULL DEFAULT '{}',   -- JSON
    score REAL,
    reasons TEXT NOT NULL DEFAULT '{}',   -- JSON: what the score is made of
    error TEXT NOT NULL DEFAULT '',       -- why its tracks could not be read
    read_at TEXT NOT NULL,
    UNIQUE (source, reference, for_genre)
) STRICT;

CREATE TABLE genre_lookups (              -- tracks that a genre service was asked about
    track_id INTEGER PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    found TEXT NOT NULL,                  -- JSON; null for nothing
    at TEXT NOT NULL
) STRICT;

-- What an edit changed, row by row, so that it can be undone whatever it was.
CREATE TABLE edit_changes (
    id INTEGER PRIMARY KEY,
    edit_id INTEGER NOT NULL REFERENCES edits ON DELETE CASCADE,
    table_name TEXT NOT NULL,
    operation TEXT NOT NULL CHECK (operation IN ('inserted', 'updated', 'deleted')),
    key TEXT NOT NULL,                    -- JSON: where the row is now; {} once deleted
    row TEXT NOT NULL                     -- JSON: the row as it was; {} if it was not there
) STRICT;
CREATE INDEX changes_of_edit ON edit_changes (edit_id);

-- Votes that an edit withdrew were kept in their table; such edits become ones with changes. An edit could vote for one
-- genre twice ("Rock" and "rock"): such votes become one. (`printf`, since JSON would round weights to 15 digits.)
INSERT INTO edit_changes (edit_id, table_name, operation, key, row)
    SELECT withdrawn_by, 'votes', 'deleted', '{}', json_object(
        'id', min(votes.id), 'track_id', track_id, 'genre_id', genre_id, 'source', source, 'reference', reference,
        'weight', json(printf('%!.17g', sum(weight))), 'created_at', votes.created_at)
    FROM votes JOIN edits ON edits.id = withdrawn_by WHERE undone_at IS NULL
    GROUP BY withdrawn_by, track_id, genre_id, source, reference ORDER BY min(votes.id);
INSERT INTO edit_changes (edit_id, table_name, operation, key, row)
    SELECT edit_id, 'votes', 'inserted', json_object('id', min(votes.id)), '{}'
    FROM votes JOIN edits ON edits.id = edit_id WHERE undone_at IS NULL
    GROUP BY edit_id, track_id, genre_id, source, reference ORDER BY min(votes.id);

CREATE TABLE counted_votes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- so that no vote takes the id of one that an edit removed
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    genre_id INTEGER NOT NULL REFERENCES genres,
    source TEXT NOT NULL CHECK (source IN ('folder', 'tag', 'csv', 'musicbrainz', 'hand')),
    reference TEXT NOT NULL,              -- which folder, file or recording; for a hand vote, who
    weight REAL NOT NULL CHECK (weight > 0),
    created_at TEXT NOT NULL,
    UNIQUE (track_id, genre_id, source, reference)
) STRICT;
INSERT INTO counted_votes
    SELECT min(id), track_id, genre_id, source, reference, sum(weight), created_at FROM votes
    WHERE withdrawn_by IS NULL GROUP BY track_id, genre_id, source, reference;
DROP TABLE votes;
ALTER TABLE counted_votes RENAME TO votes;
CREATE INDEX votes_of_genre ON votes (genre_id);

-- All votes for a track: those it was given, and those of the playlists it is in.
CREATE VIEW track_votes AS
    SELECT track_id, genre_id, source, reference, weight FROM votes
    UNION ALL
    SELECT track_id, genre_id, 'playlist', playlists.title, weight
    FROM playlist_genres JOIN playlist_tracks USING (playlist_id) JOIN playlists ON playlists.id = playlist_id;
