CREATE TABLE warehouses (
  warehouse_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a SKU carries the totals and the home warehouse's part, so that reserving and committing touch one row.
-- on_hand = home_on_hand + the SKU's rows in shelves.
CREATE TABLE stock (
  sku TEXT PRIMARY KEY,
  on_hand INTEGER NOT NULL,
  reserved INTEGER NOT NULL,
  home TEXT NOT NULL REFERENCES warehouses (warehouse_id),
  home_on_hand INTEGER NOT NULL,
  low_at INTEGER,
  version INTEGER NOT NULL,
  CONSTRAINT stock_reserved CHECK (0 <= reserved AND reserved <= on_hand),
  CONSTRAINT stock_home CHECK (0 <= home_on_hand AND home_on_hand <= on_hand)
) STRICT, WITHOUT ROWID;

CREATE TABLE shelves (
  sku TEXT NOT NULL REFERENCES stock (sku),
  warehouse_id TEXT NOT NULL REFERENCES warehouses (warehouse_id),
  on_hand INTEGER NOT NULL,
  PRIMARY KEY (sku, warehouse_id),
  CONSTRAINT shelves_on_hand CHECK (on_hand >= 0)
) STRICT, WITHOUT ROWID;

-- Keys are UUIDv7, so rows are appended and their order is that of the orders' creation.
CREATE TABLE reservations (
  order_id TEXT PRIMARY KEY,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
  lines TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  picks TEXT
) STRICT, WITHOUT ROWID;

-- Reservations whose key does not tell when they were made; expiry finds them here.
CREATE TABLE late_reservations (
  order_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Every reservation with a key up to this one has ended, or is in late_reservations.
CREATE TABLE sweep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  done_through TEXT NOT NULL
) STRICT;
INSERT INTO sweep (id, done_through) VALUES (1, '');

CREATE TABLE alerts (
  sku TEXT PRIMARY KEY REFERENCES stock (sku),
  raised_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Stock of a new SKU goes here unless a warehouse is named.
INSERT INTO warehouses (warehouse_id, name, created_at) VALUES ('main', 'Main warehouse', 0);
