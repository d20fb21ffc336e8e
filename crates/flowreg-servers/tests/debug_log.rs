//! What `--debug` shows of the traffic with a server: each request, and never a secret.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop where it is")]

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use flowreg_model::{
    Channel, CodeReference, Entrypoint, Field, Fields, FlowName, Marks, ReferenceName,
    ReferenceSource, Registration,
};
use flowreg_servers::connection::{prefect, prefect1};
use flowreg_servers::prefect::{ConnectOptions, PrefectServer};
use flowreg_servers::prefect1::Prefect1Server;
use flowreg_servers::{ReadScope, Target, Write};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

const KEY: &str = "pnu_s3cretkey";
const PASSWORD: &str = "s3cretpassword";
const HEADER: &str = "s3cretheader";
const PARAMETER: &str = "s3cretparameter";
const TOKEN: &str = "s3crettoken";
/// `ada:s3cretpassword` in base64.
const BASIC: &str = "YWRhOnMzY3JldHBhc3N3b3Jk";
/// A query may hold anything.
const QUERY: &str = "include_secrets";

/// A server that answers each request, in their order, with one of these statuses and bodies.
fn scripted(answers: &'static [(u16, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (stream, (status, body)) in listener.incoming().zip(answers) {
            answer(stream.unwrap(), *status, body);
        }
    });
    address
}

fn answer(mut stream: TcpStream, status: u16, body: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let size = body.len();
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {size}\r\nConnection: close\r\n");
    write!(stream, "{head}X-Answer: {TOKEN}\r\n\r\n{body}").unwrap();
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every event of every library while this runs, down to the finest.
fn logged(run: impl FnOnce()) -> String {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(captured.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, run);
    let bytes = captured.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn assert_no_secret(log: &str) {
    for secret in [KEY, PASSWORD, HEADER, PARAMETER, TOKEN, BASIC, QUERY] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

fn has_line(log: &str, parts: &[&str]) -> bool {
    log.lines().any(|line| parts.iter().all(|part| line.contains(part)))
}

fn registration() -> Registration {
    let reference = CodeReference {
        name: ReferenceName::Tag("v1".parse().unwrap()),
        commit: "a".repeat(40).parse().unwrap(),
        source: ReferenceSource::Flag,
        source_detail: "--tag".to_owned(),
        channel: Channel::Mainline,
        remote: None,
        proved: true,
    };
    Registration {
        flow: "etl".parse().unwrap(),
        deployment: "nightly".parse().unwrap(),
        entrypoint: Entrypoint::new("flows/etl.py", "etl"),
        marks: Marks::new("https://git.example.com/r.git", &reference, true, None),
        reference,
        fields: Fields::from_iter([(Field::Parameters, json!({"password": PARAMETER}))]),
        open_schema: None,
        upload: None,
    }
}

fn server(variables: &[(&str, &str)]) -> PrefectServer {
    let environment = variables.iter().copied().collect();
    let nowhere = Path::new("/nonexistent");
    let connection = prefect::connection(&environment, nowhere, Some(nowhere)).unwrap().unwrap();
    PrefectServer::connect(connection, ConnectOptions { jobs: 1 }).unwrap()
}

#[test]
fn every_request_is_logged_and_no_secret_is() {
    let address = scripted(&[
        (503, "s3crettoken"),
        (200, "\"3.8.8\""),
        (200, "[]"),
        (403, "{\"detail\": \"CSRF protection is enabled. s3crettoken\"}"),
        (200, "{\"token\": \"s3crettoken\"}"),
        (200, "{\"id\": \"f1\"}"),
        (404, "{\"detail\": \"no deployment, s3crettoken\"}"),
        (201, "{\"id\": \"d1\", \"parameters\": {\"password\": \"s3cretparameter\"}}"),
        (404, "{\"detail\": \"no block, s3crettoken\"}"),
    ]);
    let url = format!("http://{address}/api");
    let headers = format!("{{\"X-Own\": \"{HEADER}\"}}");
    let log = logged(|| {
        let target = server(&[
            ("PREFECT_API_URL", url.as_str()),
            ("PREFECT_API_KEY", KEY),
            ("PREFECT_CLIENT_CUSTOM_HEADERS", headers.as_str()),
        ]);
        let flows: [FlowName; 1] = ["etl".parse().unwrap()];
        target.read(ReadScope::Flows(&flows)).unwrap();
        target.apply(&Write::Create(&registration())).unwrap();
        assert_eq!(target.block("secret", "mine").unwrap(), None);
    });
    assert_no_secret(&log);
    for parts in [
        &["connection", "api=", address.as_str(), "PREFECT_API_URL"][..],
        &["request", "GET", "/admin/version", "status=503", "ms="],
        &["request is sent again", "/admin/version", "attempts=1", "it is busy (503)"],
        &["request", "GET", "/admin/version", "status=200"],
        &["server", "version=\"3.8.8\""],
        &["request", "POST", "/flows/filter", "status=200"],
        &["request", "POST", "/flows/", "status=403"],
        &["request", "GET", "path=\"/csrf-token\"", "status=200"],
        &["request is sent again", "/flows/", "CSRF"],
        &["request", "GET", "/deployments/name/etl/nightly", "status=404"],
        &["request", "POST", "/deployments/", "status=201"],
        &["request", "GET", "/block_types/slug/secret/block_documents/name/mine", "status=404"],
    ] {
        assert!(has_line(&log, parts), "{parts:?} is not in the log:\n{log}");
    }
}

#[test]
fn a_password_in_the_address_is_not_logged() {
    let address = scripted(&[(401, "{}")]);
    let url = format!("http://ada:{PASSWORD}@{address}/api?key={TOKEN}");
    let log = logged(|| {
        let target = server(&[("PREFECT_API_URL", url.as_str())]);
        assert!(target.version().is_err());
    });
    assert_no_secret(&log);
    assert!(has_line(&log, &["/admin/version", "status=401"]), "{log}");
}

#[test]
fn basic_authentication_is_not_logged_nor_is_a_request_that_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    drop(listener);
    let auth = format!("ada:{PASSWORD}");
    let log = logged(|| {
        let target = server(&[("PREFECT_API_URL", &url), ("PREFECT_API_AUTH_STRING", &auth)]);
        assert!(target.version().is_err());
    });
    assert_no_secret(&log);
    assert!(has_line(&log, &["request failed", "/admin/version", "refused"]), "{log}");
}

#[test]
fn queries_of_prefect_1_are_logged_without_key_and_body() {
    let address = scripted(&[(200, "{\"data\": {\"flow\": []}}")]);
    let url = format!("http://{address}");
    let log = logged(|| {
        let environment = [("PREFECT__CLOUD__API", url.as_str()), ("PREFECT__CLOUD__API_KEY", KEY)];
        let environment = environment.into_iter().collect();
        let nowhere = Path::new("/nonexistent");
        let connection = prefect1::connection(&environment, nowhere, Some(nowhere)).unwrap();
        let target = Prefect1Server::connect(&connection, "/nonexistent/lock".into()).unwrap();
        let flows: [FlowName; 1] = [PARAMETER.parse().unwrap()];
        target.read(ReadScope::Flows(&flows)).unwrap();
    });
    assert_no_secret(&log);
    assert!(has_line(&log, &["POST", "path=\"/\"", "status=200"]), "{log}");
}
