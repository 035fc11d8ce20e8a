#!/usr/bin/env python3
"""`gantry plan` and `gantry apply` on a shop that runs while customers order; SIGHUP, `gantry run --watch`, `gantry top`.

Called as plan_test.py GANTRY PLUGIN_DIR VERSIONS [STORY...], with next/, other/ and bad_start/ in VERSIONS."""

import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

from shop import PATIENCE, Report, Shop, eventually, free_port

GANTRY, PLUGINS, VERSIONS = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
PROBATION = "200"


class OwnShop(Shop):
    """A shop with plugin files of its own, which can be rebuilt."""

    def __init__(self, **more):
        super().__init__(GANTRY, [PLUGINS], **more)
        self.own = self.folder / "plugins"
        self.own.mkdir()
        for name in ("catalog", "inventory", "order", "payment", "shipping", "notification", "rate-window"):
            shutil.copy(PLUGINS / f"{name}.so", self.own)
        self.file = self.folder / "topology.yaml"
        self.edit("plugin_path: [", "plugin_path: [plugins, ")

    def edit(self, was, becomes):
        text = self.file.read_text()
        assert was in text, f"{was!r} is not in the topology"
        self.file.write_text(text.replace(was, becomes, 1))

    def build(self, file):
        """As a linker that replaces the library does it."""
        part = self.own / (pathlib.Path(file).name + ".part")
        shutil.copy(file, part)
        os.replace(part, self.own / pathlib.Path(file).name)

    def plan(self, *more):
        return self.cli("plan", *more)

    def apply(self, *more):
        return self.cli("apply", "--probation-ms", PROBATION, *more)

    def version(self, plugin):
        row = self.row(plugin)
        return row and row["version"]


class Load:
    """Two customers who order one thing after another. What is answered otherwise than it should be is a fault."""

    def __init__(self, shop, tag):
        self.shop, self.tag = shop, tag
        self.faults, self.orders, self.ending = [], [], threading.Event()
        self.threads = [threading.Thread(target=self._order, args=(n,)) for n in range(2)]

    def _order(self, n):
        count = 0
        while not self.ending.is_set():
            count += 1
            try:
                sku = f"SKU-{count % 900 + 1:04d}"
                reply = self.shop.order(f"{self.tag}-{n}-{count}", lines=[{"sku": sku, "quantity": 1}])
                if reply.status not in (201, 202):
                    self.faults.append(repr(reply))
                else:
                    self.orders.append(reply.json()["orderId"])
                reply = self.shop.get("/catalog/products?limit=2")
                if reply.status != 200:
                    self.faults.append(repr(reply))
            except Exception as e:
                self.faults.append(f"{type(e).__name__}: {e}")
            time.sleep(0.01)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            eventually(lambda: len(self.orders) > 5 or self.faults)
        self.ending.set()
        for t in self.threads:
            t.join()

    def check(self, r, name):
        r.check(f"{name}: no request fails", not self.faults, self.faults[:3])
        r.check(f"{name}: there are orders", len(self.orders) > 5, len(self.orders))
        last = self.orders[-20:]
        ends = {o: self.shop.order_ends(o, {"Confirmed", "Cancelled"})["status"] for o in last}
        r.check(f"{name}: every order is confirmed", set(ends.values()) == {"Confirmed"}, ends)


def tell_of_plans(r):
    """What is said before anything happens."""
    with OwnShop() as shop:
        shop.start()
        code, out, err = shop.plan()
        r.check("nothing to do is 0", code == 0 and "nothing to do" in out, (code, out, err))
        shop.build(VERSIONS / "next/order.so")
        code, out, err = shop.plan()
        r.check("a rebuilt plugin is 2", code == 2 and "main: swap order 1.0.0 -> 1.1.0" in out, (code, out, err))
        r.check("and is not swapped", shop.version("order") == "1.0.0", shop.version("order"))
        code, out, err = shop.plan("--json")
        made = json.loads(out)
        r.check("as JSON", code == 2 and made["verdict"] == "changes" and made["steps"][0]["kind"] == "swap", out)
        shop.edit("partitions: 3 }\n  inventory-commands", "partitions: 1 }\n  inventory-commands")
        code, out, err = shop.plan()
        r.check("fewer partitions are 1", code == 1 and "another number of partitions" in out, (code, out, err))
        shop.edit("partitions: 1 }\n  inventory-commands", "partitions: many }\n  inventory-commands")
        code, out, err = shop.plan()
        r.check("an error has its place", code == 1 and "topology.yaml:" in out and ": error: topics." in out, (code, out, err))
        code, out, err = shop.apply()
        r.check("and is not applied", code == 1 and shop.version("order") == "1.0.0", (code, out, err))


def tell_of_rubbish(r):
    """A topology file that says nothing, is planned, applied, or met by the processes of a shop that runs."""
    with OwnShop() as shop:
        shop.edit("payment: { hosts: [main],", "payment: { hosts: [main], isolation: process, ")
        shop.start()
        good = shop.file.read_text()
        rubbish = shop.folder / "rubbish.yaml"
        for text in ("plugins: [", "a: b: c", "\t- x", "\0\1\2", ""):
            rubbish.write_text(text)
            for words in (["plan"], ["apply"], ["run", "--host", "main"], ["validate"]):
                code, out, err = shop.cli(*words, topology=rubbish)
                r.check(f"{words[0]} refuses {text!r}", code == 1 and "rubbish.yaml" in out + err, (code, out, err))
        with socket.create_server(("127.0.0.1", 0)) as somebody:
            taken = "127.0.0.1:" + str(somebody.getsockname()[1])
            rubbish.write_text(good.replace(f"127.0.0.1:{shop.port}", taken))
            code, out, err = shop.cli("plan", topology=rubbish)
            r.check("an address that somebody has is named before anything happens",
                    code == 1 and f"{taken}, where another program listens" in out + err, (code, out, err))
        for text in ("plugins: [", "", good.replace("name: shop", "name: another"), good.replace("payment: {", "payment: { stall_after: 11s, ")):
            shop.file.write_text(text)
            pid = eventually(lambda: (shop.row("payment") or {}).get("pid"))
            shop.deaths += 1
            os.kill(pid, signal.SIGKILL)
            r.check(f"a plugin's process comes back as its host has it, with {text[:12]!r} in the file",
                    eventually(lambda: shop.row("payment").get("pid") not in (None, pid) and shop.is_ready()), shop.log[-3000:])
            order = shop.order(f"rubbish-{len(text)}")
            r.check("and the shop sells", order.status == 201 and
                    shop.order_ends(order.json()["orderId"], {"Confirmed", "Cancelled"})["status"] == "Confirmed", order)
        shop.file.write_text(good)
        code, out, err = shop.plan()
        r.check("nothing of it was taken", code == 0 and "nothing to do" in out, (code, out, err))


def tell_of_changes(r):
    """Swap, configuration, a plugin that comes and goes, a topic: on a shop that sells."""
    with OwnShop() as shop:
        shop.start()
        with Load(shop, "changes") as load:
            shop.build(VERSIONS / "next/order.so")
            shop.edit("order: { hosts: [main],", "order: { hosts: [main], batch: { max: 64 },")
            shop.edit("topics:\n", "topics:\n  returns: { partitions: 2 }\n")
            shop.file.write_text(shop.file.read_text() + "  rate-window: { hosts: [main] }\n")
            code, out, err = shop.plan()
            r.check("four changes", code == 2 and all(w in out for w in ("make topic returns", "swap order", "adjust order",
                                                                       "add rate-window")), (code, out, err))
            wanted = out[out.rindex("--plan ") + 7:].split()[0]
            code, out, err = shop.apply("--plan", "0123456789abcdef")
            r.check("another plan is refused", code == 1 and f"this is plan {wanted}" in out, (code, out, err))
            code, out, err = shop.apply("--plan", wanted)
            r.check("they are applied", code == 0 and "applied" in out, (code, out, err))
            r.check("order is another one", shop.version("order") == "1.1.0", shop.version("order"))
            r.check("rate-window answers", shop.ask("POST", "/rate/a", b"").status == 200, shop.get("/rates"))
            r.check("the topic is there", any(t["name"] == "returns" for t in shop.get("/admin/topics").json()["topics"]),
                    shop.get("/admin/topics"))
            r.check("then nothing is to do", shop.plan()[0] == 0, shop.plan())
            shop.edit("config: { demo: true }", "config: { demo: false }")
            code, out, err = shop.apply()
            r.check("configuration by a swap of the same file", code == 0 and "configure inventory" in out, (code, out, err))
            r.check("which is another generation", shop.row("inventory")["generation"] == 2, shop.row("inventory"))
            shop.edit("  rate-window: { hosts: [main] }\n", "")
            code, out, err = shop.apply()
            r.check("a plugin is removed", code == 0 and "remove rate-window" in out, (code, out, err))
            r.check("its routes are gone", shop.get("/rates").status == 404 and shop.row("rate-window") is None, shop.get("/rates"))
            shop.file.write_text(shop.file.read_text() + "  rate-window: { hosts: [main] }\n")
            code, out, err = shop.apply()
            r.check("and comes again", code == 0 and shop.get("/rates").status == 200, (code, out, err))
        load.check(r, "changes")
        # What runs now is what a restart comes up with.
        shop.kill()
        shop.start()
        r.check("after a kill nothing is to do", shop.plan()[0] == 0, shop.plan())
        r.check("and the versions are those", shop.version("order") == "1.1.0" and shop.row("rate-window") is not None, shop.row("order"))


def tell_of_another_file(r):
    """What was applied from another file counts after a restart, until the first file changes."""
    with OwnShop() as shop:
        shop.start()
        (shop.folder / "new.yaml").write_text(shop.file.read_text() + "  rate-window: { hosts: [main] }\n")
        code, out, err = shop.cli("apply", topology="new.yaml")
        r.check("another file is applied", code == 0 and shop.get("/rates").status == 200, (code, out, err))
        shop.kill()
        shop.start()
        r.check("a restart comes up with it", shop.get("/rates").status == 200, shop.get("/rates"))
        code, out, err = shop.plan()
        r.check("the plan of the first file is the way back", code == 2 and "remove rate-window" in out, (code, out, err))
        shop.stop()
        shop.file.write_text("# edited\n" + shop.file.read_text())
        shop.start()
        r.check("a file that was edited wins", shop.get("/rates").status == 404, shop.get("/rates"))


def tell_of_rollback(r):
    """The last step fails: what was done before it is taken back, and the shop never stopped selling."""
    with OwnShop() as shop:
        shop.start()
        with Load(shop, "rollback") as load:
            shop.build(VERSIONS / "next/order.so")
            shop.build(VERSIONS / "bad_start/inventory.so")
            shop.edit("notification: { hosts: [main],", "notification: { hosts: [main], poison: skip,")
            code, out, err = shop.apply("--force")
            r.check("a failed step is 1", code == 1 and "taken back" in out, (code, out, err))
            r.check("its reason is said", "start" in out and "inventory" in out, out)
            r.check("all is as it was", shop.version("order") == "1.0.0" and shop.version("inventory") == "1.0.0",
                    (shop.version("order"), shop.version("inventory")))
            code, out, err = shop.plan("--force")
            r.check("and the plan is the same again", code == 2 and "swap order 1.0.0 -> 1.1.0" in out, (code, out, err))
            shop.build(PLUGINS / "inventory.so")
            code, out, err = shop.apply()
            r.check("without the broken one it goes through", code == 0 and shop.version("order") == "1.1.0", (code, out, err))
        load.check(r, "rollback")


def tell_of_signals(r):
    """SIGHUP: the file is read again; what is wrong with it changes nothing."""
    with OwnShop() as shop:
        shop.start()
        with Load(shop, "sighup") as load:
            shop.edit("partitions: 3 }\n  inventory-commands", "partitions: many }\n  inventory-commands")
            shop.process.send_signal(signal.SIGHUP)
            r.check("an invalid file is refused with its place",
                    shop.wait_log("was not taken") and "error: topics." in shop.log, shop.log[-2000:])
            shop.edit("partitions: many }\n  inventory-commands", "partitions: 3 }\n  inventory-commands")
            shop.build(VERSIONS / "next/order.so")
            shop.edit("order: { hosts: [main],", "order: { hosts: [main], swap: { probation: 100ms },")
            shop.file.write_text(shop.file.read_text() + "  rate-window: { hosts: [main] }\n")
            shop.process.send_signal(signal.SIGHUP)
            r.check("what has changed is applied", shop.wait_log("The host runs the topology as it is now"), shop.log[-3000:])
            r.check("each step is in the log", "swap order 1.0.0 -> 1.1.0" in shop.log and "add rate-window" in shop.log, shop.log[-3000:])
            r.check("and done", shop.version("order") == "1.1.0" and shop.get("/rates").status == 200, shop.row("order"))
            r.check("then nothing is to do", shop.plan()[0] == 0, shop.plan())
            pid = shop.get("/admin/topology").json()["process"]
        load.check(r, "sighup")
        # What can't be done live is a restart, and said.
        shop.edit("name: shop\n", "name: shop\nlimits: { body: 2MiB }\n")
        shop.process.send_signal(signal.SIGHUP)
        r.check("the host starts anew", eventually(lambda: process_of(shop) not in (None, pid)), shop.log[-2000:])
        r.check("with the new limits", eventually(lambda: planned(shop) == 0), shop.log[-3000:])
        r.check("and ends as it should", shop.stop() == 0, shop.log[-2000:])


def process_of(shop):
    try:
        return shop.get("/admin/topology").json().get("process")
    except (OSError, ValueError):
        return None


def planned(shop):
    return shop.plan()[0]


def tell_of_restarts(r):
    """`apply` starts a host anew where nothing else does, also at another address, and rolls back what has no end."""
    with OwnShop() as shop:
        shop.start()
        pid = process_of(shop)
        orders = [shop.order(f"before-{n}").json()["orderId"] for n in range(20)]
        was, port = shop.port, free_port()
        shop.edit(f"127.0.0.1:{was}", f"127.0.0.1:{port}")
        code, out, err = shop.plan()
        r.check("a restart is planned", code == 2 and f"restart host main" in out and f"127.0.0.1:{was} -> 127.0.0.1:{port}" in out,
                (code, out, err))
        code, out, err = shop.apply()
        r.check("and done", code == 0, (code, out, err))
        shop.port = port
        r.check("it is another process", eventually(lambda: process_of(shop) not in (None, pid)), shop.log[-2000:])
        r.check("nothing is lost", all(eventually(lambda: shop.order_ends(o, {"Confirmed"})["status"] == "Confirmed") for o in orders))
        r.check("nothing more is to do", shop.plan()[0] == 0, shop.plan())


def tell_of_a_file_that_is_edited(r):
    """The file changes while it is applied: the host starts anew with what nobody has planned, and what can be is taken back."""
    with OwnShop() as shop:
        shop.start()
        first = shop.file.read_text()
        shop.build(VERSIONS / "next/order.so")
        shop.edit("name: shop\n", "name: shop\nlimits: { body: 2MiB }\n")
        apply = subprocess.Popen([GANTRY, "apply", "-t", "topology.yaml", "--probation-ms", "2000"], cwd=shop.folder,
                                 stdout=subprocess.PIPE, text=True)
        r.check("a swap is in its probation", eventually(lambda: (shop.row("order") or {}).get("version") == "1.1.0"), shop.row("order"))
        shop.edit("body: 2MiB", "body: 3MiB")
        out = apply.communicate(timeout=PATIENCE)[0]
        r.check("it is not applied", apply.returncode == 1 and "was edited" in out, out)
        r.check("what can't be taken back is said", "not all could be taken back" in out, out)
        r.check("the swap is, though the host has started anew since",
                shop.version("order") == "1.0.0" and "taking back main: swap order" in out, (shop.row("order"), out))
        shop.file.write_text(first)
        code, out, err = shop.apply()
        r.check("the next plan brings it in order", code == 0 and shop.version("order") == "1.1.0" and shop.plan()[0] == 0, (code, out, err))


def tell_of_changes_at_once(r):
    """What was planned and is not there any more is refused; a reload waits for a swap by hand."""
    with OwnShop() as shop:
        shop.start()
        shop.build(VERSIONS / "next/order.so")

        def step(target, text=shop.file.read_text()):
            begun = shop.ask("POST", f"/admin/step/{target}", text.encode())
            if begun.status != 200:
                return begun.status, begun.body.decode()
            asked = f"/admin/step?id={begun.json()['id']}"
            eventually(lambda: not shop.get(asked).json()["running"])
            return begun.status, shop.get(asked).json()["error"]

        for kind in ("swap", "add"):
            status, error = step(f"{kind}/order?file={shop.file}&digest=0123")
            r.check(f"{kind} of a file that was built since is refused", "has changed since that was planned" in error, (status, error))
        r.check("and nothing happens", shop.version("order") == "1.0.0", shop.row("order"))
        status, error = step(f"adopt/-?file={shop.file}&applied=0123")
        r.check("a plan for another topology is refused", status == 409, (status, error))
        status, error = step(f"adjust/order?file={shop.file}", shop.file.read_text().replace("  order: {", "  other: {"))
        r.check("a plugin that is not there is an error", "order" in error and shop.get("/health/live").status == 200, (status, error))

        swap = subprocess.Popen([GANTRY, "swap", "order", str(VERSIONS / "next/order.so"), "-t", "topology.yaml", "--probation-ms", "1500"],
                                cwd=shop.folder, stdout=subprocess.PIPE, text=True)
        r.check("a swap by hand is under way", eventually(lambda: (shop.row("order") or {}).get("swapping")), shop.row("order"))
        shop.edit("config: { demo: true }", "config: { demo: false }")
        shop.process.send_signal(signal.SIGHUP)
        out = swap.communicate(timeout=PATIENCE)[0]
        r.check("it goes through", swap.returncode == 0, out)
        r.check("and the reload after it", shop.wait_log("The host runs the topology as it is now"), shop.log[-2000:])
        r.check("nothing was refused", "was not taken" not in shop.log and shop.row("inventory")["generation"] == 2, shop.row("inventory"))


def tell_of_processes(r):
    """A plugin in a process of its own is changed there; which processes there are is settled when the host starts anew."""
    def apart(text):
        return text.replace("payment: { hosts: [main],", "payment: { hosts: [main], isolation: process,")

    with OwnShop(edit=apart) as shop:
        shop.start()
        r.check("nothing to do", eventually(lambda: planned(shop) == 0), shop.plan())
        pids = {p: shop.row(p)["pid"] for p in ("order", "payment")}
        orders = [shop.order("before").json()["orderId"]]
        shop.edit("isolation: process,", "isolation: process, poison: skip,")
        for name in ("order", "payment"):
            shop.build(VERSIONS / f"next/{name}.so")
        code, out, err = shop.plan()
        r.check("its file and its settings are looked at", code == 2 and "swap payment 1.0.0 -> 1.1.0" in out and
                "poison: park-key -> skip" in out and "restart" not in out, (code, out, err))
        r.check("who reads its new event goes first", 0 < out.find("swap order") < out.find("swap payment"), out)
        code, out, err = shop.apply()
        r.check("it is swapped", code == 0 and "payment 1.1.0 is generation 2" in out, (code, out, err, shop.log[-2000:]))
        r.check("in its process", shop.row("payment")["pid"] == pids["payment"] and shop.version("payment") == "1.1.0",
                shop.row("payment"))
        r.check("then nothing is to do", planned(shop) == 0, shop.plan())

        def becomes(name, isolation, was, edit):
            pids = {p: shop.row(p)["pid"] for p in ("order", "payment")}
            shop.edit(was, edit)
            code, out, err = shop.plan()
            r.check(f"{name}: it is a restart", code == 2 and "restart host main" in out and "plugins.payment" in out,
                    (code, out, err))
            code, out, err = shop.apply()
            r.check(f"{name}: which is done", code == 0, (code, out, err, shop.log[-2000:]))
            rows = {p: shop.row(p) for p in pids}
            r.check(f"{name}: both processes are others", all(rows[p]["pid"] != pid for p, pid in pids.items()), rows)
            r.check(f"{name}: it runs so", rows["payment"]["isolation"] == isolation and rows["payment"]["version"] == "1.1.0"
                    and (rows["payment"]["pid"] == rows["order"]["pid"]) == (isolation == "none"), rows)
            orders.append(shop.order(name).json()["orderId"])
            r.check(f"{name}: nothing is lost", all(shop.order_ends(o, {"Confirmed"})["status"] == "Confirmed" for o in orders),
                    shop.log[-2000:])
            r.check(f"{name}: then nothing is to do", planned(shop) == 0, shop.plan())

        becomes("limits", "process", "isolation: process,", "isolation: process, limits: { memory: 4GiB },")
        becomes("together", "none", "isolation: process,", "isolation: none,")
        becomes("apart again", "process", "isolation: none,", "isolation: process,")


def tell_of_moves(r):
    """A plugin with a file of its own goes from one host to another, while customers order."""
    side = free_port()

    def two(text):
        text = text.replace("  sync: 5ms\n", "  sync: 5ms\n  owner: main\n")
        return text.replace("hosts:\n  main:", f"hosts:\n  side: {{ http: 127.0.0.1:{side} }}\n  main:", 1)

    with OwnShop(edit=two) as shop:
        shop.start()
        r.check("both hosts answer", eventually(lambda: "does not answer" not in shop.plan()[1] and planned(shop) == 0), shop.plan())
        with Load(shop, "moves") as load:
            eventually(lambda: load.orders)
            for was, becomes in (("main", "side"), ("side", "main")):
                shop.edit(f"shipping: {{ hosts: [{was}]", f"shipping: {{ hosts: [{becomes}]")
                code, out, err = shop.plan()
                r.check(f"to {becomes}: what leaves comes first",
                        code == 2 and out.index(f"{was}: remove shipping") < out.index(f"{becomes}: add shipping"), (code, out, err))
                code, out, err = shop.apply()
                r.check(f"to {becomes}: it is applied", code == 0, (code, out, err))
                r.check(f"to {becomes}: it is there", (shop.row("shipping") is None) == (becomes == "side"), shop.row("shipping"))
        load.check(r, "moves")
        shop.edit("sync: 5ms", "sync: 4ms")
        code, out, err = shop.plan()
        r.check("the owner of the bus starts anew, the other host stays",
                code == 2 and "main: restart host main" in out and "restart host side" not in out, (code, out, err))
        code, out, err = shop.apply()
        r.check("and does", code == 0, (code, out, err, shop.log[-2000:]))
        after = shop.order("after-the-owner").json()["orderId"]
        r.check("the shop sells", shop.order_ends(after, {"Confirmed"})["status"] == "Confirmed", shop.log[-2000:])
        # What the other host can't do is taken back on this one.
        shop.build(VERSIONS / "next/order.so")
        shop.build(VERSIONS / "bad_start/inventory.so")
        shop.edit("inventory: { hosts: [main]", "inventory: { hosts: [side]")
        code, out, err = shop.apply("--force")
        r.check("a plugin that does not start there is back here", code == 1 and "taking back main: remove inventory" in out
                and shop.row("inventory")["state"] == "ready" and shop.version("order") == "1.0.0", (code, out, err))


def tell_of_watching(r):
    """`gantry run --watch`: a library that is built anew runs soon, and no open request is harmed."""
    with OwnShop(arguments=["--watch"]) as shop:
        shop.start()
        took = []
        with Load(shop, "watch") as load:
            for n in range(6):
                kind = "next" if n % 2 == 0 else "other"
                wanted = {"next": "1.1.0", "other": "1.1.1"}[kind]
                file = VERSIONS / kind / "order.so"
                if n < 3:
                    shop.build(file)
                else:
                    # In place, a piece at a time, as a slow linker would.
                    with open(shop.own / "order.so", "wb") as out:
                        whole = file.read_bytes()
                        for at in range(0, len(whole), len(whole) // 4 + 1):
                            out.write(whole[at:at + len(whole) // 4 + 1])
                            out.flush()
                            time.sleep(0.02)
                began = time.monotonic()
                r.check(f"build {n} runs", eventually(lambda: shop.get("/order/version").status == 200
                                                      and shop.get("/order/version").json()["version"] == wanted), shop.log[-3000:])
                took.append(time.monotonic() - began)
                # The next build comes once this one has been taken for good.
                eventually(lambda: shop.row("order")["generation"] == n + 2 and shop.log.count("A rebuilt plugin runs") == n + 1)
            (shop.own / "order.so").write_bytes(b"\x7fELF but no more")
            r.check("a broken build is reported", shop.wait_log("A rebuilt plugin can't be used"), shop.log[-2000:])
            r.check("and the old one runs", shop.version("order") == "1.1.1", shop.row("order"))
            shop.build(VERSIONS / "next/order.so")
            r.check("until it is mended", eventually(lambda: shop.version("order") == "1.1.0"), shop.log[-2000:])
            eventually(lambda: shop.log.count("A rebuilt plugin runs") == 7)
            # A clean build removes its folder first.
            former = shop.own.with_name("plugins-of-before")
            shop.own.rename(former)
            shutil.copytree(former, shop.own)
            r.check("a folder that is made anew is watched again", shop.wait_log("A folder is watched again"), shop.log[-2000:])
            shop.build(VERSIONS / "other/order.so")
            for kind, wanted in (("other", "1.1.1"), ("next", "1.1.0")):
                shop.build(VERSIONS / kind / "order.so")
                r.check(f"what is built there runs: {wanted}", eventually(lambda: shop.version("order") == wanted), shop.log[-2000:])
            eventually(lambda: shop.log.count("A rebuilt plugin runs") == 9)
        # A second is what it is meant to take; machines differ.
        print("   from the end of the build until it serves: " + ", ".join(f"{1000 * t:.0f} ms" for t in took))
        load.check(r, "watch")
        shop.file.write_text(shop.file.read_text() + "  rate-window: { hosts: [main] }\n")
        r.check("the topology is followed as well", eventually(lambda: shop.get("/rates").status == 200), shop.log[-2000:])
        shop.kill()
        shop.start()
        r.check("a restart takes the last build", shop.version("order") == "1.1.0", shop.row("order"))


def tell_of_figures(r):
    """`gantry top`: figures of a shop that works, in lines for a terminal and as JSON."""
    with OwnShop() as shop:
        shop.start()
        with Load(shop, "figures") as load:
            eventually(lambda: load.orders)
            code, out, err = shop.cli("top", "--once", "--interval-ms", "500")
            r.check("once", code == 0 and "plugin" in out and "order" in out and "cpu" in out, (code, out, err))
            # A machine that has much to do may let nothing happen for half a second.
            r.check("as JSON", eventually(lambda: has_worked(*figures(shop))), figures(shop))
        tell_of_the_page(r, shop)
        shop.stop()
        code, out, err = shop.cli("top", "--once", "--interval-ms", "10")
        r.check("a host that is away is said", code == 1 and "does not answer" in out, (code, out, err))


def figures(shop):
    """Those of the plugin order, and of its host."""
    seen = json.loads(shop.cli("top", "--json", "--interval-ms", "500")[1])
    return next(p for p in seen["plugins"] if p["plugin"] == "order"), seen["hosts"][0]


def has_worked(order, host):
    return (order["requestsPerSecond"] > 0 and order["eventsPerSecond"] > 0 and order["p99Ms"] > 0 and order["state"] == "ready"
            and host["cpuPercent"] > 0 and host["residentBytes"] > 1e6)


def tell_of_the_page(r, shop):
    """On a narrow terminal of its own; q ends it and gives the terminal back as it was."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 40, 0, 0))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen([GANTRY, "top", "-t", "topology.yaml", "--interval-ms", "100"], cwd=shop.folder, stdin=theirs,
                               stdout=theirs, stderr=subprocess.DEVNULL)
    shown = b""
    until = time.monotonic() + PATIENCE
    while b"shipping" not in shown and process.poll() is None and time.monotonic() < until:
        if select.select([ours], [], [], 0.2)[0]:
            shown += os.read(ours, 65536)
    if r.check("the page comes", b"shipping" in shown, (process.poll(), shown)):
        # The first one whole: the end may still be on its way.
        while b"\x1b[J" not in shown.split(b"\x1b[H", 1)[1] and select.select([ours], [], [], PATIENCE)[0]:
            shown += os.read(ours, 65536)
        lines = shown.decode(errors="replace").split("\x1b[H")[1].split("\x1b[J")[0].replace("\x1b[K", "").split("\r\n")
        r.check("the page fits", max(map(len, lines)) <= 40 and len(lines) <= 20, lines)
    os.write(ours, b"q")
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    r.check("q quits", process.returncode == 0, process.returncode)
    r.check("the terminal is as it was", termios.tcgetattr(theirs) == before, termios.tcgetattr(theirs))
    os.close(ours)
    os.close(theirs)


STORIES = {
    "plans": tell_of_plans,
    "rubbish": tell_of_rubbish,
    "changes": tell_of_changes,
    "another_file": tell_of_another_file,
    "rollback": tell_of_rollback,
    "signals": tell_of_signals,
    "restarts": tell_of_restarts,
    "a_file_that_is_edited": tell_of_a_file_that_is_edited,
    "changes_at_once": tell_of_changes_at_once,
    "processes": tell_of_processes,
    "moves": tell_of_moves,
    "watching": tell_of_watching,
    "figures": tell_of_figures,
}


def main():
    r = Report()
    for name in sys.argv[4:] or STORIES:
        r.story(name.replace("_", " "), lambda tell=STORIES[name]: tell(r))
    r.end()


if __name__ == "__main__":
    main()
