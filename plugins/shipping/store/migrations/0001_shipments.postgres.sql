-- One row an order: a shipment, or the tombstone of a cancelled one. Address and lines stay with the order: nobody asks
-- for them here.
CREATE TABLE shipment (
  order_id TEXT COLLATE "C" PRIMARY KEY,
  customer_id TEXT NOT NULL,
  status TEXT NOT NULL,
  carrier TEXT NOT NULL,
  tracking_number TEXT NOT NULL,
  reason TEXT NOT NULL,
  events TEXT NOT NULL, -- JSON, separated by commas; without the first one if that is Created, which created_us tells
  created_us BIGINT NOT NULL
);

-- Reports of carriers that were taken, so that one sent again has no effect.
CREATE TABLE webhook_receipt (
  carrier TEXT NOT NULL,
  event_id TEXT NOT NULL,
  received_us BIGINT NOT NULL,
  PRIMARY KEY (carrier, event_id)
);

CREATE INDEX webhook_receipt_age ON webhook_receipt (received_us);
