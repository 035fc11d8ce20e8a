#!/usr/bin/env python3
"""Doors in front of servers, in a process of their own: bytes go through, late, or not at all.

    with Proxy({"kafka": (near, far, False), "postgres": (near, far, True)}) as proxy:
        proxy.tell("kafka", "shut")

A door that knows PostgreSQL's protocol can hang up at the next COMMIT: before the server gets it, or after the server has
answered it and before the client hears of that.
"""

import asyncio
import collections
import json
import socket
import struct
import subprocess
import sys
import threading

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
CHUNK = 65536
ANSWER_SECONDS = 10  # how long a COMMIT's answer is waited for


class Frontend:
    """What a client of PostgreSQL says, message by message; finds its COMMITs."""

    def __init__(self):
        self.rest = b""
        self.starting = True
        self.commits = set()  # prepared statements that are one

    def feed(self, data):
        """Yields (message, whether it asks for a COMMIT, whether it ends a round)."""
        self.rest += data
        while True:
            head = 0 if self.starting else 1
            if len(self.rest) < head + 4:
                return
            size = head + struct.unpack_from("!I", self.rest, head)[0]
            if len(self.rest) < size:
                return
            message, self.rest = self.rest[:size], self.rest[size:]
            if self.starting:
                code = struct.unpack_from("!I", message, 4)[0]
                self.starting = code in (SSL_REQUEST, GSS_REQUEST)
                yield message, False, True
            else:
                kind = message[:1]
                yield message, self.is_commit(kind, message[5:]), kind in b"SQ"

    def is_commit(self, kind, body):
        if kind == b"P":
            name, sql = body.split(b"\0", 2)[:2]
            if sql.strip().upper() == b"COMMIT":
                self.commits.add(name)
            else:
                self.commits.discard(name)
        elif kind == b"B":
            return body.split(b"\0", 2)[1] in self.commits
        elif kind == b"Q":
            return body.rstrip(b"\0").strip().upper() == b"COMMIT"
        return False


class Connection:
    def __init__(self, door, near, far):
        self.door, self.near, self.far = door, near, far  # (reader, writer) each
        self.frontend = Frontend() if door.postgres else None
        self.trapped = None
        self.heard = b""  # the server's answer to a trapped COMMIT

    async def run(self):
        pumps = [asyncio.create_task(self.pump(self.near[0], self.outwards)),
                 asyncio.create_task(self.pump(self.far[0], self.homewards))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self.abort()

    def abort(self):
        for _, writer in (self.near, self.far):
            writer.transport.abort()

    async def pump(self, reader, put):
        while data := await reader.read(CHUNK):
            if self.door.delay:
                await asyncio.sleep(self.door.delay)
            await put(data)

    async def outwards(self, data):
        await self.door.outwards.wait()
        if self.frontend is None:
            await send(self.far[1], data)
            return
        passed = b""
        for message, commit, round_ends in self.frontend.feed(data):
            if commit and self.trapped is None and self.door.trap:
                self.trapped, self.door.trap = self.door.trap, None
                if self.trapped == "before":
                    await send(self.far[1], passed)
                    self.hang_up("undone")
                    return
                asyncio.get_running_loop().call_later(ANSWER_SECONDS, self.hang_up, "unanswered")
            passed += message
        await send(self.far[1], passed)

    async def homewards(self, data):
        await self.door.homewards.wait()
        if self.trapped is None:
            await send(self.near[1], data)
            return
        # Nobody hears this any more.
        self.heard += data
        if b"COMMIT\0" in self.heard:
            self.hang_up("committed")
        elif b"C40001\0" in self.heard or b"C40P01\0" in self.heard:
            self.hang_up("refused")

    def hang_up(self, fate):
        if self.trapped is not None and self in self.door.connections:
            self.door.fates[fate] += 1
            self.door.connections.discard(self)
            self.abort()


async def send(writer, data):
    if data:
        writer.write(data)
        await writer.drain()


class Door:
    def __init__(self, near, far, postgres):
        self.near_port, self.far_port, self.postgres = near, far, postgres
        self.server = None
        self.connections = set()
        self.outwards, self.homewards = asyncio.Event(), asyncio.Event()
        self.outwards.set()
        self.homewards.set()
        self.delay = 0.0
        self.trap = None
        self.fates = collections.Counter()

    async def serve(self, *near):
        connection = None
        try:
            await self.outwards.wait()
            far = await asyncio.open_connection("127.0.0.1", self.far_port)
            for _, writer in (near, far):
                writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, near, far)
            self.connections.add(connection)
            await connection.run()
        except OSError:
            pass
        finally:
            self.connections.discard(connection)
            near[1].transport.abort()

    def cut(self):
        for connection in list(self.connections):
            connection.abort()

    async def do(self, what, argument):
        if what == "open" and self.server is None:
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.near_port)
        elif what == "shut" and self.server is not None:
            self.server.close()
            self.server = None
            self.cut()
        elif what == "cut":
            self.cut()
        elif what == "hold":  # both ways
            self.outwards.clear()
            self.homewards.clear()
        elif what == "hold_answers":
            self.homewards.clear()
        elif what == "flow":
            self.outwards.set()
            self.homewards.set()
        elif what == "delay":  # seconds, for each piece either way
            self.delay = argument
        elif what == "trap":  # before, after, or None
            self.trap = argument
        return {"fates": self.fates, "connections": len(self.connections), "trap": self.trap}


async def serve(doors):
    doors = {name: Door(*where) for name, where in doors.items()}
    for door in doors.values():
        await door.do("open", None)
    loop = asyncio.get_running_loop()
    print(json.dumps({}), flush=True)
    # The end of the input is that of the process that needs the doors.
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        name, what, argument = json.loads(line)
        print(json.dumps(await doors[name].do(what, argument)), flush=True)


class Proxy:
    """The doors as the test sees them. doors: name -> (port of the door, port of the server, speaks PostgreSQL)."""

    def __init__(self, doors):
        self.lock = threading.Lock()
        self.process = subprocess.Popen([sys.executable, "-B", __file__, json.dumps(doors)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline():
            raise RuntimeError("the proxy does not start")

    def tell(self, door, what, argument=None):
        """Does it and returns the door's state: fates of trapped commits, open connections, the trap that is set."""
        with self.lock:
            self.process.stdin.write(json.dumps([door, what, argument]) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
