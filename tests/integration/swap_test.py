#!/usr/bin/env python3
"""`gantry swap` as an operator meets it: the receipt, what is refused and why, going back by itself, restarts in one generation,
and state in memory that is handed over while clients go on.

Called as swap_test.py GANTRY PLUGIN_DIR VERSIONS [never-unloads], with next/ and other/ in VERSIONS; a sanitizer build keeps what
was replaced."""

import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

from shop import PATIENCE, Report, Shop, eventually

GANTRY, PLUGINS, VERSIONS = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
UNLOADS = sys.argv[4:] != ["never-unloads"]
STATE_ENTRY = "rate-window: { hosts: [main] }"


class Operator:
    def __init__(self, shop):
        self.shop = shop

    def swap(self, plugin, *more):
        """(exit code, receipt or None, what it said on standard error)"""
        code, out, errors = self.shop.cli("swap", plugin, *more, "--json")
        return code, json.loads(out) if out.strip() else None, errors


def begun(shop, plugin, file, probation_ms, *more, out=subprocess.DEVNULL):
    """A swap whose probation goes on."""
    return subprocess.Popen([GANTRY, "swap", plugin, str(file), "--probation-ms", str(probation_ms), "-t", "topology.yaml", *more],
                            cwd=shop.folder, stdout=out, stderr=out, text=True)


def version(shop, plugin):
    reply = shop.get(f"/{plugin}/version")
    return reply.json()["version"] if reply.status == 200 else None


def tell_of_receipts(r):
    with Shop(GANTRY, [PLUGINS]) as shop:
        shop.start()
        op = Operator(shop)
        order = shop.order("before").json()["orderId"]
        code, receipt, err = op.swap("order", VERSIONS / "next/order.so", "--probation-ms", 300)
        r.check("a swap goes through", code == 0 and receipt["outcome"] == "swapped", (code, receipt, err))
        r.check("the receipt names both versions", (receipt["from"]["version"], receipt["to"]["version"]) == ("1.0.0", "1.1.0"), receipt)
        names = [s["name"] for s in receipt["steps"]]
        r.check("every step is in the receipt",
                names == ["check", "load", "migrate", "start", "flip", "drain", "probation", "pointer", "retire"], names)
        if UNLOADS:
            r.check("nothing stays in memory", receipt["resident"] == [], receipt["resident"])
        r.check("the new route answers", version(shop, "order") == "1.1.0", version(shop, "order"))
        r.check("the generation is listed", shop.row("order")["generation"] == 2, shop.row("order"))
        r.check("earlier orders are there", shop.order_ends(order, {"Confirmed"})["status"] == "Confirmed")
        after = shop.order("after").json()["orderId"]
        r.check("orders go on", shop.order_ends(after, {"Confirmed"})["status"] == "Confirmed")
        again = shop.order("before")
        r.check("keys of before are known", again.json()["orderId"] == order, again)
        code, out, err = shop.cli("swap", "order", "--last")
        r.check("--last shows it", code == 0 and "1.0.0 (generation 1) -> 1.1.0 (generation 2): swapped" in out, out + err)
        tell_of_counts(r, shop)
        # The kill leaves the generation that has proven itself, although `library:` is still the first one.
        shop.kill()
        shop.start()
        r.check("a restart comes up in it", version(shop, "order") == "1.1.0" and shop.row("order")["generation"] == 2, shop.row("order"))


def tell_of_counts(r, shop):
    """What the receipt counts, and what was counted here. A slow machine gets a longer probation: all has to be done within it."""
    for turn, probation_ms in enumerate((3_000, 30_000, 120_000)):
        kind, number = (("next", "1.1.0"), ("other", "1.1.1"))[turn % 2]
        swap = begun(shop, "inventory", VERSIONS / kind / "inventory.so", probation_ms, "--json", "--force", out=subprocess.PIPE)
        r.check("the next one serves", eventually(lambda: shop.row("inventory")["version"] == number))
        answered = sum(shop.get(f"/inventory/SKU-{n + 1:04d}").status == 200 for n in range(50))
        ends = [shop.order_ends(shop.order(f"counted-{turn}-{n}").json()["orderId"], {"Confirmed"})["status"] for n in range(5)]
        in_time = swap.poll() is None
        out, err = swap.communicate(timeout=300)
        if in_time:
            break
    r.check("all was done in probation", in_time, err)
    work = json.loads(out)["work"]
    r.check("all orders meanwhile are Confirmed", ends == ["Confirmed"] * 5, ends)
    r.check("each request is in the receipt once", (work["requests"], work["requestErrors"]) == (50, 0) and answered == 50, (answered, work))
    # ReserveInventory and CommitInventory of each order.
    r.check("so is each event", (work["events"], work["eventsDuplicate"], work["eventErrors"]) == (10, 0, 0), work)


def tell_of_refusals(r):
    with Shop(GANTRY, [PLUGINS]) as shop:
        shop.start()
        op = Operator(shop)

        def refused(name, words, plugin, *more):
            code, receipt, err = op.swap(plugin, *more)
            text = " | ".join(receipt["reasons"]) if receipt else err
            r.check(name, code == 1 and words in text and (receipt is None or receipt["outcome"] == "refused"), (code, text))
            r.check(f"{name}: the present one serves", shop.row("order")["state"] == "ready" and shop.row("order")["version"] == "1.0.0"
                    and shop.get("/orders/unknown").status == 404, shop.row("order"))

        refused("another plugin's file", "it is plugin payment, expected order", "order", PLUGINS / "payment.so")
        refused("the same file", "is the file that runs already", "order", PLUGINS / "order.so")
        refused("no such file", "no-such.so", "order", "no-such.so")
        text = shop.folder / "text.so"
        text.write_text("no library")
        refused("no library", "text.so", "order", text)
        broken = shop.folder / "broken.so"
        broken.write_bytes((VERSIONS / "next/order.so").read_bytes()[:20_000])
        refused("half a file", "broken.so", "order", broken)
        refused("no such plugin", "no plugin orders in the topology", "orders", VERSIONS / "next/order.so")
        op.swap("order", VERSIONS / "next/order.so", "--probation-ms", 0)
        code, receipt, _ = op.swap("order", PLUGINS / "order.so", "--force", "--probation-ms", 0)
        r.check("an older schema is refused, also by force", code == 1 and any("its schema is older" in why for why in receipt["reasons"]),
                receipt)
        op.swap("order", VERSIONS / "other/order.so", "--probation-ms", 0)
        code, receipt, _ = op.swap("order", VERSIONS / "next/order.so", "--probation-ms", 0)
        r.check("an older version is refused", code == 1 and any("older than 1.1.1" in why for why in receipt["reasons"]), receipt)
        code, receipt, _ = op.swap("order", VERSIONS / "next/order.so", "--probation-ms", 0, "--force")
        r.check("and goes through by force, which is said", code == 0 and receipt["overruled"], receipt)


def tell_of_restarts(r):
    """Killed in probation, the host comes up in the generation before; with another library it takes that."""
    with Shop(GANTRY, [PLUGINS]) as shop:
        own = shop.folder / "plugins"
        own.mkdir()
        shutil.copy(PLUGINS / "order.so", own / "order.so")
        topology = shop.folder / "topology.yaml"
        topology.write_text(topology.read_text().replace("plugin_path: [", f"plugin_path: [{own}, "))
        shop.start()
        op = Operator(shop)
        swap = begun(shop, "order", VERSIONS / "next/order.so", 300_000)
        r.check("in probation the next one serves", eventually(lambda: version(shop, "order") == "1.1.0"))
        order = shop.order("in-probation").json()["orderId"]
        shop.order_ends(order, {"Confirmed"})
        shop.kill()
        swap.wait(2 * PATIENCE)
        shop.start()
        r.check("a kill in probation goes back", shop.row("order")["version"] == "1.0.0", shop.row("order"))
        r.check("on the schema of the next one", shop.order_ends(order, {"Confirmed"})["status"] == "Confirmed")
        # The operator puts another library in place: it wins.
        shop.stop()
        shutil.copy(VERSIONS / "next/order.so", own / "order.so")
        shop.start()
        r.check("another library wins over the pointer", shop.row("order")["version"] == "1.1.0", shop.row("order"))
        # Without a file the swap takes the library as it is now.
        shutil.copy(VERSIONS / "other/order.so", own / "order.new")
        os.replace(own / "order.new", own / "order.so")
        code, receipt, err = op.swap("order", "--probation-ms", 0)
        r.check("a rebuilt library is swapped in", code == 0 and version(shop, "order") == "1.1.1", (receipt, err))
        r.check("SIGTERM in probation ends with 0", stop_in_probation(shop, op) == 0)


def stop_in_probation(shop, op):
    swap = begun(shop, "order", VERSIONS / "next/order.so", 300_000, "--force")
    eventually(lambda: version(shop, "order") == "1.1.0")
    code = shop.stop()
    swap.wait(2 * PATIENCE)
    return code


def tell_of_state(r):
    """10 MB of counts go over while four clients count."""
    with Shop(GANTRY, [PLUGINS], plugins=[STATE_ENTRY]) as shop:
        shop.start()
        op = Operator(shop)
        fill(shop, 10_000, 1000)
        counted, failures, ending = [0] * 4, [], threading.Event()

        def client(n):
            while not ending.is_set():
                reply = shop.ask("POST", f"/rate/client-{n}", b"")
                if reply.status == 200:
                    counted[n] += 1
                    if reply.json()["count"] != counted[n]:
                        failures.append(f"client {n} was told {reply.json()['count']} at its {counted[n]}")
                else:
                    failures.append(repr(reply))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        receipts = []
        for n in range(6):
            to = "next" if n % 2 == 0 else "other"
            code, receipt, err = op.swap("rate-window", VERSIONS / to / "rate-window.so", "--force", "--probation-ms", 0)
            r.check(f"swap {n} goes through", code == 0 and receipt["outcome"] == "swapped", (receipt, err))
            if receipt:
                receipts.append(receipt)
        ending.set()
        for t in threads:
            t.join()
        r.check("no request failed and no count was lost", not failures, failures[:3])
        r.check("there was counting", min(counted) > 0, counted)
        r.check("10 MB were handed over", all(one["stateBytes"] > 10_000_000 for one in receipts), [o["stateBytes"] for o in receipts])
        r.check("all clients are known", shop.get("/rates").json()["clients"] == 10_004, shop.get("/rates").json())
        print("   route pauses with 10 MB of state: " + ", ".join(f"{one['routePauseUs'] / 1000:.1f} ms" for one in receipts))


def fill(shop, clients, length):
    """Through one connection: as many clients, their names as long."""
    connection = http.client.HTTPConnection("127.0.0.1", shop.port)
    for n in range(clients):
        connection.request("POST", f"/rate/{n:0{length}d}", b"")
        connection.getresponse().read()
    connection.close()


def bad(how):
    return VERSIONS / f"bad_{how}" / "inventory.so"


def tell_of_bad_versions(r):
    """Versions that fail before the flip are refused, and those that fail after it go back by themselves."""
    with Shop(GANTRY, [PLUGINS], plugins=[STATE_ENTRY]) as shop:
        shop.start()
        op = Operator(shop)

        def serves(name):
            order = shop.order(name).json()["orderId"]
            r.check(f"{name}: orders go on", shop.order_ends(order, {"Confirmed"})["status"] == "Confirmed")
            row = shop.row("inventory")
            r.check(f"{name}: the former version serves", (row["version"], row["state"]) == ("1.0.0", "ready"), row)

        def fails(name, words, outcome, plugin, file, *more):
            code, receipt, err = op.swap(plugin, file, *more)
            text = " | ".join(receipt["reasons"]) if receipt else err
            r.check(name, code == 1 and receipt and receipt["outcome"] == outcome and words in text, (code, receipt, err))
            serves(name)

        fails("failing start", "the warehouse does not answer", "refused", "inventory", bad("start"))
        fails("sick from its start", "the warehouse is on fire", "refused", "inventory", bad("health"))
        fails("failing migration", "no_such_table", "refused", "inventory", bad("migration"))
        for n in range(20):
            shop.ask("POST", f"/rate/client-{n}", b"")
        fails("failing handover", "this state can't be read", "refused", "rate-window", VERSIONS / "bad_handover/rate-window.so")
        r.check("the state is where it was", shop.get("/rates").json()["clients"] == 20, shop.get("/rates"))

        for how, words in (("health", "the warehouse has caught fire"),
                           ("errors", "failed, the first with: the warehouse has lost its sign")):
            swap = begun(shop, "inventory", bad("later"), 120_000, "--json", out=subprocess.PIPE)
            r.check(f"{how} in probation: it was there", eventually(lambda: version(shop, "inventory") == "1.2.0"))
            shop.ask("POST", f"/inventory/turn-bad/{how}", b"")
            while swap.poll() is None:
                shop.get("/inventory/version")
            out, err = swap.communicate()
            receipt = json.loads(out)
            r.check(f"{how} in probation: it goes back", swap.returncode == 1 and receipt["outcome"] == "flipped back"
                    and words in " | ".join(receipt["reasons"]), (receipt, err))
            serves(f"{how} in probation")
        swap = begun(shop, "inventory", bad("later"), 300_000)
        r.check("crash in probation: it was there", eventually(lambda: version(shop, "inventory") == "1.2.0"))
        order = shop.order("before-crash").json()["orderId"]
        former = shop.pid()
        shop.deaths += 1
        try:
            shop.ask("POST", "/inventory/turn-bad/abort", b"")
        except OSError:
            pass
        swap.wait(2 * PATIENCE)
        r.check("crash in probation: the host is back",
                eventually(lambda: shop.pid() not in (former, shop.process.pid) and shop.is_ready()), shop.log[-2000:])
        r.check("crash in probation: what was accepted is done", shop.order_ends(order, {"Confirmed"})["status"] == "Confirmed")
        serves("crash in probation")


def tell_of_trust(r):
    """Where signatures are required, a version without a good one is not let in."""
    with Shop(GANTRY, [PLUGINS]) as shop:
        keys = shop.folder / "keys"
        keys.mkdir()
        for name in ("ours", "theirs"):
            subprocess.run(["minisign", "-G", "-W", "-p", f"{name}.pub", "-s", f"{name}.key"], cwd=keys, check=True,
                           stdin=subprocess.DEVNULL, capture_output=True)

        def sign(file, by):
            subprocess.run(["minisign", "-S", "-s", keys / f"{by}.key", "-m", file], check=True, stdin=subprocess.DEVNULL,
                           capture_output=True)

        signed = shop.folder / "signed"
        signed.mkdir()
        for file in PLUGINS.glob("*.so"):
            shutil.copy(file, signed)
            sign(signed / file.name, "ours")
        public = (keys / "ours.pub").read_text().splitlines()[1]
        topology = shop.folder / "topology.yaml"
        text = topology.read_text().replace(f"plugin_path: [{PLUGINS}]", f"plugin_path: [{signed}]")
        topology.write_text(text + f"trust: {{ required: true, keys: [{public}] }}\n")
        shop.start()
        op = Operator(shop)
        next_one = shop.folder / "order.so"
        shutil.copy(VERSIONS / "next/order.so", next_one)

        def refused(name, words):
            code, receipt, err = op.swap("order", next_one, "--force")
            r.check(name, code == 1 and receipt["outcome"] == "refused" and words in " | ".join(receipt["reasons"]), (receipt, err))
            r.check(f"{name}: the present one serves", shop.row("order")["version"] == "1.0.0" and shop.row("order")["state"] == "ready")

        refused("unsigned", "not signed")
        sign(next_one, "theirs")
        refused("signed by somebody else", "key")
        sign(next_one, "ours")
        with open(next_one, "ab") as file:
            file.write(b"\0")
        refused("altered after it was signed", "altered")
        sign(next_one, "ours")
        code, receipt, err = op.swap("order", next_one, "--probation-ms", 0)
        r.check("signed by us: it goes through", code == 0 and receipt["outcome"] == "swapped", (receipt, err))
        shop.kill()
        shop.start()
        r.check("a restart takes its copy", version(shop, "order") == "1.1.0", shop.row("order"))


def main():
    r = Report()
    r.story("the receipt", lambda: tell_of_receipts(r))
    r.story("what is refused", lambda: tell_of_refusals(r))
    r.story("restarts", lambda: tell_of_restarts(r))
    r.story("state in memory", lambda: tell_of_state(r))
    r.story("bad versions", lambda: tell_of_bad_versions(r))
    r.story("trust", lambda: tell_of_trust(r))
    r.end()


if __name__ == "__main__":
    main()
