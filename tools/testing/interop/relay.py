#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A UDP relay that loses or spoils datagrams on the way, for one server and any number of clients.

What it spoils gets a checksum that fits, as it sends it anew, so that the damage reaches QUIC and is not
dropped by UDP, as that of netem would be. No more than BURST datagrams in a row are hit in one direction.

relay.py LISTEN-HOST LISTEN-PORT SERVER-HOST SERVER-PORT drop|corrupt PERCENT BURST SEED
relay.py LISTEN-HOST LISTEN-PORT SERVER-HOST SERVER-PORT drop-number N     the N-th datagram of each client, nothing else
Says "listening" once it is ready, and at the end (SIGTERM) how many datagrams passed and were hit.
"""
import functools
import itertools
import random
import selectors
import signal
import socket
import sys


class Direction:
    """One direction of one client: treats each datagram that is chosen, and counts."""

    def __init__(self, is_chosen, treatment):
        self.is_chosen, self.treatment = is_chosen, treatment
        self.passed = self.hit = 0

    def treat(self, data):
        """The datagram to send on, or None."""
        if not self.is_chosen():
            self.passed += 1
            return data
        self.hit += 1
        return self.treatment(data)


def at_random(rng, rate, burst):
    """Chooses so many of all, and no more than a burst in a row."""
    row = 0

    def is_chosen():
        nonlocal row
        row = row + 1 if row < burst and rng.random() < rate else 0
        return row > 0

    return is_chosen


def by_number(number):
    """Chooses the one of this number, or none."""
    count = itertools.count(1)
    return lambda: next(count) == number


def drop(_):
    """Nothing is left."""
    return None


def corrupt(rng, data):
    """A bit is changed."""
    spoilt = bytearray(data)
    spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def ways(how, args):
    """What makes the directions from and to a client."""
    if how == "drop-number":
        (number,) = args
        return lambda: Direction(by_number(int(number)), drop), lambda: Direction(by_number(0), drop)
    percent, burst, seed = args
    rng = random.Random(int(seed))
    treatment = drop if how == "drop" else functools.partial(corrupt, rng)
    make = lambda: Direction(at_random(rng, float(percent) / 100, int(burst)), treatment)
    return make, make


def main():
    host, port, server_host, server_port, how, *args = sys.argv[1:]
    server = (server_host, int(server_port))
    selector = selectors.DefaultSelector()
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind((host, int(port)))
    selector.register(front, selectors.EVENT_READ, None)
    directions = []
    clients = {}
    from_client, to_client = ways(how, args)

    def new_direction(make):
        directions.append(make())
        return directions[-1]

    def client(addr):
        if addr not in clients:
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.connect(server)
            selector.register(back, selectors.EVENT_READ, (addr, new_direction(to_client)))
            clients[addr] = (back, new_direction(from_client))
        return clients[addr]

    def report(*_):
        passed = sum(d.passed for d in directions)
        print(f"passed {passed} hit {sum(d.hit for d in directions)}", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, report)
    print("listening", flush=True)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                data, addr = front.recvfrom(65535)
                back, way = client(addr)
                send = back.send
            else:
                try:
                    data = key.fileobj.recv(65535)
                except ConnectionRefusedError:
                    continue
                addr, way = key.data
                send = lambda out, to=addr: front.sendto(out, to)
            out = way.treat(data)
            if out is not None:
                send(out)


main()
