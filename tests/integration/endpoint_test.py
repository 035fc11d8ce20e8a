"""What clients can't do to a host: keep it from ending, or fill its memory with requests that wait."""

import select
import signal
import socket
import sys

from shop import Report, Shop, eventually, order_body, read_reply
import json

report = Report()
ORDER = json.dumps(order_body()).encode()


def get(target):
    return f"GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n".encode()


def half_an_order(shop):
    s = shop.connect()
    s.sendall(b"POST /orders HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: half\r\nContent-Type: application/json\r\n"
              b"Content-Length: %d\r\n\r\n" % len(ORDER) + ORDER[:50])
    return s


def reads_nothing(shop):
    """Asks until the host can't get rid of its replies and reads no further."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", shop.port))
    s.setblocking(False)
    while select.select([], [s], [], 1.0)[1]:
        try:
            s.send(get("/health/live") * 1000)
        except BlockingIOError:
            pass
    return s


def drain(gantry, plugins):
    with Shop(gantry, plugins, arguments=["--drain-timeout-ms", "4000"]) as shop:
        shop.start()
        idle = shop.connect()
        idle.sendall(get("/health/live"))
        report.check("drain: a connection is kept", read_reply(idle).status == 200)
        half, deaf = half_an_order(shop), reads_nothing(shop)
        shop.process.send_signal(signal.SIGTERM)
        report.check("drain: idle connections end at once", idle.recv(1) == b"")
        report.check("drain: the host is still there then", shop.process.poll() is None)
        code = shop.ended()
        report.check("drain: clients don't decide how the host ends", code == 0, f"exit {code}: {shop.log[-1500:]}")
        report.check("drain: that they were cut off is said", "are cut off" in shop.log, shop.log[-1500:])
        report.check("drain: nothing is called stuck", "does not end" not in shop.log, shop.log[-1500:])
        for s in (idle, half, deaf):
            s.close()


def queue(gantry, plugins):
    with Shop(gantry, plugins, edit=lambda text: text + "limits: { requests: 1 }\n") as shop:
        shop.start()

        def refused():
            clients = [shop.connect() for _ in range(200)]
            for s in clients:
                s.sendall(get("/inventory/SKU-0001"))
            replies = [read_reply(s) for s in clients]
            for s in clients:
                s.close()
            odd = [r for r in replies if r.status not in (200, 503)]
            report.check("queue: a request is served or told to come later", not odd, odd)
            return [r for r in replies if r.status == 503]

        full = eventually(refused)
        report.check("queue: limits.requests bounds those that wait", bool(full))
        report.check("queue: says when to come again", all(r.headers.get("retry-after") for r in full or []), full[:1])
        report.check("queue: serves on", shop.get("/inventory/SKU-0001").status == 200)
        report.check("queue: ends well", shop.stop() == 0, shop.log[-1500:])


def main():
    gantry, plugins = sys.argv[1], sys.argv[2:]
    for story in (drain, queue):
        report.story(story.__name__, lambda: story(gantry, plugins))
    report.end()


if __name__ == "__main__":
    main()
