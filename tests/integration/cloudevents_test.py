"""Events on Kafka are CloudEvents: an SDK that is not ours reads each of them as valid, and what it writes is consumed, once.

Usage: GANTRY_SHOP_SERVERS=DIR cloudevents_test.py GANTRY PLUGIN_DIR
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import uuid

import python_packages

python_packages.run_there()

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary, to_structured  # noqa: E402
from cloudevents.core.formats.json import JSONFormat  # noqa: E402
from cloudevents.core.v1.event import CloudEvent  # noqa: E402

from shop import Report, Shop, eventually, variable  # noqa: E402

SERVERS = pathlib.Path(os.environ["GANTRY_SHOP_SERVERS"])
BROKERS = variable(SERVERS / "kafka/env", "KAFKA_BOOTSTRAP")
TOPICS = ("order-events", "inventory-commands", "inventory-events", "payment-commands", "payment-events", "shipping-commands",
          "shipping-events", "notification-events")
RUN = uuid.uuid4().hex  # the servers may remember the ids of another run
report = Report()


def kcat(*arguments, text=None):
    done = subprocess.run(["kcat", "-b", BROKERS, *arguments], input=text, text=True, capture_output=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"kcat {' '.join(arguments)}: {done.stderr[-800:]}")
    return done.stdout


def messages(topic):
    """All of a topic, as the SDK takes them."""
    for line in kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J").splitlines():
        read = json.loads(line)
        names, values = read["headers"][0::2], read["headers"][1::2]
        assert len(names) == len(set(names)), f"a header twice: {names}"
        yield KafkaMessage(headers={n: v.encode() for n, v in zip(names, values)}, key=read["key"].encode(),
                           value=read["payload"].encode())


def send(topic, message, key):
    headers = [f"-H{name}={value.decode()}" for name, value in message.headers.items()]
    kcat("-P", "-t", topic, "-k", key, "-X", "partitioner=murmur2_random", *headers, text=message.value.decode() + "\n")


def what_is_wrong(event, message):
    """Of an event that the SDK has accepted: what it does not check by itself."""
    body = event.get_data()
    expected = {
        "specversion": (event.get_specversion(), "1.0"),
        "id": (event.get_id(), body["eventId"]),
        "type": (event.get_type(), body["eventType"]),
        "subject": (event.get_subject(), body["aggregateId"]),
        "datacontenttype": (event.get_datacontenttype(), "application/json"),
        "partitionkey": (event.get_extension("partitionkey"), body["aggregateId"]),
        "time": (event.get_time(), datetime.datetime.fromisoformat(body["occurredOn"].replace("Z", "+00:00"))),
    }
    wrong = {name: pair for name, pair in expected.items() if pair[0] != pair[1]}
    source = event.get_source()
    if source.count("/") != 3 or "." not in source:
        wrong["source"] = source
    if len(event.get_extension("sequence")) != 20:
        wrong["sequence"] = event.get_extension("sequence")
    if event.get_time().tzinfo is None:
        wrong["time zone"] = event.get_time()
    # Attributes are lower-case letters and digits; the runtime's own headers stand beside them.
    others = {n for n in message.headers if not n.startswith("ce_")}
    if not others <= {"content-type", "traceparent", "correlation-id", "causation-id"}:
        wrong["headers"] = others
    return wrong


def read_by_the_sdk(shop):
    """Every event of some orders, on every topic, is a valid CloudEvent in the binary mode of the Kafka binding."""
    ids = [shop.order(f"ce-{i}").json()["orderId"] for i in range(5)]
    ends = [shop.order_ends(i, ("Confirmed", "Shipped", "Completed"))["status"] for i in ids]
    report.check("orders end", "Pending" not in ends, ends)
    for topic in TOPICS:
        # Other shops have used the broker, and one that was killed has rightly sent some of its events twice.
        mine = [m for m in messages(topic) if any(i in m.key.decode() + m.value.decode() for i in ids)]
        report.check(f"{topic} has events", bool(mine))
        seen = set()
        for message in mine:
            event = from_binary(message, JSONFormat())
            wrong = what_is_wrong(event, message)
            report.check(f"{topic}: {event.get_type()}", isinstance(event, CloudEvent) and not wrong, wrong)
            seen.add((event.get_source(), event.get_id()))
        report.check(f"{topic}: source and id are unique together", len(seen) == len(mine), len(mine) - len(seen))


def out_of_stock(shop):
    return {p["sku"] for p in shop.get("/catalog/products?inStock=false&limit=100").json()["items"]}


def level(sku, available, name):
    return CloudEvent(attributes={"id": f"{name}-{RUN}", "type": "StockLevelChanged", "source": "//warehouse.example/line-7",
                                  "time": datetime.datetime.now(datetime.timezone.utc), "subject": sku,
                                  "datacontenttype": "application/json", "partitionkey": sku},
                      data={"sku": sku, "available": available})


def written_by_the_sdk(shop):
    """An event that the SDK has written comes from a foreign producer: it is consumed, and dropped when it comes again."""
    for mode, convert, sku in (("binary", to_binary, "SKU-0042"), ("structured", to_structured, "SKU-0043")):
        gone = convert(level(sku, 0, f"{mode}-1"), JSONFormat())
        send("inventory-events", gone, sku)
        report.check(f"{mode}: consumed", eventually(lambda: sku in out_of_stock(shop)), out_of_stock(shop))
        send("inventory-events", convert(level(sku, 5, f"{mode}-2"), JSONFormat()), sku)
        report.check(f"{mode}: the next one too", eventually(lambda: sku not in out_of_stock(shop)), out_of_stock(shop))
        # What stands behind it in the same partition has been handled when its effect shows.
        send("inventory-events", gone, sku)
        fence = f"SKU-00{'44' if mode == 'binary' else '45'}"
        send("inventory-events", convert(level(fence, 0, f"{mode}-3"), JSONFormat()), sku)
        report.check(f"{mode}: the fence", eventually(lambda: fence in out_of_stock(shop)), out_of_stock(shop))
        report.check(f"{mode}: dropped when it comes again", sku not in out_of_stock(shop), out_of_stock(shop))


def main():
    with Shop(sys.argv[1], sys.argv[2:]) as shop:
        shop.start()
        report.story("read by the SDK", lambda: read_by_the_sdk(shop))
        report.story("written by the SDK", lambda: written_by_the_sdk(shop))
        report.check("at the end: exits with 0", shop.stop() == 0, shop.log[-1500:])
    report.end()


if __name__ == "__main__":
    main()
