-- One row for each notification and channel. The id follows from the order's id, so the rows of an order lie side by
-- side and need no index; customers' inboxes do.
CREATE TABLE delivery (
  notification_id TEXT COLLATE "C" PRIMARY KEY,
  order_id TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  template TEXT NOT NULL,
  channel TEXT NOT NULL,
  recipient TEXT NOT NULL,
  title TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  in_inbox BIGINT NOT NULL,
  created_us BIGINT NOT NULL,
  ended_us BIGINT,
  read_us BIGINT
);

CREATE INDEX delivery_by_customer ON delivery (customer_id, created_us);

-- What people have written; version 1 of a built-in template is in the code. Versions are kept, because a message in
-- flight is rendered from the one that was current when it was decided upon.
CREATE TABLE message_template (
  name TEXT COLLATE "C" NOT NULL,
  locale TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  subject TEXT NOT NULL,
  text_body TEXT NOT NULL,
  html_body TEXT NOT NULL,
  short_body TEXT NOT NULL,
  saved_us BIGINT NOT NULL,
  PRIMARY KEY (name, locale, version)
);
