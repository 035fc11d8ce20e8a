"""Events: envelope, headers, keys, partitions, order, size."""

import json
import re

import kafka_wire
from checks import check, equal, in_parallel, until
from harness import event, numbered
from promises import local_bus, promise

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def murmur2(data):
    """As Kafka's Java clients compute it."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    for i in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = data[len(data) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


# Of the tests of Kafka's own clients.
KNOWN = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
         b"a-little-bit-longer-string": -1486304829, b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
         b"abc": 479470107}


def partition(key, count):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % count


def as_operators_read_it(w, topic, key):
    """The one event of this key, by `gantry tail --json`."""
    lines = w.cli("tail", topic, "--key", key, "--from", "start", "--no-follow", "--json").splitlines()
    equal(len(lines), 1, "lines of gantry tail")
    return json.loads(lines[0])


def as_kafka_has_it(w, topic, key):
    """The one message of this key, by kcat: (partition, headers, body)."""
    text = w.servers.kcat("-C", "-t", topic, "-e", "-q", "-J", "-o", "beginning")
    found = [m for m in map(json.loads, text.splitlines()) if m.get("key") == key]
    equal(len(found), 1, "messages in Kafka")
    pairs = found[0]["headers"]
    return found[0]["partition"], dict(zip(pairs[::2], pairs[1::2])), json.loads(found[0]["payload"])


def check_body(body, event_id, key):
    equal(list(body), ["eventId", "occurredOn", "eventType", "aggregateId", "version", "data"], "members of the body")
    equal((body["eventId"], body["eventType"], body["aggregateId"], body["version"]), (event_id, "Recorded", key, 1), "body")
    check(UUID7.fullmatch(body["eventId"]), "eventId is no UUIDv7", body["eventId"])
    check(TIME.fullmatch(body["occurredOn"]), "occurredOn is no RFC 3339 UTC with microseconds", body["occurredOn"])
    equal(body["data"], {"n": 5, "text": "gr\u00fc\u00df \u2713"}, "data")


@promise()
def body_is_the_json_envelope(w):
    """The body is JSON: {eventId, occurredOn, eventType, aggregateId, version, data}; eventId UUIDv7, occurredOn RFC 3339
    UTC with microseconds, version the schema version of this event type."""
    key = "envelope-body"
    event_id = w.emit(key, n=5, text="gr\u00fc\u00df \u2713")
    w.await_handled(key, 1)
    check_body(as_operators_read_it(w, "conf-events", key)["body"], event_id, key)
    if w.column.bus == "kafka":
        check_body(as_kafka_has_it(w, "conf-events", key)[2], event_id, key)


@promise()
def metadata_travels_in_cloudevents_headers(w):
    """Metadata travels in headers named as CloudEvents' Kafka binding names them, on every bus, and beside them traceparent,
    correlation-id, causation-id, content-type."""
    key = "envelope-headers"
    trace = "00-" + "4bf92f3577b34da6a3ce929d0e0e4736" + "-00f067aa0ba902b7-01"
    event_id = w.act({"emit": [event(key, n=1)]}, headers={"correlation-id": "corr-envelope", "traceparent": trace})["ids"][0]
    handled = w.await_handled(key, 1)[0]

    def check_headers(h):
        equal((h["ce_specversion"], h["ce_id"], h["ce_type"], h["ce_subject"], h["content-type"]),
              ("1.0", event_id, "Recorded", key, "application/json"), "headers")
        # Where hosts may share a store, each is a source of its own.
        host = r"\.(main|a|b)" if w.column.store == "postgres" else ""
        source = rf"/conf{w.number}/conf-source/[0-9a-f-]{{36}}\.\d+{host}"
        check(re.fullmatch(source, h["ce_source"]), "ce_source", h["ce_source"])
        check(TIME.fullmatch(h["ce_time"]), "ce_time", h["ce_time"])
        check(re.fullmatch(r"\d{20}", h["ce_sequence"]) and int(h["ce_sequence"]) > 0, "ce_sequence", h["ce_sequence"])
        equal(h["correlation-id"], "corr-envelope", "correlation-id")
        check(TRACE.fullmatch(h["traceparent"]) and h["traceparent"][3:35] == trace[3:35], "traceparent", h["traceparent"])
        equal(int(h["ce_sequence"]), handled["sequence"], "the sequence that the handler saw")
        equal(h["ce_source"], handled["source"], "the source that the handler saw")

    check_headers(as_operators_read_it(w, "conf-events", key)["headers"])
    if w.column.bus == "kafka":
        check_headers(as_kafka_has_it(w, "conf-events", key)[1])


@promise()
def correlation_and_causation_follow_an_event(w):
    """traceparent, correlation-id, causation-id: an event that a handler emits has the correlation of what it handles, and
    names it as its cause."""
    key = "causation"
    cause = w.act({"emit": [event(key, type="Echo", n=1)]}, headers={"correlation-id": "corr-causation"})["ids"][0]
    answer = until("the answer is on the bus", lambda: w.events("conf-answers", key))[0]["headers"]
    equal((answer["correlation-id"], answer["causation-id"]), ("corr-causation", cause), "headers of the answer")
    asked = w.events("conf-events", key)[0]["headers"]
    equal(answer["traceparent"][3:35], asked["traceparent"][3:35], "the trace of the answer")


@promise()
def partition_is_murmur2_of_the_key(w):
    """Partition = murmur2(key) mod partitions, as Kafka's own clients compute it, on every driver."""
    for data, hashed in KNOWN.items():
        equal(murmur2(data), hashed & 0xFFFFFFFF, f"murmur2 of {data}")
    keys = [f"part-{n}" * (n % 5 + 1) for n in range(40)] + ["part-gr\u00fc\u00df", "part-21", "part-foobar"]
    w.act({"emit": [event(k, n=i) for i, k in enumerate(keys)]})
    found = {e["key"]: e["partition"] for e in w.await_handled("part-", len(keys))}
    equal(found, {k: partition(k, 3) for k in keys}, "partitions")


@promise()
def order_is_kept_per_key_from_the_commit_to_the_handler(w):
    """Order is kept per key, from the commit that caused the event to the handler."""
    keys = [f"order-{k}" for k in range(3)]
    rounds = 25

    def customer(c):
        for i in range(rounds):
            w.act({"emit": [numbered(keys[(c + i) % 3], customer=c)]})

    in_parallel(6, customer)
    events = w.await_handled("order-", 6 * rounds)
    for key in keys:
        seen = [e["n"] for e in events if e["key"] == key]
        equal(seen, list(range(1, len(seen) + 1)), f"commit order of {key} as handled")


@promise()
def events_of_one_commit_keep_their_order(w):
    """One outbox row per transaction, holding its events in order."""
    ids = w.act({"emit": [event("row-order", n=i) for i in range(50)]})["ids"]
    events = w.await_handled("row-order", 50)
    equal([e["id"] for e in events], ids, "events of one transaction")


@promise()
def size_is_checked_at_emit(w):
    """The encoded record, headers included, is checked at emit against the topic's max_message."""
    fits = {"topic": "conf-small", "type": "Small", "key": "size", "pad": 3000}
    w.act({"emit": [fits]})
    # 4 KiB hold the data, but not the headers beside it.
    too_large = {**fits, "pad": 4080}
    reply = w.ask("conf-source", "POST", "/source/do", {"add": [{"name": "size-state"}], "emit": [fits, too_large]})
    equal(reply.status, 413, f"an event beyond max_message: {reply}")
    equal(w.entry("size-state"), 0, "what the refused transaction wrote")
    until("the small one is there", lambda: len(w.events("conf-small", "size")) == 1)


@promise("own")
def partition_count_of_a_live_topic_stays(make):
    """A live topic's partition count doesn't change by editing the file: refused at start, with the way to do it."""
    w = make("partitions", plugins=["conf-source", "conf-sink"])
    with w:
        w.emit("before", n=1)
        w.await_handled("before", 1)
        w.stop()
        w.topics["conf-events"] = 5
        w.write_topology()
        host = w.hosts_of("conf-source")[0]
        host.start()
        until("the host ends by itself", lambda: host.process.poll() is not None)
        check(host.process.returncode != 0, "the host started on a topic with another partition count")
        said = host.tail(20)
        check("conf-events" in said and "3" in said and "5" in said, "it does not say which topic and counts", said)


@promise("own", unless=local_bus("only a broker has topics that somebody else made"))
def broker_topics_are_checked_at_start(make):
    """max_message is checked against the broker at start; a topic with another partition count is reported."""
    w = make("broker-topics", plugins=["conf-source", "conf-sink"])
    kafka_wire.create_topic(w.servers.brokers, "conf-plain", 4)
    try:
        host = w.hosts_of("conf-source")[0]
        host.start()
        until("the host ends by itself", lambda: host.process.poll() is not None)
        said = host.tail(6)
        check(host.process.returncode != 0 and "conf-plain" in said and "4" in said, "it does not say so", said)
    finally:
        w.close()
