-- Each event that was handled, and how often.
CREATE TABLE handled (
  event_id TEXT PRIMARY KEY,
  topic TEXT NOT NULL,
  type TEXT NOT NULL,
  key TEXT NOT NULL,
  place BIGINT NOT NULL,
  times BIGINT NOT NULL,
  n BIGINT NOT NULL,
  batch BIGINT NOT NULL,
  part BIGINT NOT NULL,
  spot BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  source TEXT NOT NULL,
  correlation TEXT NOT NULL,
  causation TEXT NOT NULL,
  trace TEXT NOT NULL,
  version BIGINT NOT NULL,
  occurred BIGINT NOT NULL,
  replayed BIGINT NOT NULL
);
CREATE INDEX handled_key ON handled (key, place);
-- Keys whose events are handled from now on although they are told to fail.
CREATE TABLE gate (
  key TEXT PRIMARY KEY
);
-- How often the job that an Echo schedules was done.
CREATE TABLE echo_end (
  key TEXT PRIMARY KEY,
  done BIGINT NOT NULL
);
