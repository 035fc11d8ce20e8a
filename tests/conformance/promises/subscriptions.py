"""Subscriptions: first start, batches, observers, groups."""

from checks import check, equal, until
from harness import event, unreachable_bus
from promises import one_process, promise


@promise("own")
def first_start_is_at_earliest_or_latest(make):
    """on names earliest (default) or latest for its first start."""
    w = make("first-start", plugins=["conf-source"])
    with w:
        for topic, type in (("conf-first", "First"), ("conf-last", "Last")):
            w.act({"emit": [event("before", topic, type, n=n) for n in (1, 2)]})
        until("the early events are on the bus", lambda: len(w.events("conf-last", "before")) == 2)
        w.stop()
        w.plugins.append("conf-sink")
        w.write_topology()
        w.start()
        handled = lambda topic: [(e["key"], e["n"]) for e in w.handled("") if e["topic"] == topic]
        # Where latest is, is known once the first event is handled; on a broker that is after the group was joined.
        until("events come", lambda: w.emit("after", "conf-last", "Last", n=3) and handled("conf-last"))
        w.emit("after", "conf-first", "First", n=3)
        until("the earliest are there", lambda: len(handled("conf-first")) == 3)
        equal(handled("conf-first"), [("after", 3), ("before", 1), ("before", 2)], "from the earliest event on")
        equal({key for key, _ in handled("conf-last")}, {"after"}, "keys from the latest event on")
        # A second start goes on where the first one was, also where it had said latest.
        w.stop()
        w.start()
        for topic, type in (("conf-last", "Last"), ("conf-first", "First")):
            w.emit("again", topic, type, n=4)
        until("both go on", lambda: ("again", 4) in handled("conf-last") and ("again", 4) in handled("conf-first"))
        equal(len(handled("conf-first")), 4, "events after a restart")


@promise("own")
def a_type_added_later_starts_at_the_current_position(make):
    """A type added by a later version starts at the current position."""
    w = make("added-type", plugins=["conf-source", "conf-sink"])
    with w:
        plain = [event("k", "conf-plain", "Plain", n=n) for n in (1, 2)]
        w.act({"emit": [event("k", "conf-plain", "Added", n=10), *plain]})
        w.await_handled("k", 2)
        w.stop()
        w.libraries["conf-sink"] = "conf-sink-next"
        w.write_topology()
        w.start()
        w.act({"emit": [event("k", "conf-plain", "Added", n=11)]})
        events = w.await_handled("k", 3)
        equal(sorted(e["n"] for e in events), [1, 2, 11], "handled by the later version")


@promise()
def on_batch_is_given_many_events_at_once(w):
    """on_batch: the same, given the events of a batch at once."""
    w.act({"emit": [event("batch", "conf-batches", "Batched", n=i) for i in range(300)]})
    events = w.await_handled("batch", 300)
    equal([e["n"] for e in events], list(range(300)), "order in batches")
    equal({e["times"] for e in events}, {1}, "times that each was handled")
    check(max(e["batch"] for e in events) > 1, "no batch had more than one event")


@promise()
def observers_see_events_from_now_on_at_most_once(w):
    """observe: every running instance, from now on, at most once, no tx, no position."""
    w.emit("watched", type="Watched", n=1)
    until("every instance has seen it", lambda: all(x["events"] for x in w.watched("watched")))
    for seen in w.watched("watched"):
        equal(seen["events"], [1], "what an instance saw")


@promise("alone")
def observers_start_over_after_a_restart(w):
    """observe: from now on, at most once, no position."""
    w.emit("watched-restart", type="Watched", n=1)
    until("it was seen", lambda: all(x["events"] for x in w.watched("watched-restart")))
    for host in w.hosts_of("conf-sink"):
        equal(host.stop(), 0, "SIGTERM")
        host.start()
    for host in w.hosts_of("conf-sink"):
        host.wait_ready()
    until("an event after the restart is seen",
          lambda: w.emit("watched-after", type="Watched", n=2) and all(x["events"] for x in w.watched("watched-after")))
    for seen in w.watched("watched-restart"):
        equal(seen["events"], [], "events from before the restart")
    for seen in w.watched("watched-after"):
        check(len(set(seen["events"])) == 1, "seen", seen)


@promise("own", unless=one_process)
def observers_miss_nothing_without_being_told(make):
    """After a gap (reconnect) an observer is told to drop what it derived."""
    w = make("observer-gap", plugins=["conf-source", "conf-sink"], owner_apart=True)
    with w:
        w.emit("gap", type="Watched", n=1)
        until("it was seen", lambda: all(x["events"] for x in w.watched("gap")))
        before = [x["gaps"] for x in w.watched("gap")]
        with unreachable_bus(w):
            w.emit("gap", type="Watched", n=2)
        w.emit("gap", type="Watched", n=3)
        until("events come again", lambda: all(3 in x["events"] for x in w.watched("gap")))
        for seen, told in zip(w.watched("gap"), before):
            check(seen["gaps"] > told or seen["events"] == [1, 2, 3], "events were missed in silence", seen)


@promise()
def a_group_belongs_to_one_plugin(w):
    """A consumer group belongs to one plugin; validate refuses two plugins in one group."""
    other = w.draft("one-group", plugins=["conf-source", "conf-sink"],
                    settings={"conf-source": {"group": "mine"}, "conf-sink": {"group": "mine"}})
    code, text = other.validate()
    check(code != 0 and "group" in text and "mine" in text, "two plugins in one group", code, text[:500])


@promise()
def a_schema_version_that_nobody_speaks_is_refused(w):
    """on names the range of schema versions it reads; a consumer of what nobody emits is refused."""
    other = w.draft("nobody-emits", plugins=["conf-sink"])
    code, text = other.validate()
    check(code != 0 and "nobody emits" in text, "a consumer of events that nobody emits", code, text[:500])
