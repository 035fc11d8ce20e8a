"""Dedupe: exactly-once effect."""

import collections
import json
import random
import threading
import time
import uuid

from checks import check, equal, until
from harness import event
from promises import local_bus, promise


@promise("alone")
def effects_are_exactly_once_across_kills(w):
    """Relay restarts, rebalances and redelivery have no effect: each event's effects are there exactly once, also after kill -9 at
    random moments."""
    rng = random.Random(7)
    accepted, lock, ending = [], threading.Lock(), threading.Event()

    def customer(c):
        i = 0
        while not ending.is_set():
            key = f"kills-{c}-{i}"
            reply = None
            try:
                reply = w.ask("conf-source", "POST", "/source/do", {"emit": [event(key, type="Echo", n=i), event(key, n=i)]},
                              timeout=10)
            except Exception:  # the host is gone; whether this was committed nobody knows
                time.sleep(0.02)
            if reply is not None and reply.status == 201:
                with lock:
                    accepted.append(key)
            i += 1

    threads = [threading.Thread(target=customer, args=(c,), daemon=True) for c in range(3)]
    for t in threads:
        t.start()
    names = list(w.hosts)
    for _ in range(6):
        time.sleep(rng.uniform(0.2, 0.7))
        host = w.hosts[rng.choice(names)]
        host.kill()
        host.start()
        if rng.random() < 0.6:
            host.wait_ready()
    for host in w.hosts.values():
        host.wait_ready()
    ending.set()
    for t in threads:
        t.join()
    check(len(accepted) > 20, "the test did next to nothing", len(accepted))

    def complete():
        events = collections.Counter((e["key"], e["type"]) for e in w.handled("kills-"))
        missing = [k for k in accepted if events[k, "Echo"] != 1 or events[k, "Recorded"] != 1]
        return events if not missing else None

    until("all that was accepted is handled", complete)
    # Nothing is on its way any more: an order of answers per key, jobs, and the count of effects can be compared.
    until("nothing lags", lambda: w.metric("gantry_consumer_lag") == 0 and w.metric("gantry_outbox_bytes") == 0)
    handled = w.handled("kills-")
    equal([e["id"] for e in handled if e["times"] != 1], [], "events that were handled more than once")
    asked = {e["key"]: e["id"] for e in handled if e["type"] == "Echo"}
    equal(len(asked), sum(e["type"] == "Echo" for e in handled), "events for a key")
    # The log may hold an event twice; by its id it is one.
    answers = {}
    for e in w.events("conf-answers"):
        if e["key"].startswith("kills-"):
            answers.setdefault(e["key"], set()).add((e["headers"]["ce_id"], e["headers"]["causation-id"]))
    equal({k for k in asked if len(answers.get(k, ())) != 1}, set(), "keys whose event was not answered exactly once")
    equal({k for k in asked if {c for _, c in answers[k]} != {asked[k]}}, set(), "answers to something else")
    for key in list(asked)[:: max(1, len(asked) // 20)]:
        until(f"the job of {key} is done once", lambda: w.get("conf-sink", f"/sink/echoes/{key}")["done"] == 1)


@promise("alone")
def positions_go_on_after_a_stop(w):
    """A consumer keeps in its own store, in the transaction of its effects, the next offset: a restart handles nothing again and
    misses nothing."""
    w.act({"emit": [event("stop-before", n=i) for i in range(20)]})
    w.await_handled("stop-before", 20)
    for host in w.hosts_of("conf-sink"):
        equal(host.stop(), 0, f"SIGTERM: {host.tail()}")
    senders = [h for h in w.hosts_of("conf-source") if h.process.poll() is None]
    if senders:
        senders[0].ask("POST", "/source/do", {"emit": [event("stop-while", n=i) for i in range(20)]})
    for host in w.hosts_of("conf-sink"):
        host.start()
    for host in w.hosts_of("conf-sink"):
        host.wait_ready()
    w.emit("stop-after", n=0)
    w.await_handled("stop-after", 1)
    for key, count in (("stop-before", 20), ("stop-while", 20 if senders else 0)):
        events = w.await_handled(key, count)
        equal([(e["n"], e["times"]) for e in events], [(i, 1) for i in range(count)], f"handled of {key}")


def foreign(w, key, headers, body, topic="conf-foreign"):
    line = f"{key}\t{body if isinstance(body, str) else json.dumps(body)}\n"
    arguments = [a for name, value in headers.items() for a in ("-H", f"{name}={value}")]
    w.servers.kcat("-P", "-t", topic, "-K", "\t", "-X", "partitioner=murmur2_random", *arguments, text=line)


NOBODY = local_bus("nobody foreign can write to the local bus")


@promise(unless=NOBODY)
def foreign_events_are_deduped_by_ce_id(w):
    """Events from foreign producers (no ce_sequence): by offset, and by ce_id within a window."""
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for i in (0, 1, 0, 2, 1, 0):
        headers = {"ce_specversion": "1.0", "ce_id": ids[i], "ce_type": "Foreign", "ce_source": "/elsewhere",
                   "content-type": "application/json"}
        foreign(w, "foreign-ce", headers, {"n": i})
    foreign(w, "foreign-ce", {"ce_id": str(uuid.uuid4()), "ce_type": "Foreign", "ce_source": "/elsewhere"}, {"n": 99})
    until("the last one is handled", lambda: any(e["n"] == 99 for e in w.handled("foreign-ce")))
    equal([(e["n"], e["times"]) for e in w.handled("foreign-ce")], [(0, 1), (1, 1), (2, 1), (99, 1)], "handled")
    equal({e["sequence"] for e in w.handled("foreign-ce")}, {0}, "sequences of foreign events")


@promise(unless=NOBODY)
def foreign_events_are_deduped_by_event_id(w):
    """Events from foreign producers (no ce_sequence): by offset, and by eventId within a window."""
    first, last = str(uuid.uuid4()), str(uuid.uuid4())
    for event_id, n in ((first, 1), (first, 1), (last, 2)):
        foreign(w, "foreign-id", {}, {"eventId": event_id, "occurredOn": "2026-01-02T03:04:05.000006Z", "eventType": "Foreign",
                                      "aggregateId": "foreign-id", "version": 1, "data": {"n": n}})
    until("the last one is handled", lambda: any(e["n"] == 2 for e in w.handled("foreign-id")))
    handled = w.handled("foreign-id")
    equal([(e["id"], e["n"], e["times"]) for e in handled], [(first, 1, 1), (last, 2, 1)], "handled")
    equal(handled[0]["occurred"], 1767323045000006, "when it occurred")


@promise(unless=NOBODY)
def foreign_events_may_be_cloudevents_in_structured_mode(w):
    """A foreign producer's events are read in CloudEvents' structured mode too."""
    event_id = str(uuid.uuid4())
    for _ in range(2):
        foreign(w, "foreign-structured", {"content-type": "application/cloudevents+json"},
                {"specversion": "1.0", "id": event_id, "type": "Foreign", "source": "/elsewhere",
                 "time": "2026-01-02T03:04:05.000006Z", "subject": "foreign-structured", "data": {"n": 4}})
    foreign(w, "foreign-structured", {"ce_id": str(uuid.uuid4()), "ce_type": "Foreign"}, {"n": 5})
    until("the last one is handled", lambda: any(e["n"] == 5 for e in w.handled("foreign-structured")))
    equal([(e["n"], e["times"]) for e in w.handled("foreign-structured")], [(4, 1), (5, 1)], "handled")


@promise("own")
def a_restored_store_gives_no_number_twice(make):
    """A source never goes back: a new incarnation begins when its store may have lost commits (restored backup)."""
    w = make("restored-source", plugins=["conf-source", "conf-sink"])
    with w:
        w.act({"emit": [event("restored", n=0)]})
        restore = w.backup("conf-source")
        w.act({"emit": [event("restored", n=i) for i in range(1, 11)]})
        before = w.await_handled("restored", 11)
        w.stop()
        restore()
        w.start()
        w.act({"emit": [event("restored", n=i) for i in range(11, 21)]})
        events = w.await_handled("restored", 21)
        equal([(e["n"], e["times"]) for e in events], [(i, 1) for i in range(21)], "events, none taken for an old one")
        last = {e["source"]: e["sequence"] for e in before}
        for e in events[11:]:
            check(e["sequence"] > last.get(e["source"], 0), "a number that was given before", e, last)


@promise("own")
def a_restored_consumer_catches_up(make):
    """Position and sequences are kept in the transaction of the effects, in the consumer's own store: put back together, they lead
    to the same rows again."""
    w = make("restored-sink", plugins=["conf-source", "conf-sink"])
    with w:
        w.act({"emit": [event("catch-up", n=i) for i in range(10)]})
        w.await_handled("catch-up", 10)
        restore = w.backup("conf-sink")
        w.act({"emit": [event("catch-up", n=i) for i in range(10, 25)]})
        before = w.await_handled("catch-up", 25)
        until("nothing lags", lambda: w.metric("gantry_consumer_lag") == 0)
        w.stop()
        restore()
        w.start()
        equal(w.await_handled("catch-up", 25), before, "rows after catching up")
