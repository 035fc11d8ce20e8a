"""Plugins that break in every way beside a shop that must not notice: the host names the culprit and the reason, the other
plugins keep working, and the process ends cleanly.

Arguments: GANTRY PLUGIN_DIR BROKEN_PLUGIN_DIR
"""

import math
import pathlib
import shutil
import sys
import tempfile
import threading

from shop import PATIENCE, PROBLEM, Report, Shop, eventually

report = Report()
GANTRY, SHOP_PLUGINS, BROKEN = sys.argv[1:4]

# What can be told before anything runs: the plugin, and what the refusal must say.
UNLOADABLE = [
    ("another-id", ['found library of plugin "shipping"', 'expected the library of "another-id"']),
    ("steals-a-route", ["plugins.steals-a-route", "GET /orders/{number}", 'plugin "order" declares it too']),
    ("missing", ["missing"]),
]

# Plugins that fail before they run: what the host must say about each.
FAILING = {
    "wrong-abi": ["wrong-abi.so", "built for ABI 99.0", "this host has 1.", "rebuild the plugin or use a gantry with ABI >= 99.0"],
    "no-symbol": ["no-symbol.so", "no symbol gantry_plugin"],
    "truncated": ["truncated.so"],
    "cut-to-100-bytes": ["cut-to-100-bytes.so"],
    "empty": ["empty.so"],
    "no-library": ["no-library.so"],
    "no-manifest": ["no-manifest.so", "no section .gantry.manifest"],
    "lies-of-abi": ["lies-of-abi.so", "built for ABI 99.0", "this host has 1."],
    "unresolved": ["unresolved.so", "gantry_function_that_nobody_has"],
    "throws-in-create": ["create", "thrown in create"],
    "throws-in-start": ["start", "thrown in start"],
    "lies": ["differs from its manifest", "POST /broken/lies/more"],
    "bad-migration": ["TABEL"],
}

# Plugins that run and misbehave: query of GET /broken/<id>, status, and what the answer must say.
MISBEHAVING = [
    ("throws-in-handler", "", 500, "throws-in-handler failed; see the log, correlation id "),
    ("throws-in-handler", "?write=1", 500, ""),
    ("undeclared-event", "", 403, "OrderConfirmed"),
    ("undeclared-call", "", 403, "undeclared-call calls catalog but has not declared it"),
    ("call-in-transaction", "", 403, "inside a transaction"),
    ("garbage-status", "", 500, "garbage-status"),
    ("garbage-status", "?w=1", 500, "garbage-status"),
    ("garbage-status", "?reply=1", (400, 500), ""),
    ("snapshot-writer", "", 403, "snapshot"),
    ("snapshot-writer", "?q=1", 403, ""),
    ("snapshot-writer", "?count=1", 200, "nothing is written"),
]


def entry(id):
    return f"{id}: {{ hosts: [main], group: broken-{id} }}"


def shop_with(ids, folders):
    return Shop(GANTRY, [SHOP_PLUGINS, *folders], plugins=[entry(i) for i in ids])


def spoiled_files(folder):
    """Files that were a plugin once, or never."""
    whole = (pathlib.Path(SHOP_PLUGINS) / "shipping.so").read_bytes()
    (folder / "truncated.so").write_bytes(whole[: len(whole) // 2])
    (folder / "cut-to-100-bytes.so").write_bytes(whole[:100])
    (folder / "empty.so").write_bytes(b"")
    (folder / "no-library.so").write_text("#!/bin/sh\necho hello\n")
    (folder / "another-id.so").write_bytes(whole)
    mapped = pathlib.Path("/proc/self/maps").read_text().split()
    shutil.copy(next(file for file in mapped if "/libc.so" in file), folder / "no-manifest.so")


def order_is_confirmed(shop, name, key):
    placed = shop.order(key)
    if not report.check(f"{name}: an order is taken", placed.status == 201, placed):
        return
    end = shop.order_ends(placed.json()["orderId"], ["Confirmed", "Cancelled"])
    report.check(f"{name}: the order is Confirmed", end["status"] == "Confirmed", end)


def health_of(shop, plugin):
    checks = {c["name"]: c for c in shop.get("/health/ready").json()["checks"]}
    return checks.get(plugin, {})


def unloadable():
    """What concerns more than one plugin is told before anything runs: what is there, what was expected, and where."""
    with tempfile.TemporaryDirectory(prefix="gantry-spoiled-") as folder:
        spoiled_files(pathlib.Path(folder))
        for id, words in UNLOADABLE:
            with shop_with([id], [BROKEN, folder]) as shop:
                shop.launch()
                code = shop.ended()
                report.check(f"{id}: refused with exit code 1", code == 1, f"exit {code}: {shop.log[-800:]}")
                missing = [w for w in words if w not in shop.log]
                report.check(f"{id}: the refusal says why", not missing, f"without {missing}: {shop.log[-800:]}")
                report.check(f"{id}: the refusal has the place in the file", "topology.yaml:" in shop.log, shop.log[-800:])


def failing():
    """Plugins that fail on their way up are named with the reason; the shop runs without them."""
    with tempfile.TemporaryDirectory(prefix="gantry-spoiled-") as folder, shop_with(FAILING, [BROKEN, folder]) as shop:
        spoiled_files(pathlib.Path(folder))
        shop.start()
        for id, words in FAILING.items():
            row = next((line for line in shop.log.splitlines() if line.startswith(id + " ")), "")
            report.check(f"{id}: its row says failed", " failed " in row, row or shop.log[-2000:])
            missing = [w for w in words if w not in row]
            report.check(f"{id}: the reason is told", not missing, f"without {missing}: {row}")
            report.check(f"{id}: the log names it", f'"plugin":"{id}"' in shop.log, shop.log[-2000:])
            check = health_of(shop, id)
            report.check(f"{id}: readiness names it", check.get("status") not in (None, "ok"), check)
            answer = shop.get(f"/broken/{id}")
            report.check(f"{id}: its route is not served", answer.status in (404, 503), answer)
        report.check("failing: live", shop.get("/health/live").status == 200)
        report.check("failing: not ready", shop.get("/health/ready").status == 503)
        order_is_confirmed(shop, "failing", "beside-failing")
        code = shop.stop()
        report.check("failing: exits with 0", code == 0, f"exit {code}: {shop.log[-1500:]}")


def mapping():
    """One that throws out of dlopen, through which no exception may pass: contained or not, the host says which file it was."""
    with shop_with(["throws-when-mapped"], [BROKEN]) as shop:
        shop.deaths = math.inf
        shop.launch()
        shop.wait_log("The host is ready")
        named = "throws-when-mapped.so" in shop.log and "thrown while mapped" in shop.log
        report.check("throws-when-mapped: named with its reason", named, shop.log[-800:])


def misbehaving():
    """Plugins that break the rules while they run get an error, and nobody else notices."""
    ids = list(dict.fromkeys(m[0] for m in MISBEHAVING))
    with shop_with(ids, [BROKEN]) as shop:
        shop.start()
        for id, query, status, words in MISBEHAVING:
            answer = shop.get(f"/broken/{id}{query}")
            expected = answer.status in status if isinstance(status, tuple) else answer.status == status
            problem = answer.status == 200 or answer.headers.get("content-type") == PROBLEM
            report.check(f"{id}{query}: answered with {status}", expected and problem and words in answer.body.decode(), answer)
        order_is_confirmed(shop, "misbehaving", "beside-misbehaving")

        # The event handlers of two of them fail: retried, then parked, with the reason, for these plugins only.
        def parked():
            return [line for line in shop.get("/metrics").body.decode().splitlines()
                    if line.startswith("gantry_events_parked_total") and not line.endswith(" 0")]

        both = eventually(lambda: parked() if len(parked()) == 2 else None)
        report.check("misbehaving: their events are parked, no others", bool(both) and
                     all("garbage-status" in p or "throws-in-handler" in p for p in both), parked())
        for text in ("thrown in an event", "thrown in a request", '"plugin":"throws-in-handler"', '"plugin":"garbage-status"'):
            report.check(f"misbehaving: the log has {text}", text in shop.log, shop.log[-3000:])
        report.check("misbehaving: no forged event reached the shop", "undeclared-event" not in shop.get("/orders").body.decode())
        order_is_confirmed(shop, "misbehaving, after the parking", "beside-parked")
        code = shop.stop()
        report.check("misbehaving: exits with 0", code == 0, f"exit {code}: {shop.log[-1500:]}")


def ends(shop, name, codes):
    """The process ends within what it gives its plugins to drain; it says who held it up."""
    code = shop.stop(PATIENCE)
    report.check(f"{name}: ends by itself", code is not None, f"had to be killed: {shop.log[-1500:]}")
    report.check(f"{name}: its exit code is {codes}", code in codes, f"exit {code}: {shop.log[-1500:]}")


def hanging_start():
    """A start that hangs is given up; the others are up meanwhile or after it."""
    with shop_with(["hangs-in-start"], [BROKEN]) as shop:
        shop.start(PATIENCE)
        row = next((line for line in shop.log.splitlines() if line.startswith("hangs-in-start ")), "")
        report.check("hangs-in-start: its row tells", " failed " in row and "start has not come back after" in row, row)
        report.check("hangs-in-start: readiness names it", health_of(shop, "hangs-in-start").get("status") not in (None, "ok"))
        order_is_confirmed(shop, "hangs-in-start", "beside-hanging-start")
        ends(shop, "hangs-in-start", (0,))


def hanging_event():
    """An event handler that hangs holds its own lane only."""
    with shop_with(["hangs-in-event"], [BROKEN]) as shop:
        shop.deaths = 1  # at its end, which it would never come to
        shop.start()
        for i in range(5):
            order_is_confirmed(shop, f"hangs-in-event, order {i}", f"beside-hanging-event-{i}")
        ends(shop, "hangs-in-event", (0, 1))
        report.check("hangs-in-event: the log names it", '"plugin":"hangs-in-event"' in shop.log, shop.log[-1500:])


def hanging_handler():
    """Request handlers that hang must not take the workers of the others."""
    with shop_with(["hangs-in-handler"], [BROKEN]) as shop:
        shop.deaths = 1  # as above
        shop.start()
        victims = [shop.connect() for _ in range(16)]
        for v in victims:
            v.sendall(b"GET /broken/hangs-in-handler HTTP/1.1\r\nHost: shop\r\n\r\n")
        try:
            answer = shop.ask("GET", "/catalog/products/SKU-0001", timeout=PATIENCE / 2)
            report.check("hangs-in-handler: others are served", answer.status == 200, answer)
            order_is_confirmed(shop, "hangs-in-handler", "beside-hanging-handler")
        except OSError as e:
            report.check("hangs-in-handler: others are served", False, f"no answer: {e}")
        for v in victims:
            v.close()
        ends(shop, "hangs-in-handler", (0, 1))
        report.check("hangs-in-handler: the log names it", '"plugin":"hangs-in-handler"' in shop.log, shop.log[-1500:])


def hanging_stop():
    """A stop that hangs does not hold the process."""
    with shop_with(["hangs-in-stop"], [BROKEN]) as shop:
        shop.start()
        order_is_confirmed(shop, "hangs-in-stop", "beside-hanging-stop")
        ends(shop, "hangs-in-stop", (0, 1))
        report.check("hangs-in-stop: the log names it", '"plugin":"hangs-in-stop"' in shop.log, shop.log[-1500:])


def main():
    # Those that wait for a hanging plugin do so beside the others.
    slow = [threading.Thread(target=report.story, args=(s.__name__, s))
            for s in (hanging_start, hanging_event, hanging_handler, hanging_stop)]
    for s in slow:
        s.start()
    for story in (unloadable, failing, mapping, misbehaving):
        report.story(story.__name__, story)
    for s in slow:
        s.join()
    report.end()


if __name__ == "__main__":
    main()
