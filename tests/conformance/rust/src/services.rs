//! What is served: KV, and go-plugin's own services beside health.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::messages::{ConnInfo, Empty, GetRequest, GetResponse, PutRequest, StdioData};

mod generated {
    include!(concat!(env!("OUT_DIR"), "/proto.KV.rs"));
    include!(concat!(env!("OUT_DIR"), "/plugin.GRPCController.rs"));
    include!(concat!(env!("OUT_DIR"), "/plugin.GRPCStdio.rs"));
    include!(concat!(env!("OUT_DIR"), "/plugin.GRPCBroker.rs"));
}
use generated::g_r_p_c_broker_server::GRPCBroker;
pub use generated::g_r_p_c_broker_server::GRPCBrokerServer;
use generated::g_r_p_c_controller_server::GRPCController;
pub use generated::g_r_p_c_controller_server::GRPCControllerServer;
use generated::g_r_p_c_stdio_server::GRPCStdio;
pub use generated::g_r_p_c_stdio_server::GRPCStdioServer;
pub use generated::k_v_server::KVServer;
use generated::k_v_server::KV;

/// Output on its way to the host, which may not listen yet, or again.
pub type Output = mpsc::UnboundedSender<String>;

pub struct Kv {
    pub output: Output,
    pub values: Mutex<HashMap<String, Vec<u8>>>,
}

impl Kv {
    /// Keys that act, by the names that the other peers' have.
    async fn run(&self, name: &str, argument: &str) -> Result<Vec<u8>, Status> {
        let milliseconds = || Duration::from_millis(argument.parse().unwrap_or(0));
        match name {
            "exit" => std::process::exit(argument.parse().unwrap_or(1)),
            "signal" => {
                unsafe { libc::raise(argument.parse().unwrap_or(libc::SIGKILL)) };
            }
            // Unwinds out of the call alone, as tonic has it.
            "panic" => panic!("{argument}"),
            // As of one who awaits, and of one who has not heard of it: this
            // keeps the thread, and with it all of the plugin.
            "sleep" => tokio::time::sleep(milliseconds()).await,
            "block" => std::thread::sleep(milliseconds()),
            "stdout" => {
                let _ = self.output.send(format!("{argument}\n"));
            }
            _ => return Err(Status::invalid_argument(format!("no such key: !{name}"))),
        }
        Ok(Vec::new())
    }
}

#[tonic::async_trait]
impl KV for Kv {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let key = request.into_inner().key;
        let value = match key.strip_prefix('!') {
            Some(command) => {
                let (name, argument) = command.split_once(':').unwrap_or((command, ""));
                self.run(name, argument).await?
            }
            None => self
                .values
                .lock()
                .unwrap()
                .get(&key)
                .cloned()
                .ok_or_else(|| Status::not_found(format!("no key {key}")))?,
        };
        Ok(Response::new(GetResponse { value }))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<Empty>, Status> {
        let PutRequest { key, mut value } = request.into_inner();
        value.extend_from_slice(b"\n\nWritten from kv_rust");
        self.values.lock().unwrap().insert(key, value);
        Ok(Response::new(Empty {}))
    }
}

pub struct Controller(pub watch::Sender<bool>);

#[tonic::async_trait]
impl GRPCController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        let _ = self.0.send(true);
        Ok(Response::new(Empty {}))
    }
}

#[derive(Clone)]
pub struct Stdio(pub Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>>);

impl Stdio {
    /// Nothing is lost between two streams.
    async fn forward(self, host: mpsc::Sender<Result<StdioData, Status>>) {
        let mut output = self.0.lock().await;
        loop {
            let piece = tokio::select! {
                _ = host.closed() => return,
                Some(text) = output.recv() => StdioData { channel: 1, data: text.into_bytes() },
            };
            if host.send(Ok(piece)).await.is_err() {
                return;
            }
        }
    }
}

#[tonic::async_trait]
impl GRPCStdio for Stdio {
    type StreamStdioStream = ReceiverStream<Result<StdioData, Status>>;

    async fn stream_stdio(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        let (host, pieces) = mpsc::channel(1);
        tokio::spawn(self.clone().forward(host));
        Ok(Response::new(ReceiverStream::new(pieces)))
    }
}

/// Listens to what the host announces, and announces nothing.
pub struct Broker;

#[tonic::async_trait]
impl GRPCBroker for Broker {
    type StartStreamStream = Pin<Box<dyn Stream<Item = Result<ConnInfo, Status>> + Send>>;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        let none = request.into_inner().filter(|announced| announced.is_err());
        Ok(Response::new(Box::pin(none)))
    }
}
