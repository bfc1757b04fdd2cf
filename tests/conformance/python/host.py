"""A pyvider-rpcplugin host for the KV service.

    host.py [--automtls] [--put KEY=VALUE] [--get KEY] PLUGIN [ARGS...]

Starts the plugin, puts, gets, shuts it down, and prints what it saw as one
JSON object. The exit code is 0 when everything worked, else 1.
"""

import argparse
import asyncio
import json
import os
import sys


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--automtls", action="store_true")
    parser.add_argument("--put", action="append", default=[])
    parser.add_argument("--get", action="append", default=[])
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("plugin", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.plugin:
        parser.error("no plugin")
    return arguments


async def call(step, method, request, timeout, report):
    try:
        answer = await method(request, timeout=timeout)
        step["value"] = getattr(answer, "value", b"").decode(errors="replace")
    except Exception as error:  # whatever it is belongs in the report
        step["error"] = f"{type(error).__name__}: {error}"
        report["ok"] = False
    report["steps"].append(step)


async def drive(arguments, report):
    # After main() has set the environment, which the import reads.
    import kv_pb2
    import kv_pb2_grpc
    from pyvider.rpcplugin import plugin_client

    client = plugin_client(
        command=arguments.plugin,
        config={"env": {"BASIC_PLUGIN": "hello"}},
    )
    try:
        await client.start()
        report["version"] = client._protocol_version
        report["network"] = client._transport_name
        report["address"] = client._address
        stub = kv_pb2_grpc.KVStub(client.grpc_channel)
        for item in arguments.put:
            key, _, value = item.partition("=")
            request = kv_pb2.PutRequest(key=key, value=value.encode())
            await call(
                {"do": "put", "key": key},
                stub.Put, request, arguments.timeout, report,
            )
        for key in arguments.get:
            await call(
                {"do": "get", "key": key},
                stub.Get, kv_pb2.GetRequest(key=key), arguments.timeout, report,
            )
        await client.shutdown_plugin()
    finally:
        await client.close()


def main():
    arguments = parse()
    os.environ.update(
        {
            "PLUGIN_MAGIC_COOKIE_KEY": "BASIC_PLUGIN",
            "PLUGIN_MAGIC_COOKIE_VALUE": "hello",
            "PLUGIN_AUTO_MTLS": "true" if arguments.automtls else "false",
            "PLUGIN_HANDSHAKE_TIMEOUT": str(arguments.timeout),
        }
    )
    report = {"ok": True, "steps": []}
    try:
        asyncio.run(drive(arguments, report))
    except Exception as error:
        report["ok"] = False
        report["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(report))
    sys.exit(0 if report["ok"] else 1)


if __name__ == "__main__":
    main()
