#!/usr/bin/env python3
"""A wide-area link in user space, for kernels without netem.

wan.py NAMESPACE RATE_MBIT DELAY_MS LOSS_PERCENT [SEED]

Makes a TUN device here (10.99.0.1) and one in the network namespace (10.99.0.2) and carries packets between them: each direction has its
own rate, delay, loss and a queue of 250 ms. Prints "ready", ends with SIGTERM, and then says how many packets it carried, lost at random
and dropped because the queue was full. Needs root and /dev/net/tun.
"""
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000
QUEUE_SECONDS = 0.25


def tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    return fd


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def main():
    namespace, rate, delay, loss = sys.argv[1], float(sys.argv[2]) * 1e6 / 8, float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 100
    chance = random.Random(int(sys.argv[5]) if len(sys.argv) > 5 else 1)
    near, far = tun("wan-near"), tun("wan-far")
    ip("link", "set", "wan-far", "netns", namespace)
    ip("addr", "add", "10.99.0.1/30", "dev", "wan-near")
    ip("link", "set", "wan-near", "txqueuelen", "5000", "up")
    ip("-n", namespace, "addr", "add", "10.99.0.2/30", "dev", "wan-far")
    ip("-n", namespace, "link", "set", "wan-far", "txqueuelen", "5000", "up")
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print("ready", flush=True)
    other = {near: far, far: near}
    free = {near: 0.0, far: 0.0}  # when the line of that direction has sent all it was given
    due = []
    number = carried = lost = full = 0
    while running:
        now = time.monotonic()
        wait = max(0.0, due[0][0] - now) if due else 0.5
        for fd in select.select([near, far], [], [], wait)[0]:
            for _ in range(64):
                try:
                    packet = os.read(fd, 65536)
                except BlockingIOError:
                    break
                now = time.monotonic()
                begin = max(now, free[fd])
                if begin - now > QUEUE_SECONDS:
                    full += 1
                    continue
                free[fd] = begin + len(packet) / rate
                if chance.random() < loss:
                    lost += 1
                    continue
                number += 1
                heapq.heappush(due, (free[fd] + delay, number, other[fd], packet))
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, fd, packet = heapq.heappop(due)
            try:
                os.write(fd, packet)
                carried += 1
            except BlockingIOError:
                full += 1
    print(f"carried {carried} packets, lost {lost}, queue full {full}", flush=True)


main()
