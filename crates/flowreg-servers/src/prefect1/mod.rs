//! Prefect 1 over its GraphQL API: Server and Cloud.
//!
//! A registration is one version of a flow in a project: the project takes the place of the
//! deployment's name. Flows come here built and serialized by the user's Python. What the server
//! does with them is in docs/facts/prefect1.md.

mod error;
mod flows;
mod graphql;

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use error::Prefect1Error;
pub use flows::marks;
use graphql::{GraphQl, literal};

use super::{ReadScope, Target, TargetError, Write};
use crate::connection::prefect1::Prefect1Connection;
use flowreg_model::{FlowName, Held, Registration, TargetDescription, TargetKind, Upload};

/// How long another flowreg is waited for.
const PATIENCE: Duration = Duration::from_mins(2);
const TICK: Duration = Duration::from_millis(50);

/// A server of Prefect 1, or a tenant of its Cloud.
pub struct Prefect1Server {
    api: GraphQl,
    /// The file that one flowreg at a time may hold while it registers.
    lock: PathBuf,
    held_lock: Mutex<Option<File>>,
    /// Ids of projects by name.
    projects: Mutex<HashMap<String, OnceProject>>,
    /// Whether a schedule was active when it was read, by flow and project.
    schedules: Mutex<HashMap<(String, String), bool>>,
}

type OnceProject = std::sync::Arc<OnceLock<Option<String>>>;

impl Prefect1Server {
    /// Prepares a connection; the server is first asked when something is read or written. `lock`
    /// is a file that may be made.
    ///
    /// # Errors
    /// [`TargetError::Configuration`] if a header or the certificates can't be used.
    pub fn connect(connection: &Prefect1Connection, lock: PathBuf) -> Result<Self, TargetError> {
        Ok(Self {
            api: GraphQl::new(connection)?,
            lock,
            held_lock: Mutex::default(),
            projects: Mutex::default(),
            schedules: Mutex::default(),
        })
    }

    /// The project's id, asked for once; `None` if there is no such project.
    fn project(&self, name: &str) -> Result<Option<String>, TargetError> {
        let known = lock(&self.projects).entry(name.to_owned()).or_default().clone();
        if let Some(id) = known.get() {
            return Ok(id.clone());
        }
        let query = format!(
            "query {{ project(where: {{ name: {{ _eq: {} }} }}) {{ id }} }}",
            literal(name)
        );
        let answer = self.api.send(&query, None)?;
        let id = answer.pointer("/project/0/id").and_then(Value::as_str).map(ToOwned::to_owned);
        Ok(known.get_or_init(|| id).clone())
    }

    /// Id of the newest version, archived ones too.
    fn newest(&self, flow: &FlowName, project_id: &str) -> Result<Option<String>, TargetError> {
        let query = format!(
            "query {{ flow(where: {{ _and: {{ name: {{ _eq: {} }}, project: {{ id: {{ _eq: {} }} }} \
             }} }}, order_by: {{ version: desc }}, limit: 1) {{ id version }} }}",
            literal(flow.as_str()),
            literal(project_id),
        );
        let answer = self.api.send(&query, None)?;
        Ok(answer.pointer("/flow/0/id").and_then(Value::as_str).map(ToOwned::to_owned))
    }

    /// Takes the lock that lets one flowreg at a time register: two at once would make two first
    /// versions of a flow, both live (docs/facts/prefect1.md, "What a registration does").
    fn wait_for_others(&self) -> Result<(), TargetError> {
        let mut held = lock(&self.held_lock);
        if held.is_some() {
            return Ok(());
        }
        let unusable = |error: std::io::Error| {
            TargetError::Registry(format!("{}: {error}", self.lock.display()))
        };
        if let Some(directory) = self.lock.parent() {
            std::fs::create_dir_all(directory).map_err(unusable)?;
        }
        let file = File::create(&self.lock).map_err(unusable)?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
                Err(TryLockError::WouldBlock) if started.elapsed() > PATIENCE => {
                    return Err(Prefect1Error::Busy(PATIENCE.as_secs()).into());
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(TICK),
            }
        }
        *held = Some(file);
        Ok(())
    }

    fn register(
        &self,
        registration: &Registration,
        upload: &Upload,
    ) -> Result<String, TargetError> {
        let project = registration.deployment.as_str();
        let Some(project_id) = self.project(project)? else {
            return Err(Prefect1Error::ProjectMissing { project: project.to_owned() }.into());
        };
        self.wait_for_others()?;
        // The client asks the same before each registration. It is the answer to give if the server
        // has accepted the flow and returns no id.
        let before = self.newest(&registration.flow, &project_id)?;
        let key = (registration.flow.to_string(), project.to_owned());
        // A schedule that people switched off stays off.
        let was_active = lock(&self.schedules).get(&key).copied();
        let is_active = upload.is_schedule_active && was_active.unwrap_or(true);
        let input = json!({
            "project_id": project_id,
            "serialized_flow": upload.serialized_flow,
            "set_schedule_active": is_active,
            "idempotency_key": upload.idempotency_key,
        });
        let answer = self.api.send(
            "mutation($input: create_flow_from_compressed_string_input!) { \
             create_flow_from_compressed_string(input: $input) { id } }",
            Some(&json!({ "input": input })),
        )?;
        let id = answer.pointer("/create_flow_from_compressed_string/id").and_then(Value::as_str);
        id.map(ToOwned::to_owned)
            .or(before)
            .ok_or_else(|| self.api.no_graphql("the answer has no id".to_owned()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Target for Prefect1Server {
    fn describe(&self) -> TargetDescription {
        TargetDescription {
            kind: TargetKind::Prefect1,
            url: Some(self.api.url().to_owned()),
            version: None,
        }
    }

    fn version(&self) -> Result<Option<String>, TargetError> {
        Ok(None)
    }

    fn read(&self, scope: ReadScope<'_>) -> Result<Vec<Held>, TargetError> {
        let live = match scope {
            ReadScope::All => flows::read(&self.api, None)?,
            ReadScope::Flows(names) => {
                let names: Vec<&str> = names.iter().map(FlowName::as_str).collect();
                flows::read(&self.api, Some(&names))?
            }
        };
        let mut schedules = lock(&self.schedules);
        for flow in &live {
            if let Some(is_active) = flow.is_schedule_active {
                schedules.insert((flow.held.flow.clone(), flow.held.deployment.clone()), is_active);
            }
        }
        Ok(live.into_iter().map(|flow| flow.held).collect())
    }

    fn missing_projects(&self, projects: &[&str]) -> Result<Vec<String>, TargetError> {
        let mut missing = Vec::new();
        for project in projects {
            if self.project(project)?.is_none() {
                missing.push((*project).to_owned());
            }
        }
        Ok(missing)
    }

    fn is_versioned(&self) -> bool {
        true
    }

    fn apply(&self, write: &Write<'_>) -> Result<Option<String>, TargetError> {
        match *write {
            Write::Create(registration) | Write::Update { registration, .. } => {
                let upload = registration.upload.as_ref().ok_or_else(|| {
                    TargetError::Configuration("the flow was not built by Prefect 1".to_owned())
                })?;
                self.register(registration, upload).map(Some)
            }
            Write::Remove(held) => {
                if let Some(id) = &held.id {
                    let input = json!({"input": {"flow_id": id}});
                    let mutation = "mutation($input: delete_flow_input!) { \
                                    delete_flow(input: $input) { success } }";
                    self.api.send(mutation, Some(&input))?;
                }
                Ok(held.id.clone())
            }
        }
    }
}
