"""A key-value plugin written with pyvider-rpcplugin.

The host starts it with the magic cookie in its environment and talks to it
over gRPC. Each key is a file kv_KEY of the working directory.
"""

import asyncio
import logging
import os
import pathlib
import sys

# The cookie that this plugin expects, unless the caller has said otherwise.
# Before the import, which reads the configuration.
os.environ.setdefault("PLUGIN_MAGIC_COOKIE_KEY", "BASIC_PLUGIN")
os.environ.setdefault("PLUGIN_MAGIC_COOKIE_VALUE", "hello")

import grpc  # noqa: E402
import kv_pb2  # noqa: E402
import kv_pb2_grpc  # noqa: E402
from pyvider.rpcplugin import plugin_server  # noqa: E402
from pyvider.rpcplugin.protocol.base import RPCPluginProtocol  # noqa: E402

log = logging.getLogger("kv")


class KvHandler(kv_pb2_grpc.KVServicer):
    """Answers the calls."""

    async def Put(self, request, context):
        path = await self._file_of(request.key, context)
        log.warning("put %s, %d bytes", request.key, len(request.value))
        path.write_bytes(request.value + b"\n\nWritten from plugin_python")
        return kv_pb2.Empty()

    async def Get(self, request, context):
        path = await self._file_of(request.key, context)
        if not path.exists():
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"no key {request.key!r}"
            )
        return kv_pb2.GetResponse(value=path.read_bytes())

    @staticmethod
    async def _file_of(key, context):
        """The file of a key, which must not lead out of the directory."""
        if not key or "/" in key or "\0" in key:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"key {key!r}: must not be empty or hold a slash",
            )
        return pathlib.Path(f"kv_{key}")


class KvProtocol(RPCPluginProtocol):
    """Tells pyvider how to register the service."""

    service_name = "proto.KV"
    supported_protocol_versions = [1]

    async def get_grpc_descriptors(self):
        return kv_pb2_grpc, self.service_name

    async def add_to_server(self, server, handler):
        kv_pb2_grpc.add_KVServicer_to_server(handler, server)


async def main():
    logging.basicConfig(
        stream=sys.stderr, format="[%(levelname)s] %(name)s: %(message)s"
    )
    # Made inside the running loop, whose future it takes.
    # KV_TRANSPORT=tcp: for trying the other network.
    server = plugin_server(
        protocol=KvProtocol(),
        handler=KvHandler(),
        transport=os.environ.get("KV_TRANSPORT", "unix"),
    )
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main())
