//! One request and its answer: headers, CSRF token, connections, repetition, errors.

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use reqwest::Method;
use reqwest::blocking::{Client, Response};
use reqwest::header::{HeaderMap, HeaderValue};
use rustls::ClientConfig;
use serde_json::Value;

use super::gate::{Gate, WriteSlot};
use super::retry::{Situation, Trouble, retry_after};
use super::tls_error::TlsProblem;
use super::{headers, refusal, tls};
use crate::TargetError;
use crate::connection::prefect::{PrefectConnection, Tls};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take unless the user's configuration says otherwise. The official
/// client waits a minute; a person at a terminal does not.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection is kept for the next request. The server closes idle ones after 5 s, and
/// a request that is sent in that moment breaks (docs/facts/prefect.md, "Busy servers").
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// What is said of a status that a Prefect API would have explained.
pub(crate) const NOT_PREFECTS: &str = ", and the answer is not one of Prefect's";

/// How many requests were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestCounts {
    /// Requests that change nothing.
    pub reads: u64,
    /// Requests that change something.
    pub writes: u64,
    /// How often one of them was sent again: busy servers, broken connections, CSRF tokens.
    pub repeated: u64,
}

/// Whether a request changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing changes, whatever the method.
    Read,
    /// Something may change: passes the gate.
    Write,
}

/// A request of the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Whether it changes something.
    pub kind: Kind,
    /// `POST` …
    pub method: &'a Method,
    /// Below the API's address, with a slash at the start.
    pub path: &'a str,
    /// The body, if there is one.
    pub body: Option<&'a Value>,
}

impl Request<'_> {
    /// What `--debug` shows of a request: method and path, and how it ended. Headers, bodies and
    /// queries are left out, as each of them may hold a secret.
    fn log(self, result: &Result<Reply, Trouble>, took: Duration) {
        let (method, path, ms) = (self.method, self.logged_path(), milliseconds(took));
        match result {
            Ok(reply) => tracing::debug!(%method, path, status = reply.status, ms, "request"),
            Err(trouble) => {
                tracing::debug!(%method, path, ms, reason = trouble.reason(1), "request failed");
            }
        }
    }

    /// The path without its query; the GraphQL API of Prefect 1 has only one.
    fn logged_path(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        if path.is_empty() { "/" } else { path }
    }
}

/// Time for the log, in a type that all subscribers can print.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The body as it came.
    pub body: Vec<u8>,
    /// The server's clock, if the answer has a `Date`.
    pub date: Option<SystemTime>,
    /// Whether something was made that was not there before (201).
    pub is_new: bool,
}

/// Sends requests to one API.
pub(crate) struct Http {
    connection: PrefectConnection,
    tls: ClientConfig,
    timeout: Duration,
    headers: HeaderMap,
    /// The client with its connections, and a number that tells it from the one that replaced it.
    client: RwLock<(u64, Client)>,
    csrf: Csrf,
    gate: Gate,
    answered: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
    repeated: AtomicU64,
    /// In microseconds.
    longest_request: AtomicU64,
}

/// The token that a server with CSRF protection asks for. All threads share one, as the server
/// makes a client's first token invalid when it hands out a second one.
struct Csrf {
    client: String,
    token: Mutex<Option<HeaderValue>>,
}

/// What came back, before it is known whether it is good.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Http {
    /// Prepares a connection without using it.
    pub(crate) fn new(connection: PrefectConnection, jobs: usize) -> Result<Self, TargetError> {
        let tls = tls::client_config(&connection.tls, connection.api_url.starts_with("https:"))?;
        let timeout = connection.request_timeout.unwrap_or(REQUEST_TIMEOUT);
        let client = client(&tls, timeout)?;
        tracing::debug!(
            api = headers::shown(&connection.api_url),
            origin = connection.origin,
            timeout_s = timeout.as_secs_f64(),
            writes_at_most = jobs,
            "connection"
        );
        Ok(Self {
            tls,
            timeout,
            headers: headers::of(&connection)?,
            client: RwLock::new((0, client)),
            csrf: Csrf { client: headers::client_id(), token: Mutex::new(None) },
            gate: Gate::new(jobs),
            answered: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            longest_request: AtomicU64::new(0),
            connection,
        })
    }

    /// The API's address without credentials.
    pub(crate) fn url(&self) -> &str {
        &self.connection.api_url
    }

    /// How many requests were sent so far.
    pub(crate) fn requests(&self) -> RequestCounts {
        RequestCounts {
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
        }
    }

    /// How long a request took at most, until it was answered.
    pub(crate) fn longest_request(&self) -> Duration {
        Duration::from_micros(self.longest_request.load(Ordering::Relaxed))
    }

    /// Waits until a write may begin. All writes of this thread belong to it until it is dropped.
    pub(crate) fn write_slot(&self) -> WriteSlot<'_> {
        self.gate.enter()
    }

    /// How many writes are let in at once now.
    pub(crate) fn write_slots(&self) -> usize {
        self.gate.slots()
    }

    /// `GET` or a filter sent by `POST`: the answer as JSON.
    pub(crate) fn read(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, TargetError> {
        let answer = self.send(Request { kind: Kind::Read, method, path, body })?;
        self.json(&answer)
    }

    /// Sends a request, again where that helps, and returns a good answer.
    pub(crate) fn send(&self, request: Request<'_>) -> Result<Answer, TargetError> {
        let counter = if request.kind == Kind::Write { &self.writes } else { &self.reads };
        counter.fetch_add(1, Ordering::Relaxed);
        // A write keeps its slot while it is repeated: a busy server must not get another one
        // instead.
        let slot = (request.kind == Kind::Write).then(|| self.gate.enter());
        let started = Instant::now();
        let mut attempts = 0;
        let mut tokens = 0;
        loop {
            attempts += 1;
            let token = self.csrf.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let sent = Instant::now();
            let attempt = self.attempt(request, token.as_ref());
            let time = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.longest_request.fetch_max(time, Ordering::Relaxed);
            let trouble = match attempt {
                Ok(reply) if reply.status < 300 => {
                    let is_new = reply.status == 201;
                    let date = date(&reply.headers);
                    return Ok(Answer { date, is_new, body: reply.body });
                }
                Ok(reply) if reply.status == 403 && tokens < 3 && self.wants_token(&reply) => {
                    self.renew_token(token.as_ref())?;
                    tracing::debug!(
                        method = %request.method,
                        path = request.logged_path(),
                        reason = "the server asks for a CSRF token",
                        "request is sent again"
                    );
                    self.repeated.fetch_add(1, Ordering::Relaxed);
                    tokens += 1;
                    // A missing token is no failed attempt, and must not use up the user's number
                    // of retries.
                    attempts -= 1;
                    continue;
                }
                Ok(reply) => match self.busy(&reply) {
                    Some(trouble) => trouble,
                    None => return Err(self.refused(&reply)),
                },
                Err(trouble) => trouble,
            };
            if let Some(slot) = slot.as_ref().filter(|_| trouble.is_overload()) {
                slot.troubled();
            }
            let situation = Situation {
                attempts,
                elapsed: started.elapsed(),
                answered_before: self.answered.load(Ordering::Relaxed),
                is_write: request.kind == Kind::Write,
                max_retries: self.connection.max_retries,
            };
            let Some(pause) = trouble.pause(situation) else {
                return Err(self.failed(trouble, attempts));
            };
            tracing::debug!(
                method = %request.method,
                path = request.logged_path(),
                attempts,
                pause_ms = milliseconds(pause),
                reason = trouble.reason(1),
                "request is sent again"
            );
            self.repeated.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(pause);
        }
    }

    /// The answer's body as JSON.
    pub(crate) fn json(&self, answer: &Answer) -> Result<Value, TargetError> {
        serde_json::from_slice(&answer.body)
            .map_err(|_| self.no_api("the answer is not JSON".to_owned()))
    }

    /// The error for an answer that no Prefect API gives.
    pub(crate) fn no_api(&self, reason: String) -> TargetError {
        TargetError::NotAnApi { url: self.url().to_owned(), reason }
    }

    fn attempt(&self, request: Request<'_>, token: Option<&HeaderValue>) -> Result<Reply, Trouble> {
        let (number, client) = {
            let current = self.client.read().unwrap_or_else(PoisonError::into_inner);
            (current.0, current.1.clone())
        };
        let mut builder = client
            .request(request.method.clone(), format!("{}{}", self.url(), request.path))
            .headers(self.headers.clone());
        if let Some(token) = token.filter(|_| *request.method != Method::GET) {
            builder = builder
                .header("Prefect-Csrf-Token", token.clone())
                .header("Prefect-Csrf-Client", &self.csrf.client);
        }
        if let Some(body) = request.body {
            builder = builder.header("Content-Type", "application/json").body(body.to_string());
        }
        let started = Instant::now();
        let result = builder.send().and_then(Reply::read).map_err(|error| self.trouble(&error));
        request.log(&result, started.elapsed());
        let reply = result?;
        self.answered.store(true, Ordering::Relaxed);
        if reply.status >= 500 {
            self.replace_client(number);
        }
        Ok(reply)
    }

    /// Drops all open connections: the server closes one after a 5xx without saying so, and the next
    /// request on it would break (docs/facts/prefect.md, "Busy servers").
    fn replace_client(&self, number: u64) {
        let Ok(fresh) = client(&self.tls, self.timeout) else { return };
        let mut current = self.client.write().unwrap_or_else(PoisonError::into_inner);
        // Several threads may have seen a 5xx on the same client; it is replaced once.
        if current.0 == number {
            *current = (number + 1, fresh);
        }
    }

    fn trouble(&self, error: &reqwest::Error) -> Trouble {
        if let Some(problem) = TlsProblem::of(error) {
            return Trouble::Untrusted(problem);
        }
        if error.is_connect() {
            // Not `TimedOut`, which would count as a sign of an overloaded server: most likely
            // nothing answers at this address.
            let limit = CONNECT_TIMEOUT.min(self.timeout).as_secs_f64();
            return Trouble::Unconnected(if error.is_timeout() {
                format!("no connection within {limit} s")
            } else {
                cause(error)
            });
        }
        if error.is_timeout() {
            return Trouble::TimedOut(self.timeout);
        }
        Trouble::Broken(cause(error))
    }

    fn busy(&self, reply: &Reply) -> Option<Trouble> {
        let is_busy = matches!(reply.status, 408 | 429 | 502 | 503)
            || self.connection.retry_extra_codes.contains(&reply.status);
        let wait = reply.headers.get("Retry-After").and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, SystemTime::now()));
        is_busy.then_some(Trouble::Busy { status: reply.status, wait })
    }

    fn wants_token(&self, reply: &Reply) -> bool {
        self.words(reply).is_some_and(|words| words.contains("CSRF"))
    }

    /// Fetches a token, unless another thread did since this one was used.
    fn renew_token(&self, used: Option<&HeaderValue>) -> Result<(), TargetError> {
        let mut token = self.csrf.token.lock().unwrap_or_else(PoisonError::into_inner);
        // While this thread waited for the lock, another one may have fetched a token already;
        // fetching a second one would make that one invalid.
        if token.as_ref() != used {
            return Ok(());
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        let path = format!("/csrf-token?client={}", self.csrf.client);
        let reply = self
            .attempt(
                Request { kind: Kind::Read, method: &Method::GET, path: &path, body: None },
                None,
            )
            .map_err(|trouble| self.failed(trouble, 1))?;
        if reply.status >= 300 {
            return Err(self.refused(&reply));
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let value = body.get("token").and_then(Value::as_str);
        let mut value = value
            .and_then(|value| HeaderValue::from_str(value).ok())
            .ok_or_else(|| self.no_api("its CSRF token can't be read".to_owned()))?;
        value.set_sensitive(true);
        *token = Some(value);
        Ok(())
    }

    fn words(&self, reply: &Reply) -> Option<String> {
        refusal::words(&reply.body, self.connection.secrets())
    }

    fn refused(&self, reply: &Reply) -> TargetError {
        let url = self.url().to_owned();
        let status = reply.status;
        if (300..400).contains(&status) {
            let to = reply.headers.get("Location").and_then(|to| to.to_str().ok()).unwrap_or("");
            return self.no_api(format!("it redirects ({status}) to {}", headers::shown(to)));
        }
        match (status, self.words(reply)) {
            // A 403 with words is a refusal of Prefect's; one without comes from a proxy or a login.
            (401, _) | (403, None) => TargetError::Unauthorized { url, status },
            (_, Some(message)) => TargetError::Refused { status, message },
            (404, None) => self.no_api(format!("404{NOT_PREFECTS}")),
            (_, None) => {
                let reason = reqwest::StatusCode::from_u16(status)
                    .ok()
                    .and_then(|status| status.canonical_reason())
                    .unwrap_or("no reason given");
                TargetError::Refused { status, message: reason.to_owned() }
            }
        }
    }

    fn failed(&self, trouble: Trouble, attempts: u32) -> TargetError {
        let url = self.url().to_owned();
        match trouble {
            Trouble::Untrusted(problem) => {
                TargetError::Untrusted { url, problem, settings: self.connection.tls.settings }
            }
            Trouble::Broken(_) if self.speaks_tls_only() => TargetError::Untrusted {
                url,
                problem: TlsProblem::OnlyTls,
                settings: self.connection.tls.settings,
            },
            trouble => TargetError::Unreachable { url, reason: trouble.reason(attempts) },
        }
    }

    /// Whether a server that never answered over http does so over https. It is asked without any header,
    /// as nobody knows yet who it is.
    fn speaks_tls_only(&self) -> bool {
        let Some(rest) = self.url().strip_prefix("http://") else { return false };
        if self.answered.load(Ordering::Relaxed) {
            return false;
        }
        let unverified = Tls { skip_verify: true, ..Tls::default() };
        let client =
            tls::client_config(&unverified, true).and_then(|tls| client(&tls, self.timeout));
        client.is_ok_and(|client| client.get(format!("https://{rest}")).send().is_ok())
    }
}

impl Reply {
    fn read(response: Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Self { status, headers, body: response.bytes()?.to_vec() })
    }
}

fn client(tls: &ClientConfig, timeout: Duration) -> Result<Client, TargetError> {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        // A redirect usually leads to a login page, and would carry the credentials to another host.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("flowreg/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| TargetError::Configuration(cause(&error)))
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get("Date")?.to_str().ok()?).ok()
}

/// The innermost cause: the outer ones only say that a request failed, and repeat its address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    if error.source().is_none() {
        return "the request could not be sent".to_owned();
    }
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
