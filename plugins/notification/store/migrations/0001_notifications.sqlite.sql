-- What never changes about a notification, but for a customer who is found out late. Numbered as they were committed,
-- so the table grows at its end.
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY,
  notification_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  template TEXT NOT NULL,
  channel TEXT NOT NULL,
  recipient TEXT NOT NULL,
  title TEXT NOT NULL,
  in_inbox INTEGER NOT NULL,
  created_us INTEGER NOT NULL
) STRICT;

CREATE VIEW next_message AS SELECT coalesce(max(seq), 0) + 1 AS seq FROM messages;

-- What became of it. A commit writes whole pages, and a message is sent some time after it was decided upon: what
-- counts is that these rows are small. The ids follow from the order's id: the notifications of an order are a range.
CREATE TABLE delivery_state (
  notification_id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL, -- of the message
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  ended_us INTEGER,
  read_us INTEGER
) STRICT, WITHOUT ROWID;

-- Both together, found by the notification's id.
CREATE VIEW delivery AS
  SELECT s.notification_id AS notification_id, m.seq AS seq, m.order_id AS order_id, m.customer_id AS customer_id,
         m.template AS template, m.channel AS channel, m.recipient AS recipient, m.title AS title, s.status AS status,
         s.reason AS reason, m.in_inbox AS in_inbox, m.created_us AS created_us, s.ended_us AS ended_us,
         s.read_us AS read_us
  FROM delivery_state s JOIN messages m ON m.seq = s.seq;

-- Finds the inbox of a customer. An index by customer dirties one page for nearly every message. So it is kept in runs:
-- every two thousand messages or so the newest are copied here sorted by customer, all at the end of the tree. A search
-- looks once into each run, and through the messages after the last one. A run is numbered by the seq of its last
-- message. A message whose customer was not known is added to the last run when he is.
CREATE TABLE runs (run INTEGER NOT NULL PRIMARY KEY) STRICT;
CREATE TABLE customer_runs (
  run INTEGER NOT NULL,
  customer_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (run, customer_id, seq)
) STRICT, WITHOUT ROWID;
CREATE VIEW customer_messages AS
  SELECT c.customer_id AS customer_id, c.seq AS seq FROM runs r CROSS JOIN customer_runs c ON c.run = r.run
  UNION ALL
  SELECT customer_id, seq FROM messages WHERE seq > (SELECT coalesce(max(run), 0) FROM runs);

-- What people have written; version 1 of a built-in template is in the code. Versions are kept, because a message in
-- flight is rendered from the one that was current when it was decided upon.
CREATE TABLE message_template (
  name TEXT NOT NULL,
  locale TEXT NOT NULL,
  version INTEGER NOT NULL,
  subject TEXT NOT NULL,
  text_body TEXT NOT NULL,
  html_body TEXT NOT NULL,
  short_body TEXT NOT NULL,
  saved_us INTEGER NOT NULL,
  PRIMARY KEY (name, locale, version)
) STRICT, WITHOUT ROWID;
