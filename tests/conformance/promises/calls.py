"""Calls: one table of routes, deadlines, errors as values, breaker, trace."""

import json
import time

from checks import check, equal, in_parallel, until
from promises import promise

REFUSED, UNAVAILABLE, TIMEOUT, FAILED = 6, 7, 8, 10


def call(w, plugin, target, headers=None, fields=None, **what):
    """What conf-caller says of a call; `headers` are those of the request to conf-caller, `fields` those of its call."""
    body = {"plugin": plugin, "target": target, "headers": fields or {}, **what}
    reply = w.ask("conf-caller", "POST", "/caller/call", body, headers)
    equal(reply.status, 200, f"POST /caller/call: {reply}")
    return reply.json()


def echoed(w, plugin="conf-target", target="/target/echo", headers=None, **what):
    answer = call(w, plugin, target, headers, **what)
    equal(answer.get("status"), 200, f"the call of {target}: {answer}")
    return json.loads(answer["body"])


@promise()
def a_call_reaches_the_routes_that_clients_reach(w):
    """ctx.call(plugin, request): method, path, headers, body; the route table is the one that HTTP clients reach."""
    seen = echoed(w, target="/target/echo?q=a%20b", method="POST", fields={"x-conformance": "yes"}, body="{\"a\":1}")
    equal((seen["method"], seen["query"], seen["header"], seen["body"]), ("POST", "a b", "yes", "{\"a\":1}"),
          "what the target saw")
    # Between hosts who calls is known only where certificates prove it; what a client claims never counts.
    here = w.column.placed("conf-caller") == w.column.placed("conf-target")
    equal(seen["caller"], "conf-caller" if here else "", "the caller")
    outside = w.ask("conf-target", "POST", "/target/echo?q=a%20b", b"{\"a\":1}",
                    {"x-conformance": "yes", "gantry-caller": "conf-caller"}).json()
    equal(outside["caller"], "", "the caller of a request from outside")
    for name in ("method", "query", "header", "body"):
        equal(outside[name], seen[name], f"what a client's request gives: {name}")


@promise()
def an_http_status_is_an_answer(w):
    """Errors are values: refused, timeout, unavailable, or the status with its RFC 9457 problem body. Same type local and remote."""
    for code in (400, 404, 409, 422, 500):
        answer = call(w, "conf-target", f"/target/statuses/{code}")
        equal(answer.get("status"), code, f"the call: {answer}")
        equal(answer["headers"]["content-type"], "application/problem+json", "content-type")
        direct = w.ask("conf-target", "GET", f"/target/statuses/{code}")
        equal(answer["body"].encode(), direct.body, "the problem body beside what a client gets")
    equal(call(w, "conf-target", "/target/nothing")["status"], 404, "no such route")
    equal(call(w, "conf-target", "/target/runs", method="DELETE")["status"], 405, "no such method")
    equal(call(w, "conf-target", "/target/statuses/204")["status"], 204, "no content")
    equal(call(w, "conf-target", "/target/echo")["headers"].get("x-answer"), "given", "headers of the answer")


@promise()
def an_undeclared_call_is_refused(w):
    """Each plugin declares whom it calls; refused is a value."""
    answer = call(w, "conf-sink", "/sink/handled?key=none")
    equal(answer.get("failure"), REFUSED, f"a call to a plugin that was not declared: {answer}")
    equal(call(w, "nobody", "/").get("failure"), REFUSED, "a call to nobody")


@promise()
def a_deadline_is_inherited_and_shortened(w):
    """A deadline is mandatory (default 30 s, inherited and shortened down the chain, header gantry-deadline-ms)."""
    left = echoed(w)["leftMs"]
    check(20_000 < left <= 30_000, "without anything the deadline is 30 s", left)
    left = echoed(w, headers={"gantry-deadline-ms": "9000"})["leftMs"]
    check(2_000 < left <= 9_000, "inherited from the request", left)
    left = echoed(w, headers={"gantry-deadline-ms": "9000"}, timeoutMs=4000)["leftMs"]
    check(0 < left <= 4_000, "shortened by the call", left)
    left = echoed(w, headers={"gantry-deadline-ms": "5000"}, timeoutMs=25000)["leftMs"]
    check(0 < left <= 5_000, "a call can't lengthen it", left)
    left = echoed(w, target="/target/chain", headers={"gantry-deadline-ms": "8000"})["leftMs"]
    check(0 < left <= 8_000, "down the chain", left)


@promise()
def a_deadline_is_enforced(w):
    """A deadline is mandatory; checked on return: a call that takes longer is a timeout."""
    answer = call(w, "conf-target", "/target/slow?ms=1500", timeoutMs=300)
    equal(answer.get("failure"), TIMEOUT, f"a call that takes five times its deadline: {answer}")


@promise()
def trace_and_correlation_are_passed_on(w):
    """traceparent and Correlation-Id are passed on by the runtime, not by the plugin."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"traceparent": trace, "correlation-id": "corr-call"}
    for target in ("/target/echo", "/target/chain"):
        seen = echoed(w, target=target, headers=headers)
        equal(seen["correlation"], "corr-call", f"correlation at {target}")
        equal(seen["trace"][3:35], trace[3:35], f"trace at {target}")
    made = w.ask("conf-caller", "POST", "/caller/call", {"plugin": "conf-target", "target": "/target/echo"})
    check(made.headers.get("correlation-id") and made.headers["correlation-id"] in made.json()["body"],
          "a correlation id that the runtime made", made)


@promise()
def a_cycle_of_calls_is_refused(w):
    """A cycle is refused at validate."""
    other = w.draft("cycle", plugins=["conf-ring-left", "conf-ring-right"], topics={})
    code, text = other.validate()
    check(code != 0 and "conf-ring-left" in text and "cycle" in text.lower(), "a cycle of calls", code, text[:500])


@promise()
def callers_beside_each_other_never_starve(w):
    """Each plugin has reserved workers for incoming calls, so a chain never starves."""
    in_parallel(24, lambda i: echoed(w, target="/target/chain"))


@promise("alone")
def a_breaker_opens_after_five_failures(w):
    """A breaker per target opens after 5 consecutive failures for 30 s, then lets one call through."""
    runs = lambda: w.get("conf-frail", "/frail/runs")["runs"]
    begun = runs()
    for _ in range(5):
        opening = time.monotonic()
        equal(call(w, "conf-frail", "/frail/statuses/500").get("status"), 500, "a failing call")
    for _ in range(3):
        equal(call(w, "conf-frail", "/frail/statuses/200").get("failure"), UNAVAILABLE, "a call through an open breaker")
    equal(runs() - begun, 5, "calls that the target saw")
    equal(call(w, "conf-target", "/target/echo")["status"], 200, "another target")
    equal(w.ask("conf-frail", "GET", "/frail/echo").status, 200, "a client's own request")
    until("one call is let through", lambda: call(w, "conf-frail", "/frail/echo").get("status") == 200)
    check(time.monotonic() - opening >= 30, "the breaker closed early", time.monotonic() - opening)
    equal(call(w, "conf-frail", "/frail/echo").get("status"), 200, "the breaker is closed again")


@promise("own")
def a_call_to_a_plugin_that_is_not_there_is_unavailable(make):
    """Errors are values: unavailable."""
    w = make("unavailable", plugins=["conf-caller", "conf-target", "conf-frail"], topics={})
    with w:
        where = w.column.placed("conf-target")
        if where == w.column.placed("conf-caller"):
            return  # in one host there is nobody who could be away
        for name in where:
            w.hosts[name].kill()
        answer = call(w, "conf-target", "/target/echo", timeoutMs=5000)
        equal(answer.get("failure"), UNAVAILABLE, f"a call to a host that is gone: {answer}")
        for name in where:
            w.hosts[name].start()
        for name in where:
            w.hosts[name].wait_ready()
        until("it answers again", lambda: call(w, "conf-target", "/target/echo").get("status") == 200)
