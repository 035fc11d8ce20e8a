"""Idempotent requests."""

import threading

from checks import check, equal, in_parallel, until
from harness import event
from promises import promise


def once(w, key, program, path="/source/do-once", method="POST"):
    return w.ask("conf-source", method, path, program, {"idempotency-key": key} if key else {})


def program(name, **more):
    return {"add": [{"name": name}], "emit": [event(name, n=1)], **more}


@promise()
def a_missing_key_is_a_bad_request(w):
    """Routes marked idempotent require Idempotency-Key (missing: 400)."""
    reply = once(w, None, program("idem-none"))
    equal(reply.status, 400, f"without a key: {reply}")
    equal(w.entry("idem-none"), 0, "what it did")


@promise()
def a_repeated_request_gets_the_stored_reply(w):
    """done: the stored status and body again."""
    first = once(w, "idem-again", program("idem-again"))
    equal(first.status, 201, first)
    for _ in range(3):
        again = once(w, "idem-again", program("idem-again"))
        equal((again.status, again.body), (first.status, first.body), "the reply to a repetition")
        equal(again.headers.get("location"), first.headers.get("location"), "its headers")
    equal(w.entry("idem-again"), 1, "effects")
    w.await_handled("idem-again", 1)
    equal(len(w.events("conf-events", "idem-again")), 1, "events")


@promise()
def another_body_with_the_same_key_is_unprocessable(w):
    """same key, other body: 422."""
    equal(once(w, "idem-body", program("idem-body")).status, 201, "the first")
    equal(once(w, "idem-body", program("idem-body", more=1)).status, 422, "another body")
    equal(w.entry("idem-body"), 1, "effects")


@promise()
def a_request_whose_first_is_still_running_conflicts(w):
    """first still running: 409."""
    for wait_ms in (1500, 8_000, 25_000):
        key = f"idem-busy-{wait_ms}"
        body = program(key, waitMs=wait_ms)
        replies = in_parallel(4, lambda i: once(w, key, body))
        done = [r.body for r in replies if r.status == 201]
        equal(len(set(done)), 1, f"different replies: {replies}")
        equal({r.status for r in replies} - {201, 409}, set(), f"replies: {replies}")
        equal(once(w, key, body).status, 201, "when it is done")
        equal(w.entry(key), 1, "effects")
        # On another replica the second one may find the first one's reply in the store by the time it writes. On a machine that has
        # much to do, so may one that comes when the first is done: then the first takes longer.
        if len(done) <= len(w.hosts_of("conf-source")):
            break
    check(len(done) <= len(w.hosts_of("conf-source")), "replies", replies)
    equal({r.status for r in replies} - {201}, {409}, f"replies: {replies}")


@promise()
def a_refusal_is_stored_and_a_server_error_is_not(w):
    """5xx is not stored: the request may be sent again; a refusal is answered again as it was."""
    for how, status in (("refuse", 409), ("reject", 422)):
        key = f"idem-{how}"
        first, again = once(w, key, program(key, end=how)), once(w, key, program(key, end=how))
        equal((first.status, again.status, again.body), (status, status, first.body), how)
    for how in ("fail", "throw"):
        key = f"idem-{how}"
        equal([once(w, key, program(key, end=how)).status for _ in range(2)], [500, 500], how)
        equal(w.entry(key), 0, "effects")
    for turn in range(20):
        key = f"idem-flaky-{turn}"
        flaky = {**program(key), "name": key, "failFirst": True}
        first = once(w, key, flaky)
        if first.status == 500:
            break
        # Its first run shared a transaction that did not come about: the answer is that of a later run of the same request.
        check(first.status == 201 and first.json()["runs"] > 1, "the first time", first)
    equal(first.status, 500, "the first time")
    # Another replica may have its own first time.
    until("a later time succeeds", lambda: once(w, key, flaky).status == 201)
    equal(w.entry(key), 1, "effects")


@promise()
def a_key_is_scoped_by_method_and_path(w):
    """The key is scoped by principal, method and path."""
    body = program("idem-scope")
    equal([once(w, "idem-scope", body).status, once(w, "idem-scope", body, method="PUT").status,
           once(w, "idem-scope", body, path="/source/do-once-too").status], [201, 201, 201], "replies")
    equal(w.entry("idem-scope"), 3, "effects")


@promise()
def the_effect_and_the_key_commit_together(w):
    """Kept in the plugin's store, in the same transaction as the effect: many at once have one effect."""
    def one(i):
        key = f"idem-race-{i % 5}"
        until("an answer that stands", lambda: once(w, key, program(key)).status == 201)

    in_parallel(20, one)
    equal([w.entry(f"idem-race-{i}") for i in range(5)], [1] * 5, "effects")


@promise("alone")
def a_stored_reply_survives_a_kill(w):
    """Kept 24 h in the plugin's store, in the same transaction as the effect: also over a kill."""
    replies, lock = {}, threading.Lock()

    def customer(c):
        for i in range(1000):
            key = f"idem-kill-{c}-{i}"
            try:
                reply = once(w, key, program(key))
            except Exception:  # the host was killed
                return
            if reply.status == 201:
                with lock:
                    replies[key] = reply.body

    threads = [threading.Thread(target=customer, args=(c,)) for c in range(3)]
    for t in threads:
        t.start()
    until("work is going on", lambda: len(replies) > 20)
    for host in w.hosts_of("conf-source"):
        host.kill()
    for t in threads:
        t.join()
    for host in w.hosts_of("conf-source"):
        host.start()
    for host in w.hosts_of("conf-source"):
        host.wait_ready()
    for key, body in replies.items():
        again = once(w, key, program(key))
        equal((again.status, again.body), (201, body), f"the stored reply of {key}")
        equal(w.entry(key), 1, f"effects of {key}")
