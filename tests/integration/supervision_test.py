"""A plugin that ends the process it runs in, in every way: the culprit is named rightly, the host serves again at once, the
culprit runs apart from then on, the event that it dies of ends in the DLQ, and no order that was accepted is lost.

Arguments: GANTRY PLUGIN_DIR BROKEN_PLUGIN_DIR
"""

import http.client
import json
import os
import pathlib
import resource
import signal
import sys
import time

from shop import Report, Shop, eventually, process_tree

report = Report()
GANTRY, SHOP_PLUGINS, BROKEN = sys.argv[1:4]
HUNG_MS = 60_000
# For those that never come back. Nobody else must be taken for one, also on a machine that has much to do.
QUICK = ", stall_after: 200ms, stall_kill_after: 5s"

# What ends the process at once: the way, and what the finding must say of it.
ENDS = {
    "segfault": "Segmentation fault",
    "overflow": "Segmentation fault",
    "abort": "Aborted",
    "destructor": "std::terminate: thrown in a destructor",
    "exit": "exit(0) was called",
    "_exit": "exit(0) was called",
    "exit-by-the-system": "exit code 0",
    "closes": "closes descriptors of the host",
    "closes-by-the-system": "a descriptor of the host was closed",
    "memory": "Segmentation fault",
}
# What never comes back.
HANGS = {"loop": "did not come back", "deadlock": "did not come back"}


class Deadly(Shop):
    def __init__(self, settings="", **more):
        super().__init__(GANTRY, [SHOP_PLUGINS, BROKEN],
                         plugins=[f"deadly: {{ hosts: [main], group: broken-deadly{settings} }}"], **more)

    def quarantine(self):
        file = self.folder / "data/state/quarantine/main.json"
        return json.loads(file.read_text()) if file.exists() else {"plugins": [], "events": []}

    def parked(self):
        return json.loads(self.cli("dlq", "list", "deadly", "--json")[1] or "{}").get("items", [])

    def handled(self):
        """By the plugin, since its process has begun."""
        try:
            return (self.row("deadly") or {}).get("eventsHandled", 0)
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return 0

    def serves(self):
        try:
            return self.get("/health/live").status == 200 and self.get("/orders/none").status == 404
        except (OSError, http.client.HTTPException):
            return False

    def serves_again_after(self, former, by_itself=True):
        """Milliseconds from the end of the host's process until another one answers for the plugins that are well."""
        self.deaths += by_itself
        if not eventually(lambda: process_tree.is_gone(former)):
            raise AssertionError("the process did not end:\n" + self.log[-3000:])
        began = time.monotonic()
        while not self.serves():
            if (time.monotonic() - began) * 1000 > HUNG_MS:
                raise AssertionError("the host does not serve again:\n" + self.log[-3000:])
            time.sleep(0.001)
        return (time.monotonic() - began) * 1000

    def apart(self):
        """The process of the plugin; None: it has none."""
        return next((c for c in process_tree.children(self.process.pid)
                     if process_tree.name_of(c) == "main~deadly"), None)

    def order_surely(self, key, **changes):
        """Asks again with the same key when the answer was lost with the process: the order is taken once."""
        def ask():
            try:
                reply = self.order(key, **changes)
                return reply if reply.status != 503 else None
            except (OSError, http.client.HTTPException):
                return None
        return eventually(ask)

    # A host is ready without those in quarantine: they may die again.
    def others_are_up(self):
        try:
            answer = self.get("/health/ready")
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == 200 and all(each["status"] == "ok" for each in answer.json()["checks"]
                                            if each["name"] not in ("quarantine", "deadly"))

    def dies(self, way):
        try:
            return self.ask("GET", f"/broken/deadly?how={way}", timeout=60).status
        except (OSError, http.client.HTTPException):
            return None


def check_finding(name, found, how, work):
    culprits = [(c["plugin"], c["generation"], c["lane"], c["work"]) for c in found["culprits"]]
    # By the system, past the functions of the C library: whoever was in plugin code shortly before is suspected.
    alone = len(culprits) == 1 or "by-the-system" in name
    report.check(f"{name}: the culprit is named", alone and
                 any(c[:2] == ("deadly", 1) and work(c) for c in culprits), found)
    report.check(f"{name}: what happened is said", how in found["how"], found["how"])


def is_well(shop, name, key):
    # Past the functions of the C library others are suspected as well: those run apart too, and come up meanwhile.
    report.check(f"{name}: all are up", eventually(shop.others_are_up), shop.log[-3000:])
    placed = shop.order(key)
    report.check(f"{name}: an order is taken", placed.status == 201, placed)
    if placed.status == 201:
        done = shop.order_ends(placed.json()["orderId"], ["Confirmed"])
        report.check(f"{name}: an order is confirmed", done["status"] == "Confirmed", done)


def by_request(way, how, settings=""):
    with Deadly(settings) as shop:
        shop.start()
        host = shop.pid()
        if way == "memory":
            with open(f"/proc/{host}/statm") as file:
                mapped = int(file.read().split()[0]) * resource.getpagesize()
            resource.prlimit(host, resource.RLIMIT_AS, (mapped + (256 << 20), resource.RLIM_INFINITY))
        answer = shop.dies(way)
        report.check(f"{way}: the client learns that it got no answer", answer is None or answer >= 500 or
                     way == "closes-by-the-system", answer)
        ms = shop.serves_again_after(host)
        print(f"{way}: serving again after {ms:.0f} ms", flush=True)
        found = shop.findings()
        if report.check(f"{way}: there is a finding", len(found) == 1, found):
            check_finding(way, found[0], how, lambda c: c[2:] == ("request", "request GET /broken/deadly"))
            if way in ("segfault", "loop", "closes"):
                report.check(f"{way}: its stack is there", any("deadly-1-" in f for f in found[0]["stack"]), found[0]["stack"])
        report.check(f"{way}: it is quarantined", "deadly" in [p["plugin"] for p in shop.quarantine()["plugins"]])
        report.check(f"{way}: it runs apart", eventually(lambda: shop.apart() and shop.dies("not") == 200), shop.log[-3000:])
        is_well(shop, way, f"after-{way}")
        if way == "segfault":
            again(shop)
        report.check(f"{way}: all ends well", shop.stop() == 0, shop.log[-3000:])


def again(shop):
    """In a process of its own it harms nobody else."""
    host, own = shop.pid(), shop.apart()
    shop.deaths += 1
    answer = shop.dies("segfault")
    report.check("apart: its client gets 502 or 503", answer in (502, 503), answer)
    report.check("apart: another process takes its place", eventually(lambda: shop.apart() not in (None, own) and
                                                                       shop.dies("not") == 200), shop.log[-3000:])
    report.check("apart: the host does not notice", shop.pid() == host and not process_tree.is_gone(host))
    found = shop.findings()
    report.check("apart: that is found out too", len(found) == 2 and found[-1]["process"] == "main~deadly" and
                 found[-1]["culprits"][0]["plugin"] == "deadly", found)


def by_event(way, how, settings="", after=3):
    with Deadly(settings) as shop:
        shop.start()
        host = shop.pid()
        shop.deaths = after - 1
        placed = shop.order_surely(f"deadly-{way}", customerId=f"deadly-{way}")
        report.check(f"event, {way}: the order is taken", placed.status == 201, placed)
        order = placed.json()["orderId"]
        ms = shop.serves_again_after(host)
        print(f"event, {way}: serving again after {ms:.0f} ms", flush=True)
        found = shop.findings()
        check_finding(f"event, {way}", found[0], how,
                      lambda c: c[2] == "lane" and c[3].startswith("event OrderCreated of order-events/"))
        done = shop.order_ends(order, ["Confirmed"])
        report.check(f"event, {way}: the order that was accepted is confirmed", done["status"] == "Confirmed", done)
        parked = eventually(shop.parked)
        report.check(f"event, {way}: the event is parked", len(parked) == 1 and
                     f"the process died {after} times in this event" in json.dumps(parked), parked)
        deaths = [f for f in shop.findings() if f["culprits"] and f["culprits"][0]["kind"] == "event"]
        report.check(f"event, {way}: after {after} deaths", len(deaths) == after, [f["how"] for f in deaths])
        before = shop.handled()
        is_well(shop, f"event, {way}", f"after-event-{way}")
        report.check(f"event, {way}: what comes behind it is handled", eventually(lambda: shop.handled() > before),
                     (before, shop.row("deadly"), shop.log[-2000:]))
        report.check(f"event, {way}: and nothing else is parked", len(shop.parked()) == 1, shop.parked())
        report.check(f"event, {way}: all ends well", shop.stop() == 0, shop.log[-3000:])


def quarantine_is_shown_and_ends():
    with Deadly() as shop:
        shop.start()
        host = shop.pid()
        shop.dies("segfault")
        shop.serves_again_after(host)
        report.check("quarantine: it runs apart", eventually(lambda: shop.apart() and shop.dies("not") == 200), shop.log[-3000:])
        ready = shop.get("/health/ready")
        checks = {c["name"]: c for c in ready.json()["checks"]}
        report.check("quarantine: the host is ready and degraded", ready.status == 200 and
                     ready.json()["status"] == "degraded" and "deadly" in checks["quarantine"]["reason"], ready)
        metrics = shop.get("/metrics").body.decode()
        report.check("quarantine: metrics", 'gantry_quarantined{plugin="deadly"} 1' in metrics and
                     'gantry_quarantined{plugin="order"} 0' in metrics, [l for l in metrics.splitlines() if "quarantined" in l])
        rows = {r["id"]: r for r in shop.get("/admin/plugins").json()["plugins"]}
        report.check("quarantine: the plugin's row", "Segmentation fault" in rows["deadly"].get("quarantined", "") and
                     rows["deadly"]["isolation"] == "process" and "quarantined" not in rows["order"], rows["deadly"])
        report.check("quarantine: the table of the start", "quarantined: request GET /broken/deadly" in shop.log)
        code, out = run(shop, "quarantine", "list")
        report.check("quarantine: list", code == 0 and "deadly" in out and "Segmentation fault" in out, out)
        report.check("quarantine: nobody else can be released", run(shop, "quarantine", "release", "order")[0] == 1)
        host = shop.pid()
        code, out = run(shop, "quarantine", "release", "deadly", "--now")
        report.check("quarantine: release", code == 0 and "released" in out, out)
        shop.serves_again_after(host, by_itself=False)
        home = eventually(lambda: shop.apart() is None and shop.dies("not") == 200)
        report.check("quarantine: the plugin is home again", home, shop.log[-3000:])
        report.check("quarantine: nothing is left of it", shop.get("/health/ready").json()["status"] == "ok" and
                     run(shop, "quarantine", "list")[1] == "no plugin is in quarantine\n")
        host = shop.pid()
        shop.dies("abort")
        shop.serves_again_after(host)
        eventually(lambda: shop.apart() and shop.dies("not") == 200)
        mended = shop.folder / "mended.so"
        mended.write_bytes((pathlib.Path(BROKEN) / "deadly.so").read_bytes() + b"\0")
        code, out = run(shop, "swap", "deadly", str(mended), "--probation-ms", "100")
        report.check("quarantine: a swap ends it", code == 0 and not shop.quarantine()["plugins"], (out, shop.quarantine()))
        report.check("quarantine: all ends well", shop.stop() == 0, shop.log[-3000:])
        shop.start()
        report.check("quarantine: the next start has it at home", shop.apart() is None and shop.dies("not") == 200)
        report.check("quarantine: that ends well", shop.stop() == 0, shop.log[-3000:])


def run(shop, *words):
    code, out, errors = shop.cli(*words)
    return code, out + errors


def killed():
    """Who is killed from outside while everybody is quick blames nobody."""
    with Deadly() as shop:
        shop.start()
        host = shop.pid()
        os.kill(host, signal.SIGKILL)
        print(f"killed: serving again after {shop.serves_again_after(host):.0f} ms", flush=True)
        report.check("killed: nobody is to blame", shop.findings()[0]["culprits"] == [] and not shop.quarantine()["plugins"],
                     shop.findings())
        is_well(shop, "killed", "after-a-kill")
        report.check("killed: all ends well", shop.stop() == 0, shop.log[-3000:])


def ends_as_ever():
    """The process that watches passes on what a host ends with, and nothing outlives it."""
    with Deadly() as shop:
        shop.start()
        report.check("ends: no name stands before the host's lines", "main |" not in shop.log and '{"host"' not in shop.log)
        host = shop.pid()
        report.check("ends: a parent watches", host != shop.process.pid)
        with Deadly() as other:
            other.port = shop.port
            text = (other.folder / "topology.yaml").read_text()
            (other.folder / "topology.yaml").write_text(text.replace(text.split("http: 127.0.0.1:")[1][:5], str(shop.port)))
            other.launch()
            report.check("ends: a port that is taken ends with 1", other.ended() == 1, other.log[-1500:])
        shop.kill()
        report.check("ends: the host ends with its parent", process_tree.is_gone(host))
    with Deadly(arguments=["--no-supervisor"]) as shop:
        shop.start()
        report.check("alone: one process", shop.pid() == shop.process.pid)
        shop.dies("_exit")
        report.check("alone: what ends it is its end", shop.ended() == 0, shop.log[-1500:])


def main():
    report.story("ends", ends_as_ever)
    report.story("killed", killed)
    report.story("quarantine", quarantine_is_shown_and_ends)
    for way, how in ENDS.items():
        report.story(f"by request: {way}", lambda: by_request(way, how))
    for way, how in HANGS.items():
        report.story(f"by request: {way}", lambda: by_request(way, how, QUICK))
    report.story("by event: segfault", lambda: by_event("segfault", ENDS["segfault"]))
    report.story("by event: _exit", lambda: by_event("_exit", ENDS["_exit"], ", poison_after: 2", 2))
    report.story("by event: loop", lambda: by_event("loop", HANGS["loop"], QUICK))
    report.end()


if __name__ == "__main__":
    main()
