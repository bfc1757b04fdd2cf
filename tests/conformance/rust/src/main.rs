//! A go-plugin plugin in Rust, as people write them: tonic, tokio, rustls. All
//! of it runs on one thread.
//!
//!     kv_rust [--max-streams N] [--max-age SECONDS] [--no-health]
//!
//! --max-streams is HTTP/2's limit of calls at once. --max-age is what tonic lets
//! a connection live; soon after, it is cut. With PLUGIN_CLIENT_CERT in the
//! environment it does AutoMTLS. Ends by itself after two minutes.

mod messages;
mod services;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch, Mutex};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::server::{Router, ServerTlsConfig};
use tonic::transport::{Certificate, Identity, Server};

use services::{
    Broker, Controller, GRPCBrokerServer, GRPCControllerServer, GRPCStdioServer, KVServer, Kv,
    Stdio,
};

const LIFETIME: Duration = Duration::from_secs(120);
const CLIENT_CERTIFICATE: &str = "PLUGIN_CLIENT_CERT";
const MAX_MESSAGE: usize = 64 << 20;

#[derive(Default)]
struct Arguments {
    max_streams: Option<u32>,
    max_age: Option<Duration>,
    no_health: bool,
}

fn parse() -> Result<Arguments, Box<dyn Error>> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--max-streams" => arguments.max_streams = Some(value()?.parse()?),
            "--max-age" => arguments.max_age = Some(Duration::from_secs_f64(value()?.parse()?)),
            "--no-health" => arguments.no_health = true,
            _ => return Err(format!("no such flag: {word}").into()),
        }
    }
    Ok(arguments)
}

/// AutoMTLS: a certificate for this run, its DER for the line, and the host's.
fn one_time_tls(host: &str) -> Result<(ServerTlsConfig, String), Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(vec!["localhost".to_string()])?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let certificate = parameters.self_signed(&key)?;
    let config = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate.pem(), key.serialize_pem()))
        .client_ca_root(Certificate::from_pem(host));
    let line = base64::engine::general_purpose::STANDARD_NO_PAD.encode(certificate.der());
    Ok((config, line))
}

async fn serve(
    server: Router,
    path: &Path,
    line: String,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Box<dyn Error>> {
    let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
    let mut stdout = std::io::stdout();
    writeln!(stdout, "1|1|unix|{}|grpc|{line}", path.display())?;
    stdout.flush()?;
    let stop = async move {
        let _ = tokio::time::timeout(LIFETIME, stopped.wait_for(|stopped| *stopped)).await;
    };
    server.serve_with_incoming_shutdown(incoming, stop).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = parse()?;
    if std::env::var("BASIC_PLUGIN").as_deref() != Ok("hello") {
        return Err("this is a plugin: a host starts it".into());
    }
    // The terminal's Ctrl-C is the host's matter.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let mut server = Server::builder().max_concurrent_streams(arguments.max_streams);
    if let Some(age) = arguments.max_age {
        server = server
            .max_connection_age(age)
            .max_connection_age_grace(Duration::from_millis(100));
    }
    let mut line = String::new();
    if let Ok(host) = std::env::var(CLIENT_CERTIFICATE) {
        let (config, certificate) = one_time_tls(&host)?;
        server = server.tls_config(config)?;
        line = certificate;
    }
    let (output, printed) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let kv = Kv {
        output,
        values: Default::default(),
    };
    let mut router = server
        .add_service(KVServer::new(kv).max_decoding_message_size(MAX_MESSAGE))
        .add_service(GRPCControllerServer::new(Controller(stop)))
        .add_service(GRPCStdioServer::new(Stdio(Arc::new(Mutex::new(printed)))))
        .add_service(GRPCBrokerServer::new(Broker));
    if !arguments.no_health {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter
            .set_service_status("plugin", tonic_health::ServingStatus::Serving)
            .await;
        router = router.add_service(health);
    }
    let directory =
        std::env::var("PLUGIN_UNIX_SOCKET_DIR").map_or(std::env::temp_dir(), PathBuf::from);
    let path = directory.join(format!("rust{}", std::process::id()));
    let served = serve(router, &path, line, stopped).await;
    let _ = std::fs::remove_file(&path);
    served
}
