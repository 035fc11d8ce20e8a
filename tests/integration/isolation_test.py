#!/usr/bin/env python3
"""Plugins in processes of their own, as the shop's customers and its operators meet them: the word in the topology changes nothing
for anybody, a plugin that dies in every way keeps nobody else waiting, and one that moves out or back keeps all that it has.

Called as isolation_test.py GANTRY PLUGIN_DIR BROKEN_PLUGIN_DIR VERSIONS, with next/ in VERSIONS."""

import http.client
import json
import os
import pathlib
import re
import signal
import sys
import threading
import time

from shop import PATIENCE, Report, Shop, eventually, order_body

GANTRY, PLUGINS, BROKEN, VERSIONS = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
SIX = ["catalog", "inventory", "order", "payment", "shipping", "notification"]
# No limit of restarts that a test of many deaths would meet.
OFTEN = "restart: { max_restarts: 1000, window: 1h }"
report = Report()


def isolated(*plugins, more=""):
    """The topology's text with these in processes of their own."""
    def edit(text):
        for plugin in plugins:
            word = f"isolation: process,{more and ' ' + more + ','}"
            text, count = re.subn(rf"(?m)^  {plugin}: {{ hosts: \[main\],? ?", rf"  {plugin}: {{ hosts: [main], {word} ", text)
            assert count == 1, plugin
        return text.replace(", }", " }")
    return edit


class IsolatedShop(Shop):
    def start(self, patience=PATIENCE):
        """Waits until all processes are ready."""
        self.launch()
        if not eventually(self.is_ready, patience):
            raise AssertionError("the shop did not become ready:\n" + self.log[-6000:])
        return (time.monotonic() - self.began) * 1000

    def rewrite(self, edit):
        file = self.folder / "topology.yaml"
        file.write_text(edit(file.read_text()))

    def pid_of(self, plugin):
        """Of the process it runs in; None: it is away."""
        try:
            return (self.row(plugin) or {}).get("pid") or None
        except (OSError, http.client.HTTPException, ValueError, KeyError):  # the host is on its way
            return None

    def kill_process(self, plugin):
        """kill -9 of the process it runs in. Answers whether another one has taken its place and all are ready."""
        former = eventually(lambda: self.pid_of(plugin))
        self.deaths += 1
        os.kill(former, signal.SIGKILL)
        return eventually(lambda: self.pid_of(plugin) not in (None, former) and self.is_ready())

    def confirmed(self, name, key, **how):
        placed = self.order(key, **how)
        if not report.check(f"{name}: an order is taken", placed.status == 201, placed):
            return None
        order = self.order_ends(placed.json()["orderId"], ["Confirmed", "Cancelled"])
        report.check(f"{name}: it is Confirmed", order["status"] == "Confirmed", order)
        return order


def items(shop, target):
    return shop.get(target).json()["items"]


def handled_by(shop, plugin):
    """Events, as the metrics say it; -1: they don't."""
    found = re.findall(rf'(?m)^gantry_events_handled_total\{{plugin="{plugin}"\}} (\d+)', shop.get("/metrics").body.decode())
    return int(found[0]) if len(found) == 1 else -1


def bus_outlives_its_processes(name, shop):
    """The host's own process, which has the bus, ended last."""
    end = shop.log.split('"The host drains."', 1)[1]
    report.check(f"{name}: the bus outlives its processes", "reports trouble" not in end, end[-3000:])


def one_word():
    """Payment in a process of its own: customers and operators see no difference."""
    with IsolatedShop(GANTRY, [PLUGINS], edit=isolated("payment")) as shop:
        shop.start()
        order = shop.confirmed("payment apart", "apart")
        paid = items(shop, f"/payments?orderId={order['orderId']}")
        report.check("its routes are at the host's address", len(paid) == 1 and paid[0]["captured"] == order["total"], paid)
        unknown = shop.ask("GET", "/payments/none", headers={"correlation-id": "apart-1"})
        report.check("what it answers comes untouched",
                     unknown.status == 404 and unknown.headers["correlation-id"] == "apart-1" and
                     unknown.headers["content-type"] == "application/problem+json", unknown)
        wrong = shop.ask("PATCH", "/payments")
        report.check("a method that it has not", wrong.status == 405 and wrong.headers.get("allow") == "GET", wrong)
        forged = shop.ask("GET", "/payments/none", headers={"gantry-caller": "order", "gantry-call": "1", "gantry-inner-key": "x"})
        report.check("what anybody can write changes nothing", forged.status == 404, forged)
        eventually(lambda: shop.pid_of("payment"))
        row, other = shop.row("payment"), shop.row("order")
        report.check("operators see its process", row["isolation"] == "process" and row["pid"] != other["pid"] and
                     row["state"] == "ready" and other["isolation"] == "none", (row, other))
        metrics = shop.get("/metrics").body.decode()
        families = re.findall(r"(?m)^# TYPE (\S+)", metrics)
        report.check("its series are among the host's", eventually(lambda: handled_by(shop, "payment") > 0), metrics[-800:])
        report.check("each family is there once", len(families) == len(set(families)), families)
        report.check("its series are there", 'gantry_requests_total{plugin="payment"}' in metrics, metrics[-800:])
        def groups():
            return {g["plugin"] for t in shop.get("/admin/topics").json()["topics"] for g in t["groups"]}

        report.check("its lag is among the others'", eventually(lambda: {"payment", "order"} <= groups()), groups())
        code, out, errors = shop.cli("tail", "--no-follow", "--from", "start", "--json")
        types = {json.loads(line)["headers"].get("ce_type") for line in out.splitlines()}
        report.check("tail shows its events", {"PaymentProcessed", "OrderCreated"} <= types, (code, types, errors))
        code, out, errors = shop.cli("dlq", "list", "payment")
        report.check("dlq list reaches it", code == 0 and "nothing is parked" in out, (code, out, errors))
        code, out, errors = shop.cli("dlq", "show", "payment", "7")
        report.check("dlq show reaches it", code == 1 and "nothing parked with the id 7" in errors, (code, out, errors))
        named = re.search(r'"process":"main~payment","pid":"\d+"', shop.log)
        report.check("the log says which process is which", named, shop.log[-1500:])
        at = re.search(r"ready in \d+ ms at http://127\.0\.0\.1:(\d+)", "\n".join(
            line for line in shop.log.splitlines() if line.startswith("main~payment")))
        if report.check("its own address is said", at, shop.log[-1500:]):
            connection = http.client.HTTPConnection("127.0.0.1", int(at.group(1)), timeout=PATIENCE)
            connection.request("GET", "/payments", headers={"gantry-caller": "order"})
            report.check("nobody else is heard there", connection.getresponse().status == 403)
            connection.close()
        code = shop.stop()
        report.check("SIGTERM: exits with 0", code == 0, (code, shop.log[-2000:]))
        bus_outlives_its_processes("SIGTERM", shop)


def all_six():
    """Nothing but the bus, the endpoint and six pipes is left in the host's own process."""
    with IsolatedShop(GANTRY, [PLUGINS], edit=isolated(*SIX)) as shop:
        print(f"   seven processes are ready after {shop.start():.0f} ms", flush=True)
        pids = {eventually(lambda: shop.pid_of(p)) for p in SIX}
        report.check("all apart: six processes", len(pids) == 6, pids)
        first = shop.confirmed("all apart", "all-1")
        again = shop.order("all-1")
        report.check("all apart: a repeated key gets the stored reply",
                     again.json()["orderId"] == first["orderId"] and again.headers.get("idempotency-replayed") == "true", again)
        missing = shop.ask("POST", "/orders", order_body())
        report.check("all apart: a missing key is refused", missing.status == 400, missing)
        declined = shop.order("all-2", token="tok_decline").json()
        report.check("all apart: a declined payment cancels", shop.order_ends(declined["orderId"], ["Cancelled", "Confirmed"])["status"]
                     == "Cancelled")
        large = shop.ask("POST", "/orders", {"note": "x" * 2_000_000}, {"idempotency-key": "large"})
        report.check("all apart: the limit of a body holds", large.status == 413, large)
        late = shop.ask("GET", "/payments", headers={"gantry-deadline-ms": "0"})
        report.check("all apart: so does a deadline", late.status == 504, late)
        code = shop.stop()
        report.check("all apart: SIGTERM: exits with 0", code == 0, (code, shop.log[-2000:]))
        bus_outlives_its_processes("all apart", shop)


def sources(shop):
    """The names under which inventory's events are known."""
    _, out, _ = shop.cli("tail", "inventory-events", "--no-follow", "--from", "start", "--json")
    return {json.loads(line)["headers"]["ce_source"] for line in out.splitlines()}


def out_and_back():
    """Isolated, then not, then isolated: positions, rows, keys and the generation stay the plugin's."""
    with IsolatedShop(GANTRY, [PLUGINS], edit=isolated("inventory", "order")) as shop:
        shop.start()
        orders = [shop.confirmed("first apart", "move-1")]
        code, receipt, errors = shop.cli("swap", "inventory", VERSIONS / "next/inventory.so", "--probation-ms", "200", "--json")
        report.check("a swap reaches a plugin apart", code == 0 and json.loads(receipt)["outcome"] == "swapped", (code, receipt, errors))
        version = eventually(lambda: (lambda a: a.status == 200 and a.json()["version"])(shop.get("/inventory/version")))
        report.check("its new route is at the host's address", version == "1.1.0", version)
        for turn, edit in enumerate((lambda t: t.replace("isolation: process, ", ""), isolated("inventory", "order"))):
            name = ("back in", "apart again")[turn]
            report.check(f"{name}: before, all drained", shop.stop() == 0, shop.log[-2000:])
            shop.rewrite(edit)
            shop.start()
            wanted = ("none", "process")[turn]
            row = shop.row("inventory")
            report.check(f"{name}: it is {wanted}", row["isolation"] == wanted, row)
            report.check(f"{name}: the generation stays", row["generation"] == 2 and row["version"] == "1.1.0", row)
            _, last, _ = shop.cli("swap", "inventory", "--last")
            report.check(f"{name}: the last receipt is known", "(generation 2): swapped" in last, last)
            report.check(f"{name}: keys are known", shop.order("move-1").json()["orderId"] == orders[0]["orderId"])
            orders.append(shop.confirmed(name, f"move-{turn + 2}"))
            report.check(f"{name}: nothing was handled twice", row["eventsDuplicate"] == 0, row)
        for order in orders:
            paid = items(shop, f"/payments?orderId={order['orderId']}")
            report.check("each is paid once", [p["captured"] for p in paid] == [order["total"]], paid)
        report.check("its events have one source", len(sources(shop)) == 1, sources(shop))
        report.check("at the end: exits with 0", shop.stop() == 0, shop.log[-2000:])


class Customers:
    """Ask and order without a pause, and remember everything that was not as it should be."""

    def __init__(self, shop, name, threads=3):
        self.shop, self.name = shop, name
        self.going, self.lock = True, threading.Lock()
        self.milliseconds, self.failures, self.orders = [], [], []
        self.threads = [threading.Thread(target=self._go, args=(i,), daemon=True) for i in range(threads)]
        for t in self.threads:
            t.start()

    def _go(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=PATIENCE)
        for turn in range(10**9):
            if not self.going:
                return
            began = time.monotonic()
            try:
                if turn % 20 == 0:
                    key = f"{self.name}-{number}-{turn}"
                    sku = f"SKU-{(turn // 20 + number * 100) % 900 + 1:04}"
                    connection.request("POST", "/orders", json.dumps(order_body(lines=[{"sku": sku, "quantity": 1}])),
                                       {"content-type": "application/json", "idempotency-key": key})
                else:
                    connection.request("GET", ("/catalog/products?pageSize=5", "/inventory/SKU-0001", "/payments?orderId=none")[turn % 3])
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as e:
                self.failures.append(f"{type(e).__name__}: {e}")
                connection.close()
                continue
            took = (time.monotonic() - began) * 1000
            with self.lock:
                self.milliseconds.append(took)
                if answer.status not in (200, 201):
                    self.failures.append(f"{answer.status} {body[:200]!r}")
                elif answer.status == 201:
                    self.orders.append(json.loads(body)["orderId"])

    def end(self):
        self.going = False
        for t in self.threads:
            t.join()
        return self

    def share(self, part):
        ordered = sorted(self.milliseconds)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


# A sanitizer takes as much for itself, and to fill memory takes it longer.
MEMORY_MB, KILL_AFTER = (1024, "20s") if os.environ.get("GANTRY_SANITIZED") else (192, "5s")
# A plugin that does nothing wrong must not be taken for one that hangs, also on a machine that has much to do.
DEADLY = ("deadly: {{ hosts: [main], group: broken-deadly, isolation: process, stall_after: 300ms, stall_kill_after: {kill_after}, "
          "limits: {{ memory: {memory}MiB }}, {often} }}").format(often=OFTEN, memory=MEMORY_MB, kill_after=KILL_AFTER)
WAYS = ["segfault", "exit", "memory", "loop", "closes", "deadlock", "abort"]


def die(shop, how):
    """Whatever comes back: an answer or none."""
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=PATIENCE)
    try:
        connection.request("GET", f"/broken/deadly?how={how}", headers={"gantry-deadline-ms": "1500"})
        return connection.getresponse().status
    finally:
        connection.close()


def deaths():
    """A plugin that dies in every way, beside customers who must not notice."""
    with IsolatedShop(GANTRY, [PLUGINS, BROKEN], plugins=[DEADLY]) as shop:
        shop.start()
        calm = Customers(shop, "calm")
        time.sleep(2)  # only how long the comparison lasts
        calm.end()
        main = shop.row("order")["pid"]
        customers = Customers(shop, "deaths")
        for how in WAYS:
            before = eventually(lambda: shop.pid_of("deadly"))
            shop.deaths += 1
            status = die(shop, how)
            report.check(f"{how}: its caller is told", status in (502, 503, 504), status)
            back = eventually(lambda: shop.pid_of("deadly") not in (None, before) and shop.get("/broken/deadly").status == 200)
            if how == "memory":
                report.check("memory: its limit ends it", "looks after limits.memory itself" not in shop.log or
                             shop.wait_log("more memory than limits.memory"), shop.log[-2500:])
            report.check(f"{how}: it is started again", back, (before, shop.row("deadly"), shop.log[-2500:]))
        customers.end()
        report.check("deaths: the host's own process goes on", shop.row("order")["pid"] == main, shop.log[-3000:])
        report.check("deaths: nobody else's request fails", customers.failures == [], customers.failures[:5])
        ends = [shop.order_ends(o, ["Confirmed", "Cancelled"])["status"] for o in (*calm.orders, *customers.orders)]
        report.check("deaths: every accepted order is Confirmed", set(ends) == {"Confirmed"}, {e: ends.count(e) for e in ends})
        print(f"   requests for the other plugins, p50 and p99: calm {calm.share(.5):.2f} and {calm.share(.99):.2f} ms "
              f"({len(calm.milliseconds)}), beside {len(WAYS)} deaths {customers.share(.5):.2f} and {customers.share(.99):.2f} ms "
              f"({len(customers.milliseconds)})", flush=True)
        report.check("deaths: exits with 0", shop.stop() == 0, shop.log[-2000:])


def given_up():
    """One that dies too often is left; its requests are refused at once, readiness says why, the others go on."""
    entry = DEADLY.replace(OFTEN, "restart: { max_restarts: 1, window: 1h }")
    with IsolatedShop(GANTRY, [PLUGINS, BROKEN], plugins=[entry]) as shop:
        shop.start()
        shop.deaths = 2
        former = shop.pid_of("deadly")
        die(shop, "segfault")
        eventually(lambda: shop.pid_of("deadly") not in (None, former) and shop.get("/broken/deadly").status == 200)
        die(shop, "segfault")
        report.check("given up: it is said", shop.wait_log("died too often"), shop.log[-2500:])
        # Requests wait for a process that may come back, and then no more: the host knows only that it stays away.
        def refused_at_once():
            began = time.monotonic()
            answer = shop.get("/broken/deadly")
            return answer if answer.status == 503 and time.monotonic() - began < 1 else None

        answer = eventually(refused_at_once)
        report.check("given up: refused at once, with Retry-After", answer and answer.headers.get("retry-after"), answer)
        ready = shop.get("/health/ready")
        check = {c["name"]: c for c in ready.json()["checks"]}["deadly"]
        report.check("given up: readiness says why", ready.status == 503 and "does not answer" in json.dumps(check), check)
        report.check("given up: its row says so", shop.row("deadly")["state"] == "down", shop.row("deadly"))
        parked = shop.get("/admin/dlq")
        report.check("given up: the others' dead letters are listed", parked.status == 200 and
                     [one["plugin"] for one in parked.json().get("unanswered", [])] == ["deadly"], parked)
        code, out, errors = shop.cli("dlq", "list")
        report.check("given up: dlq list names who is missing", code == 1 and "deadly is missing: " in errors, (code, out, errors))
        shop.confirmed("given up", "after-all")
        shop.process.send_signal(signal.SIGHUP)
        report.check("given up: SIGHUP tries it again", eventually(lambda: shop.get("/broken/deadly").status == 200),
                     shop.log[-2500:])
        report.check("given up: then the host is ready", eventually(lambda: shop.get("/health/ready").status == 200))


def processes_killed():
    """kill -9 of each process in turn, in the middle of orders: nothing is lost, nothing is done twice."""
    with IsolatedShop(GANTRY, [PLUGINS], edit=isolated("payment", "order", more=OFTEN)) as shop:
        shop.start()
        before = shop.stock("SKU-0044")
        placed = []
        for turn, plugin in enumerate(("payment", "order", "payment", "order", "inventory")):
            for i in range(10):
                answer = eventually(lambda: (lambda a: a.status == 201 and a)(
                    shop.order(f"killed-{turn}-{i}", lines=[{"sku": "SKU-0044", "quantity": 1}])))
                report.check("killed: an order is taken", answer, shop.log[-1500:])
                placed.append(answer.json()["orderId"])
            report.check(f"killed: {plugin}'s process comes back", shop.kill_process(plugin), shop.log[-2500:])
        ends = [shop.order_ends(o, ["Confirmed", "Cancelled"]) for o in placed]
        report.check("killed: all are Confirmed", {o["status"] for o in ends} == {"Confirmed"}, [o["status"] for o in ends])
        after = shop.stock("SKU-0044")
        report.check("killed: stock counts each once", after["onHand"] == before["onHand"] - len(placed) and after["reserved"] == 0,
                     (before, after))
        captured = [[p["captured"] for p in items(shop, f"/payments?orderId={o['orderId']}")] for o in ends]
        report.check("killed: each is paid once", captured == [[o["total"]] for o in ends], captured)
        report.check("killed: exits with 0", shop.stop() == 0, shop.log[-2000:])


def main():
    chosen = sys.argv[5:] or None
    for story in (one_word, all_six, out_and_back, processes_killed, deaths, given_up):
        if chosen is None or story.__name__ in chosen:
            report.story(story.__name__, story)
    report.end()


if __name__ == "__main__":
    main()
