-- One row a payment, found by its order: the payment's id is made from the order's, so no second index is needed.
CREATE TABLE payments (
  order_id       TEXT    NOT NULL PRIMARY KEY,
  customer_id    TEXT    NOT NULL,
  status         TEXT    NOT NULL,
  amount         INTEGER NOT NULL CHECK (amount >= 0),
  captured       INTEGER NOT NULL,
  refunded       INTEGER NOT NULL,
  refund_pending INTEGER NOT NULL,         -- on its way back
  currency       TEXT    NOT NULL,
  provider       TEXT    NOT NULL,
  reference      TEXT    NOT NULL,         -- the provider's; empty until it has answered
  code           TEXT    NOT NULL,         -- of a failure
  reason         TEXT    NOT NULL,
  created_us     INTEGER NOT NULL,
  updated_us     INTEGER NOT NULL,
  CHECK (captured >= 0 AND captured <= amount),
  CHECK (refunded >= 0 AND refund_pending >= 0 AND refunded + refund_pending <= captured)
) STRICT, WITHOUT ROWID;
