//! Certificates: those that the official client takes are taken, and what is wrong with others is said.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flowreg_model::{FlowName, Held};
use flowreg_servers::connection::prefect::CertificateFile;
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
    connection.tls.certificates =
        file.map(|path| CertificateFile { setting: "SSL_CERT_FILE", origin: None, path });
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

/// Files that hold no certificate, each made in a directory: what is said of it, and the first hint.
fn useless_files(directory: &Path) -> Vec<(&'static str, &'static str, String)> {
    let tls = TlsServers::new();
    tls.self_signed("authority", "authority", &[]);
    let pem = std::fs::read_to_string(tls.file("authority.pem")).unwrap();
    let run = |arguments: &[&str]| {
        let openssl = Command::new("openssl").args(arguments).current_dir(directory).status();
        assert!(openssl.unwrap().success(), "{arguments:?}");
    };
    std::fs::write(directory.join("whole.pem"), &pem).unwrap();
    std::fs::create_dir(directory.join("a directory")).unwrap();
    std::fs::write(directory.join("empty.pem"), "").unwrap();
    std::fs::write(directory.join("garbage.pem"), "garbage\n").unwrap();
    let lines: Vec<&str> = pem.lines().collect();
    std::fs::write(directory.join("line-lost.pem"), [&lines[..3], &lines[4..]].concat().join("\n"))
        .unwrap();
    std::fs::write(directory.join("cut.pem"), lines[..5].join("\n")).unwrap();
    run(&["x509", "-in", "whole.pem", "-outform", "der", "-out", "binary.pem"]);
    let file =
        "SETTING=FILE, a PEM file with the certificate that signed the server's, or with its own";
    let none = "in which there is no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
    let here = |name: &str| directory.join(name).display().to_string();
    vec![
        ("absent.pem", "which does not exist", file.to_owned()),
        ("whole.pem/below", "which does not exist", file.to_owned()),
        (
            "~/ca.pem",
            "which does not exist",
            "SETTING=FILE with the whole path: `~` is nobody's home here".to_owned(),
        ),
        (
            "a directory",
            "which is a directory",
            format!("cat '{}'/*.pem > FILE, and SETTING=FILE", here("a directory")),
        ),
        ("empty.pem", "which is empty", file.to_owned()),
        ("garbage.pem", none, file.to_owned()),
        (
            "binary.pem",
            none,
            format!(
                "openssl x509 -inform der -in {} -out FILE, and SETTING=FILE",
                here("binary.pem")
            ),
        ),
        ("line-lost.pem", "in which a certificate is damaged", file.to_owned()),
        ("cut.pem", "in which a certificate is damaged", file.to_owned()),
    ]
}

#[test]
fn a_file_of_certificates_that_is_of_no_use_is_named_with_its_setting() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let cases = useless_files(&directory);
    // The official client can't use any of them either.
    let asked: Vec<_> = cases
        .iter()
        .filter(|(name, ..)| !name.contains(' '))
        .map(|(name, ..)| ("https://127.0.0.1:1/api".to_owned(), directory.join(name)))
        .collect();
    for (said, (_, file)) in official(&asked).iter().zip(&asked) {
        assert!(said != "ok" && !said.contains("connection"), "{}: {said}", file.display());
    }
    let repository = TestRepository::empty();
    repository.commit("empty");
    let prefect = [("PREFECT_API_URL", "https://127.0.0.1:1/api")];
    let prefect1 = [("PREFECT__CLOUD__API", "https://127.0.0.1:1")];
    for (setting, variables, target) in [
        ("PREFECT_API_SSL_CERT_FILE", &prefect[..], "prefect"),
        ("SSL_CERT_FILE", &prefect, "prefect"),
        ("REQUESTS_CA_BUNDLE", &prefect1, "prefect1"),
        ("CURL_CA_BUNDLE", &prefect1, "prefect1"),
    ] {
        for (name, words, hint) in &cases {
            let path = directory.join(name);
            let flowreg = variables
                .iter()
                .fold(Flowreg::in_repository(&repository), |flowreg, (name, value)| {
                    flowreg.env(name, value)
                })
                .env(setting, path.to_str().unwrap());
            let error = &flowreg.json(&["--target", target, "list"], 3)["error"];
            assert_eq!(error["code"], "certificate_file", "{setting} {name}: {error}");
            let told = format!("{setting} names {}, {words}", path.display());
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with(&told), "{setting} {name}: {error}");
            let unset = format!("to trust the certificates of the system instead: unset {setting}");
            let hints = [hint.replace("SETTING", setting), unset];
            assert_eq!(error["hints"], serde_json::json!(hints), "{setting} {name}");
        }
    }
    // One that a file sets is taken away there.
    repository.write(".env", "PREFECT_API_SSL_CERT_FILE=absent.pem\n");
    let flowreg = Flowreg::in_repository(&repository).env(prefect[0].0, prefect[0].1);
    let error = &flowreg.json(&["list"], 3)["error"];
    let path = repository.root().canonicalize().unwrap().join("absent.pem");
    let told =
        format!("PREFECT_API_SSL_CERT_FILE (.env) names {}, which does not exist", path.display());
    assert_eq!(error["message"], told);
    let taken = "to trust the certificates of the system instead: take it out of .env";
    assert_eq!(error["hints"][1], taken);
    std::fs::remove_file(repository.root().join(".env")).unwrap();
    let home = repository.outside().join(".prefect");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(
        home.join("profiles.toml"),
        "active = \"dev\"\n[profiles.dev]\nPREFECT_API_SSL_CERT_FILE = \"/absent.pem\"\n",
    )
    .unwrap();
    let error = &flowreg.json(&["list"], 3)["error"];
    assert!(error["message"].as_str().unwrap().contains("(profile `dev` in "), "{error}");
    let unset = "prefect config unset PREFECT_API_SSL_CERT_FILE";
    assert!(error["hints"][1].as_str().unwrap().ends_with(unset), "{error}");
}
