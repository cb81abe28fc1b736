"""An OpenTelemetry collector for the tests: OTLP over gRPC, decoded with the published definitions."""

import collections
import concurrent.futures
import threading

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc

from .until import until

Span = collections.namedtuple("Span", "service name trace_id span_id parent_id attributes status kind state start end")


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def spans_of(request):
    for resource in request.resource_spans:
        of = {a.key: value(a.value) for a in resource.resource.attributes}
        assert of["service.instance.id"] and of["service.version"], of
        for scope in resource.scope_spans:
            for s in scope.spans:
                attributes = {a.key: value(a.value) for a in s.attributes}
                yield Span(
                    of["service.name"],
                    s.name,
                    s.trace_id.hex(),
                    s.span_id.hex(),
                    s.parent_span_id.hex(),
                    attributes,
                    s.status.code,
                    s.kind,
                    s.trace_state,
                    s.start_time_unix_nano,
                    s.end_time_unix_nano,
                )


class Collector(rpc.TraceServiceServicer):
    """answer: a grpc.StatusCode that Export fails with, "hang", or None for OK."""

    def __init__(self, port):
        self.lock = threading.Lock()
        self.port, self.spans, self.calls, self.answer = port, [], 0, None
        self.start()

    def start(self):
        self.free = threading.Event()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
        rpc.add_TraceServiceServicer_to_server(self, self.server)
        assert self.server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self.server.start()

    def stop(self):
        self.free.set()
        self.server.stop(None).wait()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def Export(self, request, context):
        with self.lock:
            self.calls += 1
        if self.answer == "hang":
            self.free.wait(60)
        elif self.answer is not None:
            context.abort(self.answer, "as the test wants")
        with self.lock:
            self.spans.extend(spans_of(request))
        return service.ExportTraceServiceResponse()

    def trace(self, trace_id):
        with self.lock:
            return [s for s in self.spans if s.trace_id == trace_id]

    def named(self, name):
        with self.lock:
            return [s for s in self.spans if s.name == name]

    def wait(self, trace_id, names, timeout=60):
        """The spans of a trace by name, once all of these are there."""
        until(lambda: names <= {s.name for s in self.trace(trace_id)}, timeout=timeout, what=f"spans {sorted(names)}")
        return {s.name: s for s in self.trace(trace_id)}
