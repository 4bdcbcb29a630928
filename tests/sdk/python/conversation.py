"""One conversation with Centrifugo's Python SDK, unmodified. Prints its results as JSON.

Usage: conversation.py URL json|protobuf, with the tokens in the environment.
"""

import asyncio
import json
import os
import sys

from centrifuge import CentrifugeError, Client, ClientEventHandler, ReplyError, SubscriptionEventHandler

DEADLINE = 10


class Disconnections(ClientEventHandler):
    """Waits for the end of a connection."""

    def __init__(self):
        self.ended = asyncio.get_running_loop().create_future()

    async def on_disconnected(self, ctx):
        if not self.ended.done():
            self.ended.set_result([ctx.code, ctx.reason])


class Events(SubscriptionEventHandler):
    """Collects the events of a subscription, in order."""

    def __init__(self, decode):
        self.decode = decode
        self.queue = asyncio.Queue()

    async def on_subscribed(self, ctx):
        await self.queue.put(["subscribed", self.decode(ctx.data)])

    async def on_unsubscribed(self, ctx):
        await self.queue.put(["unsubscribed", ctx.code])

    async def on_publication(self, ctx):
        await self.queue.put(["publication", self.decode(ctx.pub.data)])

    async def next(self):
        return await asyncio.wait_for(self.queue.get(), DEADLINE)

    async def until(self, name, value):
        while True:
            _, data = await self.next()
            if data.get(name) == value:
                return data


async def refused(call):
    try:
        return [0, str(await call)]
    except ReplyError as error:
        return [error.code, error.message]


async def conversation(url, use_protobuf):
    encode = (lambda data: json.dumps(data).encode()) if use_protobuf else (lambda data: data)
    decode = (lambda data: json.loads(data) if data else None) if use_protobuf else (lambda data: data)

    def client(token, events=None, get_token=None):
        return Client(url, events=events, token=token, get_token=get_token, use_protobuf=use_protobuf)

    async def good():
        return os.environ["BOB"]

    found = {}
    wrong = Disconnections()
    await client(os.environ["WRONG"], wrong).connect()
    found["wrong token"] = await asyncio.wait_for(wrong.ended, DEADLINE)

    # The token has expired: the SDK gets another one and connects again.
    bob = client(os.environ["EXPIRED"], get_token=good)
    await bob.connect()
    await bob.ready(timeout=DEADLINE)
    alice = client(os.environ["ALICE"])
    await alice.connect()
    await alice.ready(timeout=DEADLINE)

    events = Events(decode)
    subscription = alice.new_subscription("status:bob", events=events)
    await subscription.subscribe()
    kind, snapshot = await events.next()
    found["snapshot"] = [kind, snapshot["user"], snapshot["online"], snapshot["statuses"]]
    empty = (await bob.rpc("update_user_status", encode({}))).data
    found["rpc"] = len(empty or "")
    await bob.rpc("update_user_status", encode({"state": "dnd"}))
    found["publication"] = (await events.until("state", "dnd"))["statuses"]
    clients = (await alice.presence("status:bob")).clients
    found["presence"] = [info.user for info in clients.values()]
    stats = await alice.presence_stats("status:bob")
    found["presence_stats"] = [stats.num_clients, stats.num_users]
    found["unknown method"] = await refused(alice.rpc("nope", encode({})))
    news = Events(decode)
    await alice.new_subscription("news", events=news).subscribe()
    found["unknown channel"] = await news.next()
    # Longer than the server waits for a pong.
    await asyncio.sleep(3)
    await bob.rpc("update_user_status", encode({"state": "still here"}))
    await events.until("state", "still here")
    await bob.disconnect()
    found["gone"] = (await events.until("online", False))["statuses"]
    await subscription.unsubscribe()
    found["end"] = (await events.next())[0]
    await alice.disconnect()
    return found


if __name__ == "__main__":
    try:
        print(json.dumps(asyncio.run(conversation(sys.argv[1], sys.argv[2] == "protobuf"))))
    except CentrifugeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
