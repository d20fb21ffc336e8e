//! The analyser on sources that nobody would write: mutated files with bombs in them. Each has to
//! be answered in bounded time and memory, without a panic.
//!
//! They are analysed in a process of their own that is ended when it takes too long or too much.
//! `FLOWREG_FUZZ_SECONDS` makes a long run, `FLOWREG_FUZZ_SEED` repeats one, and
//! `FLOWREG_FUZZ_HAZARDS` asks about more of the flows that the differential test makes.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowreg_python::analyse;

use crate::random_flows::{Mutator, Random, bombs, hazardous, ordinary};

/// What one analysis may take of a processor, generously: the tests are not optimised.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take in all, as others run beside.
const PATIENCE: Duration = Duration::from_secs(60);
/// Address space of the analysing process in KiB; a deep source alone reserves 512 MiB of it.
const MEMORY_LIMIT: usize = 2 << 20;
/// What the process may have held at its worst, in KiB.
const PEAK_LIMIT: u64 = 1 << 20;
const SECONDS: u64 = 4;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

fn corpus() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/flows");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.iter().filter(|path| path.is_file());
    // The flows of the corpus deploy nothing by themselves, so a program goes with them, often enough to be
    // picked.
    let program = include_bytes!("random_flows/program.txt").to_vec();
    let programs = std::iter::repeat_n(program, 10);
    files.map(|path| std::fs::read(path).unwrap()).chain(programs).collect()
}

/// A process that analyses one source after the other.
struct Analyser {
    child: Child,
    sources: ChildStdin,
    answers: Receiver<String>,
}

/// Why there is no answer.
enum Failure {
    TooSlow,
    Ended(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooSlow => write!(formatter, "no answer in {} s", TIME_LIMIT.as_secs()),
            Self::Ended(said) => formatter.write_str(said),
        }
    }
}

impl Analyser {
    fn start() -> Self {
        let limited = format!("ulimit -v {MEMORY_LIMIT}; exec \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &limited, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "fuzz::sources_of_standard_input_are_analysed"])
            .args(["--ignored", "--nocapture"])
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let sources = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let Some(answer) = line.strip_prefix("answered ") else { continue };
                if sender.send(answer.to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, sources, answers }
    }

    /// The time that one analysis takes.
    fn time(&mut self, source: &[u8]) -> Result<Duration, Failure> {
        let started = Instant::now();
        let length = u64::try_from(source.len()).unwrap().to_le_bytes();
        let sent = self.sources.write_all(&length).and_then(|()| self.sources.write_all(source));
        if sent.and_then(|()| self.sources.flush()).is_err() {
            return Err(self.end());
        }
        let used_before = self.processor_time();
        loop {
            match self.answers.recv_timeout(TIME_LIMIT) {
                Ok(_) => return Ok(started.elapsed()),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    let used = self.processor_time().saturating_sub(used_before);
                    if used < TIME_LIMIT && started.elapsed() < PATIENCE {
                        continue;
                    }
                    self.child.kill().unwrap();
                    self.child.wait().unwrap();
                    return Err(Failure::TooSlow);
                }
                Err(_) => return Err(self.end()),
            }
        }
    }

    fn end(&mut self) -> Failure {
        let mut said = Vec::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_end(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        Failure::Ended(format!("{status}\n{}", String::from_utf8_lossy(&said)))
    }

    /// What it took of the processors so far.
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // The name before may hold blanks; after it, fields 14 and 15 are hundredths of a second.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        Duration::from_millis(
            fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10,
        )
    }

    /// The most memory it ever held, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
    }
}

#[test]
#[ignore = "the process that is fuzzed, started by the test below"]
fn sources_of_standard_input_are_analysed() {
    let mut input = std::io::stdin().lock();
    let mut length = [0; 8];
    while input.read_exact(&mut length).is_ok() {
        let mut source = vec![0; usize::try_from(u64::from_le_bytes(length)).unwrap()];
        input.read_exact(&mut source).unwrap();
        let analysis = analyse("flows/mutated.py", &source);
        assert!(analysis.flows.iter().all(|flow| flow.line > 0));
        assert!(analysis.problems.iter().all(|problem| problem.line > 0));
        println!("\nanswered {}", analysis.flows.len());
    }
}

#[test]
fn each_bomb_alone_is_answered_in_bounded_time_and_memory() {
    let mut analyser = Analyser::start();
    let mut failures = Vec::new();
    let mut random = Random::new(setting("FLOWREG_FUZZ_SEED").unwrap_or(1));
    let hazards = setting("FLOWREG_FUZZ_HAZARDS").unwrap_or(300);
    let hazards = (0..usize::try_from(hazards).unwrap())
        .map(|number| hazardous(&mut random, number).source());
    for source in bombs().into_iter().chain(hazards) {
        if let Err(failure) = analyser.time(source.as_bytes()) {
            println!("--- {failure}\n{source}");
            failures.push(source);
            analyser = Analyser::start();
        }
    }
    println!("peak {} MiB", analyser.peak() / 1024);
    assert!(analyser.peak() < PEAK_LIMIT);
    assert!(failures.is_empty(), "{} bombs", failures.len());
    drop(analyser.sources);
    analyser.child.wait().unwrap();
}

#[test]
fn mutated_sources_with_bombs_are_answered_in_bounded_time_and_memory() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = setting("FLOWREG_FUZZ_SEED").unwrap_or(now.as_secs());
    println!("FLOWREG_FUZZ_SEED={seed}");
    let seconds = Duration::from_secs(setting("FLOWREG_FUZZ_SECONDS").unwrap_or(SECONDS));
    let mut random = Random::new(seed);
    let mut sources = corpus();
    for number in 0..40 {
        sources.push(ordinary(&mut random, number, 3).source().into_bytes());
        sources.push(hazardous(&mut random, number).source().into_bytes());
    }
    let started = Instant::now();
    let mut analyser = Analyser::start();
    let (mut cases, mut bytes, mut peak) = (0_u64, 0, 0);
    let mut slowest = (Duration::ZERO, Vec::new());
    let mut failures: Vec<String> = Vec::new();
    while started.elapsed() < seconds && failures.len() < 20 {
        let source = Mutator { random: &mut random, sources: &sources }.source();
        cases += 1;
        bytes += source.len();
        match analyser.time(&source) {
            Ok(time) if time > slowest.0 => slowest = (time, source),
            Ok(_) => {}
            Err(failure) => {
                let source = String::from_utf8_lossy(&source).into_owned();
                println!("--- case {cases}: {failure}\n{source}");
                failures.push(failure.to_string());
                analyser = Analyser::start();
            }
        }
        if cases.is_multiple_of(50) {
            peak = analyser.peak().max(peak);
        }
    }
    peak = analyser.peak().max(peak);
    println!(
        "{cases} cases, {bytes} bytes in {:.0} s; slowest {:.2} s; peak {} MiB; {} failures",
        started.elapsed().as_secs_f64(),
        slowest.0.as_secs_f64(),
        peak / 1024,
        failures.len()
    );
    if slowest.0 > TIME_LIMIT / 5 {
        println!("the slowest:\n{}", String::from_utf8_lossy(&slowest.1));
    }
    drop(analyser.sources);
    analyser.child.wait().unwrap();
    assert!(failures.is_empty(), "{} failures with seed {seed}: {failures:#?}", failures.len());
    assert!(peak < PEAK_LIMIT, "{peak} KiB");
}
