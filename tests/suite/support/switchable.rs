//! A real Prefect server behind a switch: as it is, gone, slow, or with an error of its own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::blocking::Client;

use super::scripted::{Received, Reply, Scripted};

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As the real one.
    Up = 0,
    /// Every connection is closed without a word.
    Down = 1,
    /// Answers come after a second and a half.
    Slow = 2,
    /// 500 to everything.
    Broken = 3,
    /// 422 to what would change something.
    Refusing = 4,
}

/// The switch in front of a server.
pub(crate) struct Switchable {
    server: Scripted,
    mode: Arc<AtomicU8>,
}

/// Whether a request would create or change a deployment.
fn is_write(line: &str) -> bool {
    line.contains("POST /api/deployments/ ") || line.contains("PATCH /api/deployments/")
}

impl Switchable {
    /// Forwards to the real server, as long as the mode lets it.
    pub(crate) fn in_front_of(api_url: &str) -> Self {
        let mode = Arc::new(AtomicU8::new(Mode::Up as u8));
        let (real, current) = (api_url.to_owned(), Arc::clone(&mode));
        let client = Mutex::new(client());
        let server = Scripted::start(move |received, _| {
            let mode = current.load(Ordering::SeqCst);
            let is_change = received.line.starts_with("PATCH")
                || received.line.contains("POST /api/deployments/ ")
                || received.line.starts_with("DELETE");
            match mode {
                1 => Reply::Close,
                3 => Reply::AnswerAndClose(500, r#"{"exception_message":"broken"}"#.to_owned()),
                4 if is_change => Reply::json(422, r#"{"detail":"not like this"}"#),
                2 => {
                    let (status, body) = forward(&client.lock().unwrap(), &real, received);
                    std::thread::sleep(Duration::from_millis(1500));
                    Reply::json(status, &body)
                }
                _ => {
                    let (status, body) = forward(&client.lock().unwrap(), &real, received);
                    Reply::json(status, &body)
                }
            }
        });
        Self { server, mode }
    }

    /// What flowreg is given as the address of its server.
    pub(crate) fn api_url(&self) -> &str {
        &self.server.api_url
    }

    /// From now on the server behaves so.
    pub(crate) fn switch(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// How many deployments were sent to be created or changed. What is sent again word for word, as
    /// the real server was too busy for it, is the same write.
    pub(crate) fn writes(&self) -> usize {
        let received = self.server.received();
        let writes = received.iter().filter(|received| is_write(&received.line));
        writes.map(|received| (&received.line, &received.body)).collect::<HashSet<_>>().len()
    }

    /// How many requests came in.
    pub(crate) fn requests(&self) -> usize {
        self.server.received().len()
    }
}

fn client() -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
        .unwrap()
}

fn forward(client: &Client, real: &str, received: &Received) -> (u16, String) {
    let mut words = received.line.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let url = format!("{real}{}", path.strip_prefix("/api").unwrap());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client.request(method, url).body(received.body.clone());
    for (name, value) in &received.headers {
        if !matches!(name.as_str(), "host" | "content-length" | "connection" | "accept-encoding") {
            request = request.header(name, value);
        }
    }
    let answer = request.send().unwrap();
    (answer.status().as_u16(), answer.text().unwrap())
}
