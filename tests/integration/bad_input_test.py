"""Throws everything at the shop that a careless or hostile client can send; afterwards the shop works as before.

Every refusal must be a problem document (RFC 9457) with the right status; nothing may be answered with a 5xx.
"""

import socket
import struct
import sys
import threading

from shop import PROBLEM, Report, Shop, order_body, read_reply, read_reply_of
import json

report = Report()
MIB = 1024 * 1024


def text(value):
    return json.dumps(value).encode()


def order_text(**changes):
    return text(order_body(**changes))


def lines(*pairs):
    return [{"sku": sku, "quantity": quantity} for sku, quantity in pairs]


def with_quantity(literal):
    return order_text().replace(b'"quantity": 2', b'"quantity": ' + literal)


def address(**changes):
    return {**order_body()["shippingAddress"], **changes}


GOOD = order_text()

# name, body of POST /orders, expected status, a text that the answer must have
ORDER_BODIES = [
    ("empty body", b"", 400, ""),
    ("blank body", b" \r\n\t ", 400, ""),
    ("not JSON", b"hello", 400, ""),
    ("cut short", GOOD[:-1], 400, ""),
    ("cut inside a text", GOOD[:40], 400, ""),
    ("rubbish behind", GOOD + b"x", 400, ""),
    ("two values", GOOD + GOOD, 400, ""),
    ("trailing comma", GOOD[:-1] + b",}", 400, ""),
    ("comment", b"/* c */" + GOOD, 400, ""),
    ("single quotes", GOOD.replace(b'"', b"'"), 400, ""),
    ("byte order mark", b"\xef\xbb\xbf" + GOOD, 400, ""),
    ("UTF-16", GOOD.decode().encode("utf-16"), 400, ""),
    ("zero byte", GOOD[:10] + b"\x00" + GOOD[10:], 400, ""),
    ("only zero bytes", b"\x00" * 1000, 400, ""),
    ("control character in a text", GOOD.replace(b"Ada", b"A\x01a"), 400, ""),
    ("newline in a text", GOOD.replace(b"Ada", b"A\nda"), 400, ""),
    ("lone continuation byte", GOOD.replace(b"Ada", b"A\x80"), 400, ""),
    ("overlong UTF-8", GOOD.replace(b"Ada", b"A\xc0\xaf"), 400, ""),
    ("UTF-8 surrogate", GOOD.replace(b"Ada", b"A\xed\xa0\x80"), 400, ""),
    ("beyond Unicode", GOOD.replace(b"Ada", b"A\xf4\x90\x80\x80"), 400, ""),
    ("Latin-1", GOOD.replace(b"Ada", "Zo\u00eb".encode("latin-1")), 400, ""),
    ("lone escaped surrogate", GOOD.replace(b"Ada", b"\\ud800"), 400, ""),
    ("escaped zero", GOOD.replace(b"Ada", b"A\\u0000"), 400, ""),
    ("bad escape", GOOD.replace(b"Ada", b"\\x41"), 400, ""),
    ("half an escape", GOOD.replace(b"Ada", b"\\u12"), 400, ""),
    ("duplicate key", GOOD[:-1] + b', "currency": "EUR"}', 400, "currency"),
    ("duplicate key by an escape", GOOD[:-1] + b', "curr\\u0065ncy": "USD"}', 400, ""),
    ("10,000 arrays", b"[" * 10_000 + b"]" * 10_000, 400, ""),
    ("10,000 objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, ""),
    ("500,000 open brackets", b"[" * 500_000, 400, ""),
    ("deep inside a good order", GOOD[:-1] + b', "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, ""),
    ("a list", b"[]", 400, ""),
    ("a number", b"1", 400, ""),
    ("null", b"null", 400, ""),
    ("empty object", b"{}", 400, "customerId"),
    ("lines is an object", order_text(lines={"sku": "SKU-0001", "quantity": 1}), 400, "lines"),
    ("lines is a text", order_text(lines="SKU-0001"), 400, "lines"),
    ("lines is null", order_text(lines=None).replace(b'"lines": [{"sku": "SKU-0001", "quantity": 2}]', b'"lines": null'), 400, "lines"),
    ("no lines", order_text(lines=[]), 400, "lines"),
    ("lines of numbers", order_text(lines=[1, 2]), 400, "lines[0]"),
    ("lines of lists", order_text(lines=[[], [[]]]), 400, "lines[0]"),
    ("101 lines", order_text(lines=lines(*[(f"SKU-{i:04}", 1) for i in range(1, 102)])), 400, "lines"),
    ("10,000 lines", order_text(lines=lines(*[(f"SKU-{i:04}", 1) for i in range(10_000)])), 400, "lines"),
    ("duplicate SKU", order_text(lines=lines(("SKU-0001", 1), ("SKU-0002", 1), ("SKU-0001", 1))), 400, "lines[2].sku"),
    ("quantity 0", with_quantity(b"0"), 400, "lines[0].quantity"),
    ("quantity -1", with_quantity(b"-1"), 400, "lines[0].quantity"),
    ("quantity -0", with_quantity(b"-0"), 400, "lines[0].quantity"),
    ("quantity 1001", with_quantity(b"1001"), 400, "lines[0].quantity"),
    ("quantity 2^31", with_quantity(b"2147483648"), 400, "lines[0].quantity"),
    ("quantity 2^32+1", with_quantity(b"4294967297"), 400, "lines[0].quantity"),
    ("quantity 2^63", with_quantity(b"9223372036854775808"), 400, ""),
    ("quantity 2^64+1", with_quantity(b"18446744073709551617"), 400, ""),
    ("quantity 1e400", with_quantity(b"1e400"), 400, ""),
    ("quantity of 10,000 digits", with_quantity(b"9" * 10_000), 400, ""),
    ("quantity 1.5", with_quantity(b"1.5"), 400, "lines[0].quantity"),
    ("quantity 01", with_quantity(b"01"), 400, ""),
    ("quantity +1", with_quantity(b"+1"), 400, ""),
    ("quantity NaN", with_quantity(b"NaN"), 400, ""),
    ("quantity 0x10", with_quantity(b"0x10"), 400, ""),
    ("quantity as text", with_quantity(b'"2"'), 400, "lines[0].quantity"),
    ("quantity true", with_quantity(b"true"), 400, "lines[0].quantity"),
    ("quantity null", with_quantity(b"null"), 400, "lines[0].quantity"),
    ("unknown SKU", order_text(lines=lines(("NO-SUCH-SKU", 1))), 422, "unknown-sku"),
    ("one unknown SKU of two", order_text(lines=lines(("SKU-0001", 1), ("NO-SUCH-SKU", 1))), 422, "lines[1]"),
    ("empty SKU", order_text(lines=lines(("", 1))), 400, "lines[0].sku"),
    ("SKU of 100,000 bytes", order_text(lines=lines(("S" * 100_000, 1))), 400, "lines[0].sku"),
    ("SKU with a comma", order_text(lines=lines(("SKU-0001,SKU-0002", 1))), 400, "lines[0].sku"),
    ("SKU with a query", order_text(lines=lines(("SKU-0001&skus=X", 1))), 400, "lines[0].sku"),
    ("SKU with SQL", order_text(lines=lines(("'; DROP TABLE orders; --", 1))), 400, "lines[0].sku"),
    ("SKU as number", order_text(lines=lines((1, 1))), 400, "lines[0].sku"),
    ("customerId as number", order_text(customerId=1), 400, "customerId"),
    ("customerId as object", order_text(customerId={"$ne": ""}), 400, "customerId"),
    ("customerId of 10,000 bytes", order_text(customerId="c" * 10_000), 400, "customerId"),
    ("customerId with a newline", order_text(customerId="c\r\nBcc: all@shop.example"), 400, "customerId"),
    ("address is a text", order_text(shippingAddress="Berlin"), 400, "shippingAddress"),
    ("address is empty", order_text(shippingAddress={}), 400, "shippingAddress.city"),
    ("address with wrong types", order_text(shippingAddress=address(city=7)), 400, "shippingAddress.city"),
    ("address with a wrong optional type", order_text(shippingAddress=address(line2=7)), 400, "shippingAddress.line2"),
    ("country Germany", order_text(shippingAddress=address(country="Germany")), 400, "shippingAddress.country"),
    ("country in lower case", order_text(shippingAddress=address(country="de")), 400, "shippingAddress.country"),
    ("card number as token", order_text(paymentMethod={"token": "4111 1111 1111 1111"}), 400, "paymentMethod.token"),
    ("no token", order_text(paymentMethod={}), 400, "paymentMethod.token"),
    ("paymentMethod is a list", order_text(paymentMethod=["tok_approve"]), 400, "paymentMethod.token"),
    ("currency in lower case", order_text(currency="eur"), 400, "currency"),
    ("currency as number", order_text(currency=978), 400, "currency"),
    ("another currency", order_text(currency="USD"), 422, "wrong-currency"),
    ("no such voucher", order_text(voucher="NONE"), 422, "bad-voucher"),
    ("voucher as object", order_text(voucher={}), 400, "voucher"),
    ("1 MiB and a byte", b'{"a":"' + b"x" * (MIB - 7) + b'"}', 413, ""),
    ("3 MiB", b"x" * (3 * MIB), 413, ""),
]

# name, method, target, body, headers, status, a header that must be there
REQUESTS = [
    ("unknown route", "GET", "/nothing/here", None, {}, 404, None),
    ("the root", "GET", "/", None, {}, 404, None),
    ("wrong method", "DELETE", "/orders", None, {}, 405, "allow"),
    ("wrong method of a placeholder", "PUT", "/orders/x/history", b"{}", {}, 405, "allow"),
    ("PATCH", "PATCH", "/orders", b"{}", {}, 405, "allow"),
    ("wrong method of health", "POST", "/health/live", b"", {}, 405, "allow"),
    ("wrong method of metrics", "DELETE", "/metrics", None, {}, 405, "allow"),
    ("unknown health", "GET", "/health/nothing", None, {}, 404, None),
    ("unknown operation", "GET", "/admin/nothing", None, {}, 404, None),
    ("unknown order", "GET", "/orders/01890000-0000-7000-8000-000000000000", None, {}, 404, None),
    ("order id is no id", "GET", "/orders/%00%01", None, {}, (400, 404), None),
    ("order id of 5,000 bytes", "GET", "/orders/" + "x" * 5000, None, {}, 404, None),
    ("unknown order's history", "GET", "/orders/x/history", None, {}, 404, None),
    ("cancel an unknown order", "POST", "/orders/x/cancel", b"{}", {"idempotency-key": "cancel-x"}, 404, None),
    ("cancel with a bad reason", "POST", "/orders/x/cancel", b'{"reason": 1}', {"idempotency-key": "cancel-y"}, 400, None),
    ("page 0", "GET", "/orders?page=0", None, {}, 400, None),
    ("page -1", "GET", "/orders?page=-1", None, {}, 400, None),
    ("page as text", "GET", "/orders?page=one", None, {}, 400, None),
    ("page beyond 64 bits", "GET", "/orders?page=99999999999999999999", None, {}, 400, None),
    ("pageSize 101", "GET", "/orders?pageSize=101", None, {}, 400, None),
    ("unknown status", "GET", "/orders?status=Nothing", None, {}, 400, None),
    ("cut escape in the query", "GET", "/orders?status=%", None, {}, 400, None),
    ("bad escape in the path", "GET", "/orders/%zz", None, {}, 400, None),
    ("half an escape in the path", "GET", "/orders/%4", None, {}, 400, None),
    ("escaped slash is no separator", "GET", "/orders%2Fx", None, {}, 404, None),
    ("dots climb nowhere", "GET", "/orders/../../../etc/passwd", None, {}, 404, None),
    ("escaped dots climb nowhere", "GET", "/orders/%2e%2e%2fetc%2fpasswd", None, {}, 404, None),
    ("double slash", "GET", "//orders", None, {}, 404, None),
    ("another case", "GET", "/ORDERS", None, {}, 404, None),
    ("unknown product", "GET", "/catalog/products/NO-SUCH", None, {}, 404, None),
    ("bad price filter", "GET", "/catalog/products?minPrice=abc", None, {}, 400, None),
    ("bad sort", "GET", "/catalog/products?sort=nothing", None, {}, 400, None),
    ("unknown stock", "GET", "/inventory/NO-SUCH", None, {}, 404, None),
    ("stock from no JSON", "PUT", "/inventory/SKU-0001", b"{", {}, 400, None),
    ("adjust without a key", "POST", "/inventory/SKU-0001/adjust", b'{"delta": 1}', {}, 400, None),
    ("unknown payment", "GET", "/payments/x", None, {}, 404, None),
    ("unknown shipment", "GET", "/shipping/shipments/x", None, {}, 404, None),
    ("dispatch of an unknown shipment", "POST", "/shipping/shipments/x/dispatch", b"{}", {}, 404, None),
    ("unknown template", "GET", "/notifications/templates/nothing", None, {}, 404, None),
    ("quote of no JSON", "POST", "/shipping/quotes", b"\xff", {}, 400, None),
    ("webhook without a signature", "POST", "/payments/webhooks/simulator", b"{}", {}, (400, 401, 403, 404), None),
    ("webhook of an unknown provider", "POST", "/payments/webhooks/nobody", b"{}", {}, (400, 401, 403, 404), None),
]


def raw(line, *headers, body=b"", host=True):
    parts = [line] + ([b"Host: shop"] if host else []) + list(headers)
    return b"\r\n".join(parts) + b"\r\n\r\n" + body


POST = b"POST /orders HTTP/1.1"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"

# name, bytes, expected status
WIRE = [
    ("2 GB announced", raw(POST, b"Content-Length: 2147483648"), 413),
    ("beyond 64 bits announced", raw(POST, b"Content-Length: 99999999999999999999999"), 413),
    ("negative length", raw(POST, b"Content-Length: -1"), 400),
    ("length with a sign", raw(POST, b"Content-Length: +2", body=b"{}"), 400),
    ("length in hexadecimal", raw(POST, b"Content-Length: 0x2", body=b"{}"), 400),
    ("length is a text", raw(POST, b"Content-Length: two"), 400),
    ("length is empty", raw(POST, b"Content-Length: "), 400),
    ("length with a fraction", raw(POST, b"Content-Length: 2.0", body=b"{}"), 400),
    ("two lengths", raw(POST, b"Content-Length: 2", b"Content-Length: 3", body=b"{}"), 400),
    ("the same length twice", raw(POST, b"Content-Length: 2", b"Content-Length: 2", body=b"{}"), 400),
    ("a list of lengths", raw(POST, b"Content-Length: 2, 2", body=b"{}"), 400),
    ("length and chunks", raw(POST, b"Content-Length: 2", CHUNKED, body=b"0\r\n\r\n"), 400),
    ("chunk size is a text", raw(POST, CHUNKED, body=b"zz\r\nab\r\n0\r\n\r\n"), 400),
    ("chunk size is negative", raw(POST, CHUNKED, body=b"-1\r\nab\r\n0\r\n\r\n"), 400),
    ("chunk size beyond 64 bits", raw(POST, CHUNKED, body=b"FFFFFFFFFFFFFFFFF\r\n"), 413),
    ("2 GB chunk", raw(POST, CHUNKED, body=b"80000000\r\n"), 413),
    ("chunk longer than its size", raw(POST, CHUNKED, body=b"1\r\nabcdef\r\n0\r\n\r\n"), 400),
    ("chunk lines end with LF", raw(POST, CHUNKED, body=b"2\nab\n0\n\n"), 400),
    ("endless chunk extension", raw(POST, CHUNKED, body=b"1;" + b"x" * 100_000), 400),
    ("endless trailers", raw(POST, CHUNKED, body=b"0\r\n" + b"a: b\r\n" * 20_000 + b"\r\n"), 431),
    ("unknown transfer coding", raw(POST, b"Transfer-Encoding: gzip, chunked"), 501),
    ("chunked twice", raw(POST, CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    ("100 KiB header", raw(b"GET /orders HTTP/1.1", b"X: " + b"x" * 100_000), 431),
    ("10,000 headers", raw(b"GET /orders HTTP/1.1", *[b"X-%d: 1" % i for i in range(10_000)]), 431),
    ("300 short headers", raw(b"GET /orders HTTP/1.1", *[b"X:1"] * 300), 431),
    ("100 KiB target", raw(b"GET /" + b"x" * 100_000 + b" HTTP/1.1"), 414),
    ("no Host", raw(b"GET /orders HTTP/1.1", host=False), 400),
    ("two Hosts", raw(b"GET /orders HTTP/1.1", b"Host: other"), 400),
    ("header without a colon", raw(b"GET /orders HTTP/1.1", b"nothing"), 400),
    ("blank before the colon", raw(b"GET /orders HTTP/1.1", b"X : 1"), 400),
    ("folded header", raw(b"GET /orders HTTP/1.1", b"X: 1\r\n  2"), 400),
    ("empty header name", raw(b"GET /orders HTTP/1.1", b": 1"), 400),
    ("zero byte in a header", raw(b"GET /orders HTTP/1.1", b"X: a\x00b"), 400),
    ("lone carriage return", raw(b"GET /orders HTTP/1.1", b"X: a\rb"), 400),
    ("lines end with LF", b"GET /orders HTTP/1.1\nHost: shop\n\n", 400),
    ("no version", raw(b"GET /orders"), 400),
    ("HTTP/2.0", raw(b"GET /orders HTTP/2.0"), 505),
    ("HTTP/9.9", raw(b"GET /orders HTTP/9.9"), 505),
    ("HTTP/1.x", raw(b"GET /orders HTTP/1.x"), 400),
    ("two blanks", raw(b"GET  /orders HTTP/1.1"), 400),
    ("blank in the target", raw(b"GET /or ders HTTP/1.1"), 400),
    ("non-ASCII target", raw("GET /\u00f6 HTTP/1.1".encode()), 400),
    ("target without a slash", raw(b"GET orders HTTP/1.1"), 400),
    ("unknown method", raw(b"BREW /orders HTTP/1.1"), 501),
    ("method in lower case", raw(b"get /orders HTTP/1.1"), 501),
    ("CONNECT", raw(b"CONNECT shop:80 HTTP/1.1"), 405),
    ("TRACE", raw(b"TRACE /orders HTTP/1.1"), 405),
    ("unknown expectation", raw(POST, b"Expect: the-best", b"Content-Length: 2"), 417),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n", 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505, 501)),
    ("only blanks and line ends", b"   \r\n\r\n", 400),
]


def is_problem(answer):
    if answer is None or answer.headers.get("content-type") != PROBLEM:
        return False
    document = answer.json()
    return document["status"] == answer.status and document["title"] and document["type"]


def fits(answer, status):
    return answer is not None and (answer.status in status if isinstance(status, tuple) else answer.status == status)


def order_bodies(shop):
    for number, (name, body, status, within) in enumerate(ORDER_BODIES):
        try:
            answer = shop.ask("POST", "/orders", body, {"idempotency-key": f"body-{number}"})
        except (BrokenPipeError, ConnectionResetError):
            # A body that is refused by its length is not read; the answer is there all the same.
            with shop.connect() as s:
                s.sendall(raw(POST, b"Content-Length: %d" % len(body)))
                answer = read_reply(s)
        report.check(f"body: {name}", fits(answer, status) and is_problem(answer) and within in answer.body.decode(), answer)


def requests(shop):
    for name, method, target, body, headers, status, wanted in REQUESTS:
        answer = shop.ask(method, target, body, headers)
        good = fits(answer, status) and is_problem(answer) and (wanted is None or answer.headers.get(wanted))
        report.check(f"request: {name}", good, answer)


def wire(shop):
    for name, sent, status in WIRE:
        with shop.connect() as s:
            try:
                s.sendall(sent)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent
            try:
                answer = read_reply(s)
            except ConnectionResetError:
                answer = None
            report.check(f"wire: {name}", fits(answer, status) and is_problem(answer), answer)


def order_head(key, length):
    return raw(POST, JSON, b"Idempotency-Key: " + key, b"Content-Length: %d" % length)


def idempotency(shop):
    def place(key, body=GOOD):
        return shop.ask("POST", "/orders", body, {} if key is None else {"idempotency-key": key})

    for name, key in [("missing", None), ("empty", ""), ("256 characters", "k" * 256), ("8 KiB", "k" * 8192)]:
        answer = place(key)
        report.check(f"key: {name}", fits(answer, 400) and is_problem(answer), answer)
    first = place("twice")
    again = place("twice")
    same = (again.status, again.body, again.headers.get("location")) == (first.status, first.body, first.headers.get("location"))
    report.check("key: a replay has the same status, body and Location", first.status == 201 and same, (first, again))
    report.check("key: a replay says so", again.headers.get("idempotency-replayed") == "true", again.headers)
    other = place("twice", order_text(lines=lines(("SKU-0002", 1))))
    report.check("key: another body", fits(other, 422) and is_problem(other), other)
    broken = place("twice", b"{")
    report.check("key: another body that is no JSON", fits(broken, 422) and is_problem(broken), broken)
    longest = place("k" * 255)
    report.check("key: 255 characters", fits(longest, 201), longest)
    refused = [place("refused", order_text(lines=[])) for _ in range(2)]
    report.check("key: a refusal repeats", all(fits(r, 400) for r in refused) and refused[0].body == refused[1].body, refused)

    # Many at once: one is done, the others are told that it runs, or get its answer.
    answers = []
    gate = threading.Barrier(16)

    def race():
        gate.wait()
        answers.append(place("race"))

    racers = [threading.Thread(target=race) for _ in range(16)]
    for r in racers:
        r.start()
    for r in racers:
        r.join()
    made = {r.json()["orderId"] for r in answers if r.status == 201}
    good = len(made) == 1 and all(r.status in (201, 409) for r in answers) and all(is_problem(r) for r in answers if r.status == 409)
    report.check("key: sixteen at once make one order", good, answers)


def connections(shop):
    # Pipelined: answers come in order, for good and bad alike.
    with shop.connect() as s:
        s.sendall(raw(b"GET /health/live HTTP/1.1") + order_head(b"pipe-1", len(GOOD)) + GOOD +
                  raw(b"GET /nothing HTTP/1.1") + order_head(b"pipe-2", 1) + b"{" + raw(b"GET /health/live HTTP/1.1"))
        f = s.makefile("rb")
        got = [read_reply_of(f) for _ in range(5)]
        f.close()
    report.check("pipelined requests", [g and g.status for g in got] == [200, 201, 404, 400, 200], got)

    with shop.connect() as s:
        s.sendall(raw(b"GET /health/live HTTP/1.1") * 500)
        f = s.makefile("rb")
        got = [read_reply_of(f) for _ in range(500)]
        f.close()
    report.check("500 pipelined requests", all(g and g.status == 200 for g in got), got[-1])

    # A smuggled request behind a refused one is not answered.
    with shop.connect() as s:
        s.sendall(raw(POST, b"Content-Length: 2", CHUNKED, body=b"0\r\n\r\n") + raw(b"GET /health/live HTTP/1.1"))
        f = s.makefile("rb")
        got = [read_reply_of(f), read_reply_of(f)]
        f.close()
    report.check("nothing behind ambiguous framing", got[0].status == 400 and got[1] is None, got)

    # Good chunks, byte by byte.
    with shop.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = b"".join(b"%x;e=1\r\n" % len(GOOD[i:i + 7]) + GOOD[i:i + 7] + b"\r\n" for i in range(0, len(GOOD), 7))
        sent = raw(POST, JSON, CHUNKED, b"Idempotency-Key: bytewise", body=body + b"0\r\nX: y\r\n\r\n")
        for i in range(len(sent)):
            s.send(sent[i:i + 1])
        answer = read_reply(s)
    report.check("good chunks, byte by byte", fits(answer, 201), answer)

    # Expect: 100-continue is answered, and refused early when the body is too large.
    with shop.connect() as s:
        s.sendall(raw(POST, JSON, b"Expect: 100-continue", b"Idempotency-Key: expect", b"Content-Length: %d" % len(GOOD)))
        line = s.recv(1000)
        s.sendall(GOOD)
        answer = read_reply(s)
    report.check("100-continue", line.startswith(b"HTTP/1.1 100") and fits(answer, 201), (line, answer))

    # Half-closed: the client has said all and still listens.
    with shop.connect() as s:
        s.sendall(order_head(b"half-closed", len(GOOD)) + GOOD)
        s.shutdown(socket.SHUT_WR)
        answer = read_reply(s)
    report.check("half-closed client gets its answer", fits(answer, 201), answer)

    # Clients that vanish: in the head, in the body, before the answer, with a reset.
    for cut in (10, 60, len(order_head(b"gone", len(GOOD))) + 20, None):
        for reset in (False, True):
            with shop.connect() as s:
                sent = order_head(b"gone-%d-%d" % (cut or 0, reset), len(GOOD)) + GOOD
                s.sendall(sent[:cut])
                if reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    report.check("clients that vanish do no harm", shop.get("/health/ready").status == 200)


def slow(shop):
    """Clients that trickle or fall silent are told so in the end; others are served meanwhile."""
    opened = []
    for i in range(200):
        s = shop.connect()
        s.sendall((b"GET /orders HTTP/1.1\r\nHost: shop\r\nX-%d: " % i) if i % 2 else order_head(b"slow-%d" % i, len(GOOD)) + GOOD[:i])
        opened.append(s)
    ends = []

    def trickle(s):
        try:
            s.settimeout(0.5)
            for _ in range(240):
                try:
                    s.send(b"x")
                    data = s.recv(4096)
                    ends.append(data[9:12])
                    return
                except socket.timeout:
                    continue
            ends.append(b"never")
        except OSError as e:
            ends.append(str(e).encode())

    tricklers = [threading.Thread(target=trickle, args=(s,)) for s in opened[:16]]
    for t in tricklers:
        t.start()
    answer = shop.order("while-slow")
    report.check("served beside 200 slow clients", fits(answer, 201), answer)
    for t in tricklers:
        t.join()
    report.check("slow clients get 408", ends.count(b"408") == 16, ends)
    told = 0
    for s in opened[16:]:
        try:
            s.settimeout(90)
            told += s.recv(4096)[9:12] == b"408"
        except OSError:
            pass
        s.close()
    report.check("silent clients get 408", told == 184, told)


def afterwards(shop):
    report.check("alive", shop.process.poll() is None and shop.get("/health/live").status == 200)
    ready = shop.get("/health/ready")
    report.check("ready", ready.status == 200 and ready.json()["status"] == "ok", ready)
    placed = shop.order("afterwards")
    end = shop.order_ends(placed.json()["orderId"], ["Confirmed", "Cancelled"])
    report.check("a normal order is Confirmed", end["status"] == "Confirmed", end)
    errors = [l for l in shop.get("/metrics").body.decode().splitlines()
              if l.startswith("gantry_request_errors_total") and not l.endswith(" 0")]
    report.check("no request was answered with a 5xx", not errors, errors)
    report.check("no exception crossed the boundary", "exception" not in shop.log, shop.log[-2000:])
    code = shop.stop()
    report.check("drains and exits with 0", code == 0, f"exit {code}: {shop.log[-1500:]}")


def main():
    with Shop(sys.argv[1], sys.argv[2:]) as shop:
        shop.start()
        for story in (order_bodies, requests, wire, idempotency, connections, slow, afterwards):
            report.story(story.__name__, lambda: story(shop))
    report.end()


if __name__ == "__main__":
    main()
