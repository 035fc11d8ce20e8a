-- What never changes about an order: one row, only ever inserted, so the table grows at its end. seq numbers the orders
-- as they were committed; ids are UUIDv7, so their index grows near its end, too.
CREATE TABLE placed_orders (
  seq           INTEGER PRIMARY KEY,
  order_id      TEXT    NOT NULL UNIQUE,
  customer_id   TEXT    NOT NULL,
  created_us    INTEGER NOT NULL,
  created_event TEXT    NOT NULL,         -- the id of its OrderCreated
  currency      TEXT    NOT NULL,
  subtotal      INTEGER NOT NULL CHECK (subtotal >= 0),
  shipping      INTEGER NOT NULL CHECK (shipping >= 0),
  discount      INTEGER NOT NULL CHECK (discount >= 0),
  total         INTEGER NOT NULL CHECK (total >= 0),
  token         TEXT    NOT NULL,
  lines         TEXT    NOT NULL,
  address       TEXT    NOT NULL
) STRICT;

-- What each event of the saga changes. A commit writes whole pages, and the orders under way lie scattered over those
-- of this table: what counts is that its rows are small. The view below has the names of the statuses.
CREATE TABLE order_progress (
  seq         INTEGER PRIMARY KEY,        -- of placed_orders
  status      INTEGER NOT NULL CHECK (status BETWEEN 0 AND 9),
  version     INTEGER NOT NULL,
  deadline_us INTEGER NOT NULL,           -- of the armed timer; 0: none, the order waits for nothing
  saga        TEXT    NOT NULL,
  history     BLOB    NOT NULL            -- see domain/history.hpp
) STRICT;

-- For people.
CREATE VIEW orders AS
  SELECT o.seq AS seq, o.order_id AS order_id, o.customer_id AS customer_id,
         CASE p.status WHEN 0 THEN 'Pending' WHEN 1 THEN 'Reserved' WHEN 2 THEN 'Paid' WHEN 3 THEN 'Confirmed'
                       WHEN 4 THEN 'Shipped' WHEN 5 THEN 'Delivered' WHEN 6 THEN 'Completed' WHEN 7 THEN 'Cancelling'
                       WHEN 8 THEN 'Cancelled' WHEN 9 THEN 'NeedsAttention' END AS status,
         p.deadline_us AS deadline_us, p.version AS version, o.created_us AS created_us, p.saga AS saga,
         o.currency AS currency, o.subtotal AS subtotal, o.shipping AS shipping,
         o.discount AS discount, o.total AS total, o.token AS token, o.lines AS lines, o.address AS address
  FROM placed_orders o JOIN order_progress p ON p.seq = o.seq;

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
  SELECT customer_id, order_id FROM placed_orders WHERE seq > (SELECT coalesce(max(run), 0) FROM runs);

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
