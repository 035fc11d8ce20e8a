-- What never changes about an order: one row, only ever inserted. Ids compare by byte, as UUIDv7 needs.
CREATE TABLE placed_orders (
  seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id      TEXT   COLLATE "C" NOT NULL UNIQUE,
  customer_id   TEXT   COLLATE "C" NOT NULL,
  created_us    BIGINT NOT NULL,
  created_event TEXT   NOT NULL,         -- the id of its OrderCreated
  currency      TEXT   NOT NULL,
  subtotal      BIGINT NOT NULL CHECK (subtotal >= 0),
  shipping      BIGINT NOT NULL CHECK (shipping >= 0),
  discount      BIGINT NOT NULL CHECK (discount >= 0),
  total         BIGINT NOT NULL CHECK (total >= 0),
  token         TEXT   NOT NULL,
  lines         TEXT   NOT NULL,
  address       TEXT   NOT NULL
);

-- What each event of the saga changes: small, because an update writes the whole row again. A fill factor leaves room
-- for it within the page. The view below has the names of the statuses.
CREATE TABLE order_progress (
  seq         BIGINT NOT NULL PRIMARY KEY,   -- of placed_orders
  status      BIGINT NOT NULL CHECK (status BETWEEN 0 AND 9),
  version     BIGINT NOT NULL,
  deadline_us BIGINT NOT NULL,           -- of the armed timer; 0: none, the order waits for nothing
  saga        TEXT   NOT NULL,
  history     BYTEA  NOT NULL            -- see domain/history.hpp
) WITH (fillfactor = 50);

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

-- No update touches this index.
CREATE INDEX orders_by_customer ON placed_orders (customer_id, order_id);
CREATE VIEW customer_orders AS SELECT customer_id, order_id FROM placed_orders;

-- 'open': no order below this id waits for a timer, so a start looks no further back; but for those below it that
-- began to wait again (called off late, or delivered with a delay to completion).
CREATE TABLE order_marks (
  name     TEXT NOT NULL PRIMARY KEY,
  order_id TEXT COLLATE "C" NOT NULL
);
INSERT INTO order_marks (name, order_id) VALUES ('open', '');

CREATE TABLE reopened_orders (
  order_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
