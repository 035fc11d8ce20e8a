"""What the chaos tests have in common: arguments, a shop with customers, the closing of the books."""

import argparse
import os
import signal
import sys
import time

from shop_audit import Audit, read, wait_for_rest
from shop_host import DEMO_STOCK, PATIENCE, Host
from shop_load import SCARCE, SCARCE_STOCK, Load

# Short enough that orders run into them now and then; undoing never gives up.
TIMEOUTS = {"timeouts": {"reserve": "10s", "pay": "6s", "ship": "10s", "commit": "10s", "compensation": "3s"},
            "compensation_attempts": 1000}


def is_long():
    return os.environ.get("GANTRY_LONG") == "1"


def parser(about):
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--gantry", required=True, help="the host's program")
    made.add_argument("--plugins", required=True, help="the folder of the plugins")
    made.add_argument("--catalog", required=True, help="the demo catalogue")
    made.add_argument("--preload", help="the power cut library")
    made.add_argument("--seed", type=int, default=int(os.environ.get("GANTRY_SEED", time.time_ns() % 1_000_000)))
    made.add_argument("--rounds", type=int, help="kills or cuts")
    made.add_argument("--customers", type=int, default=6)
    made.add_argument("--keep", action="store_true", help="keep the files also when all is well")
    return made


def arguments(about):
    return parser(about).parse_args()


class Trial:
    def __init__(self, args, name, config=None, preload=None, make=Host, pause=0.03):
        """make(args, config, preload): the shop. pause: seconds between two orders of one customer."""
        self.args, self.name = args, name
        self.host = make(args, {"order": TIMEOUTS, **(config or {})}, preload)
        self.load = Load(self.host.ports, args.seed, args.customers, pause)
        self.initial = {}
        self.good = False
        self.begun = time.monotonic()
        # Whoever ends the test ends what it has started as well.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        print(f"{name}: seed {args.seed}, {self.host.folder}", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, why, trace):
        self.load.ending.set()
        self.host.close(keep=not self.good or self.args.keep)

    def open_shop(self):
        self.host.start()
        self.host.wait_ready()
        for sku in SCARCE:
            # On a slow machine the bus may not have taken the demo stock yet, and the outbox is full.
            until = time.monotonic() + PATIENCE
            while True:
                status, text = self.host.ask("PUT", f"/inventory/{sku}", {"onHand": SCARCE_STOCK})
                if status != 503 or time.monotonic() > until:
                    break
                time.sleep(0.02)
            assert status == 200, f"setting the stock of {sku}: {status} {text}"
        self.initial = {r["sku"]: r["on_hand"] for r in read(self.host, "inventory", "SELECT sku, on_hand FROM stock")}
        assert len(self.initial) == 1000 and self.initial["SKU-0001"] == DEMO_STOCK, "the demo stock is not there"

    def close_books(self, what, more_faults=(), audit_more=None, find_lost=lambda: frozenset(),
                    expected=()):
        """Lets everything come to rest, stops the host, checks. Returns the exit code. audit_more(audit): (faults, words)
        of what else is to be checked then. find_lost(): orders that were accepted and may be gone. expected: words of
        errors that may be in the log."""
        self.load.finish()
        restless = wait_for_rest(self.host)
        code = self.host.stop()
        audit = Audit(self.host, self.initial, find_lost())
        faults = [*self.load.trouble, *more_faults, *([restless] if restless else [])]
        if code != 0:
            faults.append(f"SIGTERM: the host ended with {code}\n{self.host.tail()}")
        accepted = {key: order_id for key, order_id in self.load.accepted.items() if order_id not in audit.lost}
        faults += audit.run(accepted, self.load.cancelled - audit.lost)
        faults += [f"logged: {line[:400]}" for line in self.host.logged("error")
                   if not any(words in line for words in expected)]
        words = ""
        if audit_more:
            more, words = audit_more(audit)
            faults += more
        for fault in faults[:50]:
            print("FAILED " + fault)
        self.good = not faults
        print(f"{self.name}: {what}; {len(self.load.accepted)} accepted, {self.load.repeats} asked twice, "
              f"{len(self.load.cancelled)} called off, {self.load.unanswered} requests without an answer, "
              f"{self.load.refused} refused with 503; {audit.summary()}; {words + '; ' if words else ''}"
              f"{len(faults)} faults; {time.monotonic() - self.begun:.0f} s; seed {self.args.seed}",
              flush=True)
        return 0 if self.good else 1
