"""A pyvider plugin that prints.

Put prints its key to stdout and its value, a log line as somebody's logger
writes it, to stderr. Get answers "nothing".
"""

import asyncio
import os
import sys

os.environ.setdefault("PLUGIN_MAGIC_COOKIE_KEY", "BASIC_PLUGIN")
os.environ.setdefault("PLUGIN_MAGIC_COOKIE_VALUE", "hello")

import kv_pb2  # noqa: E402
import kv_pb2_grpc  # noqa: E402
from pyvider.rpcplugin import plugin_server  # noqa: E402
from pyvider.rpcplugin.protocol.base import RPCPluginProtocol  # noqa: E402


class Handler(kv_pb2_grpc.KVServicer):
    async def Put(self, request, context):
        print(request.key, flush=True)
        print(request.value.decode(), file=sys.stderr, flush=True)
        return kv_pb2.Empty()

    async def Get(self, request, context):
        return kv_pb2.GetResponse(value=b"nothing")


class Protocol(RPCPluginProtocol):
    service_name = "proto.KV"
    supported_protocol_versions = [1]

    async def get_grpc_descriptors(self):
        return kv_pb2_grpc, self.service_name

    async def add_to_server(self, server, handler):
        kv_pb2_grpc.add_KVServicer_to_server(handler, server)


async def main():
    server = plugin_server(
        protocol=Protocol(), handler=Handler(), transport="unix"
    )
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main())
