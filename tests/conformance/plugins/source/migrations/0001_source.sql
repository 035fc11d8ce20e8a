-- Values that requests write.
CREATE TABLE entry (
  name TEXT PRIMARY KEY,
  number BIGINT NOT NULL
);
-- Every run of a job, also of those that failed.
CREATE TABLE job_run (
  key TEXT NOT NULL,
  place BIGINT NOT NULL,
  job_id TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  PRIMARY KEY (key, place)
);
-- What became of a job, and how often that was said.
CREATE TABLE job_end (
  key TEXT PRIMARY KEY,
  done BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  result TEXT NOT NULL
);
