"""Centrifugo's own Python client for backends, synchronous and asynchronous."""

import time
import unittest

from cent import (
    AsyncClient,
    BatchRequest,
    CentApiResponseError,
    CentTransportError,
    CentUnauthorizedError,
    Client,
    DeleteUserStatusRequest,
    DisconnectRequest,
    GetUserStatusRequest,
    InfoRequest,
    PresenceRequest,
    UpdateUserStatusRequest,
)

from server import KEY, Server


class Synchronous(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        cls.client = Client(cls.server.api, KEY)

    def test_a_status_is_updated_read_and_deleted(self):
        before = int(time.time())
        self.client.update_user_status(UpdateUserStatusRequest(users=["42", "43"], state="dnd"))
        statuses = self.client.get_user_status(GetUserStatusRequest(users=["43", "nobody", "42"])).statuses
        self.assertEqual([status.user for status in statuses], ["43", "nobody", "42"])
        self.assertGreaterEqual(statuses[0].active, before)
        self.assertEqual((statuses[0].online, statuses[0].state), (0, "dnd"))
        self.assertEqual((statuses[1].active, statuses[1].online), (0, 0))
        self.client.delete_user_status(DeleteUserStatusRequest(users=["42"]))
        statuses = self.client.get_user_status(GetUserStatusRequest(users=["42"])).statuses
        self.assertEqual(statuses[0].active, 0)

    def test_a_batch_is_answered_in_order(self):
        for parallel in [False, True]:
            requests = [
                UpdateUserStatusRequest(users=["50"]),
                InfoRequest(),
                GetUserStatusRequest(users=["51"]),
            ]
            replies = self.client.batch(BatchRequest(requests=requests, parallel=parallel)).replies
            self.assertEqual(len(replies), 3)
            self.assertEqual(replies[2].statuses[0].user, "51")
            self.assertTrue(replies[1].nodes[0].uid)

    def test_a_query_without_users_returns_an_empty_list(self):
        self.assertEqual(self.client.get_user_status(GetUserStatusRequest(users=[])).statuses, [])

    def test_info_describes_the_node_and_an_unknown_user_is_disconnected(self):
        nodes = self.client.info(InfoRequest()).nodes
        self.assertEqual((len(nodes), nodes[0].num_clients), (1, 0))
        self.client.disconnect(DisconnectRequest(user="42"))

    def test_errors_have_the_classes_of_the_client(self):
        with self.assertRaises(CentApiResponseError) as raised:
            self.client.update_user_status(UpdateUserStatusRequest(users=[]))
        self.assertEqual((raised.exception.code, raised.exception.message), (107, "bad request"))
        with self.assertRaises(CentUnauthorizedError):
            Client(self.server.api, "another key").info(InfoRequest())
        with self.assertRaises(CentTransportError) as raised:
            self.client.presence(PresenceRequest(channel="chat"))
        self.assertEqual(raised.exception.status_code, 404)

    def test_switched_off_it_is_not_available(self):
        with Server(HEREABOUTS_USER_STATUS__ENABLED="false") as server:
            with self.assertRaises(CentApiResponseError) as raised:
                Client(server.api, KEY).get_user_status(GetUserStatusRequest(users=["42"]))
            self.assertEqual(raised.exception.code, 108)


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())

    async def test_every_method_is_awaited(self):
        async with AsyncClient(self.server.api, KEY) as client:
            await client.update_user_status(UpdateUserStatusRequest(users=["42"]))
            statuses = (await client.get_user_status(GetUserStatusRequest(users=["42", "43"]))).statuses
            self.assertGreater(statuses[0].active, 0)
            self.assertEqual(statuses[1].active, 0)
            requests = [DeleteUserStatusRequest(users=["42"]), GetUserStatusRequest(users=["42"])]
            replies = (await client.batch(BatchRequest(requests=requests))).replies
            self.assertEqual(replies[1].statuses[0].active, 0)
            with self.assertRaises(CentApiResponseError) as raised:
                await client.delete_user_status(DeleteUserStatusRequest(users=[]))
            self.assertEqual(raised.exception.code, 107)
        async with AsyncClient(self.server.api, "another key") as client:
            with self.assertRaises(CentUnauthorizedError):
                await client.info(InfoRequest())
