//! The services' traits, without protoc: their messages are in src/messages.rs.

use tonic_build::manual::{Builder, Method, Service};

fn method(
    name: &str,
    route: &str,
    input: &str,
    output: &str,
) -> tonic_build::manual::MethodBuilder {
    Method::builder()
        .name(name)
        .route_name(route)
        .input_type(format!("crate::messages::{input}"))
        .output_type(format!("crate::messages::{output}"))
        .codec_path("tonic_prost::ProstCodec")
}

fn main() {
    let kv = Service::builder()
        .name("KV")
        .package("proto")
        .method(method("get", "Get", "GetRequest", "GetResponse").build())
        .method(method("put", "Put", "PutRequest", "Empty").build())
        .build();
    let controller = Service::builder()
        .name("GRPCController")
        .package("plugin")
        .method(method("shutdown", "Shutdown", "Empty", "Empty").build())
        .build();
    let stdio = Service::builder()
        .name("GRPCStdio")
        .package("plugin")
        .method(
            method("stream_stdio", "StreamStdio", "Empty", "StdioData")
                .server_streaming()
                .build(),
        )
        .build();
    let broker = Service::builder()
        .name("GRPCBroker")
        .package("plugin")
        .method(
            method("start_stream", "StartStream", "ConnInfo", "ConnInfo")
                .client_streaming()
                .server_streaming()
                .build(),
        )
        .build();
    Builder::new()
        .build_client(false)
        .compile(&[kv, controller, stdio, broker]);
}
