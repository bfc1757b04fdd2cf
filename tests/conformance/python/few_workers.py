"""A KV plugin on gRPC's threaded server, which has few threads.

    few_workers.py [--workers N] [--no-stdio] [--no-broker] [--deaf]
                   [--max-streams N] [--max-calls N] [--after SECONDS]

Its two streams are written as people write them: a generator that waits for
output, and a loop over what the host sends. Each keeps a thread for as long as
it is open. Get answers its key; of "!print:TEXT" it prints TEXT over GRPCStdio
first, of "!sleep:SECONDS" it takes its time, of "!burn:ROUNDS" it computes, a
million rounds in some 50 ms. Of "!pid" it answers its process.
"""

import argparse
import os
import queue
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

import kv_pb2
import kv_pb2_grpc

EMPTY = b""
SERVING = b"\x08\x01"


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-stdio", action="store_true")
    parser.add_argument("--no-broker", action="store_true")
    parser.add_argument("--deaf", action="store_true",
                        help="the output's thread hears of no cancellation")
    parser.add_argument("--max-streams", type=int, default=0,
                        help="HTTP/2's limit, in place of few threads")
    parser.add_argument("--max-calls", type=int,
                        help="the server's own limit: refuses what is more")
    parser.add_argument("--after", type=float, default=0,
                        help="health answers so late, once")
    return parser.parse_args()


class Kv(kv_pb2_grpc.KVServicer):
    def __init__(self, output):
        self.output = output

    def Put(self, request, context):
        return kv_pb2.Empty()

    def Get(self, request, context):
        name, _, argument = request.key.partition(":")
        if name == "!print":
            self.output.put(argument.encode() + b"\n")
        elif name == "!sleep":
            time.sleep(float(argument))
        elif name == "!burn":
            burn(int(argument))
        elif name == "!pid":
            return kv_pb2.GetResponse(value=str(os.getpid()).encode())
        return kv_pb2.GetResponse(value=request.key.encode())


def burn(rounds):
    """Keeps the interpreter, of which a process has one for all threads."""
    total = 0
    for number in range(rounds):
        total += number
    return total


def stdio_message(data):
    assert len(data) < 128
    return b"\x08\x01\x12" + bytes([len(data)]) + data


def generic(arguments, output, stopped):
    """go-plugin's own services: raw bytes, no generated code."""

    def stream_stdio(request, context):
        while arguments.deaf or context.is_active():
            try:
                yield stdio_message(output.get(timeout=0.2))
            except queue.Empty:
                pass

    def start_stream(requests, context):
        for _ in requests:
            pass
        return
        yield  # a generator

    checks = iter([0, arguments.after])

    def check(request, context):
        time.sleep(next(checks, 0))
        return SERVING

    def shutdown(request, context):
        stopped.set()
        return EMPTY

    services = {
        "grpc.health.v1.Health":
            {"Check": grpc.unary_unary_rpc_method_handler(check)},
        "plugin.GRPCController":
            {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)},
    }
    if not arguments.no_stdio:
        services["plugin.GRPCStdio"] = {
            "StreamStdio": grpc.unary_stream_rpc_method_handler(stream_stdio)}
    if not arguments.no_broker:
        services["plugin.GRPCBroker"] = {
            "StartStream": grpc.stream_stream_rpc_method_handler(start_stream)}
    return tuple(grpc.method_handlers_generic_handler(name, methods)
                 for name, methods in services.items())


def main():
    arguments = parse()
    if os.environ.get("BASIC_PLUGIN") != "hello":
        sys.exit("this is a plugin")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Timer(120, os._exit, (99,)).start()
    output = queue.Queue()
    stopped = threading.Event()
    options = []
    if arguments.max_streams:
        options = [("grpc.max_concurrent_streams", arguments.max_streams)]
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=arguments.workers),
        options=options, maximum_concurrent_rpcs=arguments.max_calls)
    server.add_generic_rpc_handlers(generic(arguments, output, stopped))
    kv_pb2_grpc.add_KVServicer_to_server(Kv(output), server)
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "python")
    server.add_insecure_port("unix:" + path)
    server.start()
    print("1|1|unix|" + path + "|grpc", flush=True)
    stopped.wait()
    time.sleep(0.1)  # for the answer
    os.unlink(path)
    os._exit(0)


if __name__ == "__main__":
    main()
