-- One row an order, saga and history included: placing it is one insert, each event of its saga one update.
-- Ids are UUIDv7, so both trees grow at their ends. seq numbers the orders as they were committed.
CREATE TABLE orders (
  seq         INTEGER PRIMARY KEY,
  order_id    TEXT    NOT NULL UNIQUE,
  customer_id TEXT    NOT NULL,
  status      TEXT    NOT NULL,
  deadline_us INTEGER NOT NULL,           -- of the armed timer; 0: none, the order waits for nothing
  version     INTEGER NOT NULL,
  created_us  INTEGER NOT NULL,
  updated_us  INTEGER NOT NULL,
  saga        TEXT    NOT NULL,
  currency    TEXT    NOT NULL,
  subtotal    INTEGER NOT NULL CHECK (subtotal >= 0),
  shipping    INTEGER NOT NULL CHECK (shipping >= 0),
  discount    INTEGER NOT NULL CHECK (discount >= 0),
  total       INTEGER NOT NULL CHECK (total >= 0),
  token       TEXT    NOT NULL,
  lines       TEXT    NOT NULL,
  address     TEXT    NOT NULL,
  history     TEXT    NOT NULL
) STRICT;

-- Finds the orders of a customer. An index by customer dirties one page for nearly every order, which costs half of the
-- throughput. So it is kept in runs: every two thousand orders or so the newest are copied here sorted by customer, all at
-- the end of the tree. A search looks once into each run, and through the orders after the last one. A run is numbered
-- by the seq of its last order.
CREATE TABLE runs (run INTEGER NOT NULL PRIMARY KEY) STRICT;
CREATE TABLE customer_runs (
  run         INTEGER NOT NULL,
  customer_id TEXT    NOT NULL,
  order_id    TEXT    NOT NULL,
  PRIMARY KEY (run, customer_id, order_id)
) STRICT, WITHOUT ROWID;
CREATE VIEW customer_orders AS
  SELECT c.customer_id AS customer_id, c.order_id AS order_id FROM runs r CROSS JOIN customer_runs c ON c.run = r.run
  UNION ALL
  SELECT customer_id, order_id FROM orders WHERE seq > (SELECT coalesce(max(run), 0) FROM runs);

-- 'open': no order below this id waits for a timer, so a start looks no further back; but for those below it that
-- began to wait again (called off late, or delivered with a delay to completion).
CREATE TABLE order_marks (
  name     TEXT NOT NULL PRIMARY KEY,
  order_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO order_marks (name, order_id) VALUES ('open', '');

CREATE TABLE reopened_orders (
  order_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
