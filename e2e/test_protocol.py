"""What every gRPC tool expects: health, reflection of both versions, on each service."""

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from harness.client import NS, POOL


@pytest.mark.parametrize("service", ["router", "claims", "pools", "reconciler"])
def test_health_and_reflection_everywhere(stack, service):
    for target in stack.targets(service):
        with grpc.insecure_channel(target) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            serving = health_pb2.HealthCheckResponse.SERVING
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=5).status == serving
            with pytest.raises(grpc.RpcError) as e:
                health.Check(health_pb2.HealthCheckRequest(service="no.Such"), timeout=5)
            assert e.value.code() == grpc.StatusCode.NOT_FOUND
            services = ProtoReflectionDescriptorDatabase(channel).get_services()
            assert "grpc.health.v1.Health" in services
            assert any(s.startswith("sandplane.") for s in services)
            # v1 has the messages of v1alpha under another name
            call = channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            answer = next(call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=5))
            assert {s.name for s in answer.list_services_response.service} == set(services)


def test_a_client_that_knows_nothing_but_reflection(stack):
    with grpc.insecure_channel(stack.targets("router")[0]) as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        service = pool.FindServiceByName("sandplane.v1.SandboxService")

        def call(method, **kw):
            m = service.FindMethodByName(method)
            request = GetMessageClass(m.input_type)(**kw)
            answer = GetMessageClass(m.output_type)
            path = f"/{service.full_name}/{method}"
            return channel.unary_unary(
                path, request_serializer=lambda r: r.SerializeToString(), response_deserializer=answer.FromString
            )(request, timeout=60)

        box = call("CreateSandbox", parent=NS, pool=POOL)
        command = {"args": ["echo", "reflected"]}
        assert call("Exec", name=box.name, command=command).stdout == b"reflected\n"
        call("DeleteSandbox", name=box.name)


def test_reflection_errors(stack):
    with grpc.insecure_channel(stack.targets("router")[0]) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        r = next(
            stub.ServerReflectionInfo(
                iter([reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such")]), timeout=5
            )
        )
        assert r.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
