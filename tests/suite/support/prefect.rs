//! A real Prefect server for all tests of one run, workers, and a plain client to look at both
//! with other eyes than flowreg's.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use flowreg_servers::connection::prefect::{PrefectConnection, Tls};
use flowreg_servers::prefect::{ConnectOptions, PrefectServer};
use reqwest::blocking::Client;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::needs;

/// The version that flowreg is tested with.
const VERSION: &str = "3.8.8";

/// The Prefect 2 that it is tested with.
const VERSION_TWO: &str = "2.20.25";

/// Starts a program and ends it when the pipe on its standard input closes: that also happens if
/// the test binary is killed. What is left of its home then goes as well. A program that ends before
/// leaves a file `ended` beside what it wrote.
const WATCHED: &str = r#"
home=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{
    cat <&3 >/dev/null
    [ -e "$home/ended" ] || kill -TERM "$child"
    sleep 15
    [ -e "$home/ended" ] || kill -KILL "$child"
} 2>/dev/null &
killer=$!
wait "$child"
: >"$home/ended"
cat <&3 >/dev/null
kill "$killer" 2>/dev/null
rm -rf "$home"
"#;

/// The directory with Prefect's programs.
pub(crate) fn programs() -> PathBuf {
    needs::uses("prefect3");
    programs_of(VERSION, "FLOWREG_TEST_PREFECT")
}

/// The same of Prefect 2.
pub(crate) fn programs_two() -> PathBuf {
    needs::uses("prefect2");
    programs_of(VERSION_TWO, "FLOWREG_TEST_PREFECT2")
}

fn programs_of(version: &str, variable: &str) -> PathBuf {
    let directory = std::env::var_os(variable).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/prefect-{version}/bin")),
        PathBuf::from,
    );
    if !directory.join("prefect").exists() {
        needs::not_installed(&format!("Prefect {version}"), &directory);
    }
    directory
}

/// A process that does not outlive the test binary.
pub(in crate::support) struct Watched {
    child: Child,
    home: PathBuf,
}

impl Watched {
    pub(in crate::support) fn start(
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_from(&programs(), program, arguments, environment)
    }

    fn start_from(
        bin: &Path,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let home = tempfile::TempDir::with_prefix("flowreg-prefect-").unwrap().keep();
        let log = std::fs::File::create(home.join("log")).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let child = Command::new("sh")
            .args(["-c", WATCHED, "sh", home.to_str().unwrap()])
            .arg(bin.join(program))
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("PREFECT_HOME", &home)
            .env("DO_NOT_TRACK", "1")
            // Prefect asks for all time zones with each schedule: from one list of a package, where the
            // machine's directory of them would be walked.
            .env("PYTHONTZPATH", "")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .envs(environment.iter().copied())
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, home }
    }

    /// Where it writes: its home and temporary directory.
    pub(in crate::support) fn home(&self) -> &Path {
        &self.home
    }

    /// Whether the program has ended by itself.
    fn has_ended(&self) -> bool {
        self.home.join("ended").exists()
    }

    pub(in crate::support) fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Two servers that tests share, each used by one test at a time: parallel writers can freeze a server
/// on `SQLite` for a minute (docs/facts/prefect.md, "Busy servers"). Most of a test's time is spent waiting for
/// a worker, so that two on two cores are nearly twice as fast as one.
struct Shared {
    servers: [OnceLock<Server>; 2],
    turns: [Mutex<()>; 2],
    next: AtomicUsize,
}

impl Shared {
    const fn new() -> Self {
        Self {
            servers: [const { OnceLock::new() }; 2],
            turns: [const { Mutex::new(()) }; 2],
            next: AtomicUsize::new(0),
        }
    }

    /// The first server that is free; where none is, those who wait are spread over both. A test that
    /// took a second one would wait for itself.
    fn take(&'static self, start: impl FnOnce() -> Server) -> Turn {
        assert!(!HAS_TURN.replace(true), "this thread has a shared server already");
        let free =
            self.servers.iter().zip(&self.turns).find_map(|(server, turn)| match turn.try_lock() {
                Ok(turn) => Some((server, turn)),
                // A test that failed leaves its server as usable as before.
                Err(TryLockError::Poisoned(turn)) => Some((server, turn.into_inner())),
                Err(TryLockError::WouldBlock) => None,
            });
        let (server, turn) = free.unwrap_or_else(|| {
            let number = self.next.fetch_add(1, Ordering::Relaxed) % self.servers.len();
            let turn = self.turns[number].lock().unwrap_or_else(PoisonError::into_inner);
            (&self.servers[number], turn)
        });
        Turn { server: server.get_or_init(start), _turn: turn }
    }
}

thread_local! {
    static HAS_TURN: Cell<bool> = const { Cell::new(false) };
}

/// A shared server, for as long as this test has it.
pub(crate) struct Turn {
    server: &'static Server,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        HAS_TURN.set(false);
    }
}

impl std::ops::Deref for Turn {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.server
    }
}

/// A running server.
pub(crate) struct Server {
    /// Its API: `http://127.0.0.1:4200/api`.
    pub api_url: String,
    /// A client of it that knows nothing of flowreg.
    pub api: Api,
    _process: Watched,
}

impl Server {
    /// A server that tests of this binary share; protected against CSRF.
    pub(crate) fn shared() -> Turn {
        static SHARED: Shared = Shared::new();
        needs::uses("prefect3");
        SHARED.take(|| Self::start(&[("PREFECT_SERVER_CSRF_PROTECTION_ENABLED", "true")], None))
    }

    /// A server of Prefect 2 that tests share.
    pub(crate) fn shared_two() -> Turn {
        static SHARED: Shared = Shared::new();
        needs::uses("prefect2");
        SHARED.take(|| Self::start_from(&programs_two(), &[], None))
    }

    /// A server of its own, with more settings; takes its time.
    pub(crate) fn start(settings: &[(&str, &str)], auth: Option<&str>) -> Self {
        Self::start_from(&programs(), settings, auth)
    }

    /// On a busy machine a server may not come up: its port may have been taken meanwhile, or what it
    /// does at its start takes longer than it waits itself. It is started again then.
    fn start_from(bin: &Path, settings: &[(&str, &str)], auth: Option<&str>) -> Self {
        let mut logs = Vec::new();
        for _ in 0..3 {
            match Self::try_start(bin, settings, auth) {
                Ok(server) => return server,
                Err(log) => logs.push(log),
            }
        }
        panic!("three Prefect servers did not start:\n{}", logs.join("\n---\n"))
    }

    /// # Errors
    ///
    /// What it wrote, where it ended or did not answer in time.
    fn try_start(
        bin: &Path,
        settings: &[(&str, &str)],
        auth: Option<&str>,
    ) -> Result<Self, String> {
        let port = free_port();
        let environment = [
            ("PREFECT_SERVER_ANALYTICS_ENABLED", "false"),
            ("PREFECT_SERVER_UI_ENABLED", "false"),
            ("PREFECT_SERVER_LOGGING_LEVEL", "WARNING"),
            // Else each write of a schedule makes up to a hundred runs.
            ("PREFECT_API_SERVICES_SCHEDULER_MAX_RUNS", "4"),
        ];
        let environment = [&environment, settings].concat();
        let arguments = ["server", "start", "--host", "127.0.0.1", "--port", &port.to_string()];
        let process = Watched::start_from(bin, "prefect", &arguments, &environment);
        let api_url = format!("http://127.0.0.1:{port}/api");
        let api = Api::new(&api_url, auth);
        let started = Instant::now();
        while !api.is_healthy() || process.has_ended() {
            if process.has_ended() || started.elapsed() > Duration::from_mins(2) {
                return Err(process.log());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Self { api_url, api, _process: process })
    }

    /// flowreg's target for this server.
    pub(crate) fn target(&self) -> PrefectServer {
        PrefectServer::connect(connection(&self.api_url), ConnectOptions { jobs: 8 }).unwrap()
    }
}

/// A worker that runs flows of one pool as processes.
pub(crate) struct Worker {
    _process: Watched,
}

impl Worker {
    /// Starts it; it polls every second.
    pub(crate) fn start(server: &Server, pool: &str) -> Self {
        Self::start_from(&programs(), server, pool)
    }

    /// One of Prefect 2.
    pub(crate) fn start_two(server: &Server, pool: &str) -> Self {
        Self::start_from(&programs_two(), server, pool)
    }

    fn start_from(bin: &Path, server: &Server, pool: &str) -> Self {
        let arguments = ["worker", "start", "--type", "process", "--pool", pool];
        let environment = [
            ("PREFECT_API_URL", server.api_url.as_str()),
            ("PREFECT_WORKER_QUERY_SECONDS", "1"),
            ("PREFECT_LOGGING_LEVEL", "WARNING"),
            ("GIT_ALLOW_PROTOCOL", "file:http:https:git:ssh"),
        ];
        Self { _process: Watched::start_from(bin, "prefect", &arguments, &environment) }
    }
}

/// A connection with nothing configured but the address.
pub(crate) fn connection(api_url: &str) -> PrefectConnection {
    PrefectConnection {
        api_url: api_url.to_owned(),
        profile: None,
        origin: "PREFECT_API_URL".to_owned(),
        auth_string: None,
        key: None,
        headers: Vec::new(),
        tls: Tls::default(),
        request_timeout: None,
        max_retries: None,
        retry_extra_codes: Vec::new(),
        default_work_pool: None,
    }
}

/// The same with basic authentication.
pub(crate) fn connection_with_auth(api_url: &str, auth: &str) -> PrefectConnection {
    PrefectConnection {
        auth_string: Some(SecretString::from(auth.to_owned())),
        ..connection(api_url)
    }
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A name that no other test of this run uses.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A plain client of Prefect's API.
pub(crate) struct Api {
    url: String,
    client: Client,
    auth: Option<String>,
    token: OnceLock<Option<String>>,
}

impl Api {
    fn new(url: &str, auth: Option<&str>) -> Self {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .unwrap();
        Self {
            url: url.to_owned(),
            client,
            auth: auth.map(ToOwned::to_owned),
            token: OnceLock::new(),
        }
    }

    fn is_healthy(&self) -> bool {
        let answer = self.client.get(format!("{}/health", self.url)).send();
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// The token of a server with CSRF protection.
    fn token(&self) -> Option<&str> {
        let fetch = || {
            let url = format!("{}/csrf-token?client=tests", self.url);
            let answer = self.client.get(url).send().unwrap();
            let body: Value = serde_json::from_str(&answer.text().unwrap()).unwrap();
            body.get("token").and_then(Value::as_str).map(ToOwned::to_owned)
        };
        self.token.get_or_init(fetch).as_deref()
    }

    /// Sends a request and returns what came back; a busy server is asked again.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        for attempt in 0..60 {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = self
                .client
                .request(method, format!("{}{path}", self.url))
                .header("Content-Type", "application/json")
                .header("Prefect-Csrf-Client", "tests")
                .header("Prefect-Csrf-Token", self.token().unwrap_or("none"))
                .body(body.to_string());
            if let Some((user, password)) = self.auth.as_deref().and_then(|a| a.split_once(':')) {
                request = request.basic_auth(user, Some(password));
            }
            if let Ok(answer) = request.send() {
                let status = answer.status().as_u16();
                let text = answer.text().unwrap_or_default();
                if status != 503 {
                    return (status, serde_json::from_str(&text).unwrap_or(Value::Null));
                }
            }
            std::thread::sleep(Duration::from_millis(50 * (attempt + 1)));
        }
        panic!("{method} {path}: the server stayed busy");
    }

    /// The same, where anything but success is a failure of the test.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// A deployment by flow and name.
    pub(crate) fn deployment(&self, flow: &str, name: &str) -> Value {
        let filter = json!({
            "flows": {"name": {"any_": [flow]}},
            "deployments": {"name": {"any_": [name]}},
        });
        let found = self.ask("POST", "/deployments/filter", &filter);
        let found = found.as_array().unwrap();
        assert_eq!(found.len(), 1, "{flow}/{name}");
        found.first().unwrap().clone()
    }

    /// Creates a flow and returns its id.
    pub(crate) fn flow(&self, name: &str) -> String {
        let flow = self.ask("POST", "/flows/", &json!({"name": name}));
        flow.get("id").and_then(Value::as_str).unwrap().to_owned()
    }

    /// Creates a work pool of processes and returns its name.
    pub(crate) fn pool(&self) -> String {
        let name = unique("pool");
        self.ask("POST", "/work_pools/", &json!({"name": name, "type": "process"}));
        name
    }

    /// The runs that are scheduled for a deployment, the earliest first.
    pub(crate) fn scheduled_runs(&self, deployment: &str) -> Vec<Value> {
        let filter = json!({
            "deployments": {"id": {"any_": [deployment]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            "sort": "EXPECTED_START_TIME_ASC",
        });
        self.ask("POST", "/flow_runs/filter", &filter).as_array().unwrap().clone()
    }
}

/// Asks until there is an answer, and fails after this many seconds.
pub(crate) fn wait_for<T>(what: &str, seconds: u64, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(seconds), "{what}: waited {seconds} s");
        std::thread::sleep(Duration::from_millis(200));
    }
}
