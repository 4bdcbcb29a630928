"""A Python client generated from the schema, and the reflection and health services."""

import importlib
import os
import sys
import tempfile
import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

from server import KEY, Server

SERVICE = "centrifugal.centrifugo.api.CentrifugoApi"


def generate(folder):
    """Returns the messages and the stub of proto/centrifugo.proto."""
    schema = os.path.join(os.path.dirname(__file__), "..", "..", "proto")
    arguments = ["protoc", f"-I{schema}", f"--python_out={folder}", f"--grpc_python_out={folder}", "centrifugo.proto"]
    assert protoc.main(arguments) == 0
    sys.path.insert(0, folder)
    return importlib.import_module("centrifugo_pb2"), importlib.import_module("centrifugo_pb2_grpc")


class Grpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages, cls.stubs = generate(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.server = cls.enterClassContext(Server())
        cls.channel = cls.enterClassContext(grpc.insecure_channel(cls.server.grpc))
        cls.api = cls.stubs.CentrifugoApiStub(cls.channel)

    def call(self, method, request, *metadata):
        key = ("authorization", f"apikey {KEY}")
        return getattr(self.api, method)(request, metadata=[key, *metadata], timeout=10)

    def test_a_status_is_updated_read_and_deleted(self):
        messages = self.messages
        updated = self.call("UpdateUserStatus", messages.UpdateUserStatusRequest(users=["42"], state="dnd"))
        self.assertTrue(updated.HasField("result") and not updated.HasField("error"))
        read = self.call("GetUserStatus", messages.GetUserStatusRequest(users=["43", "42"]))
        first, second = read.result.statuses
        self.assertEqual((first.user, first.active, first.online, first.state), ("43", 0, 0, ""))
        self.assertEqual((second.user, second.state), ("42", "dnd"))
        self.assertGreater(second.active, 1_750_000_000)
        self.call("DeleteUserStatus", messages.DeleteUserStatusRequest(users=["42"]))
        read = self.call("GetUserStatus", messages.GetUserStatusRequest(users=["42"]))
        self.assertEqual(read.result.statuses[0].active, 0)

    def test_a_batch_is_answered_in_order(self):
        messages = self.messages
        commands = [
            messages.Command(update_user_status=messages.UpdateUserStatusRequest(users=["50"])),
            messages.Command(),
            messages.Command(get_user_status=messages.GetUserStatusRequest(users=["51"])),
            messages.Command(disconnect=messages.DisconnectRequest(user="50")),
        ]
        for parallel in [False, True]:
            replies = self.call("Batch", messages.BatchRequest(commands=commands, parallel=parallel)).replies
            self.assertTrue(replies[0].HasField("update_user_status"))
            self.assertEqual(replies[1].error.code, 104)
            self.assertEqual(replies[2].get_user_status.statuses[0].user, "51")
            self.assertTrue(replies[3].HasField("disconnect"))

    def test_an_error_is_in_the_response_or_on_request_in_the_status(self):
        request = self.messages.UpdateUserStatusRequest()
        answer = self.call("UpdateUserStatus", request)
        self.assertEqual((answer.error.code, answer.error.message), (107, "bad request"))
        self.assertFalse(answer.HasField("result"))
        with self.assertRaises(grpc.RpcError) as raised:
            self.call("UpdateUserStatus", request, ("x-centrifugo-error-mode", "transport"))
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_the_key_is_required_except_for_health_and_reflection(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.api.Info(self.messages.InfoRequest(), timeout=10)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.assertEqual(len(self.call("Info", self.messages.InfoRequest()).result.nodes), 1)
        health = health_pb2_grpc.HealthStub(self.channel)
        answer = health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=10)
        self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    def test_reflection_returns_the_schema(self):
        described = ProtoReflectionDescriptorDatabase(self.channel)
        self.assertIn(SERVICE, described.get_services())
        file = described.FindFileContainingSymbol(SERVICE)
        methods = {method.name for service in file.service for method in service.method}
        own = self.messages.DESCRIPTOR.services_by_name["CentrifugoApi"]
        self.assertEqual(methods, {method.name for method in own.methods})
