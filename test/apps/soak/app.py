"""
Counts its requests in memory and on the disk itself (not in the guest's cache of it), and by itself twice a second: a
microVM whose memory and disk are not of the same moment says so with its next answer. On demand it behaves badly.
"""

import base64
import hashlib
import json
import mmap
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = 4096
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Count:
    """A number in memory and in a block of the disk that no cache stands before."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(b"0".ljust(BLOCK))
            os.fsync(file.fileno())
        self.file = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_SYNC)
        self.block = mmap.mmap(-1, BLOCK)
        self.memory = 0
        self.torn = ""
        self.lock = threading.Lock()

    def on_disk(self):
        os.preadv(self.file, [self.block], 0)
        return int(self.block[:])

    def next(self):
        with self.lock:
            disk = self.on_disk()
            if disk != self.memory:
                self.torn = self.torn or f" torn: {self.memory} in memory, {disk} on disk"
            self.memory += 1
            self.block[:] = str(disk + 1).encode().ljust(BLOCK)
            os.pwritev(self.file, [self.block], 0)
            return f"{self.memory} {disk + 1}"


requests = Count("/requests")
ticks = Count("/ticks")
# What the next call of a hook does: {"suspend": {"delay": 60}}
orders = {}


def tick():
    while True:
        time.sleep(0.5)
        ticks.next()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

    def log_message(self, *args):
        pass


class App(Handler):
    def do_GET(self):
        if self.path == "/cgi-bin/count":
            self.answer(200, f"{requests.next()}{requests.torn}{ticks.torn}\n")
        elif self.path == "/stream":
            self.stream()
        elif self.path == "/socket":
            self.echo()
        elif self.path == "/exit":
            os._exit(3)
        else:
            self.answer(404, "nothing here")

    def do_POST(self):
        if self.path == "/orders":
            orders.update(json.loads(self.body()))
            self.answer(200, json.dumps(orders))
        elif self.path == "/flood":
            line = "x" * 120
            for number in range(int(self.body())):
                print(number, line)
            print("flooded", flush=True)
            self.answer(200, "done")

    def stream(self):
        """Numbered lines without an end."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(1_000_000):
            line = f"{number}\n"
            self.wfile.write(f"{len(line):x}\r\n{line}\r\n".encode())
            time.sleep(0.1)

    def echo(self):
        key = self.headers["Sec-WebSocket-Key"] + WEBSOCKET_GUID
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while True:
            first, second = self.rfile.read(2)
            length = second & 127
            if first & 15 == 8 or length > 125:
                return
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length)))
            self.wfile.write(bytes([0x80 | first & 15, length]) + text)


class Hooks(Handler):
    def do_POST(self):
        self.body()
        order = orders.pop(self.path.rsplit("/", 1)[1], {})
        time.sleep(order.get("delay", 0))
        self.answer(order.get("status", 200), "{}")


def answer_garbage():
    """What comes back on 8081 is no HTTP."""
    listener = socket.create_server(("0.0.0.0", 8081))
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.recv(1000)
                connection.sendall(os.urandom(5000))
            except OSError:
                pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients come and go as they like."""


threading.Thread(target=Server(("0.0.0.0", 9000), Hooks).serve_forever, daemon=True).start()
threading.Thread(target=answer_garbage, daemon=True).start()
threading.Thread(target=tick, daemon=True).start()
Server(("0.0.0.0", 8080), App).serve_forever()
