"""Checks the books of the shop one to one, in the stores, after everything has come to rest."""

import collections
import glob
import json
import os
import time

HELD, COMMITTED = 1, 2
GIVEN_UP = 2  # a job's state
GIVEN_BACK = (3, 4, 5, 6)  # released, expired, rejected, cancelled before it was known
FINAL = ("Confirmed", "Cancelled")
RUNTIME_EMPTY = ("gantry_parked", "gantry_job", "gantry_outbox")


def read(host, service, sql):
    return host.read(service, sql)


def wait_for_rest(host, patience=90, at_most=300):
    """Returns nothing once nothing moves any more; otherwise what is left to do although nothing has changed for
    `patience` seconds, or `at_most` seconds have passed."""
    last, calm = None, 0
    begun = since = time.monotonic()
    while True:
        host.check_alive()
        state = host.gauges()
        if hasattr(host, "unread"):
            state["unread"] = host.unread()
        open_orders = read(host, "order", "SELECT order_id, status, version, saga FROM orders"
                                          " WHERE status NOT IN ('Confirmed', 'Cancelled') ORDER BY order_id")
        # The saga of a cancelled order goes on when money comes late.
        state["refunds"] = read(host, "payment", "SELECT count(*) AS n FROM payments WHERE refund_pending > 0")[0]["n"]
        # Those that were given up wait for an operator; the audit finds them.
        state["jobs"] = sum(read(host, s, f"SELECT count(*) AS n FROM gantry_job WHERE state <> {GIVEN_UP}")[0]["n"]
                            for s in ("order", "payment", "shipping", "notification", "inventory"))
        state["open orders"] = len(open_orders)
        if not any(state.values()):
            calm += 1
            if calm >= 4:
                return None
        else:
            calm = 0
        seen = (state, [(o["order_id"], o["version"]) for o in open_orders])
        if seen != last:
            last, since = seen, time.monotonic()
        if time.monotonic() - since > patience or time.monotonic() - begun > at_most:
            return f"does not come to rest: {state}\n" + "\n".join(map(str, open_orders[:10])) + "\n" + host.tail()
        time.sleep(0.25)


class Audit:
    """`lost`: orders that were accepted, and that a restored backup of all stores has forgotten; other stores may know
    them, because their events were on the bus. Of these only that stock adds up is asked."""

    def __init__(self, host, initial_stock, lost=frozenset()):
        self.host, self.lost = host, lost
        self.initial = initial_stock  # sku -> pieces before the first order
        self.faults = []
        by_order = lambda service, table: {r["order_id"]: r for r in read(host, service, f"SELECT * FROM {table}")}
        self.orders = by_order("order", "orders")
        self.reservations = by_order("inventory", "reservations")
        self.payments = by_order("payment", "payments")
        self.shipments = by_order("shipping", "shipment")
        self.stock = {r["sku"]: r for r in read(host, "inventory", "SELECT * FROM stock")}
        self.deliveries = collections.defaultdict(list)
        for row in read(host, "notification", "SELECT * FROM delivery"):
            self.deliveries[row["order_id"]].append(row)
        self.letters = collections.Counter(
            os.path.basename(path)[: -len(".eml")]
            for path in glob.glob(os.path.join(host.mail, "**", "*.eml"), recursive=True))

    def expect(self, holds, what, order_id=None, *rows):
        if holds:
            return
        text = what if order_id is None else f"order {order_id}: {what}"
        if order_id is not None and not rows:
            rows = (self.orders.get(order_id), self.reservations.get(order_id), self.payments.get(order_id),
                    self.shipments.get(order_id), *self.deliveries.get(order_id, []))
        self.faults.append("\n    ".join([text, *(str(row) for row in rows)]))

    def run(self, accepted, cancelled):
        self.check_acceptance(accepted)
        for order_id, order in self.orders.items():
            self.expect(order["status"] in FINAL, f"is {order['status']}, which is not final", order_id)
            if order["status"] == "Confirmed":
                self.check_confirmed(order_id, order)
            elif order["status"] == "Cancelled":
                self.check_cancelled(order_id)
        for order_id in cancelled:
            order = self.orders.get(order_id)
            self.expect(order is not None and order["status"] == "Cancelled",
                        "its cancellation was accepted, but it is not Cancelled", order_id)
        self.check_strangers()
        self.check_stock()
        self.check_letters()
        self.check_runtime()
        return self.faults

    def check_acceptance(self, accepted):
        for key, order_id in accepted.items():
            self.expect(order_id in self.orders, f"was accepted (201, key {key}) and is lost", order_id)
        per_key = collections.defaultdict(list)
        for order_id, order in self.orders.items():
            per_key[order["customer_id"]].append(order_id)
        for key, ids in per_key.items():
            self.expect(len(ids) == 1, f"key {key} has {len(ids)} orders: {ids}", ids[0],
                        *(self.orders[i] for i in ids))
            self.expect(accepted.get(key) in ids, f"key {key} was told {accepted.get(key)}", ids[0])

    def check_confirmed(self, order_id, order):
        reservation, payment = self.reservations.get(order_id), self.payments.get(order_id)
        shipment, letters = self.shipments.get(order_id), self.deliveries.get(order_id, [])
        self.expect(reservation is not None and reservation["state"] == COMMITTED,
                    "Confirmed, stock not committed", order_id)
        self.expect(payment is not None and payment["status"] == "Captured" and payment["refunded"] == 0 and
                    payment["refund_pending"] == 0 and
                    payment["captured"] == payment["amount"] == order["total"],
                    "Confirmed, payment is not exactly the total", order_id)
        self.expect(shipment is not None and shipment["status"] == "Created", "Confirmed, no live shipment", order_id)
        self.expect([d["template"] for d in letters] == ["order-confirmed"],
                    "Confirmed, but not exactly one notification", order_id)

    def check_cancelled(self, order_id):
        reservation, payment = self.reservations.get(order_id), self.payments.get(order_id)
        shipment, letters = self.shipments.get(order_id), self.deliveries.get(order_id, [])
        self.expect(reservation is not None and reservation["state"] in GIVEN_BACK,
                    "Cancelled, stock not released", order_id)
        self.expect(payment is None or
                    (payment["captured"] == payment["refunded"] and payment["refund_pending"] == 0 and
                     payment["status"] in ("Refunded", "Failed", "Cancelled")),
                    "Cancelled, money not paid back", order_id)
        self.expect(shipment is None or shipment["status"] in ("Cancelled", "Failed"),
                    "Cancelled, shipment lives", order_id)
        templates = collections.Counter(d["template"] for d in letters)
        self.expect(templates["order-cancelled"] == 1 and max(templates.values()) == 1,
                    "Cancelled, but not exactly one notification of it", order_id)

    def check_strangers(self):
        for name, table in (("reservation", self.reservations), ("payment", self.payments),
                            ("shipment", self.shipments), ("notification", self.deliveries)):
            for order_id in table.keys() - self.orders.keys() - self.lost:
                self.expect(False, f"{name} of an order that nobody has", order_id)

    def check_stock(self):
        sold, ordered, lost, held = (collections.Counter() for _ in range(4))
        for order_id, row in self.reservations.items():
            for line in json.loads(row["lines"]) if row["state"] in (HELD, COMMITTED) else ():
                if row["state"] == COMMITTED:
                    sold[line["sku"]] += line["quantity"]
                    lost[line["sku"]] += line["quantity"] if order_id in self.lost else 0
                elif order_id in self.lost:  # until the reservation expires
                    held[line["sku"]] += line["quantity"]
        for order in self.orders.values():
            if order["status"] == "Confirmed":
                for line in json.loads(order["lines"]):
                    ordered[line["sku"]] += line["quantity"]
        shelves = collections.Counter()
        for row in read(self.host, "inventory", "SELECT * FROM shelves"):
            self.expect(row["on_hand"] >= 0, f"negative shelf: {row}")
            shelves[row["sku"]] += row["on_hand"]
        self.expect(self.stock.keys() == self.initial.keys(), "other SKUs than at the beginning")
        for sku, row in self.stock.items():
            rows = [r for r in self.reservations.values() if f'"{sku}"' in r["lines"]] if row["reserved"] != 0 else []
            self.expect(row["reserved"] == held[sku], f"{sku}: {row['reserved']} reserved by nobody: {row}; " +
                        str([r for r in rows if r["state"] == HELD][:5]))
            self.expect(0 <= row["reserved"] <= row["on_hand"], f"{sku}: 0 <= reserved <= on hand is broken: {row}")
            self.expect(row["home_on_hand"] + shelves[sku] == row["on_hand"],
                        f"{sku}: warehouses have {row['home_on_hand'] + shelves[sku]}, the total says {row}")
            self.expect(self.initial.get(sku, 0) == row["on_hand"] + sold[sku],
                        f"{sku}: {self.initial.get(sku)} in the beginning, {sold[sku]} sold, left {row}")
            self.expect(sold[sku] - lost[sku] == ordered[sku],
                        f"{sku}: {sold[sku]} committed, {lost[sku]} of them lost, {ordered[sku]} in confirmed orders")

    def check_letters(self):
        noted = set()
        for order_id, rows in self.deliveries.items():
            for row in rows:
                noted.add(row["notification_id"])
                if order_id in self.lost:  # nobody can be asked what to write
                    continue
                name, letters = row["notification_id"], self.letters[row["notification_id"]]
                self.expect(row["status"] == "Sent", f"notification {name} is {row['status']}", order_id)
                self.expect(letters == 1, f"notification {name} has {letters} letters", order_id)
        for letter in self.letters.keys() - noted:
            self.expect(False, f"letter {letter} belongs to no notification")

    def check_runtime(self):
        for service in ("catalog", "inventory", "order", "payment", "shipping", "notification"):
            for table in RUNTIME_EMPTY:
                rows = [row for row in read(self.host, service, f"SELECT * FROM {table}")
                        if not any(order_id in str(row) for order_id in self.lost)]
                self.expect(not rows, f"{service}: {len(rows)} rows left in {table}", None, *rows[:5])
            damage = self.host.damage(service)
            self.expect(not damage, f"{service}: the database is damaged: {damage}")

    def summary(self):
        status = collections.Counter(order["status"] for order in self.orders.values())
        refunded = sum(1 for p in self.payments.values() if p["refunded"] > 0)
        return (f"{len(self.orders)} orders: {status['Confirmed']} confirmed, {status['Cancelled']} cancelled, "
                f"{refunded} refunded; {sum(self.letters.values())} letters")
