"""The requests that the suite sends to a broker itself, since kcat has no word for them."""

import socket
import struct

CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS = 19, 20, 21
UNKNOWN_TOPIC = 3


def _text(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _ask(brokers, key, version, body):
    host, port = brokers.split(",")[0].rsplit(":", 1)
    request = struct.pack(">hhi", key, version, 1) + _text("conformance") + body
    with socket.create_connection((host, int(port)), timeout=30) as s, s.makefile("rb") as answers:
        s.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", answers.read(4))
        return answers.read(size)[4:]


def _errors(answer, at, with_text):
    (count,) = struct.unpack_from(">i", answer, at)
    at += 4
    out = {}
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        name = answer[at + 2 : at + 2 + length].decode()
        at += 2 + length
        (out[name],) = struct.unpack_from(">h", answer, at)
        at += 2
        if with_text:
            (length,) = struct.unpack_from(">h", answer, at)
            at += 2 + max(length, 0)
    return out


def delete_topics(brokers, topics):
    """Those that do not exist are no error."""
    body = struct.pack(">i", len(topics)) + b"".join(_text(t) for t in topics) + struct.pack(">i", 20_000)
    for topic, error in _errors(_ask(brokers, DELETE_TOPICS, 1, body), 4, False).items():
        if error not in (0, UNKNOWN_TOPIC):
            raise RuntimeError(f"deleting topic {topic}: Kafka's error {error}")


def create_topic(brokers, topic, partitions):
    body = struct.pack(">i", 1) + _text(topic) + struct.pack(">ih", partitions, 1) + struct.pack(">ii", 0, 0)
    body += struct.pack(">ib", 20_000, 0)
    for name, error in _errors(_ask(brokers, CREATE_TOPICS, 2, body), 4, True).items():
        if error != 0:
            raise RuntimeError(f"making topic {name}: Kafka's error {error}")


def delete_records(brokers, topic, partitions):
    """Deletes all that a topic holds; the next offset stays."""
    body = struct.pack(">i", 1) + _text(topic) + struct.pack(">i", partitions)
    body += b"".join(struct.pack(">iq", p, -1) for p in range(partitions)) + struct.pack(">i", 20_000)
    answer = _ask(brokers, DELETE_RECORDS, 1, body)
    at = 4 + 4 + 2 + len(topic) + 4
    for _ in range(partitions):
        partition, _, error = struct.unpack_from(">iqh", answer, at)
        at += 14
        if error != 0:
            raise RuntimeError(f"deleting the records of {topic}/{partition}: Kafka's error {error}")
