"""A client of HTTP/2, by the h2 library: sends what it is told to and reads on one connection."""

import socket

import h2.config
import h2.connection
import h2.events
import h2.settings


class Answer:
    def __init__(self):
        self.interim, self.head, self.trailers = [], None, None
        self.data = bytearray()
        self.ended, self.reset = False, None

    @property
    def body(self):
        return bytes(self.data)

    @property
    def status(self):
        return int(self.head[":status"])

    @property
    def over(self):
        return self.ended or self.reset is not None


class Client:
    def __init__(self, port=None, window=None, sock=None):
        """sock: a connection that is there already, in TLS."""
        self.sock = sock or socket.create_connection(("127.0.0.1", port), timeout=60)
        self.scheme = "https" if sock else "http"
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.takes = True
        if window is not None:
            self.h2.local_settings = h2.settings.Settings(
                initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            )
        self.h2.initiate_connection()
        self.answers, self.goaways, self.closed = {}, [], False
        self.flush()

    def close(self):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def ask(self, path, method="GET", fields=(), authority="front:1", end=True):
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", self.scheme), (":authority", authority), (":path", path), *fields]
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, head, end_stream=end)
        self.flush()
        return stream

    def send(self, stream, data, end=True):
        """As the windows allow."""
        at = 0
        while at < len(data):
            self.until(lambda: self.h2.local_flow_control_window(stream) > 0 or self.answers[stream].over)
            if self.answers[stream].over:
                return
            n = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            self.h2.send_data(stream, data[at : at + n])
            at += n
            self.flush()
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def read(self):
        data = self.sock.recv(1 << 16)
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self.see(event)
        self.flush()

    def see(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(dict(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            # a name twice: joined
            answer.head = {}
            for name, value in event.headers:
                answer.head[name] = f"{answer.head[name]}, {value}" if name in answer.head else value
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.data += event.data
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((int(event.error_code), event.last_stream_id))

    def until(self, holds):
        while not holds():
            if self.closed:
                raise EOFError("the server has closed")
            self.read()

    def answer(self, stream):
        self.until(lambda: self.answers[stream].over)
        return self.answers[stream]

    def get(self, path, **kw):
        return self.answer(self.ask(path, **kw))
