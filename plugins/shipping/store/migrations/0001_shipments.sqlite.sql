-- One row an order: a shipment, or the tombstone of a cancelled one. Without rowid, because orders come with ids that
-- grow: an insert then touches one page of one tree.
CREATE TABLE shipment (
  order_id TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL,
  status TEXT NOT NULL,
  carrier TEXT NOT NULL,
  tracking_number TEXT NOT NULL,
  reason TEXT NOT NULL,
  address TEXT NOT NULL,
  lines TEXT NOT NULL,
  events TEXT NOT NULL,
  created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Reports of carriers that were taken, so that one sent again has no effect.
CREATE TABLE webhook_receipt (
  carrier TEXT NOT NULL,
  event_id TEXT NOT NULL,
  received_us INTEGER NOT NULL,
  PRIMARY KEY (carrier, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_receipt_age ON webhook_receipt (received_us);
