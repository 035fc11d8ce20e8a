-- What never changes about a notification, but for a customer who is found out late.
CREATE TABLE messages (
  seq BIGINT PRIMARY KEY,
  notification_id TEXT COLLATE "C" NOT NULL,
  order_id TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  template TEXT NOT NULL,
  channel TEXT NOT NULL,
  recipient TEXT NOT NULL,
  title TEXT NOT NULL,
  in_inbox BIGINT NOT NULL,
  created_us BIGINT NOT NULL
);

CREATE SEQUENCE message_numbers;
CREATE VIEW next_message AS SELECT nextval('message_numbers') AS seq;

-- What became of it. The ids follow from the order's id: the notifications of an order are a range.
CREATE TABLE delivery_state (
  notification_id TEXT COLLATE "C" PRIMARY KEY,
  seq BIGINT NOT NULL, -- of the message
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  ended_us BIGINT,
  read_us BIGINT
);

-- Both together, found by the notification's id.
CREATE VIEW delivery AS
  SELECT s.notification_id AS notification_id, m.seq AS seq, m.order_id AS order_id, m.customer_id AS customer_id,
         m.template AS template, m.channel AS channel, m.recipient AS recipient, m.title AS title, s.status AS status,
         s.reason AS reason, m.in_inbox AS in_inbox, m.created_us AS created_us, s.ended_us AS ended_us,
         s.read_us AS read_us
  FROM delivery_state s JOIN messages m ON m.seq = s.seq;

CREATE INDEX messages_by_customer ON messages (customer_id);
CREATE VIEW customer_messages AS SELECT customer_id, seq FROM messages;

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
