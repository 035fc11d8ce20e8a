"""Limits and back-pressure."""

import socket
import threading

from checks import check, equal, until
from harness import event
from promises import broker, promise

MIB = 1024 * 1024


def raw(w, text):
    host = w.host_of("conf-source")
    with socket.create_connection(("127.0.0.1", host.port), timeout=30) as s:
        s.sendall(text)
        return int(s.makefile("rb").readline().split()[1])


@promise()
def a_body_beyond_the_limit_is_refused(w):
    """Body 1 MiB by default; beyond: 413."""
    inside = b'{"x":"' + b"x" * (MIB - 8) + b'"}'
    equal(len(inside), MIB, "bytes")
    equal(w.ask("conf-source", "POST", "/source/do", inside).status, 201, "a body of 1 MiB")
    equal(raw(w, b"POST /source/do HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (MIB + 1)),
          413, "a byte more")


@promise()
def headers_beyond_the_limit_are_refused(w):
    """Headers 16 KiB by default; beyond: 431."""
    ask = lambda n: raw(w, b"GET /source/entries/x HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * n + b"\r\n\r\n")
    equal(ask(15 * 1024), 200, "headers of 15 KiB")
    equal(ask(17 * 1024), 431, "headers of 17 KiB")


@promise("own")
def a_full_queue_of_requests_says_so(make):
    """Every queue is bounded, and says what happens when full. Requests: 503 + Retry-After."""
    w = make("full-queue", plugins=["conf-source", "conf-sink"], limits={"requests": 4})
    with w:
        host = w.hosts_of("conf-source")[0]
        replies, lock = [], threading.Lock()

        def ask():
            reply = host.ask("POST", "/source/do", {"add": [{"name": "full-queue", "pauseMs": 60}]})
            with lock:
                replies.append(reply)

        threads = [threading.Thread(target=ask) for _ in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        statuses = sorted({r.status for r in replies})
        equal(statuses, [201, 503], "statuses of 64 writes at once")
        for reply in replies:
            if reply.status == 503:
                check(int(reply.headers.get("retry-after", "0")) > 0, "no Retry-After", reply, reply.headers)
        equal(w.entry("full-queue"), sum(r.status == 201 for r in replies), "writes that were done")
        w.act({"add": [{"name": "full-queue"}]})


LOG = broker("the journal is the broker's own")


@promise("own", unless=LOG)
def a_torn_tail_is_cut(make):
    """Recovery: a batch that fails its CRC after the last synced offset is a torn tail and is cut."""
    w = make("torn", plugins=["conf-source", "conf-sink"])
    with w:
        w.act({"emit": [event("torn", n=i) for i in range(20)]})
        w.await_handled("torn", 20)
        for host in w.running():
            host.kill()
        newest = sorted((w.folder / "data/bus").glob("*.log"))[-1]
        with open(newest, "ab") as file:
            file.write(bytes(range(256)) * 40)
        w.start()
        w.act({"emit": [event("torn", n=20)]})
        equal([(e["n"], e["times"]) for e in w.await_handled("torn", 21)], [(i, 1) for i in range(21)], "events")


@promise("own", unless=LOG)
def damage_below_the_synced_end_refuses_the_start(make):
    """Recovery: damage below the last synced offset refuses the start and says where."""
    w = make("damage", plugins=["conf-source", "conf-sink"])
    with w:
        for i in range(50):
            w.act({"emit": [event("damage", n=i, pad="x" * 2000)]})
        w.await_handled("damage", 50)
        w.stop()
        oldest = sorted((w.folder / "data/bus").glob("*.log"))[0]
        with open(oldest, "r+b") as file:
            file.seek(oldest.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 0x55]))
        host = w.hosts[w.owner] if w.owner else next(iter(w.hosts.values()))
        host.start()
        until("the host ends by itself", lambda: host.process.poll() is not None)
        check(host.process.returncode != 0 and oldest.name in host.tail(20), "it does not say where", host.tail(20))
