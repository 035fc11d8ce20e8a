CREATE TABLE points (
  customer TEXT PRIMARY KEY,
  points BIGINT NOT NULL
);
