//! Servers that are down, busy, wrong or malicious: what is said, how long it takes, what is
//! sent again, and that no secret is told.

use std::time::{Duration, Instant, SystemTime};

use flowreg_model::{
    Channel, CodeReference, Field, Fields, FlowName, Held, Marks, ReferenceName, ReferenceSource,
    Registration,
};
use flowreg_servers::connection::prefect::{CertificateFile, PrefectConnection};
use flowreg_servers::prefect::{ConnectOptions, PrefectServer};
use flowreg_servers::{ReadScope, Target, TargetError, Write};
use secrecy::SecretString;

use crate::support::prefect::{connection, free_port};
use crate::support::scripted::{Received, Reply, Scripted};

const SECRET: &str = "pnu_s3cret";

/// As a user has it who has a key.
fn with_key(api_url: &str) -> PrefectConnection {
    let header = ("X-Proxy".to_owned(), SecretString::from("s3cret-header".to_owned()));
    PrefectConnection {
        key: Some(SecretString::from(SECRET.to_owned())),
        headers: vec![header],
        ..connection(api_url)
    }
}

fn target(connection: PrefectConnection) -> PrefectServer {
    PrefectServer::connect(connection, ConnectOptions { jobs: 4 }).unwrap()
}

/// A good server that holds nothing.
fn empty(received: &Received) -> Reply {
    if received.line.contains("/admin/version") {
        Reply::json(200, "\"3.8.8\"")
    } else {
        Reply::json(200, "[]")
    }
}

fn read(target: &PrefectServer) -> Result<Vec<Held>, TargetError> {
    let names: [FlowName; 1] = ["etl".parse().unwrap()];
    target.read(ReadScope::Flows(&names))
}

fn held() -> Held {
    Held {
        id: Some("d1".to_owned()),
        flow: "etl".to_owned(),
        deployment: "nightly".to_owned(),
        marks: None,
        fields: Fields::new(),
        registered_at: None,
    }
}

/// A server whose every answer is this one.
fn always(reply: Reply) -> Scripted {
    Scripted::start(move |_, _| reply.clone())
}

/// The error of a read on a server whose every answer is this one; no secret may be in it.
fn error_of(reply: Reply) -> TargetError {
    let server = always(reply);
    let error = read(&target(with_key(&server.api_url))).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("s3cret"), "{text}");
    error
}

#[test]
fn a_server_that_is_down_is_told_at_once() {
    let url = format!("http://127.0.0.1:{}/api", free_port());
    let started = Instant::now();
    match read(&target(connection(&url))).unwrap_err() {
        TargetError::Unreachable { url: told, reason } => {
            assert_eq!(told, url);
            assert!(reason.to_lowercase().contains("refused"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let error = read(&target(connection("http://prefect.invalid/api"))).unwrap_err();
    assert!(matches!(error, TargetError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_server_that_accepts_and_never_answers_is_given_up() {
    let server = always(Reply::Silence);
    let mut connection = connection(&server.api_url);
    connection.request_timeout = Some(Duration::from_secs(1));
    let started = Instant::now();
    match read(&target(connection)).unwrap_err() {
        TargetError::Unreachable { reason, .. } => assert_eq!(reason, "no answer within 1 s"),
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_read_that_is_not_answered_is_sent_once_more() {
    let server = Scripted::start(|received, _| {
        let is_version = received.line.contains("/admin/version");
        if is_version { empty(received) } else { Reply::Silence }
    });
    let mut connection = connection(&server.api_url);
    connection.request_timeout = Some(Duration::from_secs(1));
    let error = read(&target(connection)).unwrap_err();
    assert!(error.to_string().contains("no answer within 1 s, 2 attempts"), "{error}");
    assert_eq!(server.count("/flows/filter"), 2);
}

#[test]
fn refused_credentials_are_told_without_them() {
    let reply = Reply::json(401, r#"{"exception_message":"Unauthorized pnu_s3cret"}"#);
    assert!(matches!(error_of(reply), TargetError::Unauthorized { status: 401, .. }));
    let reply = Reply::Answer(403, Vec::new(), String::new());
    assert!(matches!(error_of(reply), TargetError::Unauthorized { status: 403, .. }));
}

#[test]
fn a_wrong_address_is_told_with_what_is_missing() {
    let listener = always(Reply::json(404, r#"{"detail":"Not Found"}"#));
    let url = listener.api_url.trim_end_matches("/api").to_owned();
    match read(&target(connection(&url))).unwrap_err() {
        TargetError::NotAnApi { reason, .. } => assert!(reason.contains("/api"), "{reason}"),
        other => panic!("{other:?}"),
    }
    match error_of(Reply::Answer(404, Vec::new(), "<html>".to_owned())) {
        TargetError::NotAnApi { reason, .. } => assert!(reason.contains("404"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_is_not_json_is_no_api() {
    match error_of(Reply::Answer(200, Vec::new(), "<html>s3cret</html>".to_owned())) {
        TargetError::NotAnApi { reason, .. } => assert!(reason.contains("not JSON"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let server = Scripted::start(|received, _| {
        let is_version = received.line.contains("/admin/version");
        if is_version { empty(received) } else { Reply::json(200, r#"{"login":"please"}"#) }
    });
    let error = read(&target(connection(&server.api_url))).unwrap_err();
    assert!(matches!(error, TargetError::NotAnApi { .. }), "{error:?}");
}

#[test]
fn a_redirect_is_told_without_credentials() {
    let reply = Reply::json(307, "").with("Location", "https://u:s3cret@sso.example.com/in?s3cret");
    match error_of(reply) {
        TargetError::NotAnApi { reason, .. } => {
            assert!(reason.contains("https://sso.example.com/in"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_prefect_2_server_is_refused_by_its_version() {
    match error_of(Reply::json(200, "\"2.19.3\"")) {
        TargetError::UnsupportedVersion { version, .. } => assert_eq!(version, "2.19.3"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_servers_words_are_told_but_not_the_echo_of_the_request() {
    let server = Scripted::start(|received, _| {
        if received.line.contains("/admin/version") {
            return empty(received);
        }
        Reply::json(
            422,
            r#"{"exception_message":"Invalid request received.",
                "exception_detail":[{"type":"value_error","loc":["body","name"],
                    "msg":"Value error, no good: pnu_s3cret","input":"s3cret"}],
                "request_body":{"parameters":{"token":"s3cret"}}}"#,
        )
    });
    match read(&target(with_key(&server.api_url))).unwrap_err() {
        TargetError::Refused { status: 422, message } => {
            assert_eq!(message, "name: no good: ***");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_errors_are_refusals_and_are_not_sent_again() {
    for (status, body, expected) in [
        (409, r#"{"detail":"Data integrity conflict."}"#, "Data integrity conflict."),
        (500, r#"{"exception_message":"Internal Server Error"}"#, "Internal Server Error"),
        (504, "<html>", "Gateway Timeout"),
    ] {
        let server = Scripted::start(move |received, _| {
            let is_version = received.line.contains("/admin/version");
            if is_version { empty(received) } else { Reply::json(status, body) }
        });
        match read(&target(connection(&server.api_url))).unwrap_err() {
            TargetError::Refused { status: told, message } => {
                assert_eq!((told, message.as_str()), (status, expected));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(server.count("/flows/filter"), 1);
    }
}

/// Prefect closes the connection after a 503 without saying so, and sometimes only when the next
/// request is on its way: here it is left open, to see that it is not used again.
#[test]
fn a_busy_server_is_asked_again_on_a_new_connection() {
    let server = Scripted::start(|received, before| match before.len() {
        1..=4 => Reply::json(503, r#"{"exception_message":"Busy"}"#),
        _ => empty(received),
    });
    let target = target(connection(&server.api_url));
    assert_eq!(read(&target).unwrap(), []);
    let received = server.received();
    assert_eq!(received.len(), 6);
    let counted = target.requests();
    assert_eq!((counted.reads, counted.repeated), (2, 4), "{received:?}");
    for pair in received[1..].windows(2) {
        assert_ne!(pair[0].connection, pair[1].connection, "{pair:?}");
    }
}

#[test]
fn a_good_connection_is_used_again() {
    let server = Scripted::start(|received, _| empty(received));
    let target = target(connection(&server.api_url));
    read(&target).unwrap();
    read(&target).unwrap();
    assert!(server.received().iter().all(|received| received.connection == 0));
}

/// The server closes it after 5 s, and a request that is on its way then is lost.
#[test]
fn a_connection_that_was_idle_for_three_seconds_is_not_used_again() {
    let server = Scripted::start(|received, _| empty(received));
    let target = target(connection(&server.api_url));
    read(&target).unwrap();
    std::thread::sleep(Duration::from_millis(3500));
    read(&target).unwrap();
    assert!(server.received().iter().any(|received| received.connection == 1));
}

#[test]
fn a_server_that_stays_busy_is_given_up_after_the_users_number_of_retries() {
    let server = Scripted::start(|received, before| match before.len() {
        0 => empty(received),
        _ => Reply::json(429, "{}"),
    });
    let mut connection = connection(&server.api_url);
    connection.max_retries = Some(3);
    let error = read(&target(connection)).unwrap_err();
    assert!(error.to_string().contains("busy (429), 4 attempts"), "{error}");
    assert_eq!(server.count("/flows/filter"), 4);
}

#[test]
fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    for value in [
        "1".to_owned(),
        // A date has whole seconds: two ahead is more than one.
        httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3)),
    ] {
        let server = Scripted::start(move |received, before| match before.len() {
            1 => Reply::json(503, "{}").with("Retry-After", &value),
            _ => empty(received),
        });
        let started = Instant::now();
        assert_eq!(read(&target(connection(&server.api_url))).unwrap(), []);
        assert!(started.elapsed() >= Duration::from_millis(950), "{:?}", started.elapsed());
    }
}

#[test]
fn a_server_that_asks_for_an_hour_is_not_waited_for() {
    let started = Instant::now();
    let error = error_of(Reply::json(503, "{}").with("Retry-After", "3600"));
    assert!(error.to_string().contains("asks to wait 3600 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let server = Scripted::start(|received, before| match before.len() {
        1 | 2 => Reply::Close,
        3 => Reply::AnswerAndClose(503, "{}".to_owned()),
        _ => empty(received),
    });
    assert_eq!(read(&target(connection(&server.api_url))).unwrap(), []);
}

#[test]
fn extra_statuses_are_retried_if_the_user_says_so() {
    let server = Scripted::start(|received, before| match before.len() {
        1 => Reply::json(418, "{}"),
        _ => empty(received),
    });
    let mut connection = connection(&server.api_url);
    connection.retry_extra_codes = vec![418];
    assert_eq!(read(&target(connection)).unwrap(), []);
}

/// A second token makes the first invalid, so that all threads have to share one.
#[test]
fn one_csrf_token_is_fetched_when_it_is_asked_for_and_again_when_it_is_invalid() {
    let server = Scripted::start(|received, before| {
        let fetched = |received: &[Received]| {
            received.iter().filter(|received| received.line.contains("/csrf-token")).count()
        };
        if received.line.starts_with("GET /api/csrf-token?client=") {
            let number = fetched(before) + 1;
            return Reply::json(200, &format!(r#"{{"token":"token-{number}"}}"#));
        }
        if received.line.starts_with("GET") {
            return empty(received);
        }
        // The first token is invalid after a few requests, as when it expires.
        let is_expired = before.len() > 12;
        let valid = if is_expired { "token-2" } else { "token-1" };
        match received.header("prefect-csrf-token") {
            None => Reply::json(403, r#"{"detail":"Missing CSRF token."}"#),
            Some(token) if token == valid => Reply::json(200, "[]"),
            Some(_) => Reply::json(403, r#"{"detail":"Invalid CSRF token or client identifier."}"#),
        }
    });
    let target = target(connection(&server.api_url));
    let together = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                together.wait();
                for _ in 0..5 {
                    target.work_pools().unwrap();
                }
            });
        }
    });
    assert_eq!(server.count("/csrf-token"), 2);
    let clients: std::collections::BTreeSet<_> = server
        .received()
        .iter()
        .filter_map(|received| received.header("prefect-csrf-client").map(ToOwned::to_owned))
        .collect();
    assert_eq!(clients.len(), 1);
}

#[test]
fn a_csrf_token_that_never_helps_is_given_up() {
    let server = Scripted::start(|received, _| {
        if received.line.contains("/csrf-token") {
            Reply::json(200, r#"{"token":"t"}"#)
        } else if received.line.starts_with("GET") {
            empty(received)
        } else {
            Reply::json(403, r#"{"detail":"Invalid CSRF token or client identifier."}"#)
        }
    });
    let error = read(&target(connection(&server.api_url))).unwrap_err();
    assert!(matches!(error, TargetError::Refused { status: 403, .. }), "{error:?}");
}

#[test]
fn credentials_and_headers_are_sent_in_the_official_order() {
    let sent = |connection: PrefectConnection, server: &Scripted| {
        read(&target(connection)).unwrap();
        server.received().pop().unwrap()
    };
    let server = Scripted::start(|received, _| empty(received));
    let key = with_key(&server.api_url);
    let received = sent(key.clone(), &server);
    assert_eq!(received.header("authorization"), Some("Bearer pnu_s3cret"));
    assert_eq!(received.header("x-proxy"), Some("s3cret-header"));

    let secret = |text: &str| SecretString::from(text.to_owned());
    let both = PrefectConnection { auth_string: Some(secret("admin:pw")), ..key.clone() };
    let received = sent(both.clone(), &server);
    assert_eq!(received.header("authorization"), Some("Basic YWRtaW46cHc="));

    let mut custom = both;
    custom.headers = vec![
        ("authorization".to_owned(), secret("Custom 1")),
        ("User-Agent".to_owned(), secret("other")),
        ("Prefect-Csrf-Token".to_owned(), secret("other")),
    ];
    let received = sent(custom, &server);
    assert_eq!(received.header("authorization"), Some("Custom 1"));
    assert!(received.header("user-agent").unwrap().starts_with("flowreg/"));
    assert_eq!(received.header("prefect-csrf-token"), None);
}

#[test]
fn a_header_that_http_can_not_carry_is_told_without_its_value() {
    let mut connection = connection("http://127.0.0.1:1/api");
    connection.headers = vec![("X-A".to_owned(), SecretString::from("s3cret\n".to_owned()))];
    let error = PrefectServer::connect(connection, ConnectOptions { jobs: 1 }).err().unwrap();
    let text = format!("{error} {error:?}");
    assert!(text.contains("X-A") && !text.contains("s3cret"), "{text}");
}

#[test]
fn certificates_that_can_not_be_used_are_told_with_their_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let mut connection = connection("https://127.0.0.1:1/api");
    for path in [file, directory.path().join("absent.pem")] {
        let (setting, path) = ("PREFECT_API_SSL_CERT_FILE", path.clone());
        connection.tls.certificates =
            Some(CertificateFile { setting, origin: None, path: path.clone() });
        let error =
            PrefectServer::connect(connection.clone(), ConnectOptions { jobs: 1 }).err().unwrap();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_version_that_is_no_text_is_no_api() {
    let error = error_of(Reply::json(200, "3"));
    assert!(matches!(error, TargetError::NotAnApi { .. }), "{error:?}");
}

/// How many writes at once a server is trusted with after this many, where each takes 10 ms
/// whatever else goes on.
fn writes_at_once_after(writes: usize, first: Reply) -> usize {
    let server = Scripted::start(move |received, before| {
        let is_first_write = !before.iter().any(|before| before.line.starts_with("DELETE"));
        if !received.line.starts_with("DELETE") {
            empty(received)
        } else if is_first_write {
            first.clone()
        } else {
            Reply::Late(Duration::from_millis(10), String::new())
        }
    });
    let target = target(connection(&server.api_url));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..writes / 4 {
                    target.apply(&Write::Remove(&held())).unwrap();
                }
            });
        }
    });
    assert_eq!(target.requests().writes, writes as u64);
    target.writes_at_once()
}

#[test]
fn a_server_that_takes_parallel_writes_gets_them() {
    assert!(writes_at_once_after(100, Reply::json(204, "")) > 1);
}

#[test]
fn writes_go_one_at_a_time_after_a_sign_of_trouble() {
    assert_eq!(writes_at_once_after(100, Reply::json(503, "{}")), 1);
    assert_eq!(writes_at_once_after(100, Reply::json(429, "{}")), 1);
}

#[test]
fn an_update_sends_only_what_changes() {
    let server = Scripted::start(|received, _| {
        if received.line.starts_with("GET /api/deployments/") {
            Reply::json(200, r#"{"id":"d1","flow_id":"f1","name":"nightly","schedules":[]}"#)
        } else {
            empty(received)
        }
    });
    let target = target(connection(&server.api_url));
    let reference = CodeReference {
        name: ReferenceName::Branch("main".parse().unwrap()),
        commit: "0".repeat(40).parse().unwrap(),
        source: ReferenceSource::Flag,
        source_detail: "--branch".to_owned(),
        channel: Channel::Mainline,
        remote: None,
        proved: false,
    };
    let registration = Registration {
        flow: "etl".parse().unwrap(),
        deployment: "nightly".parse().unwrap(),
        entrypoint: "flows/etl.py:etl".parse().unwrap(),
        marks: Marks::new("https://git.example.com/r.git", &reference, true, None),
        reference,
        fields: Fields::from_iter([(Field::Version, "v1".into())]),
        open_schema: None,
        upload: None,
    };
    let fields = Fields::from_iter([(Field::Description, "new".into())]);
    // As the server answers it: directly before the write it is read again.
    let mut held = held();
    held.fields.set(Field::Schedules, serde_json::json!([]));
    let update = |held| Write::Update {
        held,
        registration: &registration,
        fields: &fields,
        marks_change: false,
    };
    assert_eq!(target.apply(&update(&held)).unwrap().as_deref(), Some("d1"));
    let sent = server.received().pop().unwrap();
    assert_eq!(sent.line, "PATCH /api/deployments/d1 HTTP/1.1");
    assert_eq!(sent.body, r#"{"description":"new"}"#);

    // What somebody changed since it was read is planned anew, and nothing is written over it.
    let mut older = held.clone();
    older.fields.set(Field::Description, "older");
    let overtaken = target.apply(&update(&older));
    assert!(matches!(overtaken, Err(TargetError::Overtaken { held: Some(_) })), "{overtaken:?}");
    assert_eq!(server.received().pop().unwrap().line, "GET /api/deployments/d1 HTTP/1.1");
}
