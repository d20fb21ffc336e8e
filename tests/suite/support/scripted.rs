//! A server that says exactly what a test tells it to, connection by connection: also nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// `POST /api/flows/`.
    pub line: String,
    /// All headers in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Received {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status, headers and body; the connection stays open.
    Answer(u16, Vec<(String, String)>, String),
    /// The same, and the connection is closed without a word of it, as Prefect does after a 5xx.
    AnswerAndClose(u16, String),
    /// JSON after this time, during which other connections are served.
    Late(Duration, String),
    /// The connection is closed instead.
    Close,
    /// The connection stays open, and nothing is said.
    Silence,
}

impl Reply {
    /// JSON with this status.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        let kind = ("Content-Type".to_owned(), "application/json".to_owned());
        Self::Answer(status, vec![kind], body.to_owned())
    }

    /// The same with one more header.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

/// A server whose script decides.
pub(crate) struct Scripted {
    /// `http://127.0.0.1:…/api`.
    pub api_url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Scripted {
    /// Answers each request with what the script makes of it and of those before it.
    pub(crate) fn start(
        script: impl Fn(&Received, &[Received]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api_url = format!("http://{}/api", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (script, all) = (Arc::new(script), Arc::clone(&received));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (script, all) = (Arc::clone(&script), Arc::clone(&all));
                std::thread::spawn(move || serve(stream.unwrap(), connection, &*script, &all));
            }
        });
        Self { api_url, received }
    }

    /// What came in so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// How many requests came in whose first line has this in it.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.received().iter().filter(|received| received.line.contains(part)).count()
    }
}

fn serve(
    stream: TcpStream,
    connection: usize,
    script: &dyn Fn(&Received, &[Received]) -> Reply,
    all: &Mutex<Vec<Received>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(received) = receive(&mut reader, connection) {
        let reply = {
            let mut all = all.lock().unwrap();
            let reply = script(&received, &all);
            all.push(received);
            reply
        };
        match reply {
            Reply::Answer(status, headers, body) => answer(&mut stream, status, &headers, &body),
            Reply::AnswerAndClose(status, body) => {
                answer(&mut stream, status, &[], &body);
                return;
            }
            Reply::Late(time, body) => {
                std::thread::sleep(time);
                answer(&mut stream, 200, &[], &body);
            }
            Reply::Close => return,
            Reply::Silence => std::thread::sleep(Duration::from_mins(10)),
        }
    }
}

fn receive(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers: Vec<(String, String)> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Received { line: lines.first()?.clone(), headers, body, connection })
}

fn answer(stream: &mut TcpStream, status: u16, headers: &[(String, String)], body: &str) {
    use std::fmt::Write as _;
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    // The client may have given up; that is what the test is about.
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    let _ = stream.flush();
}
