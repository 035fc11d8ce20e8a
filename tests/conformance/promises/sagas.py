"""Sagas, by the shop's own: orders that are confirmed, refused, and that nobody answers."""

import time

from checks import check, equal, until
from harness import unreachable_bus
from promises import one_process, promise
from shared import ROOT
from shop import order_body

SHOP = ["catalog", "inventory", "order", "payment", "shipping", "notification"]
TOPICS = {"catalog-events": 3, "inventory-commands": 2, "inventory-events": 2, "order-events": 3, "payment-commands": 2,
          "payment-events": 2, "shipping-commands": 2, "shipping-events": 2, "notification-events": 1}
ENDED = ("Confirmed", "Cancelled")


def shop(make, label, timeouts=None, **more):
    order = {"timeouts": timeouts or {"pay": "1s", "compensation": "1s"}, "compensation_attempts": 100}
    return make(label, plugins=SHOP, topics=TOPICS, settings={
        "catalog": {"config": {"demo": True, "demo_file": str(ROOT / "config/demo/catalog.json")}},
        "inventory": {"config": {"demo": True}}, "order": {"config": order}}, **more)


def place(w, key, token="tok_approve", **changes):
    reply = w.ask("order", "POST", "/orders", order_body(token, **changes), {"idempotency-key": key})
    check(reply.status == 201, "POST /orders", reply)
    return reply.json()["orderId"]


def order_ends(w, order_id, wanted):
    def status():
        order = w.get("order", f"/orders/{order_id}")
        return order if order["status"] in ENDED else None

    order = until(f"order {order_id} has ended", status)
    equal(order["status"], wanted, f"order {order_id}")
    return order


def saga(w, order_id):
    return w.get("order", f"/admin/sagas/{order_id}")


@promise("own")
def sagas_end_and_tell_their_history(make):
    """State, deadline and history per instance in the owner's store; GET /admin/sagas/{id}. Compensations run backwards over
    what succeeded or is in doubt. No instance may stay unfinished with no timer armed."""
    w = shop(make, "shop", {"pay": "2s", "compensation": "1s"})
    with w:
        good, refused, lost = place(w, "good"), place(w, "refused", "tok_decline"), place(w, "lost", "tok_lost")
        # Nobody answers for the payment: a deadline is there as long as it is waited for.
        waiting = until("the payment is asked for", lambda: (lambda s: s if s["step"] == "pay" else None)(saga(w, lost)))
        check(waiting["deadline"] is not None and waiting["steps"]["reserve"] == "done", "an open saga", waiting)
        order_ends(w, good, "Confirmed")
        order_ends(w, refused, "Cancelled")
        reason = order_ends(w, lost, "Cancelled").get("reason", "")
        check("time" in reason, "the reason does not tell of a timeout", reason)
        for order_id, state in ((good, "Confirmed"), (refused, "Cancelled"), (lost, "Cancelled")):
            story = saga(w, order_id)
            equal((story["state"], story["deadline"]), (state, None), f"the ended saga {story}")
            check(len(story["history"]) > 2 and all(h["at"] and h["cause"] for h in story["history"]), "history", story)
        check(set(saga(w, good)["steps"].values()) <= {"done", "pivoted"}, "steps of what went well", saga(w, good))
        story = saga(w, lost)
        equal(story["steps"]["reserve"], "compensated", f"what had succeeded: {story}")
        check(any(h["cause"] == "timer" for h in story["history"]), "the history does not tell of the deadline", story)
        until("the stock of what was cancelled is free",
              lambda: w.get("inventory", "/inventory/SKU-0001")["reserved"] == 0)


@promise("own")
def saga_timers_survive_a_kill(make):
    """No instance may stay unfinished with no timer armed: a kill while it waits changes nothing."""
    w = shop(make, "shop-kill")
    with w:
        lost = place(w, "lost-kill", "tok_lost")
        for host in w.hosts_of("order"):
            host.kill()
            host.start()
        for host in w.hosts_of("order"):
            host.wait_ready()
        order_ends(w, lost, "Cancelled")
        until("its stock is free", lambda: w.get("inventory", "/inventory/SKU-0001")["reserved"] == 0)


@promise("own", unless=one_process)
def an_outage_delays_orders_and_cancels_none(make):
    """A timeout counts from the moment the bus has acknowledged the command; after a reconnect, saga timers wait until the owner has
    read up to the end of log seen then. So an outage delays orders and doesn't cancel them."""
    w = shop(make, "shop-outage", {step: "3s" for step in ("reserve", "pay", "ship", "commit", "compensation")}, owner_apart=True)
    with w:
        order_ends(w, place(w, "before"), "Confirmed")
        with unreachable_bus(w):
            placed = [place(w, f"outage-{i}") for i in range(5)]
            # Longer than any of their timeouts.
            began = time.monotonic()
            until("the outage has lasted", lambda: time.monotonic() - began > 5)
            equal({w.get("order", f"/orders/{o}")["status"] in ENDED for o in placed}, {False}, "orders that ended without a bus")
        for order_id in placed:
            order_ends(w, order_id, "Confirmed")
