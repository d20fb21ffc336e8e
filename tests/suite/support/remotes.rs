//! Remotes that are reached over a network: `git daemon`, and smart http through
//! `git http-backend` with as much of a CGI server as that needs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::prefect::{free_port, wait_for};

fn exec_path(git: &Path) -> PathBuf {
    let output = Command::new(git.join("git")).arg("--exec-path").output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// A `git daemon` that takes pushes.
pub(crate) struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    pub(crate) fn start(git: &Path, root: &Path) -> Self {
        let port = free_port();
        let child = Command::new(exec_path(git).join("git-daemon"))
            .args(["--reuseaddr", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", root.display()))
            .env("PATH", format!("{}:{}", git.display(), std::env::var("PATH").unwrap()))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("git daemon", 30, || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, port }
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("git://127.0.0.1:{}/{repository}", self.port)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A web server that hands everything to `git http-backend`.
pub(crate) struct SmartHttp {
    port: u16,
    unauthorized: Arc<AtomicUsize>,
}

impl SmartHttp {
    /// With `password`, only who knows it for the user `bot` gets in.
    pub(crate) fn start(git: &Path, root: &Path, password: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let unauthorized = Arc::new(AtomicUsize::new(0));
        let (backend, root) = (exec_path(git).join("git-http-backend"), root.to_owned());
        let path = format!("{}:{}", git.display(), std::env::var("PATH").unwrap());
        let count = Arc::clone(&unauthorized);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (backend, root, path) = (backend.clone(), root.clone(), path.clone());
                let count = Arc::clone(&count);
                std::thread::spawn(move || {
                    let cgi = Cgi { backend, root, path, password, unauthorized: count };
                    cgi.serve(stream.unwrap());
                });
            }
        });
        Self { port, unauthorized }
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("http://127.0.0.1:{}/{repository}", self.port)
    }

    /// The same with user and password in it.
    pub(crate) fn url_with(&self, password: &str, repository: &str) -> String {
        format!("http://bot:{password}@127.0.0.1:{}/{repository}", self.port)
    }

    /// How many requests had no or wrong credentials.
    pub(crate) fn unauthorized(&self) -> usize {
        self.unauthorized.load(Ordering::SeqCst)
    }
}

struct Cgi {
    backend: PathBuf,
    root: PathBuf,
    path: String,
    password: Option<&'static str>,
    unauthorized: Arc<AtomicUsize>,
}

impl Cgi {
    /// One request; the connection is closed after it.
    fn serve(&self, stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let Some(head) = read_head(&mut reader) else { return };
        let header = |name: &str| {
            let found = head.iter().skip(1).filter_map(|line| line.split_once(':'));
            let mut found = found.filter(|(known, _)| known.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.trim().to_owned())
        };
        if let Some(password) = self.password
            && header("authorization") != Some(basic(password))
        {
            self.unauthorized.fetch_add(1, Ordering::SeqCst);
            let _ = writer.write_all(
                b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\
                  Connection: close\r\n\r\n",
            );
            return;
        }
        if header("expect").is_some() {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let body = if header("transfer-encoding").is_some() {
            read_chunks(&mut reader)
        } else {
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            body
        };
        let mut words = head.first().unwrap().split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut child = Command::new(&self.backend)
            .env_clear()
            .env("PATH", &self.path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REMOTE_USER", "bot")
            .env("REMOTE_ADDR", "127.0.0.1")
            .env("REQUEST_METHOD", method)
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default())
            .env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::spawn(move || stdin.write_all(&body));
        let output = child.wait_with_output().unwrap().stdout;
        let _ = writer.write_all(&as_http(&output));
    }
}

fn basic(password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = format!("bot:{password}");
    let mut encoded = String::from("Basic ");
    for chunk in text.as_bytes().chunks(3) {
        let bytes = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let number = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for position in 0..4 {
            let is_padding = position > chunk.len();
            let digit = DIGITS[(number >> (18 - 6 * position)) as usize & 63];
            encoded.push(if is_padding { '=' } else { char::from(digit) });
        }
    }
    encoded
}

fn read_head(reader: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            return (!lines.is_empty()).then_some(lines);
        }
        lines.push(line);
    }
}

fn read_chunks(reader: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// What a CGI program says, as an answer of HTTP.
fn as_http(output: &[u8]) -> Vec<u8> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let (head, body) = output.split_at(end);
    let body = body.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let others: String = head
        .lines()
        .filter(|line| !line.starts_with("Status: "))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\n{others}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}
