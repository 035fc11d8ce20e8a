"""Retention and replay."""

import kafka_wire
from checks import check, equal, until
from harness import event
from promises import promise


@promise("own")
def replay_rebuilds_the_same_rows(make):
    """gantry replay: in one transaction on_replay clears the projection, positions are reset, the replay's end is stored; jobs and
    emits are suppressed up to that end."""
    w = make("replay", plugins=["conf-source", "conf-sink"])
    stable = ("id", "key", "place", "times", "n", "partition", "offset", "sequence", "source", "occurred")
    rows = lambda: [tuple(e[c] for c in stable) for e in w.handled("") if e["topic"] == "conf-events"]
    with w:
        for i in range(4):
            w.act({"emit": [event(f"rebuild-{k}", type="Echo" if (i, k) == (0, 2) else "Recorded", n=i) for k in range(6)]})
        w.await_handled("rebuild-", 24)
        # One alone: of several jobs with one key, a later one may take the place of an earlier one.
        until("the answer is there", lambda: len(w.events("conf-answers")) == 1)
        until("the job is done", lambda: w.get("conf-sink", "/sink/echoes/rebuild-2")["done"] == 1)
        until("nothing lags", lambda: w.metric("gantry_consumer_lag") == 0)
        before = rows()
        w.cli("replay", "conf-sink", "conf-events", "--from", "earliest", host=w.column.placed("conf-sink")[0])
        until("the rows are back", lambda: len(rows()) == len(before))
        equal(rows(), before, "rows after the replay")
        check(all(e["replayed"] == 1 for e in w.handled("rebuild-")), "events that don't say that they are replayed")
        w.emit("rebuild-2", type="Echo", n=9)
        events = w.await_handled("rebuild-", 25)
        equal([e["replayed"] for e in events if e["n"] == 9], [0], "an event behind the replay's end")
        until("the answer to the later one is there", lambda: len(w.events("conf-answers")) >= 2)
        until("the later job is done", lambda: w.get("conf-sink", "/sink/echoes/rebuild-2")["done"] >= 2)
        equal(len(w.events("conf-answers")), 2, "answers: a replay emits nothing")
        equal(w.get("conf-sink", "/sink/echoes/rebuild-2")["done"], 2, "jobs: a replay schedules nothing")


@promise()
def replay_without_on_replay_is_refused(w):
    """Refused without on_replay."""
    w.act({"emit": [event("no-replay", "conf-plain", "Plain", n=1)]})
    w.await_handled("no-replay", 1)
    said = w.cli("replay", "conf-sink", "conf-plain", host=w.column.placed("conf-sink")[0], fails=True)
    check("on_replay" in said, "the refusal does not say why", said)
    equal(len(w.handled("no-replay")), 1, "rows")


def starts(w, topic):
    """The first offset that each partition still has."""
    topics = w.get("conf-source", "/admin/topics")["topics"]
    return [p["start"] for t in topics if t["name"] == topic for p in t["partitions"]]


def trim(w, topic, beyond=0):
    """Lets the log forget what it has. On Kafka as an operator's tool does; a local journal forgets when its time has passed."""
    if w.column.bus == "kafka":
        kafka_wire.delete_records(w.servers.brokers, topic, len(starts(w, topic)))
    else:
        w.stop()
        w.start()
    until("the log's beginning is gone", lambda: all(s > beyond for s in starts(w, topic)))


@promise("own")
def replay_of_a_trimmed_log_must_be_accepted(make):
    """Refused on a trimmed log unless --accept-gap."""
    topics = {"conf-events": {"partitions": 1, "retention": "1s"}, **{t: 1 for t in (
        "conf-answers", "conf-batches", "conf-small", "conf-first", "conf-last", "conf-plain", "conf-foreign")}}
    w = make("trimmed", plugins=["conf-source", "conf-sink"], topics=topics)
    with w:
        w.act({"emit": [event("trimmed", n=i) for i in range(5)]})
        w.await_handled("trimmed", 5)
        trim(w, "conf-events")
        w.act({"emit": [event("trimmed", n=i) for i in range(5, 8)]})
        w.await_handled("trimmed", 8)
        host = w.column.placed("conf-sink")[0]
        said = w.cli("replay", "conf-sink", "conf-events", host=host, fails=True)
        check("accept-gap" in said or "accept_gap" in said or "gap" in said, "the refusal does not say why", said)
        equal(len(w.handled("trimmed")), 8, "rows after the refusal")
        w.cli("replay", "conf-sink", "conf-events", "--accept-gap", host=host)
        until("what is left is replayed", lambda: [e["n"] for e in w.handled("trimmed")] == [5, 6, 7])


@promise("own")
def a_position_below_the_log_stops_the_lane(make):
    """max_bytes may override that: the consumer is told of a gap. A position below the start of the log stops the lane with an error;
    it never jumps in silence."""
    topics = {"conf-events": {"partitions": 1, "retention": "1s", "max_bytes": "64KiB"}, **{t: 1 for t in (
        "conf-answers", "conf-batches", "conf-small", "conf-first", "conf-last", "conf-plain", "conf-foreign")}}
    w = make("below", plugins=["conf-source", "conf-sink"], topics=topics)
    with w:
        w.emit("below", n=0)
        w.await_handled("below", 1)
        w.stop()
        w.plugins.remove("conf-sink")
        w.write_topology()
        w.start()
        # More than max_bytes, twice: a journal keeps so much behind what it takes away.
        for _ in range(2):
            w.act({"emit": [event("below", n=1, pad="x" * 8000) for _ in range(20)]})
            until("the outbox is empty", lambda: w.metric("gantry_outbox_bytes", plugin="conf-source") == 0)
            w.stop()
            w.start()
        trim(w, "conf-events", beyond=1)
        w.stop()
        w.plugins.append("conf-sink")
        w.write_topology()
        hosts = [h for h in w.hosts.values() if w.plugins_of(h.name) or h.name == w.owner]
        for host in hosts:
            host.start()
        until("readiness says why", lambda: any(
            r.status == 503 and b"conf-sink" in r.body and b"below the start" in r.body
            for r in (h.ask("GET", "/health/ready", timeout=5) for h in w.hosts_of("conf-sink"))))
        equal([e["n"] for e in w.handled("below")], [0], "events that were handled behind the gap")
