CREATE TABLE categories (
  category_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  parent_id TEXT REFERENCES categories (category_id),
  version INTEGER NOT NULL
) STRICT;

CREATE TABLE products (
  n INTEGER PRIMARY KEY,
  sku TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  category_id TEXT NOT NULL REFERENCES categories (category_id),
  price_amount INTEGER NOT NULL CHECK (price_amount >= 0),
  currency TEXT NOT NULL,
  images TEXT NOT NULL,
  rating_sum INTEGER NOT NULL,
  rating_count INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX products_by_category ON products (category_id);

-- Every price with the version of the product that it came with. Stays when the product goes.
CREATE TABLE prices (
  sku TEXT NOT NULL,
  version INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  valid_from INTEGER NOT NULL,
  PRIMARY KEY (sku, version)
) STRICT, WITHOUT ROWID;

-- The last version of a product that is gone: one made anew under its SKU goes on from there.
CREATE TABLE deleted_products (
  sku TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reviews (
  review_id TEXT PRIMARY KEY,
  sku TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  rating INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  CONSTRAINT one_review UNIQUE (sku, customer_id)
) STRICT;

-- What inventory last said; also of SKUs that have no product yet.
CREATE TABLE availability (
  sku TEXT PRIMARY KEY,
  in_stock INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE product_search USING fts5 (name, description, content = 'products', content_rowid = 'n');
CREATE TRIGGER products_added AFTER INSERT ON products BEGIN
  INSERT INTO product_search (rowid, name, description) VALUES (new.n, new.name, new.description);
END;
CREATE TRIGGER products_removed AFTER DELETE ON products BEGIN
  INSERT INTO product_search (product_search, rowid, name, description)
  VALUES ('delete', old.n, old.name, old.description);
END;
CREATE TRIGGER products_renamed AFTER UPDATE OF name, description ON products BEGIN
  INSERT INTO product_search (product_search, rowid, name, description)
  VALUES ('delete', old.n, old.name, old.description);
  INSERT INTO product_search (rowid, name, description) VALUES (new.n, new.name, new.description);
END;
