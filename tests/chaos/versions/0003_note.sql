-- What a later version keeps beside each order; the one before does not know the column and goes on without it.
ALTER TABLE order_progress ADD COLUMN note TEXT NOT NULL DEFAULT '';
