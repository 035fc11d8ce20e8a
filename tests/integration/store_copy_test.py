"""A shop moves from one host with the local bus and SQLite to Kafka and PostgreSQL: nothing is lost, nothing happens twice.

    store_copy_test.py GANTRY PLUGIN_DIR     with a broker and a database of its own
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from order_stories_test import (SETTLED, called_off, declined, everything, items, mails_of, place, report, sold_out,
                                statuses)
from shop import PATIENCE, ROOT, Shop, eventually, on_servers

PLUGINS = ["catalog", "inventory", "notification", "order", "payment", "shipping"]
SLOW = "30s"  # of a payment that is on its way when the shop stops


def with_slow_payments(text):
    text = text.replace("group: payment-consumers }",
                        f"group: payment-consumers, config: {{ simulator: {{ slow_delay: {SLOW} }} }} }}")
    return text.replace("group: order-saga-consumers }", "group: order-saga-consumers, config: { timeouts: { pay: 10m } } }")


class MovingShop(Shop):
    """`topology.yaml` is the one that `launch` runs; `old.yaml` and `new.yaml` stay."""

    def __init__(self, gantry, plugin_dir, servers):
        super().__init__(gantry, [plugin_dir], edit=with_slow_payments)
        self.moved = False
        self.old = (self.folder / "topology.yaml").read_text()
        self.new = on_servers(self.old, servers)
        (self.folder / "old.yaml").write_text(self.old)
        (self.folder / "new.yaml").write_text(self.new)

    def copy(self, *words, folder=None):
        done = subprocess.run([self.gantry, "store", "copy", "-t", "old.yaml", "--to", "new.yaml", *words],
                              cwd=folder or self.folder, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    @contextlib.contextmanager
    def database(self, plugin, folder=None):
        """While the shop does not run."""
        with contextlib.closing(sqlite3.connect((folder or self.folder) / "data" / f"{plugin}.db", isolation_level=None)) as db:
            yield db

    def elsewhere(self):
        """A copy of the folder to do harm to."""
        there = pathlib.Path(tempfile.mkdtemp(prefix="gantry-shop-")) / "shop"
        shutil.copytree(self.folder, there)
        return there


KEEP = """
CREATE TABLE kept (id INTEGER PRIMARY KEY, source TEXT, bytes BLOB);
CREATE TRIGGER keep BEFORE DELETE ON gantry_outbox BEGIN
  INSERT OR REPLACE INTO kept VALUES (old.id, old.source, old.bytes);
END;
"""
PARKED = """
INSERT INTO gantry_parked (topic, part, position, key, type, event_id, source, record, error, attempts, parked_at)
VALUES ('shipping-commands', 0, 7, 'a-parked-key', 'CreateShipment', 'an-id', 'a-source', x'00', 'a reason', 8, 1);
"""
PUT_BACK = """
DROP TRIGGER keep;
INSERT OR REPLACE INTO gantry_outbox SELECT id, source, bytes FROM kept;
DROP TABLE kept;
"""


def found(shop):
    """What a search finds, in an order that does not hang on how it weighs words."""
    return [p["sku"] for p in items(shop, "/catalog/products?query=lamp&sort=price&pageSize=100")]


def keep_outboxes(shop):
    """From now on what leaves the outbox is remembered, to be there again as if the host had died before it was deleted."""
    for plugin in PLUGINS:
        with shop.database(plugin) as db:
            db.executescript(KEEP)


def put_outboxes_back(shop):
    kept = 0
    for plugin in PLUGINS:
        with shop.database(plugin) as db:
            db.executescript(PUT_BACK)
            kept += db.execute("SELECT count(*) FROM gantry_outbox").fetchone()[0]
    report.check("outboxes hold events that were handled", kept > 0, kept)


def old_life(shop):
    """Orders of every kind; the last three wait for their payment when the shop stops."""
    shop.start()
    report.check("the first stop", shop.stop() == 0, shop.log[-1500:])
    keep_outboxes(shop)
    shop.start()
    for story in (declined, sold_out):
        story(shop)
    shop.keyed = shop.order("before-the-move")
    shop.settled = [shop.order_ends(shop.keyed.json()["orderId"], SETTLED)]
    shop.settled += [place(shop, f"old-{i}", lines=[{"sku": "SKU-0023", "quantity": 1}]) for i in range(12)]
    off = shop.settled[1]["orderId"]
    shop.ask("POST", f"/orders/{off}/cancel", {"reason": "moving"}, {"idempotency-key": "off"})
    shop.order_ends(off, ["Cancelled"])
    eventually(lambda: all(d["status"] == "Sent" for o in everything(shop)[0].values() for d in o[4]))
    shop.waiting = [place(shop, f"waiting-{i}", "tok_slow", [{"sku": "SKU-0024", "quantity": 1}], ["Reserved"])
                    for i in range(3)]
    report.check("orders wait for their payment", all(o["status"] == "Reserved" for o in shop.waiting), shop.waiting)


def in_use(shop):
    code, out, errors = shop.copy()
    report.check("a copy while the host runs is refused", code == 1 and str(shop.pid()) in errors, (code, out, errors))


def stopped(shop):
    report.check("all is read", eventually(shop.at_rest))
    shop.before = everything(shop)
    shop.found = found(shop)
    report.check("SIGTERM", shop.stop() == 0, shop.log[-1500:])
    with shop.database("payment") as db:
        jobs = db.execute("SELECT count(*) FROM gantry_job").fetchone()[0]
    report.check("jobs wait", jobs > 0, jobs)
    put_outboxes_back(shop)
    with shop.database("shipping") as db:
        db.executescript(PARKED)


def refused(shop):
    """What would lose something is refused, and says why; nothing is written."""
    def harmed(name, plugin, sql, *texts):
        there = shop.elsewhere()
        try:
            with shop.database(plugin, there) as db:
                db.executescript(sql)
            code, out, errors = shop.copy(folder=there)
            report.check(f"refused: {name}", code == 1 and all(t in errors for t in texts), (code, out, errors))
        finally:
            shutil.rmtree(there.parent)

    harmed("an event is unread", "order", "UPDATE gantry_position SET next = next - 1 WHERE topic = 'payment-events' AND next > 0"
           " AND part = (SELECT min(part) FROM gantry_position WHERE topic = 'payment-events' AND next > 0)",
           "until it is idle", "order lags by 1 event in payment-events")
    harmed("an outbox has what others have not seen", "order",
           "UPDATE gantry_outbox SET source = 'somebody-else'", "the outbox of order holds", "inventory has not handled")
    harmed("a table that PostgreSQL does not have", "payment", "CREATE TABLE extra (a INT); INSERT INTO extra VALUES (1)",
           "payment", "table extra")
    harmed("a column that PostgreSQL does not have", "payment", "ALTER TABLE payments ADD COLUMN extra TEXT DEFAULT 'x'",
           "payments.extra")
    harmed("a text that is none", "shipping",
           "UPDATE shipment SET reason = CAST(x'41ff42' AS TEXT) WHERE order_id = (SELECT max(order_id) FROM shipment)",
           "shipping: table shipment, column reason, order_id=", "not UTF-8")
    code, out, errors = shop.copy("nobody")
    report.check("an unknown plugin", code == 1 and "nobody" in errors, (code, out, errors))


def copied(shop):
    """Into schemas that the refused attempts have made."""
    code, out, errors = shop.copy("--json")
    report.check("the copy", code == 0, (code, out, errors))
    shop.moved = code == 0
    if not shop.moved:
        return
    plugins = json.loads(out)["plugins"]
    report.check("all plugins are copied", [p["plugin"] for p in plugins] == PLUGINS, plugins)
    for plugin in plugins:
        with shop.database(plugin["plugin"]) as db:
            held = {name for name, in db.execute("SELECT name FROM pragma_table_list WHERE type = 'table'"
                                                 " AND name NOT LIKE 'sqlite%'"
                                                 " AND name NOT IN ('gantry_migrations', 'gantry_idempotency_run')")}
            told = {t["table"]: t["rows"] for t in plugin["tables"]}
            report.check(f"{plugin['plugin']}: each table", held == set(told) | set(plugin["derived"]) - {"product_search"}, plugin)
            for table, rows in told.items():
                there = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                report.check(f"{plugin['plugin']}.{table}: all rows", rows == there, (rows, there))
    code, out, errors = shop.copy()
    report.check("a second copy is refused", code == 1 and "is not empty" in errors, (code, out, errors))


def same(shop):
    """All that was settled looks as it did."""
    before, after = shop.before, everything(shop)
    waiting = {o["orderId"] for o in shop.waiting}
    for order, seen in before[0].items():
        if order in waiting:
            continue
        report.check(f"order {order} is as it was", after[0].get(order) == seen, (seen, after[0].get(order)))
    report.check("no order more", set(before[0]) == set(after[0]), (set(before[0]), set(after[0])))
    [(was, now)] = [(b, a) for b, a in zip(before[1], after[1]) if b["sku"] == "SKU-0024"]
    report.check("stock is as it was", [b for b in before[1] if b["sku"] != "SKU-0024"] ==
                 [a for a in after[1] if a["sku"] != "SKU-0024"] and was["onHand"] >= now["onHand"], (before[1], after[1]))
    report.check("a search finds the same", shop.found and sorted(found(shop)) == sorted(shop.found), (shop.found, found(shop)))
    again = shop.order("before-the-move")
    report.check("an Idempotency-Key is remembered", (again.status, again.body) == (shop.keyed.status, shop.keyed.body), again)


def goes_on(shop):
    """Orders in progress end, new ones work, each step of each happens once."""
    ends = [shop.order_ends(o["orderId"], SETTLED)["status"] for o in shop.waiting]
    report.check("what waited is Confirmed", ends == ["Confirmed"] * len(ends), ends)
    fresh = [place(shop, f"new-{i}", lines=[{"sku": "SKU-0025", "quantity": 1}]) for i in range(5)]
    report.check("new orders are Confirmed", all(o["status"] == "Confirmed" for o in fresh), fresh)
    called_off(shop)
    report.check("at rest again", eventually(shop.at_rest))
    metrics = shop.get("/metrics").body.decode()
    dropped = sum(float(n) for n in re.findall(r"(?m)^gantry_events_duplicate_total\{.*\} (\d+)", metrics))
    report.check("what the outboxes still held was dropped as seen", dropped > 0, dropped)
    for order in shop.settled[2:] + shop.waiting + fresh:
        of = f"orderId={order['orderId']}"
        steps = statuses(shop, order)
        report.check("history has each step once", steps == ["Pending", "Reserved", "Paid", "Paid", "Confirmed"], steps)
        payments = items(shop, f"/payments?{of}")
        report.check("paid once", [p["captured"] for p in payments] == [order["total"]], payments)
        report.check("one shipment", len(items(shop, f"/shipping/shipments?{of}")) == 1, order)
        mails = eventually(lambda: mails_of(shop, order))
        report.check("one mail", len(mails) == 1, mails)
        report.check("one notification", len(items(shop, f"/notifications/deliveries?{of}")) == 1, order)
    stock = shop.stock("SKU-0024")
    was = next(b for b in shop.before[1] if b["sku"] == "SKU-0024")
    report.check("stock counts each once", stock["reserved"] == 0 and stock["available"] == was["available"], (was, stock))
    parked = subprocess.run([shop.gantry, "dlq", "list", "-t", "topology.yaml", "--json"], cwd=shop.folder,
                            capture_output=True, text=True, timeout=PATIENCE)
    keys = re.findall(r'"key": ?"([^"]*)"', parked.stdout)
    report.check("what was parked is parked, and no more", keys == ["a-parked-key"], parked)
    # What the projection was made of is on the bus that the shop has left.
    in_stock = shop.get("/catalog/products?inStock=true").json()["total"]
    again = subprocess.run([shop.gantry, "replay", "catalog", "inventory-events", "-t", "topology.yaml"], cwd=shop.folder,
                           capture_output=True, text=True, timeout=PATIENCE)
    report.check("a replay that would lose events is refused", again.returncode == 1 and "on another bus" in again.stderr, again)
    report.check("and nothing is cleared", shop.get("/catalog/products?inStock=true").json()["total"] == in_stock, in_stock)


def tell(gantry, plugin_dir, servers):
    with MovingShop(gantry, plugin_dir, servers) as shop:
        for story in (old_life, in_use, stopped, refused, copied):
            report.story(story.__name__, lambda: story(shop))
        if not shop.moved:
            return
        (shop.folder / "topology.yaml").write_text(shop.new)
        shop.start()
        for story in (same, goes_on):
            report.story(story.__name__, lambda: story(shop))
        report.check("at the end: exits with 0", shop.stop() == 0, shop.log[-1500:])


def main():
    os.environ.pop("GANTRY_SHOP_SERVERS", None)  # the old topology is the local one
    servers = pathlib.Path(tempfile.mkdtemp(prefix="gantry-servers-"))
    scripts = {name: str(ROOT / f"deploy/servers/{name}.sh") for name in ("kafka", "postgres")}
    try:
        for name, script in scripts.items():
            subprocess.run([script, "start", str(servers / name)], check=True)
        tell(sys.argv[1], sys.argv[2], servers)
    finally:
        for name, script in scripts.items():
            subprocess.run([script, "remove", str(servers / name)], check=False)
        shutil.rmtree(servers, ignore_errors=True)
    report.end()


if __name__ == "__main__":
    main()
