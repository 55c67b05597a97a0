"""An app on 8080 and its hook server on 9000 that writes down everything that reaches it, in order."""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/aws/lambda-microvms/runtime/v1/"
events = []
# What the next call of a hook answers: {"suspend": {"status": 500, "delay": 2}}
orders = {"validate": {"status": int(os.environ.get("VALIDATE", "200"))}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read_body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

    def log_message(self, *args):
        pass


class App(Handler):
    def do_GET(self):
        events.append({"what": "request"})
        self.answer(200, events)

    def do_POST(self):
        orders.update(json.loads(self.read_body()))
        self.answer(200, orders)
        if "exit" in orders:
            os._exit(orders["exit"])
        if "eat" in orders:
            eaten = []
            while True:
                eaten.append(bytearray(os.urandom(1 << 20) * 16))


class Hooks(Handler):
    def do_POST(self):
        hook = self.path.removeprefix(PREFIX)
        body = self.read_body()
        event = {"what": hook, "body": body, "host": self.headers["Host"], "peer": self.client_address[0]}
        event["type"] = self.headers["Content-Type"]
        event["agent"] = self.headers["User-Agent"]
        order = orders.get(hook, {})
        if hook == "run" and body:
            payload = json.loads(body)["runHookPayload"]
            order = json.loads(payload) if payload.startswith("{") else order
        time.sleep(order.get("delay", 0))
        status = order.get("status", 200)
        if hook == "ready" and sum(one["what"] == "ready" for one in events) < 2:
            status = 503
        event["status"] = status
        events.append(event)
        print(f"hook {hook} answers {status}", flush=True)
        self.answer(status, {})


threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", 9000), Hooks).serve_forever).start()
ThreadingHTTPServer(("0.0.0.0", 8080), App).serve_forever()
