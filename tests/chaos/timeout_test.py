#!/usr/bin/env python3
"""A payment that never answers: the order is cancelled in time, its stock is freed, money that comes late goes back."""

import hashlib
import hmac
import json
import sys
import time

import trial
from shop_audit import Audit, read, wait_for_rest
from shop_host import Host
from shop_load import ADDRESS

SECRET = "a secret for the tests only"
CONFIG = {"order": {"timeouts": {"pay": "1s", "compensation": "1s"}, "compensation_attempts": 100},
          "payment": {"webhooks": {"secrets": {"simulator": SECRET}}}}


class Shop:
    def __init__(self, args):
        self.host = Host(args, CONFIG)
        self.accepted = {}

    def place(self, key, token):
        body = {"customerId": key, "lines": [{"sku": "SKU-0001", "quantity": 3}], "shippingAddress": ADDRESS,
                "paymentMethod": {"token": token}, "currency": "EUR"}
        status, text = self.host.ask("POST", "/orders", body, {"idempotency-key": key})
        assert status == 201, f"{status} {text}"
        self.accepted[key] = json.loads(text)["orderId"]
        return self.accepted[key]

    def order(self, order_id):
        return json.loads(self.host.get(f"/orders/{order_id}")[1])

    def reserved(self):
        return json.loads(self.host.get("/inventory/SKU-0001")[1])["reserved"]

    def until(self, what, holds):
        begun = time.monotonic()
        while not holds():
            assert time.monotonic() - begun < 60, f"after a minute still not so: {what}"
            time.sleep(0.05)

    def callback(self, order_id, outcome):
        payment = json.loads(self.host.get(f"/payments?orderId={order_id}")[1])["items"][0]
        body = json.dumps({"paymentId": payment["paymentId"], "outcome": outcome, "reference": "late-" + order_id})
        stamp = str(int(time.time()))
        signature = hmac.new(SECRET.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
        status, text = self.host.ask("POST", "/payments/webhooks/simulator", body,
                                     {"webhook-timestamp": stamp, "webhook-signature": signature})
        assert status == 202, f"{status} {text}"

    def restart(self, kill):
        if kill:
            self.host.kill()
        else:
            code = self.host.stop()
            assert code == 0, f"SIGTERM: the host ended with {code}"
        self.host.start()
        self.host.wait_ready()


def lost_payment_cancels(shop):
    order_id = shop.place("lost-1", "tok_lost")
    shop.until("stock is reserved", lambda: shop.reserved() == 3)
    shop.until("the order is cancelled", lambda: shop.order(order_id)["status"] == "Cancelled")
    order = shop.order(order_id)
    assert "time" in order.get("reason", ""), f"the reason does not tell of a timeout: {order}"
    shop.until("the stock is free", lambda: shop.reserved() == 0)
    return order_id


def payment(shop, order_id):
    return read(shop.host, "payment", f"SELECT * FROM payments WHERE order_id = '{order_id}'")[0]


def late_money_goes_back(shop, order_id):
    shop.callback(order_id, "captured")

    def settled():
        row = payment(shop, order_id)
        return row["captured"] == row["refunded"] == row["amount"] and row["refund_pending"] == 0

    shop.until("what was captured late is paid back", settled)
    assert shop.order(order_id)["status"] == "Cancelled", shop.order(order_id)


def late_permission_is_not_used(shop, order_id):
    shop.callback(order_id, "authorised")
    restless = wait_for_rest(shop.host)
    assert restless is None, restless
    assert payment(shop, order_id)["captured"] == 0, payment(shop, order_id)
    assert shop.order(order_id)["status"] == "Cancelled", shop.order(order_id)


def answer_in_time_confirms(shop):
    order_id = shop.place("in-time-1", "tok_lost")
    shop.until("the payment is asked for",
               lambda: json.loads(shop.host.get(f"/payments?orderId={order_id}")[1])["items"])
    shop.callback(order_id, "authorised")
    shop.until("the order is confirmed", lambda: shop.order(order_id)["status"] == "Confirmed")


def timer_survives(shop, key, kill):
    order_id = shop.place(key, "tok_lost")
    shop.restart(kill)
    shop.until("the order is cancelled", lambda: shop.order(order_id)["status"] == "Cancelled")
    shop.until("the stock is free", lambda: shop.reserved() == 0)


def main():
    args = trial.arguments(__doc__)
    shop = Shop(args)
    good = False
    try:
        shop.host.start()
        shop.host.wait_ready()
        stock = {r["sku"]: r["on_hand"] for r in read(shop.host, "inventory", "SELECT sku, on_hand FROM stock")}
        first = lost_payment_cancels(shop)
        late_money_goes_back(shop, first)
        late_money_goes_back(shop, first)  # said twice: paid back once
        second = shop.place("lost-2", "tok_lost")
        shop.until("the order is cancelled", lambda: shop.order(second)["status"] == "Cancelled")
        late_permission_is_not_used(shop, second)
        answer_in_time_confirms(shop)
        timer_survives(shop, "lost-kill", True)
        timer_survives(shop, "lost-stop", False)
        restless = wait_for_rest(shop.host)
        code = shop.host.stop()
        faults = [restless] if restless else []
        faults += [] if code == 0 else [f"SIGTERM: the host ended with {code}\n{shop.host.tail()}"]
        faults += Audit(shop.host, stock).run(shop.accepted, set())
        for fault in faults:
            print("FAILED " + fault)
        print(f"timeouts: {len(shop.accepted)} orders, {len(faults)} faults")
        good = not faults
    finally:
        shop.host.close(keep=not good or args.keep)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
