"""Failure of a handler: retries, parking, operators."""

import json

from checks import check, equal, until
from harness import event
from promises import promise
from promises.events import partition


def poison(w, key, count, how="retry", **first):
    """An event that fails until its gate is open, and `count` more of its key behind it."""
    return w.act({"emit": [event(key, n=0, do=how, **first)] + [event(key, n=i) for i in range(1, count + 1)]})["ids"]


def refusals(w):
    """What those hosts of conf-sink say that are not ready."""
    replies = [h.ask("GET", "/health/ready") for h in w.hosts_of("conf-sink")]
    return [r.body for r in replies if r.status == 503]


@promise("alone")
def an_event_is_tried_four_times_and_then_parked(w):
    """Outcomes: ok, retry, reject. Retry: 3 attempts after the first. Then the event is parked, with error, attempts and origin."""
    ids = poison(w, "park-retry", 0)
    row = w.await_parked("conf-sink", "park-retry", 1)[0]
    equal(w.attempts(ids[0]), 4, "attempts")
    log = w.events("conf-events", "park-retry")[0]
    equal((row["what"], row["topic"], row["partition"], row["offset"], row["type"], row["eventId"], row["attempts"]),
          ("event", "conf-events", log["partition"], log["offset"], "Recorded", ids[0], 4), "the parked row")
    check("told to ask for another time" in row["error"], "error", row["error"])
    equal(w.handled("park-retry"), [], "effects of what failed")
    w.dlq("discard", "conf-sink", row)


@promise("alone")
def a_rejected_event_is_parked_at_once(w):
    """Reject is poison, with a reason: parked without another attempt."""
    ids = poison(w, "park-reject", 0, "reject")
    row = w.await_parked("conf-sink", "park-reject", 1)[0]
    equal((w.attempts(ids[0]), row["attempts"]), (1, 1), "attempts")
    check("told to reject" in row["error"], "error", row["error"])
    w.dlq("discard", "conf-sink", row)


@promise()
def an_exception_is_a_retry(w):
    """An exception is retry."""
    poison(w, "park-throw", 0, "throw")
    row = w.await_parked("conf-sink", "park-throw", 1)[0]
    equal(row["attempts"], 4, "attempts")
    check("told to throw" in row["error"], "error", row["error"])
    w.dlq("discard", "conf-sink", row)


@promise()
def a_transient_failure_delays_the_partition_and_loses_no_order(w):
    """The partition waits meanwhile: an event that succeeds at its third attempt comes before those behind it."""
    w.act({"emit": [event("transient", n=0, failures=2)] + [event("transient", n=i) for i in range(1, 6)]})
    equal([e["n"] for e in w.await_handled("transient", 6)], list(range(6)), "order")


@promise()
def later_events_of_a_parked_key_park_behind_it(w):
    """With park-key (default) later events of that key park behind it, so order per key survives; other keys go on."""
    poison(w, "behind", 3, "reject")
    w.await_parked("conf-sink", "behind", 4)
    w.act({"emit": [event("behind", n=4)] + [event(f"beside-{i}", n=i) for i in range(12)]})
    equal(len(w.await_handled("beside-", 12)), 12, "events of other keys")
    rows = w.await_parked("conf-sink", "behind", 5)
    equal(w.handled("behind"), [], "events that overtook the parked one")
    for row in rows:
        w.dlq("discard", "conf-sink", row)


@promise()
def replay_of_parked_events_runs_them_in_order(w):
    """Replay runs the key's parked events in order, in its lane, for that plugin only, and deletes each row in the same
    transaction."""
    poison(w, "replay-parked", 4, "reject")
    rows = w.await_parked("conf-sink", "replay-parked", 5)
    w.open_gate("replay-parked")
    w.dlq("replay", "conf-sink", rows[0])
    equal([(e["n"], e["times"]) for e in w.await_handled("replay-parked", 5)], [(i, 1) for i in range(5)], "handled")
    until("no row is left", lambda: not w.parked("conf-sink", "replay-parked"))
    w.emit("replay-parked", n=5)
    equal(w.await_handled("replay-parked", 6)[-1]["n"], 5, "the key goes on")


@promise()
def a_replay_that_fails_keeps_the_rows(w):
    """Replay deletes each row in the transaction that handles it: one that fails again stays, and those behind it."""
    poison(w, "replay-fails", 2, "reject")
    rows = w.await_parked("conf-sink", "replay-fails", 3)
    w.cli("dlq", "replay", "conf-sink", rows[0]["id"], host=w.column.placed("conf-sink")[0], fails=None)
    equal([r["eventId"] for r in w.parked("conf-sink", "replay-fails")], [r["eventId"] for r in rows], "rows")
    equal(w.handled("replay-fails"), [], "effects")
    for row in rows:
        w.dlq("discard", "conf-sink", row)


@promise()
def a_discarded_event_is_gone(w):
    """gantry dlq list|show|replay|discard."""
    ids = poison(w, "discard", 1, "reject", more="shown")
    rows = w.await_parked("conf-sink", "discard", 2)
    shown = json.loads(w.dlq("show", "conf-sink", rows[0]))
    check(ids[0] in json.dumps(shown) and "shown" in json.dumps(shown), "dlq show has no body", shown)
    for row in rows:
        w.dlq("discard", "conf-sink", row)
    equal(w.parked("conf-sink", "discard"), [], "rows after discarding")
    w.emit("discard", n=2)
    equal([e["n"] for e in w.await_handled("discard", 1)], [2], "handled after discarding")


@promise()
def a_copy_of_a_parked_event_goes_to_the_dlq_topic(w):
    """A copy goes to <topic>.dlq through the outbox (gantry-error, gantry-attempts, gantry-plugin, gantry-origin)."""
    ids = poison(w, "dlq-copy", 0, "reject")
    row = w.await_parked("conf-sink", "dlq-copy", 1)[0]

    def copies():
        if w.column.bus != "kafka":
            return w.events("conf-events.dlq", "dlq-copy")
        text = w.servers.kcat("-C", "-t", "conf-events.dlq", "-e", "-q", "-J", "-o", "beginning")
        found = [m for m in map(json.loads, text.splitlines()) if m.get("key") == "dlq-copy"]
        return [{"headers": dict(zip(m["headers"][::2], m["headers"][1::2])), "body": json.loads(m["payload"])} for m in found]

    copy = until("the copy is there", copies)[0]
    headers = copy["headers"]
    equal((headers["gantry-attempts"], headers["gantry-plugin"]), ("1", "conf-sink"), "headers")
    check("told to reject" in headers["gantry-error"], "gantry-error", headers)
    check("conf-events" in headers["gantry-origin"] and str(row["offset"]) in headers["gantry-origin"], "gantry-origin", headers)
    equal(copy["body"]["data"]["do"], "reject", "the copy's data")
    check(ids[0] in json.dumps(copy), "the copy does not name the event", copy)
    w.dlq("discard", "conf-sink", row)


@promise("own")
def skip_lets_later_events_pass(make):
    """skip lets them pass."""
    w = make("skip", plugins=["conf-source", "conf-sink"], settings={"conf-sink": {"poison": "skip"}})
    with w:
        poison(w, "skip", 3, "reject")
        equal([e["n"] for e in w.await_handled("skip", 3)], [1, 2, 3], "events behind the parked one")
        equal(len(w.await_parked("conf-sink", "skip", 1)), 1, "parked")


@promise("own")
def halt_stops_the_partition(make):
    """halt stops the partition, and readiness says why."""
    w = make("halt", plugins=["conf-source", "conf-sink"], topics=None, settings={"conf-sink": {"poison": "halt"}})
    with w:
        poison(w, "halt", 2, "reject")
        until("readiness says why", lambda: any(b"conf-sink" in said for said in refusals(w)))
        w.act({"emit": [event(f"halt-beside-{i}", n=i) for i in range(12)]})
        free = sum(partition(f"halt-beside-{i}", 3) != partition("halt", 3) for i in range(12))
        w.await_handled("halt-beside-", free)
        behind = lambda: [e["n"] for e in w.handled("halt") if e["key"] == "halt"]
        equal(behind(), [], "events behind the failed one")
        # Once what fails is mended the partition goes on, at the latest after a restart.
        w.open_gate("halt")
        w.stop()
        w.start()
        until("it goes on", lambda: len(behind()) == 3)
        equal(behind(), [0, 1, 2], "order")


@promise("own")
def parked_rows_are_bounded(make):
    """Parked rows are bounded; at the bound the partition halts and readiness says why."""
    w = make("parked-bound", plugins=["conf-source", "conf-sink"], limits={"parked": 5})
    with w:
        poison(w, "bound", 8, "reject")
        w.await_parked("conf-sink", "bound", 5)
        said = until("readiness says why", lambda: next((said for said in refusals(w) if b"park" in said), None))
        check(b"5" in said, "the bound is not named", said[:300])
        equal(len(w.parked("conf-sink", "bound")), 5, "parked rows")
        w.open_gate("bound")
        w.dlq("replay", "conf-sink", w.parked("conf-sink", "bound")[0])
        equal([e["n"] for e in w.await_handled("bound", 9)], list(range(9)), "order after the replay")
