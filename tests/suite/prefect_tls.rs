//! Certificates: those that the official client takes are taken, and what is wrong with others is said.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flowreg_model::{FlowName, Held};
use flowreg_servers::prefect::{ConnectOptions, PrefectServer};
use flowreg_servers::{ReadScope, Target, TargetError, TlsProblem};

use crate::support::prefect::{connection, programs};
use crate::support::tls::TlsServers;
use crate::support::{Flowreg, TestRepository};

const HOST: &str = "localhost";
const ADDRESS: &str = "subjectAltName=IP:127.0.0.1";
const NOW: (&str, &str) = ("20250101000000Z", "20490101000000Z");
const PAST: (&str, &str) = ("20200101000000Z", "20210101000000Z");
const FUTURE: (&str, &str) = ("20480101000000Z", "20490101000000Z");

fn read(api_url: &str, file: Option<PathBuf>, skip_verify: bool) -> Result<Vec<Held>, TargetError> {
    let mut connection = connection(api_url);
    connection.tls.certificates = file;
    connection.tls.skip_verify = skip_verify;
    let target = PrefectServer::connect(connection, ConnectOptions { jobs: 1 })?;
    let names: [FlowName; 1] = ["etl".parse().unwrap()];
    target.read(ReadScope::Flows(&names))
}

fn problem(result: Result<Vec<Held>, TargetError>) -> Option<TlsProblem> {
    match result {
        Ok(_) => None,
        Err(TargetError::Untrusted { problem, .. }) => Some(problem),
        Err(other) => panic!("{other:?}"),
    }
}

/// What the official client says of servers, with the file of certificates for each.
fn official(servers: &[(String, PathBuf)]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/tls_client.py");
    let home = tempfile::tempdir().unwrap();
    let mut python = Command::new(programs().join("python"))
        .arg(script)
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = servers.iter().map(|(url, file)| format!("{url} {}\n", file.display()));
    python.stdin.take().unwrap().write_all(lines.collect::<String>().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// One server: its name, the host under which it is asked, the certificate in the file, what is wrong.
type Case = (&'static str, &'static str, &'static str, Option<TlsProblem>);

fn servers() -> (TlsServers, Vec<Case>) {
    let wrong = |names: &[&str]| {
        Some(TlsProblem::WrongName(names.iter().map(|name| (*name).to_owned()).collect()))
    };
    let mut tls = TlsServers::new();
    tls.self_signed("plain-request", HOST, &[]);
    tls.self_signed("address", "server", &[ADDRESS]);
    tls.self_signed("no-authority", "server", &[ADDRESS, "basicConstraints=critical,CA:FALSE"]);
    tls.self_signed("other-name", HOST, &["subjectAltName=DNS:other.example,DNS:b.example"]);
    tls.self_signed("unknown", HOST, &[]);
    tls.issued("expired", HOST, None, PAST, "basicConstraints=critical,CA:TRUE");
    tls.issued("future", HOST, None, FUTURE, "basicConstraints=critical,CA:TRUE");
    tls.self_signed("authority", "authority", &[]);
    let leaf = "basicConstraints=CA:FALSE";
    let issuer = Some("authority");
    tls.issued("issued", "server", issuer, NOW, &format!("{leaf}\nsubjectAltName=DNS:{HOST}"));
    tls.issued("issued-common-name", HOST, issuer, NOW, leaf);
    tls.issued("issued-expired", HOST, issuer, PAST, &format!("{leaf}\nsubjectAltName=DNS:{HOST}"));
    tls.issued("issued-other", "x", issuer, NOW, &format!("{leaf}\nsubjectAltName=DNS:*.{HOST}"));
    tls.version_one("version-one", HOST);
    tls.start();
    let cases = vec![
        ("plain-request", HOST, "plain-request", None),
        ("plain-request", "127.0.0.1", "plain-request", wrong(&[])),
        ("address", "127.0.0.1", "address", None),
        ("address", HOST, "address", wrong(&["127.0.0.1"])),
        ("no-authority", "127.0.0.1", "no-authority", None),
        ("other-name", HOST, "other-name", wrong(&["other.example", "b.example"])),
        ("unknown", HOST, "plain-request", Some(TlsProblem::UnknownIssuer)),
        ("expired", HOST, "expired", Some(TlsProblem::Expired)),
        ("future", HOST, "future", Some(TlsProblem::NotValidYet)),
        ("issued", HOST, "authority", None),
        ("issued-common-name", HOST, "authority", None),
        ("issued-common-name", HOST, "unknown", Some(TlsProblem::UnknownIssuer)),
        ("issued-expired", HOST, "authority", Some(TlsProblem::Expired)),
        ("issued-other", HOST, "authority", wrong(&["*.localhost"])),
        ("plain", HOST, "authority", Some(TlsProblem::NotTls)),
    ];
    (tls, cases)
}

#[test]
fn certificates_are_those_of_the_official_client_and_errors_say_what_is_wrong() {
    let (tls, cases) = servers();
    let asked: Vec<_> = cases
        .iter()
        .map(|(name, host, file, _)| (tls.api_url(name, host), tls.file(&format!("{file}.pem"))))
        .collect();
    let official = official(&asked);
    assert_eq!(official.len(), cases.len());
    for (((url, file), said), (name, host, _, expected)) in asked.iter().zip(official).zip(cases) {
        let found = problem(read(url, Some(file.clone()), false));
        assert_eq!(found, expected, "{name} at {host}; the official client: {said}");
        assert_eq!(found.is_none(), said == "ok", "{name} at {host}; the official client: {said}");
    }
    // On a machine without any certificates nothing is sent, and that is said.
    match read(&tls.api_url("plain-request", HOST), None, false).unwrap_err() {
        TargetError::Untrusted { problem, .. } => assert_eq!(problem, TlsProblem::UnknownIssuer),
        TargetError::Configuration(reason) => assert!(reason.contains("SSL_CERT_FILE"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&tls.api_url("unknown", HOST), None, true).unwrap(), []);
    let own = Some(tls.file("version-one.pem"));
    let old = problem(read(&tls.api_url("version-one", HOST), own, false)).unwrap();
    assert!(old.to_string().contains("X.509 version 1"), "{old}");
    // A server's own certificate is enough, as it is for Python from 3.13 on.
    let own = Some(tls.file("issued.pem"));
    assert_eq!(read(&tls.api_url("issued", HOST), own, false).unwrap(), []);
}

#[test]
fn what_can_not_be_trusted_is_configuration_and_names_the_settings() {
    let (tls, _) = servers();
    let repository = TestRepository::empty();
    repository.add_bare_remote("origin");
    repository.write("etl.py", "from prefect import flow\n\n\n@flow\ndef etl():\n    ...\n");
    repository.commit("add a flow");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    for (name, host, file, words, setting) in [
        ("expired", HOST, "expired", "its certificate has expired", "renew the certificate"),
        ("unknown", HOST, "address", "signed by an unknown issuer", "PREFECT_API_SSL_CERT_FILE="),
        ("address", HOST, "address", "is for 127.0.0.1, and not for the host", "PREFECT_API_URL"),
        ("plain", HOST, "address", "it does not speak TLS", "PREFECT_API_URL=http://"),
        ("address", "http", "address", "it speaks https, not http", "PREFECT_API_URL=https://"),
    ] {
        let url = match host {
            "http" => tls.api_url(name, HOST).replace("https:", "http:"),
            host => tls.api_url(name, host),
        };
        let flowreg = Flowreg::in_repository(&repository)
            .env("PREFECT_API_URL", &url)
            .env("PREFECT_API_SSL_CERT_FILE", tls.file(&format!("{file}.pem")).to_str().unwrap());
        let error = &flowreg.json(&["register"], 3)["error"];
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["code"], "untrusted", "{error}");
        assert!(message.starts_with(&format!("{url} can't be used: ")), "{error}");
        assert!(message.contains(words), "{error}");
        assert!(error["hints"][0].as_str().unwrap().contains(setting), "{error}");
        assert!(!error.to_string().contains("again"), "{error}");
    }
}
