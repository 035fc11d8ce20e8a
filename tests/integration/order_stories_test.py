"""Orders from the first request to the mail, in one host, and what is left of them after a restart and after a kill."""

import sys

from shop import Report, Shop, eventually

report = Report()

REQUIRED_METRICS = [
    "gantry_requests_total", "gantry_request_errors_total", "gantry_events_handled_total", "gantry_events_emitted_total",
    "gantry_event_errors_total", "gantry_events_duplicate_total", "gantry_events_parked_total",
    "gantry_request_seconds_bucket", "gantry_request_seconds_sum", "gantry_request_seconds_count",
    "gantry_event_seconds_bucket", "gantry_consumer_lag", "gantry_write_queue", "gantry_batch_size", "gantry_outbox_bytes",
    "gantry_transactions_total", "gantry_jobs_done_total", "gantry_calls_total",
]
PLUGINS = ["catalog", "inventory", "notification", "order", "payment", "shipping"]
SETTLED = ["Confirmed", "Cancelled", "NeedsAttention"]


def items(shop, target):
    return shop.get(target).json()["items"]


def place(shop, key, token="tok_approve", lines=None, wanted=SETTLED):
    answer = shop.order(key, token, lines)
    if answer.status != 201:
        raise AssertionError(f"placing {key}: {answer!r}")
    return shop.order_ends(answer.json()["orderId"], wanted)


def statuses(shop, order):
    return [entry["status"] for entry in shop.get(f"/orders/{order['orderId']}/history").json()]


def mails_of(shop, order):
    """The mails about this order: files written under their final name."""
    return [m for m in (shop.folder / "data/mail").rglob("*.eml") if order["orderId"] in m.read_text(errors="replace")]


def approved(shop):
    before = shop.stock("SKU-0010")
    order = place(shop, "approved", lines=[{"sku": "SKU-0010", "quantity": 3}])
    of = f"orderId={order['orderId']}"
    report.check("approve: Confirmed", order["status"] == "Confirmed", order)
    after = shop.stock("SKU-0010")
    report.check("approve: stock is committed",
                 (after["onHand"], after["reserved"]) == (before["onHand"] - 3, before["reserved"]), (before, after))
    payments = items(shop, f"/payments?{of}")
    report.check("approve: payment is captured once", len(payments) == 1 and payments[0]["status"] == "Captured" and
                 payments[0]["captured"] == order["total"], payments)
    shipments = items(shop, f"/shipping/shipments?{of}")
    report.check("approve: one shipment", len(shipments) == 1 and shipments[0]["status"] == "Created" and
                 shipments[0]["trackingNumber"], shipments)
    report.check("approve: history", statuses(shop, order) == ["Pending", "Reserved", "Paid", "Paid", "Confirmed"],
                 statuses(shop, order))
    causes = [e["eventId"] for e in shop.get(f"/orders/{order['orderId']}/history").json()]
    report.check("approve: each step has an event of its own", all(causes) and len(set(causes)) == len(causes), causes)
    mail = eventually(lambda: mails_of(shop, order))
    report.check("approve: one mail", len(mail) == 1, mail)
    deliveries = eventually(lambda: [d for d in items(shop, f"/notifications/deliveries?{of}") if d["status"] == "Sent"])
    report.check("approve: delivery is noted", len(deliveries) == 1 and deliveries[0]["template"] == "order-confirmed", deliveries)


def declined(shop):
    before = shop.stock("SKU-0011")
    order = place(shop, "declined", "tok_decline", [{"sku": "SKU-0011", "quantity": 4}])
    report.check("decline: Cancelled with the reason", order["status"] == "Cancelled" and "declined" in order["reason"], order)
    after = shop.stock("SKU-0011")
    report.check("decline: stock is released",
                 (after["onHand"], after["reserved"]) == (before["onHand"], before["reserved"]), (before, after))
    payments = items(shop, f"/payments?orderId={order['orderId']}")
    report.check("decline: nothing is captured", all(p["captured"] == 0 for p in payments), payments)
    shipments = items(shop, f"/shipping/shipments?orderId={order['orderId']}")
    report.check("decline: no shipment", not shipments, shipments)
    report.check("decline: history", statuses(shop, order) == ["Pending", "Reserved", "Cancelling", "Cancelled"],
                 statuses(shop, order))
    deliveries = eventually(lambda: items(shop, f"/notifications/deliveries?orderId={order['orderId']}"))
    report.check("decline: the customer hears of it", deliveries and deliveries[0]["template"] == "order-cancelled", deliveries)


def sold_out(shop):
    available = shop.stock("SKU-0012")["available"]
    left = place(shop, "take", lines=[{"sku": "SKU-0012", "quantity": available - 1}]) if available > 1 else None
    before = [shop.stock(s) for s in ("SKU-0012", "SKU-0013")]
    order = place(shop, "sold-out", lines=[{"sku": "SKU-0013", "quantity": 1}, {"sku": "SKU-0012", "quantity": 2}])
    report.check("sold out: Cancelled", order["status"] == "Cancelled" and (left is None or left["status"] == "Confirmed"), (order, left))
    report.check("sold out: the reason names the line", "SKU-0012" in order["reason"] and "SKU-0013" not in order["reason"],
                 order["reason"])
    after = [shop.stock(s) for s in ("SKU-0012", "SKU-0013")]
    report.check("sold out: no line is kept", [a["available"] for a in after] == [b["available"] for b in before], (before, after))
    payments = items(shop, f"/payments?orderId={order['orderId']}")
    report.check("sold out: nobody was asked to pay", not payments, payments)


def called_off(shop):
    """A customer cancels a confirmed order, and one whose payment is on its way."""
    for name, token, wanted in [("confirmed", "tok_approve", ["Confirmed"]), ("slow", "tok_slow", ["Reserved"])]:
        sku = {"confirmed": "SKU-0014", "slow": "SKU-0015"}[name]
        before = shop.stock(sku)
        order = place(shop, f"off-{name}", token, [{"sku": sku, "quantity": 2}], wanted)
        key = {"idempotency-key": f"off-{name}"}
        answer = shop.ask("POST", f"/orders/{order['orderId']}/cancel", {"reason": "changed my mind"}, key)
        report.check(f"cancel {name}: taken", answer.status in (200, 202), answer)
        again = shop.ask("POST", f"/orders/{order['orderId']}/cancel", {"reason": "changed my mind"}, key)
        report.check(f"cancel {name}: replayed", (again.status, again.body) == (answer.status, answer.body), again)
        end = shop.order_ends(order["orderId"], ["Cancelled", "NeedsAttention"])
        report.check(f"cancel {name}: Cancelled with the customer's reason",
                     end["status"] == "Cancelled" and "changed my mind" in end["reason"], end)
        of = f"orderId={order['orderId']}"
        payments = items(shop, f"/payments?{of}")
        report.check(f"cancel {name}: the money is back", all(p["captured"] == p["refunded"] for p in payments), payments)
        after = eventually(lambda: (lambda s: s if s["available"] == before["available"] else None)(shop.stock(sku)))
        report.check(f"cancel {name}: the stock is back", bool(after), (before, shop.stock(sku)))
        shipments = items(shop, f"/shipping/shipments?{of}")
        report.check(f"cancel {name}: nothing is shipped", all(s["status"] == "Cancelled" for s in shipments), shipments)
        late = shop.ask("POST", f"/orders/{order['orderId']}/cancel", {}, {"idempotency-key": f"late-{name}"})
        report.check(f"cancel {name}: a second time changes nothing", late.status == 200 and late.json() == end, late)


def odd_providers(shop):
    for token in ("tok_error", "tok_duplicate", "tok_slow"):
        order = place(shop, token, token, [{"sku": "SKU-0016", "quantity": 1}])
        report.check(f"{token}: Confirmed", order["status"] == "Confirmed", order)
        payments = items(shop, f"/payments?orderId={order['orderId']}")
        report.check(f"{token}: captured once", [p["captured"] for p in payments] == [order["total"]], payments)
        report.check(f"{token}: confirmed once", statuses(shop, order).count("Confirmed") == 1, statuses(shop, order))
        shipments = items(shop, f"/shipping/shipments?orderId={order['orderId']}")
        report.check(f"{token}: one shipment", len(shipments) == 1, shipments)


def observed(shop):
    live, ready = shop.get("/health/live"), shop.get("/health/ready")
    report.check("health: live", live.status == 200 and live.json()["status"] == "ok", live)
    names = {c["name"] for c in ready.json()["checks"] if c["status"] == "ok"}
    report.check("health: ready, for the bus and each plugin", ready.status == 200 and names >= {"bus", *PLUGINS}, ready)
    text = shop.get("/metrics").body.decode()
    series = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and line[0] != "#"}
    missing = [m for m in REQUIRED_METRICS if m not in series]
    report.check("metrics: required series", not missing, missing)
    bare = [line for line in text.splitlines() if line.startswith("gantry_requests_total") and 'plugin="' not in line]
    report.check("metrics: every series of a plugin names it", not bare, bare)
    for plugin in PLUGINS:
        report.check(f"metrics: {plugin}", f'gantry_events_handled_total{{plugin="{plugin}"}}' in text)
    lag = eventually(shop.at_rest)
    report.check("metrics: at rest nothing lags or waits", lag)


def everything(shop):
    """What a customer and an operator can see."""
    orders = []
    page = 1
    while len(orders) < shop.get("/orders").json()["total"]:
        orders += items(shop, f"/orders?page={page}&pageSize=100")
        page += 1
    seen = {}
    for order in orders:
        id = order["orderId"]
        seen[id] = (order, shop.get(f"/orders/{id}/history").json(), items(shop, f"/payments?orderId={id}"),
                    items(shop, f"/shipping/shipments?orderId={id}"), items(shop, f"/notifications/deliveries?orderId={id}"))
    return seen, [shop.stock(f"SKU-{n:04}") for n in range(1, 30)]


def restarted(shop):
    first = shop.order("across-a-restart")
    shop.order_ends(first.json()["orderId"], SETTLED)
    at_rest = eventually(lambda: shop.at_rest() and all(d["status"] == "Sent"
                                                        for o in everything(shop)[0].values() for d in o[4]))
    report.check("restart: at rest before", at_rest)
    before = everything(shop)
    code = shop.stop()
    report.check("SIGTERM: drains and exits with 0", code == 0, f"exit {code}: {shop.log[-2000:]}")
    milliseconds = shop.start()
    print(f"   a second start was ready after {milliseconds:.0f} ms", flush=True)
    orders, stock = everything(shop)
    changed = [(before[0].get(id), orders.get(id)) for id in before[0] | orders if before[0].get(id) != orders.get(id)]
    changed += [pair for pair in zip(before[1], stock) if pair[0] != pair[1]]
    report.check("restart: everything is as it was", not changed, changed)
    again = shop.order("across-a-restart")
    report.check("restart: an Idempotency-Key is remembered", (again.status, again.body) == (first.status, first.body), again)
    report.check("restart: goes on", place(shop, "after-restart")["status"] == "Confirmed")


def drained(shop):
    """SIGTERM in the middle of work: what was accepted is finished after the next start, once."""
    placed = [shop.order(f"drain-{i}", "tok_slow" if i % 5 == 0 else "tok_approve", [{"sku": "SKU-0020", "quantity": 1}])
              for i in range(20)]
    code = shop.stop()
    report.check("SIGTERM under work: exits with 0", code == 0, f"exit {code}: {shop.log[-2000:]}")
    shop.start()
    ends = [shop.order_ends(p.json()["orderId"], SETTLED)["status"] for p in placed]
    report.check("SIGTERM under work: all are Confirmed later", ends == ["Confirmed"] * 20, ends)


def killed(shop):
    """kill -9 in the middle of work loses nothing and repeats nothing."""
    before = shop.stock("SKU-0021")
    placed = [shop.order(f"kill-{i}", "tok_slow" if i % 10 == 0 else "tok_approve", [{"sku": "SKU-0021", "quantity": 1}])
              for i in range(50)]
    shop.kill()
    shop.start()
    orders = [shop.order_ends(p.json()["orderId"], SETTLED) for p in placed]
    ends = [o["status"] for o in orders]
    report.check("kill: all are Confirmed", ends == ["Confirmed"] * 50, ends)
    after = shop.stock("SKU-0021")
    report.check("kill: stock counts each once", after["onHand"] == before["onHand"] - 50 and after["reserved"] == 0, (before, after))
    captured = [sum(p["captured"] for p in items(shop, f"/payments?orderId={o['orderId']}")) for o in orders]
    report.check("kill: each is paid once", captured == [o["total"] for o in orders], captured)
    shipments = [len(items(shop, f"/shipping/shipments?orderId={o['orderId']}")) for o in orders]
    report.check("kill: each is shipped once", shipments == [1] * 50, shipments)


def main():
    with Shop(sys.argv[1], sys.argv[2:]) as shop:
        print(f"   the first start was ready after {shop.start():.0f} ms", flush=True)
        for story in (approved, declined, sold_out, called_off, odd_providers, observed, restarted, drained, killed):
            report.story(story.__name__, lambda: story(shop))
        report.check("at the end: exits with 0", shop.stop() == 0, shop.log[-1500:])
    report.end()


if __name__ == "__main__":
    main()
