"""A gRPC server of one process and no library of gRPC, by h2: what a program in a sandbox may do on its port."""

import json
import socket
import threading

import h2.config
import h2.connection
import h2.events

OK = [("grpc-status", "0"), ("x-sum", "7")]


def start():
    """Its port."""
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    return server.getsockname()[1]


def serve(server):
    while True:
        s, _ = server.accept()
        threading.Thread(target=Connection(s).run, daemon=True).start()


class Connection:
    def __init__(self, s):
        self.s = s
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.heads, self.bodies = {}, {}

    def run(self):
        self.h2.initiate_connection()
        with self.s:
            self.s.sendall(self.h2.data_to_send())
            while data := self.s.recv(1 << 16):
                cut = "cut" in [self.see(event) for event in self.h2.receive_data(data)]
                self.s.sendall(self.h2.data_to_send())
                if cut:
                    return

    def see(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            self.heads[stream], self.bodies[stream] = dict(event.headers), b""
            return self.begin(stream, self.heads[stream][":path"])
        if isinstance(event, h2.events.DataReceived):
            self.bodies[stream] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        if isinstance(event, h2.events.StreamEnded):
            self.end(stream, self.heads[stream][":path"])
        return None

    def begin(self, stream, path):
        if path == "/cut":
            return "cut"
        if path == "/half":
            self.respond(stream)
            return "cut"
        if path == "/reset":
            self.h2.reset_stream(stream, 8)
        if path == "/fail":
            self.respond(stream, ("grpc-status", "5"), ("grpc-message", "no%21"), end=True)
        return None

    def respond(self, stream, *more, end=False):
        head = [(":status", "200"), ("content-type", "application/grpc"), *more]
        self.h2.send_headers(stream, head, end_stream=end)

    def end(self, stream, path):
        if path == "/head":
            self.respond(stream)
            self.h2.send_data(stream, json.dumps(self.heads[stream]).encode())
            self.h2.send_headers(stream, OK, end_stream=True)
        if path == "/echo":
            self.respond(stream)
            # within the first window
            self.h2.send_data(stream, self.bodies[stream][:1000])
            self.h2.send_headers(stream, [*OK, ("x-bytes", str(len(self.bodies[stream])))], end_stream=True)
