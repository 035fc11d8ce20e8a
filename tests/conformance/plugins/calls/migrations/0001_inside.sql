-- What became of calls that were made inside a transaction.
CREATE TABLE inside (
  key TEXT PRIMARY KEY,
  status BIGINT NOT NULL,
  explanation TEXT NOT NULL
);
