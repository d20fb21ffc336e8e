//! `flowreg sync`, its status, what a hook says, and the one line with which every other command says
//! that pushes wait.

use std::fmt::Write;

use serde::Serialize;

use super::{BAD, CHANGED, DIM, GOOD, HINT, Printer, Verbosity, counted, to_stderr};
use crate::push::{OutboxRecord, QueuedPush, QueuedTarget};
use flowreg_model::escaped;

/// A queued push.
#[derive(Debug, Serialize)]
pub(crate) struct QueuedItem {
    /// The record's id, while there is one.
    pub id: Option<String>,
    /// `branch`, `tag` or `deletion`; `None` if the record can't be read.
    pub kind: Option<&'static str>,
    /// The branch or the tag.
    pub name: Option<String>,
    /// The commit that was pushed.
    pub commit: Option<String>,
    /// The remote's name, or its address.
    pub remote: Option<String>,
    /// The address without credentials.
    pub url: Option<String>,
    /// How far it has come, while it waits.
    pub state: Option<&'static str>,
    /// Why it waits, or what became of it.
    pub reason: String,
    /// RFC 3339.
    pub queued_at: Option<String>,
    /// How often a delivery was tried.
    pub deliveries: u32,
    /// Where it is to be registered, if that is known.
    pub target: Option<QueuedTarget>,
}

impl From<OutboxRecord> for QueuedItem {
    fn from(OutboxRecord { id, push }: OutboxRecord) -> Self {
        match push {
            Ok(push) => {
                let reason = push.reason.as_deref().unwrap_or("not looked at yet");
                Self { id: Some(id), state: Some(push.state.as_str()), ..Self::of(&push, reason) }
            }
            Err(error) => Self {
                id: Some(id),
                kind: None,
                name: None,
                commit: None,
                remote: None,
                url: None,
                state: None,
                reason: error.to_string(),
                queued_at: None,
                deliveries: 0,
                target: None,
            },
        }
    }
}

impl QueuedItem {
    /// A push that waits no more, and why.
    pub(crate) fn of(push: &QueuedPush, reason: &str) -> Self {
        Self {
            id: None,
            kind: Some(push.kind()),
            name: Some(push.short_name().to_owned()),
            commit: push.commit.as_ref().or(push.object.as_ref()).map(ToString::to_string),
            remote: Some(push.remote.clone()),
            url: Some(push.url.clone()),
            state: None,
            reason: reason.to_owned(),
            queued_at: Some(push.queued_at_text()),
            deliveries: push.deliveries,
            target: push.target.clone(),
        }
    }

    /// `branch feature/x at 3f2a91c to origin`, and for where as long as it waits; the id of a record
    /// that can't be read.
    fn line(&self) -> String {
        let name = self.name.as_deref().or(self.id.as_deref()).unwrap_or("?");
        let at = self.commit.as_deref().and_then(|commit| commit.get(..7));
        let at = at.map_or_else(String::new, |commit| format!(" at {commit}"));
        let to = self.remote.as_deref().map_or_else(String::new, |remote| format!(" to {remote}"));
        let target = self.target.as_ref().filter(|_| self.id.is_some());
        let target = target.map_or_else(String::new, |target| format!(", for {target}"));
        escaped(format!("{} {name}{at}{to}{target}", self.kind.unwrap_or("record")))
    }
}

/// What waits.
#[derive(Debug, Serialize)]
pub(crate) struct QueueReport {
    /// The records, oldest first.
    pub waiting: Vec<QueuedItem>,
    /// Whether a watcher is at work.
    #[serde(rename = "watched")]
    pub is_watched: bool,
    /// The log's path.
    pub log: String,
    /// Its last lines.
    pub recent: Vec<String>,
    /// How to be rid of what waits.
    #[serde(skip)]
    pub way_out: Option<String>,
}

/// What `flowreg sync` did.
#[derive(Debug, Serialize)]
pub(crate) struct SyncReport {
    /// What the target has now.
    pub delivered: Vec<QueuedItem>,
    /// What will not be registered.
    pub dropped: Vec<QueuedItem>,
    /// What still waits.
    pub waiting: Vec<QueuedItem>,
    /// How to be rid of that.
    #[serde(skip)]
    pub way_out: Option<String>,
}

impl Printer {
    /// Prints what waits.
    pub(crate) fn queue(&self, report: &QueueReport) {
        if self.is_json {
            return self.json(report);
        }
        let mut text = String::new();
        write_items(&mut text, "waits", CHANGED, &report.waiting);
        let watched = if report.is_watched { ", a watcher is at work" } else { "" };
        let _ = writeln!(text, "{} waiting{watched}", counted(report.waiting.len(), "push"));
        write_way_out(&mut text, report.way_out.as_deref());
        if !report.recent.is_empty() {
            let _ = writeln!(text, "{DIM}{}{DIM:#}", escaped(&report.log));
            for line in &report.recent {
                let _ = writeln!(text, "  {DIM}{}{DIM:#}", escaped(line));
            }
        }
        self.human(&text);
    }

    /// Prints what `flowreg sync` did.
    pub(crate) fn sync(&self, report: &SyncReport) {
        if self.is_json {
            return self.json(report);
        }
        let mut text = String::new();
        write_items(&mut text, "delivered", GOOD, &report.delivered);
        write_items(&mut text, "dropped", DIM, &report.dropped);
        // In red, other than in the status: `sync` was to deliver them, and could not.
        write_items(&mut text, "waits", BAD, &report.waiting);
        let _ = writeln!(
            text,
            "{} delivered · {} dropped · {} waiting",
            report.delivered.len(),
            report.dropped.len(),
            report.waiting.len()
        );
        write_way_out(&mut text, report.way_out.as_deref());
        self.human(&text);
    }

    /// Prints one line beside the result, to standard error.
    pub(crate) fn note(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            to_stderr(&format!("{DIM}{}{DIM:#}\n", escaped(text)));
        }
    }

    /// Prints a message of a hook. git shows it among its own lines, so it begins with `flowreg:`.
    #[expect(clippy::unused_self, reason = "whatever is printed goes through a printer")]
    pub(crate) fn hook(&self, text: &str) {
        to_stderr(&format!("flowreg: {}\n", escaped(text)));
    }
}

fn write_way_out(text: &mut String, way_out: Option<&str>) {
    if let Some(way_out) = way_out {
        let way_out = escaped(way_out);
        let _ = writeln!(text, "{HINT}hint:{HINT:#} to forget it without registering: {way_out}");
    }
}

fn write_items(text: &mut String, word: &str, style: anstyle::Style, items: &[QueuedItem]) {
    for item in items {
        let _ = writeln!(text, "  {style}{word:<9}{style:#}  {}", item.line());
        let _ = writeln!(text, "             {DIM}{}{DIM:#}", escaped(&item.reason));
    }
}
