#!/usr/bin/env python3
"""With the broker down, orders are accepted until `outbox.max_bytes`, then refused with 503 and Retry-After; when it comes
back all flow, and none was cancelled because of the outage."""

import http.client
import json
import sys
import threading
import time

import trial
from bus_audit import audit_bus
from server_shop import ServerShop
from shop_load import ADDRESS

BOUND = 128 * 1024
ORDER_AT_LEAST = 300  # bytes that an order leaves in the outbox, at the very least


class Customer:
    def __init__(self, shop):
        self.shop, self.accepted = shop, {}
        self.repeats = self.unanswered = self.refused = 0
        self.cancelled, self.trouble = set(), []
        self.ending = threading.Event()  # nothing runs beside the test

    def place(self, key):
        """The status, Retry-After and text of the answer."""
        body = {"customerId": key, "lines": [{"sku": "SKU-0001", "quantity": 1}], "shippingAddress": ADDRESS,
                "paymentMethod": {"token": "tok_approve"}, "currency": "EUR"}
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.ports[0], timeout=30)
        connection.request("POST", "/orders", json.dumps(body),
                           {"content-type": "application/json", "idempotency-key": key})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        if reply.status == 201:
            self.accepted[key] = json.loads(text)["orderId"]
        return reply.status, reply.getheader("retry-after"), text

    def finish(self):
        pass


def outbox_bytes(shop):
    return shop.gauges()["gantry_outbox_bytes"]


def run(t, outage_seconds):
    shop, customer, faults = t.host, t.load, []
    shop.servers.kill_broker()
    begun = time.monotonic()
    bound = 2 * BOUND // ORDER_AT_LEAST
    for number in range(bound):
        status, wait, text = customer.place(f"customer-{number}")
        if status != 201:
            break
    full = outbox_bytes(shop)
    print(f"  {len(customer.accepted)} orders accepted without a broker, then {status}, Retry-After {wait}; "
          f"{full:.0f} bytes in outboxes", flush=True)
    if status != 503 or not wait or not wait.isdigit() or "problems" not in text:
        faults.append(f"beyond the bound: {status}, Retry-After {wait}, {text[:300]}")
    if len(customer.accepted) < 20:
        faults.append(f"only {len(customer.accepted)} orders were accepted while the broker was down")
    if full < BOUND:
        faults.append(f"refused with {full:.0f} bytes, below the bound of {BOUND}")
    if shop.ask("GET", "/catalog/products?limit=1")[0] != 200:
        faults.append("reading does not go on")
    time.sleep(max(0.0, outage_seconds - (time.monotonic() - begun)))
    shop.servers.start_broker()
    shop.wait_ready()
    last, until = f"customer-{number}", time.monotonic() + 60
    while customer.place(last)[0] != 201:
        if time.monotonic() > until:
            faults.append("orders are still refused a minute after the broker came back")
            break
        time.sleep(0.2)
    return faults


def none_cancelled(shop):
    bus = audit_bus(shop)

    def check(audit):
        faults, words = bus(audit)
        cancelled = [order for order in audit.orders.values() if order["status"] == "Cancelled"]
        if cancelled:
            faults.append(f"{len(cancelled)} orders were cancelled because of the outage, such as {cancelled[0]}")
        return faults, words
    return check


def main():
    args = trial.arguments(__doc__)

    def make(*what):
        return ServerShop(*what, more=["outbox:", f"  max_bytes: {BOUND // 1024}KiB"])

    with trial.Trial(args, "outbox full", make=make) as t:
        t.load = Customer(t.host)
        t.open_shop()
        faults = run(t, 60 if trial.is_long() else 12)
        return t.close_books("broker away", faults, none_cancelled(t.host))


if __name__ == "__main__":
    sys.exit(main())
