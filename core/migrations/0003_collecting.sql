-- Collecting: how far the search for a track's sound is, and what was found.

CREATE TABLE collecting (
    track_id INTEGER PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'doubtful', 'failed', 'fetched')),
    reason TEXT NOT NULL DEFAULT '',      -- why it failed, or what it waits for
    message TEXT NOT NULL DEFAULT '',     -- the same as a sentence
    tries INTEGER NOT NULL DEFAULT 0,     -- that failed for a reason that may pass
    retry_at TEXT,                        -- not before
    searched_at TEXT,                     -- NULL: to be searched for
    url TEXT,                             -- fetched: where from; doubtful: the candidate in front; else: what a person wants
    wish TEXT CHECK (wish IN ('take', 'hear')),  -- a person wants `url`: as the track's sound, or to hear it first
    job_id INTEGER,                       -- the job that came to this
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX collecting_by_state ON collecting (state);

CREATE TABLE candidates (
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    url TEXT NOT NULL,
    candidate TEXT NOT NULL,              -- JSON: what the service tells of it
    score REAL,                           -- NULL: pasted by a person
    reasons TEXT NOT NULL DEFAULT '{}',   -- JSON: what the score is made of
    rules INTEGER,                        -- version of the rules that gave it
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'failed', 'rejected')),
    reason TEXT NOT NULL DEFAULT '',      -- why it failed
    message TEXT NOT NULL DEFAULT '',
    sound TEXT,                           -- JSON: the file that was fetched to be heard
    PRIMARY KEY (track_id, url)
) STRICT, WITHOUT ROWID;
