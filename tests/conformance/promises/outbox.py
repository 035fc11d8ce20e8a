"""Outbox and relay: order, an unreachable bus, the bound."""

from checks import check, equal, in_parallel, until
from harness import event, numbered, unreachable_bus
from promises import one_process, promise


@promise()
def numbers_grow_in_commit_order(w):
    """Number order is commit order; ce_sequence grows per source."""
    rounds = 20
    in_parallel(4, lambda c: [w.act({"emit": [numbered("numbers")]}) for _ in range(rounds)])
    events = w.await_handled("numbers", 4 * rounds)
    equal([e["n"] for e in events], list(range(1, 4 * rounds + 1)), "commit order as handled")
    sources = {e["source"] for e in events}
    check(len(sources) <= len(w.hosts_of("conf-source")), "more sources than instances", sources)
    for source in sources:
        sequences = [e["sequence"] for e in events if e["source"] == source]
        equal(sequences, sorted(set(sequences)), f"sequences of {source}")


@promise()
def a_row_goes_when_the_bus_has_it(w):
    """A row goes when every partition it touches has acknowledged."""
    w.act({"emit": [event(f"goes-{i}", n=i) for i in range(20)]})
    w.await_handled("goes-", 20)
    until("the outbox is empty", lambda: w.metric("gantry_outbox_bytes", plugin="conf-source") == 0)


@promise("own", unless=one_process)
def an_unreachable_bus_delays_work_and_loses_none(make):
    """Bus unreachable: services keep accepting work until outbox.max_bytes; then writes get 503 with Retry-After. Nothing is
    dropped. Reconnection is automatic, order kept."""
    w = make("bus-away", plugins=["conf-source", "conf-sink"], outbox="256KiB", owner_apart=True)
    with w:
        w.act({"emit": [numbered("away")]})
        w.await_handled("away", 1)
        accepted = 1
        with unreachable_bus(w):
            for _ in range(3000):
                reply = w.ask("conf-source", "POST", "/source/do", {"emit": [numbered("away", pad="x" * 4000)]})
                if reply.status != 201:
                    break
                accepted += 1
            check(accepted > 20, "work that was accepted without a bus", accepted, reply)
            equal(reply.status, 503, f"when the outbox is full: {reply}")
            check(int(reply.headers.get("retry-after", "0")) > 0, "no Retry-After", reply.headers)
            equal(w.ask("conf-source", "GET", "/source/entries/away").status, 200, "reading while the outbox is full")
        events = w.await_handled("away", accepted)
        equal([e["n"] for e in events], list(range(1, accepted + 1)), "what was accepted, in commit order")
        equal({e["times"] for e in events}, {1}, "times handled")
        again = {"emit": [numbered("away")]}
        until("work is accepted again", lambda: w.ask("conf-source", "POST", "/source/do", again).status == 201)
        equal(w.await_handled("away", accepted + 1)[-1]["n"], accepted + 1, "the first one afterwards")
