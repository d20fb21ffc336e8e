//! What the command line makes of a server that is down, refuses, or is none: exit code, words,
//! and what to type.

use httpmock::MockServer;
use serde_json::json;

use crate::support::prefect::free_port;
use crate::support::{Flowreg, TestRepository};

/// A tagged repository with one flow, pushed to a bare remote.
fn pushed() -> TestRepository {
    let repository = TestRepository::empty();
    repository.add_bare_remote("origin");
    repository.write("etl.py", "from prefect import flow\n\n\n@flow\ndef etl():\n    ...\n");
    repository.write("flowreg.toml", "[mainline]\nwork_pool = \"pool\"\n");
    repository.commit("add a flow");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    repository
}

/// A server that gives every request this answer.
fn answering(status: u16, content_type: &str, body: &str) -> MockServer {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.any_request();
        then.status(status).header("content-type", content_type).body(body);
    });
    server
}

fn flowreg(repository: &TestRepository, api_url: &str) -> Flowreg {
    Flowreg::in_repository(repository)
        .env("PREFECT_API_URL", api_url)
        .env("PREFECT_API_KEY", "pnu_Vb7s3cret")
}

/// Exit code and error code of `register` against that server; the key is never shown.
fn refused(server: &MockServer) -> (i32, String) {
    let run = flowreg(&pushed(), &server.url("/api")).run(&["register", "--format", "json"]);
    assert!(!format!("{run:?}").contains("s3cret"), "{run:?}");
    let object: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    (run.code, object["error"]["code"].as_str().unwrap_or("-").to_owned())
}

#[test]
fn a_server_that_is_down_is_exit_code_seven_and_loses_nothing() {
    let url = format!("http://127.0.0.1:{}/api", free_port());
    let run = flowreg(&pushed(), &url).run(&["register"]);
    assert_eq!(run.code, 7, "{run:?}");
    assert!(run.stderr.contains(&url) && run.stderr.contains("hint: nothing is lost"), "{run:?}");
}

#[test]
fn wrong_credentials_are_exit_code_six() {
    let body = json!({"exception_message": "Unauthorized"}).to_string();
    let server = answering(401, "application/json", &body);
    assert_eq!(refused(&server), (6, "unauthorized".to_owned()));
}

#[test]
fn a_wrong_address_is_exit_code_six_with_the_right_one() {
    let server = answering(404, "application/json", "{\"detail\":\"Not Found\"}");
    assert_eq!(refused(&server), (6, "not_an_api".to_owned()));
    let run = flowreg(&pushed(), &server.url("/")).run(&["register"]);
    assert!(run.stderr.contains("hint: PREFECT_API_URL must end in /api"), "{run:?}");
}

#[test]
fn a_page_instead_of_json_is_exit_code_six() {
    let server = answering(200, "text/html", "<html>Sign in</html>");
    assert_eq!(refused(&server), (6, "not_an_api".to_owned()));
}

#[test]
fn another_generation_of_prefect_is_exit_code_six() {
    let server = answering(200, "application/json", "\"2.19.3\"");
    assert_eq!(refused(&server), (6, "unsupported_version".to_owned()));
}

#[test]
fn a_commit_is_not_pinned_where_prefect_would_not_keep_it() {
    let repository = pushed();
    repository.write("flowreg.toml", "[repository]\npin = \"commit\"\n");
    repository.commit("pin to the commit");
    repository.git(&["tag", "v1.1.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.1.0"]);
    let server = answering(200, "application/json", "\"3.6.8\"");
    let refused = flowreg(&repository, &server.url("/api")).json(&["register"], 3);
    let error = &refused["error"];
    assert_eq!(error["code"], "configuration");
    assert!(error["message"].as_str().unwrap().contains("Prefect 3.6.8"), "{error}");
}
