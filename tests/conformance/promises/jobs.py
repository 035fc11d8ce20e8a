"""Jobs and timers."""

import time

from checks import check, equal, until
from promises import promise


def job(key, delay_ms=0, **payload):
    return {"key": key, "delayMs": delay_ms, "payload": payload}


def seen(w, key):
    return w.get("conf-source", f"/source/jobs/{key}")


def ended(w, key):
    def end():
        job_ = seen(w, key)
        return job_ if job_["done"] + job_["failed"] > 0 else None

    return until(f"job {key} has ended", end)


@promise()
def a_job_runs_after_its_commit_and_ends_once(w):
    """tx.schedule commits with the transaction; then on_done(tx, result): exactly-once on_done."""
    keys = [f"job-{i}" for i in range(20)]
    w.act({"schedule": [job(k, result=f"result of {k}") for k in keys]})
    for key in keys:
        end = ended(w, key)
        equal((end["done"], end["failed"], end["result"]), (1, 0, f"result of {key}"), key)
        equal([r["attempt"] for r in end["runs"]], [1], "runs")
    equal(len({seen(w, k)["runs"][0]["id"] for k in keys}), len(keys), "ids of jobs")


@promise()
def a_job_is_tried_again_with_the_same_id(w):
    """At-least-once execution with a stable idempotency key; retries as for events."""
    w.act({"schedule": [job("job-retry", failures=2)]})
    end = ended(w, "job-retry")
    equal(([r["attempt"] for r in end["runs"]], end["done"], end["failed"]), ([1, 2, 3], 1, 0), "attempts")
    equal(len({r["id"] for r in end["runs"]}), 1, "ids over all attempts")


@promise()
def a_job_without_attempts_left_is_parked(w):
    """Retries and parking as above: after its last attempt on_failed is told, and an operator may run it again."""
    w.act({"schedule": [job("job-park", reject=True)]})
    end = ended(w, "job-park")
    equal((len(end["runs"]), end["done"], end["failed"]), (1, 0, 1), "a job that will never succeed")
    row = w.await_parked("conf-source", "job-park", 1)[0]
    equal((row["what"], row["kind"]), ("job", "work"), "the parked job")
    check("told to reject" in row["error"], "error", row)
    w.dlq("discard", "conf-source", row)
    equal(w.parked("conf-source", "job-park"), [], "after discarding")


@promise()
def a_job_waits_for_its_time(w):
    """tx.schedule(kind, payload, {at, key}): not before its time."""
    began = time.time()
    w.act({"schedule": [job("job-later", 1200)]})
    ended(w, "job-later")
    check(time.time() - began >= 1.2, "it ran too early", time.time() - began)


@promise()
def cancelling_is_transactional(w):
    """Cancelling is transactional: a cancel that is rolled back has not happened."""
    for delay_ms in (3_000, 30_000):
        cancelled, kept = f"job-cancel-{delay_ms}", f"job-keep-{delay_ms}"
        began = time.monotonic()
        w.act({"schedule": [job(cancelled, delay_ms), job(kept, delay_ms)]})
        equal(w.ask("conf-source", "POST", "/source/do", {"cancel": [kept], "end": "throw"}).status, 500, "rolled back")
        found = w.act({"cancel": [cancelled, "job-never"]})["cancelled"]
        # Else they may have begun on a machine that has much to do, and there is nothing to cancel.
        if time.monotonic() - began < delay_ms / 1000:
            break
    equal(found, [True, False], "cancelled")
    equal(ended(w, kept)["done"], 1, "the job whose cancelling was rolled back")
    equal(seen(w, cancelled)["runs"], [], "the job that was cancelled")


@promise()
def rescheduling_is_transactional(w):
    """Rescheduling is transactional: a job of the same kind and key that has not begun is replaced."""
    w.act({"schedule": [job("job-again", 60_000, result="first")]})
    w.ask("conf-source", "POST", "/source/do", {"schedule": [job("job-again", 0, result="rolled back")], "end": "throw"})
    w.act({"schedule": [job("job-again", 200, result="second")]})
    end = ended(w, "job-again")
    equal((end["done"], end["result"], len(end["runs"])), (1, "second", 1), "the job that was moved")


@promise()
def a_failed_transaction_schedules_nothing(w):
    """tx.schedule commits with the transaction."""
    for how in ("throw", "refuse"):
        w.ask("conf-source", "POST", "/source/do", {"schedule": [job("job-none")], "end": how})
    w.act({"schedule": [job("job-some")]})
    ended(w, "job-some")
    equal(seen(w, "job-none")["runs"], [], "runs")


@promise("alone")
def jobs_survive_a_kill(w):
    """At-least-once execution, exactly-once on_done, also when the process is killed while they run."""
    keys = [f"job-kill-{i}" for i in range(24)]
    w.act({"schedule": [job(k, 50 * (i % 8), pauseMs=100) for i, k in enumerate(keys)]})
    until("some have begun", lambda: sum(bool(seen(w, k)["runs"]) for k in keys) > 3)
    for host in w.hosts_of("conf-source"):
        host.kill()
        host.start()
    for host in w.hosts_of("conf-source"):
        host.wait_ready()
    for key in keys:
        end = ended(w, key)
        check(end["runs"], "no run", key)
        equal(len({r["id"] for r in end["runs"]}), 1, f"ids of {key}")
    equal([k for k in keys if (seen(w, k)["done"], seen(w, k)["failed"]) != (1, 0)], [], "jobs that did not end exactly once")
