#!/usr/bin/env python3
"""The shop on Kafka and PostgreSQL, in one host and in several, while hosts, servers and the network between them fail;
then the books are checked one to one, and the bus's logs with them."""

import random
import sys
import time

import trial
from bus_audit import audit_bus
from server_faults import Faults
from server_shop import ServerShop

SHORT_SECONDS = 30


def arguments():
    parser = trial.parser(__doc__)
    parser.add_argument("--long", action="store_true", default=trial.is_long(), help="an hour; broker away for 60 s")
    parser.add_argument("--minutes", type=float, help="how long faults go on")
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--only", help="the faults to choose from, comma separated")
    return parser.parse_args()


def order_of_faults(faults, rng, only):
    """All of them in a random order, again and again."""
    names = only.split(",") if only else faults.names()
    while True:
        yield from rng.sample(names, len(names))


def main():
    args = arguments()
    seconds = 60 * args.minutes if args.minutes else 3600 if args.long else SHORT_SECONDS
    rng = random.Random(args.seed)
    names = ["main"] if args.hosts == 1 else [chr(ord("a") + n) for n in range(args.hosts)]

    def make(*what):
        return ServerShop(*what, names=names)

    with trial.Trial(args, f"servers, {args.hosts} hosts", make=make, pause=0.1) as t:
        t.open_shop()
        t.load.start()
        faults = Faults(t.host, rng, 60 if args.long else 5)
        until = time.monotonic() + seconds
        for number, name in enumerate(order_of_faults(faults, rng, args.only)):
            if time.monotonic() >= until or number == (args.rounds or number + 1):
                break
            faults.happen(name)
            time.sleep(rng.uniform(0.2, 1.5))
        fates = faults.fates()
        if faults.counts["commit_cut"] and not (fates.get("committed") and fates.get("undone")):
            faults.troubles.append(f"connections were to die in COMMIT with either end, but {fates}")
        # Whoever stood still says so on waking, and so do others who waited for the rows that it had locked.
        expected = ["A plugin does not come back"] if faults.counts["zombie"] else []
        return t.close_books(f"{faults.summary()}; commits cut: {fates}; ready again within {faults.longest:.1f} s",
                             faults.troubles, audit_bus(t.host), expected=expected)


if __name__ == "__main__":
    sys.exit(main())
