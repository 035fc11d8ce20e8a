"""Customers: threads that place orders, ask again when the host does not answer, and remember what they were told."""

import http.client
import json
import random
import threading
import time
import uuid

ADDRESS = {"name": "Ada", "line1": "1 Main St", "city": "Berlin", "postalCode": "10115", "country": "DE"}
TOKENS = ["tok_approve"] * 74 + ["tok_decline"] * 9 + ["tok_duplicate"] * 9 + ["tok_slow"] * 6 + ["tok_error"] * 2
PLENTY = [f"SKU-{n:04d}" for n in range(1, 61)]
SCARCE = [f"SKU-{n:04d}" for n in range(901, 921)]
SCARCE_STOCK = 20
PATIENCE = 120  # seconds, until something counts as hung


class Load:
    def __init__(self, ports, seed, threads, pause):
        self.ports = ports                # of the hosts; whoever gets no answer tries another one
        self.pause = pause                # seconds between two orders of one customer
        self.accepted = {}                # idempotency key -> order id of the first 201
        self.cancelled = set()            # orders whose cancellation was accepted
        self.trouble = []                 # what must not happen
        self.repeats = 0                  # answers that were asked for again after the first
        self.unanswered = 0               # requests without an answer
        self.refused = 0                  # answers 503
        self.unhelpful = 0                # of those, without Retry-After
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.until = None                 # when ending: how long anybody asks for an answer
        self.threads = [threading.Thread(target=self.customer, args=(random.Random(f"{seed}/{n}"),), daemon=True)
                        for n in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def finish(self):
        """Every customer gets the answer to what they asked last. The host must be up."""
        self.until = time.monotonic() + PATIENCE
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def customer(self, rng):
        connection = http.client.HTTPConnection("127.0.0.1", rng.choice(self.ports), timeout=30)
        try:
            while not self.ending.is_set():
                order_id = self.place(connection, rng)
                if order_id and rng.random() < 0.03:
                    time.sleep(rng.random() * 0.05)
                    self.cancel(connection, order_id)
                time.sleep(rng.random() * 2 * self.pause)
        except Exception as why:  # a dead customer would make the test weaker without a word
            self.complain(f"a customer gave up: {why!r}")
        finally:
            connection.close()

    def complain(self, text):
        with self.lock:
            self.trouble.append(text)

    def ask(self, connection, path, body, key):
        """Asks until there is an answer that stands; the same key each time. Returns (status, body)."""
        headers = {"content-type": "application/json", "idempotency-key": key}
        while True:
            if self.until and time.monotonic() > self.until:
                raise TimeoutError(f"{path} with key {key} has had no answer for {PATIENCE} s after the end")
            try:
                connection.request("POST", path, body, headers)
                reply = connection.getresponse()
                text = reply.read().decode()
            except (OSError, http.client.HTTPException):
                self.turn_elsewhere(connection)
                with self.lock:
                    self.unanswered += 1
                time.sleep(0.05)
                continue
            starting = reply.status == 404 and "/problems/no-route" in text
            if reply.status == 503 or starting or (reply.status == 409 and "idempotency-key-in-use" in text):
                if reply.status == 503:
                    with self.lock:
                        self.refused += 1
                        self.unhelpful += reply.getheader("retry-after") is None
                    self.turn_elsewhere(connection)
                time.sleep(0.02)
                continue
            return reply.status, text

    def turn_elsewhere(self, connection):
        connection.close()
        connection.port = random.choice(self.ports)

    def place(self, connection, rng):
        key = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        if rng.random() < 0.08:
            lines = [{"sku": rng.choice(PLENTY), "quantity": 1},
                     {"sku": rng.choice(SCARCE), "quantity": rng.choice([1, 3, 1000])}]
        else:
            lines = [{"sku": sku, "quantity": rng.randint(1, 5)} for sku in rng.sample(PLENTY, rng.randint(1, 3))]
        # The customer is the key, so that two orders for one key can be told from the database.
        body = json.dumps({"customerId": key, "lines": lines, "shippingAddress": ADDRESS,
                           "paymentMethod": {"token": rng.choice(TOKENS)}, "currency": "EUR"})
        status, text = self.ask(connection, "/orders", body, key)
        if status != 201:
            self.complain(f"order {key}: {status} {text[:300]}")
            return None
        order_id = json.loads(text)["orderId"]
        with self.lock:
            self.accepted[key] = order_id
        if rng.random() < 0.1:
            status, text = self.ask(connection, "/orders", body, key)
            with self.lock:
                self.repeats += 1
            if status != 201 or json.loads(text)["orderId"] != order_id:
                self.complain(f"order {order_id}, asked again with key {key}: {status} {text[:300]}")
        return order_id

    def cancel(self, connection, order_id):
        status, text = self.ask(connection, f"/orders/{order_id}/cancel", "{}", f"cancel-{order_id}")
        if status in (200, 202):
            with self.lock:
                self.cancelled.add(order_id)
        elif status != 409:
            self.complain(f"cancelling {order_id}: {status} {text[:300]}")
