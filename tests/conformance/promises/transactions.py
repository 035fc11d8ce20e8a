"""Transactions: all or nothing, serializable, reruns, group commit, durable replies."""

import threading

from checks import check, equal, in_parallel, until
from harness import event
from promises import promise


def everything(name, **more):
    """A program that writes, emits and schedules."""
    return {"add": [{"name": name}], "emit": [event(name, n=1)], "schedule": [{"key": name, "payload": {}}], **more}


def nothing_happened(w, names, marker):
    """A later transaction's effects are all there, and nothing of those names."""
    w.act(everything(marker))
    w.await_handled(marker, 1)
    until("the later job is done", lambda: w.get("conf-source", f"/source/jobs/{marker}")["done"] == 1)
    for name in names:
        equal(w.entry(name), 0, f"rows of {name}")
        equal(w.events("conf-events", name), [], f"events of {name}")
        equal(w.get("conf-source", f"/source/jobs/{name}")["runs"], [], f"jobs of {name}")


@promise()
def all_that_a_transaction_does_commits_together(w):
    """All it reads and writes through tx, all it emits and schedules, commits or none does: here all does."""
    w.act(everything("tx-all"))
    equal(w.entry("tx-all"), 1, "the row")
    w.await_handled("tx-all", 1)
    until("the job is done", lambda: w.get("conf-source", "/source/jobs/tx-all")["done"] == 1)


@promise()
def nothing_of_a_failed_transaction_happens(w):
    """All it reads and writes through tx, all it emits and schedules, commits or none does: here none does."""
    ends = {"throw": 500, "retry": 503, "reject": 422, "refuse": 409, "fail": 500}
    for how, status in ends.items():
        reply = w.ask("conf-source", "POST", "/source/do", everything(f"tx-{how}", end=how))
        equal(reply.status, status, f"a write that ends by {how}: {reply}")
        equal(reply.headers["content-type"], "application/problem+json", how)
    nothing_happened(w, [f"tx-{how}" for how in ends], "tx-after")


@promise()
def transactions_are_serializable(w):
    """Every tx is serializable on every store: what was read is still so when it is written."""
    rounds, customers = 15, 6

    def customer(c):
        given = []
        for _ in range(rounds):
            # Between the read and the write there is time for somebody else.
            given.append(w.act({"add": [{"name": "serial", "pauseMs": 2}]})["numbers"][0])
        return given

    given = [n for numbers in in_parallel(customers, customer) for n in numbers]
    equal(sorted(given), list(range(1, rounds * customers + 1)), "numbers that were given")
    equal(w.entry("serial"), rounds * customers, "the number at the end")


@promise()
def write_skew_is_prevented(w):
    """Every tx is serializable on every store: two that each read what the other writes don't both go on as before."""
    for i in range(12):
        left, right = f"skew-{i}-l", f"skew-{i}-r"
        w.act({"add": [{"name": left, "by": 1}, {"name": right, "by": 1}]})
        # Each takes one away where the sum of both allows it; a sum of 2 allows it once, to 1.
        in_parallel(2, lambda k: w.ask("conf-source", "POST", "/source/do",
                                       {"take": {"from": (left, right)[k], "beside": (right, left)[k], "leave": 1}}))
        check(w.entry(left) + w.entry(right) >= 1, "both took", w.entry(left), w.entry(right))


@promise()
def a_request_reads_a_snapshot(w):
    """A request handler may read (a snapshot): what commits meanwhile is not seen by it, and is seen by the next."""
    w.act({"add": [{"name": "snapshot"}]})
    ending = threading.Event()
    writer = threading.Thread(target=lambda: [w.act({"add": [{"name": "snapshot"}]}) for _ in iter(ending.is_set, True)])
    writer.start()
    try:
        def read_while_written():
            seen = w.get("conf-source", "/source/twice/snapshot?ms=150")
            equal(seen["second"], seen["first"], "what one request read twice")
            return w.entry("snapshot") > seen["first"]

        for _ in range(3):
            until("something is written while a request reads", read_while_written)
    finally:
        ending.set()
        writer.join()
    last = w.act({"add": [{"name": "snapshot"}]})["numbers"][0]
    equal(w.entry("snapshot"), last, "a read after the reply to a write")


@promise()
def event_handlers_run_again_only_after_a_rollback(w):
    """The runtime may run a handler again after a rollback: what it wrote before is gone."""
    event_id = w.emit("rerun", failures=2, n=7)
    handled = w.await_handled("rerun", 1)
    equal([(e["times"], e["n"]) for e in handled], [(1, 7)], "effects of a handler that failed twice")
    check(w.attempts(event_id) >= 3, "attempts", w.attempts(event_id))


@promise()
def a_batch_that_fails_at_an_event_loses_none_of_the_others(w):
    """A batch fails at event k: roll back, run 0..k-1 again and commit, treat k alone, go on with k+1."""
    events = [event("batch-k", "conf-batches", "Batched", n=i, failures=2 if i in (7, 19) else 0) for i in range(30)]
    ids = w.act({"emit": events})["ids"]
    handled = w.await_handled("batch-k", 30)
    equal([e["n"] for e in handled], list(range(30)), "order around the failures")
    equal({e["times"] for e in handled}, {1}, "times that each was handled")
    for k in (7, 19):
        check(w.attempts(ids[k]) >= 3, f"attempts of event {k}", w.attempts(ids[k]))


@promise()
def a_refused_request_harms_no_other(w):
    """Requests that write share a transaction with others waiting; one refused request never harms another."""
    ends = ["", "throw", "", "refuse", "", "reject"]
    rounds = 10

    def customer(c):
        for i in range(rounds):
            name = f"group-{c}-{i}"
            reply = w.ask("conf-source", "POST", "/source/do", {"add": [{"name": name}], "emit": [event(name)], "end": ends[c]})
            check((reply.status == 201) == (not ends[c]), f"a write that ends by {ends[c]!r}", reply)

    in_parallel(6, customer)
    for c, how in enumerate(ends):
        for i in range(rounds):
            equal(w.entry(f"group-{c}-{i}"), 0 if how else 1, f"the row of customer {c}")
    equal(len(w.await_handled("group-", 3 * rounds)), 3 * rounds, "events")


@promise()
def a_wait_inside_a_transaction_is_refused(w):
    """A call or a wait inside a transaction is refused by the runtime."""
    reply = w.ask("conf-caller", "POST", "/caller/inside", {"key": "inside"})
    equal(reply.status, 204, f"POST /caller/inside: {reply}")

    def told():
        answer = w.ask("conf-caller", "GET", "/caller/inside/inside")
        return answer.json() if answer.status == 200 else None

    answer = until("the call inside a transaction was tried", told)
    equal(answer["failure"], 6, f"a call inside a transaction: REFUSED is 6, {answer['text']}")
    event_id = w.emit("wait-inside", do="write-outside")
    parked = w.await_parked("conf-sink", "wait-inside", 1)
    check(parked[0]["eventId"] == event_id and parked[0]["error"], "the refusal is not told", parked)
    w.dlq("discard", "conf-sink", parked[0])


@promise("alone")
def a_reply_is_sent_only_after_its_commit_is_durable(w):
    """A reply is sent only after its commit is durable: a kill right behind it takes nothing back."""
    for round_ in range(3):
        promised, lock = [], threading.Lock()
        hosts = w.hosts_of("conf-source")

        def customer(c):
            for i in range(1000):
                name = f"durable-{round_}-{c}-{i}"
                try:
                    reply = hosts[c % len(hosts)].ask("POST", "/source/do", {"add": [{"name": name}], "emit": [event(name)]})
                except OSError:
                    return
                except Exception:  # the answer was cut off
                    return
                if reply.status == 201:
                    with lock:
                        promised.append(name)

        threads = [threading.Thread(target=customer, args=(c,)) for c in range(4)]
        for t in threads:
            t.start()
        until("work is going on", lambda: len(promised) > 40)
        for host in hosts:
            host.kill()
        for t in threads:
            t.join()
        for host in hosts:
            host.start()
        for host in hosts:
            host.wait_ready()
        lost = [name for name in promised if w.entry(name) != 1]
        equal(lost, [], f"rows that were promised and are lost, of {len(promised)}")
        # Of those whose answer was cut off some are done as well: a count would not say that all that was promised is there.
        handled = {}

        def promised_but_not_handled():
            handled.update((e["key"], e["times"]) for e in w.handled(f"durable-{round_}-"))
            return [name for name in promised if name not in handled]

        until("all that was promised is handled", lambda: not promised_but_not_handled())
        equal([k for k, times in handled.items() if times != 1], [], "events that were handled twice")
