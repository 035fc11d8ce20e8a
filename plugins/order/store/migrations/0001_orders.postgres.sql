-- One row an order, saga and history included: placing it is one insert, each event of its saga one update.
-- Ids compare by byte, as UUIDv7 needs. A fill factor leaves room for updates within the page.
CREATE TABLE orders (
  order_id    TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  customer_id TEXT   COLLATE "C" NOT NULL,
  status      TEXT   NOT NULL,
  deadline_us BIGINT NOT NULL,           -- of the armed timer; 0: none, the order waits for nothing
  version     BIGINT NOT NULL,
  created_us  BIGINT NOT NULL,
  updated_us  BIGINT NOT NULL,
  saga        TEXT   NOT NULL,
  currency    TEXT   NOT NULL,
  subtotal    BIGINT NOT NULL CHECK (subtotal >= 0),
  shipping    BIGINT NOT NULL CHECK (shipping >= 0),
  discount    BIGINT NOT NULL CHECK (discount >= 0),
  total       BIGINT NOT NULL CHECK (total >= 0),
  token       TEXT   NOT NULL,
  lines       TEXT   NOT NULL,
  address     TEXT   NOT NULL,
  history     TEXT   NOT NULL
) WITH (fillfactor = 50);

-- The only index beside the key. No update touches it.
CREATE INDEX orders_by_customer ON orders (customer_id, order_id);
CREATE VIEW customer_orders AS SELECT customer_id, order_id FROM orders;

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
