"""Checks the logs of a Kafka broker, read with kcat from their beginning, against each other and against the orders."""

import collections
import json
import subprocess

from shop_host import TOPICS

FIRST = "OrderCreated"


class Record:
    def __init__(self, row):
        pairs = row.get("headers") or []
        self.headers = dict(zip(pairs[::2], pairs[1::2]))
        self.topic, self.partition, self.offset, self.key = row["topic"], row["partition"], row["offset"], row["key"]
        self.id, self.type, self.source = (self.headers.get(n) for n in ("ce_id", "ce_type", "ce_source"))
        self.sequence = int(self.headers.get("ce_sequence", -1))

    def __str__(self):
        return (f"{self.topic}/{self.partition}@{self.offset} key {self.key} {self.type} {self.id} of {self.source} "
                f"#{self.sequence}")


def read_log(brokers, topic):
    """Every record of a topic, by partition and offset."""
    out = subprocess.run(["kcat", "-C", "-b", brokers, "-t", topic, "-o", "beginning", "-e", "-q", "-J"], check=True,
                         capture_output=True, text=True, timeout=120).stdout
    # Records of one partition come in order; those of several are mixed.
    return sorted((Record(json.loads(line)) for line in out.splitlines()), key=lambda r: (r.partition, r.offset))


class BusAudit:
    def __init__(self, brokers, topics):
        self.logs = {topic: read_log(brokers, topic) for topic in topics}
        self.faults = []
        self.repeated = 0  # records that stand there once more, which consumers drop
        self.effective = {topic: self.without_repeats(log) for topic, log in self.logs.items()}

    def without_repeats(self, log):
        """What consumers handle: records above the last sequence of their source. A record that they drop must have been
        there before, or it is lost."""
        last, seen, handled = {}, {}, []
        for record in log:
            place = (record.partition, record.source)
            if record.sequence > last.get(place, -1):
                last[place] = record.sequence
                seen[(*place, record.sequence)] = record.id
                handled.append(record)
                continue
            self.repeated += 1
            before = seen.get((*place, record.sequence))
            if before != record.id:
                self.faults.append(f"comes behind #{last[place]} and is dropped, though it was never there: {record}")
        return handled

    def run(self, orders):
        """orders: order id -> status."""
        for topic, log in self.effective.items():
            partitions, ids = collections.defaultdict(set), collections.Counter()
            for record in log:
                partitions[record.key].add(record.partition)
                ids[record.id] += 1
            self.faults += [f"{topic}: key {key} is in partitions {p}" for key, p in partitions.items() if len(p) > 1]
            self.faults += [f"{topic}: event {i} counts {n} times" for i, n in ids.items() if n > 1]
        events = collections.defaultdict(list)
        for record in self.effective["order-events"]:
            events[record.key].append(record.type)
        for order_id, status in orders.items():
            self.check_order(order_id, status, events.pop(order_id, []))
        self.faults += [f"order-events tell of an order that nobody has: {key} {types}" for key, types in events.items()]
        return self.faults

    def check_order(self, order_id, status, types):
        count = collections.Counter(types)
        good = types[:1] == [FIRST] and count[FIRST] == 1 and count["OrderConfirmed"] <= 1
        if status == "Confirmed":
            good = good and count["OrderConfirmed"] == 1 and count["OrderCancelled"] == 0
        elif status == "Cancelled":
            good = good and count["OrderCancelled"] == 1
            good = good and (not count["OrderConfirmed"] or
                             types.index("OrderConfirmed") < types.index("OrderCancelled"))
        if not good:
            self.faults.append(f"order {order_id} is {status}, its events are {types}")

    def summary(self):
        return f"{sum(map(len, self.logs.values()))} records, {self.repeated} of them repeated"


def audit_bus(shop):
    def check(audit):
        bus = BusAudit(shop.servers.brokers, TOPICS)
        return bus.run({order_id: order["status"] for order_id, order in audit.orders.items()}), bus.summary()
    return check
