-- One row an order: a shipment, or the tombstone of a cancelled one. Without rowid, because orders come with ids that
-- grow: an insert then touches one of the last pages of one tree. A commit writes whole pages, so what counts is that
-- rows are small: address and lines stay with the order, nobody asks for them here.
CREATE TABLE shipment (
  order_id TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL,
  status TEXT NOT NULL,
  carrier TEXT NOT NULL,
  tracking_number TEXT NOT NULL,
  reason TEXT NOT NULL,
  events TEXT NOT NULL, -- JSON, separated by commas; without the first one if that is Created, which created_us tells
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
