CREATE TABLE warehouses (
  warehouse_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- One row a SKU carries the totals and the home warehouse's part, so that reserving and committing touch one row.
-- on_hand = home_on_hand + the SKU's rows in shelves.
CREATE TABLE stock (
  sku TEXT PRIMARY KEY,
  on_hand BIGINT NOT NULL,
  reserved BIGINT NOT NULL,
  home TEXT NOT NULL REFERENCES warehouses (warehouse_id),
  home_on_hand BIGINT NOT NULL,
  low_at BIGINT,
  version BIGINT NOT NULL,
  CONSTRAINT stock_reserved CHECK (0 <= reserved AND reserved <= on_hand),
  CONSTRAINT stock_home CHECK (0 <= home_on_hand AND home_on_hand <= on_hand)
);

CREATE TABLE shelves (
  sku TEXT NOT NULL REFERENCES stock (sku),
  warehouse_id TEXT NOT NULL REFERENCES warehouses (warehouse_id),
  on_hand BIGINT NOT NULL,
  PRIMARY KEY (sku, warehouse_id),
  CONSTRAINT shelves_on_hand CHECK (on_hand >= 0)
);

-- Keys are UUIDv7, so rows are appended and their order is that of the orders' creation.
CREATE TABLE reservations (
  order_id TEXT COLLATE "C" PRIMARY KEY,
  state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 6),
  lines TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  picks TEXT
);

-- Reservations whose key does not tell when they were made; expiry finds them here.
CREATE TABLE late_reservations (
  order_id TEXT COLLATE "C" PRIMARY KEY
);

-- Every reservation with a key up to this one has ended, or is in late_reservations.
CREATE TABLE sweep (
  id BIGINT PRIMARY KEY CHECK (id = 1),
  done_through TEXT COLLATE "C" NOT NULL
);
INSERT INTO sweep (id, done_through) VALUES (1, '');

CREATE TABLE alerts (
  sku TEXT PRIMARY KEY REFERENCES stock (sku),
  raised_at BIGINT NOT NULL
);

-- Stock of a new SKU goes here unless a warehouse is named.
INSERT INTO warehouses (warehouse_id, name, created_at) VALUES ('main', 'Main warehouse', 0);
