//! Prefect 3 and 2.20 over their REST API: Server and Cloud.
//!
//! docs/facts/prefect.md says what the server does with the requests that are sent here; callers of
//! this module need not know it. Nothing is sent before it is needed.

mod automations;
mod due;
mod gate;
mod headers;
mod held;
pub(super) mod http;
mod read;
mod refusal;
mod retry;
mod schedules;
mod tls;
pub(crate) mod tls_error;
mod two;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use http::Http;
pub use http::RequestCounts;

use super::{ReadScope, Target, TargetError, WorkPools, Write};
use crate::connection::prefect::PrefectConnection;
use flowreg_model::{
    BlockDocument, Field, Fields, FlowName, Held, Marks, Registration, TargetDescription,
    TargetKind, json_equal,
};

/// How long it takes at least, and at most, until what is read after a write stays.
const SHORTEST_SETTLING: Duration = Duration::from_millis(100);
const LONGEST_SETTLING: Duration = Duration::from_secs(3);

/// How a server is used.
#[derive(Debug, Clone, Copy)]
pub struct ConnectOptions {
    /// The most writes at once, whatever the server would take.
    pub jobs: usize,
}

/// A Prefect server, or a workspace of Prefect Cloud.
pub struct PrefectServer {
    http: Http,
    default_work_pool: Option<(String, String)>,
    /// Set by the first contact; `None` inside for Cloud, which has no version.
    version: OnceLock<Option<String>>,
    cache: Mutex<ReadCache>,
}

/// What was read in this run and is needed again to write: it saves a request for each write.
#[derive(Default)]
struct ReadCache {
    flows: HashMap<String, String>,
    deployments: HashMap<String, Arc<Value>>,
    automations: automations::ByDeployment,
    /// When the server wrote what this run has created, by id.
    created: HashMap<String, String>,
}

impl PrefectServer {
    /// Prepares a connection; the server is first asked when something is read or written.
    ///
    /// # Errors
    /// [`TargetError::Configuration`] if a header or the certificates can't be used.
    pub fn connect(
        connection: PrefectConnection,
        options: ConnectOptions,
    ) -> Result<Self, TargetError> {
        let default_work_pool = connection.default_work_pool.clone();
        let http = Http::new(connection, options.jobs)?;
        Ok(Self { http, default_work_pool, version: OnceLock::new(), cache: Mutex::default() })
    }

    /// How many requests were sent so far.
    pub fn requests(&self) -> RequestCounts {
        self.http.requests()
    }

    /// How many writes the server is trusted with at once now.
    pub fn writes_at_once(&self) -> usize {
        self.http.write_slots()
    }

    /// Asks once what answers at the address; another major version is refused.
    fn contact(&self) -> Result<(), TargetError> {
        if self.version.get().is_some() {
            return Ok(());
        }
        // Before anything else is sent: another API at this address would answer the requests that
        // follow with errors that lead nowhere.
        let version = match self.http.read(&Method::GET, "/admin/version", None) {
            Ok(Value::String(version)) => Some(version),
            Ok(_) => return Err(self.http.no_api("it has no version".to_owned())),
            Err(error) => self.without_version(error)?,
        };
        if let Some(version) = &version {
            let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
            let number = (numbers.next().flatten(), numbers.next().flatten());
            let is_known = matches!(number, (Some(3), _) | (Some(2), Some(20..)));
            if !is_known {
                return Err(TargetError::UnsupportedVersion {
                    url: self.http.url().to_owned(),
                    version: version.clone(),
                });
            }
        }
        tracing::debug!(version = version.as_deref().unwrap_or("none, as on Cloud"), "server");
        // Two threads may have asked at once; both got the same answer.
        let _ = self.version.set(version);
        Ok(())
    }

    /// Cloud has no version to tell; elsewhere a 404 means that the address is wrong.
    fn without_version(&self, error: TargetError) -> Result<Option<String>, TargetError> {
        let is_missing = matches!(
            error,
            TargetError::Refused { status: 404, .. } | TargetError::NotAnApi { .. }
        );
        let url = self.http.url();
        if !is_missing {
            return Err(error);
        }
        if url.starts_with("https://api.prefect.cloud/") {
            return Ok(None);
        }
        // `PREFECT_API_URL` without `/api` is the usual reason for a 404.
        let hint = if url.ends_with("/api") { "" } else { "; the address has to end in /api" };
        match error {
            TargetError::NotAnApi { reason, .. } if reason.starts_with("404") => {
                Err(self.http.no_api(format!("404 at /admin/version{hint}")))
            }
            TargetError::Refused { .. } => {
                Err(self.http.no_api(format!("404 at /admin/version{hint}")))
            }
            TargetError::NotAnApi { reason, .. } => {
                Err(self.http.no_api(format!("{reason}{hint}")))
            }
            error => Err(error),
        }
    }

    /// Whether it is Prefect 2, which was found out by the first contact.
    fn is_two(&self) -> bool {
        let version = self.version.get().and_then(Option::as_ref);
        version.is_some_and(|version| version.starts_with("2."))
    }

    fn cache(&self) -> MutexGuard<'_, ReadCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flow_id(&self, flow: &FlowName) -> Result<String, TargetError> {
        if let Some(id) = self.cache().flows.get(flow.as_str()) {
            return Ok(id.clone());
        }
        let id = write::create_flow(&self.http, flow.as_str())?;
        self.cache().flows.insert(flow.as_str().to_owned(), id.clone());
        Ok(id)
    }

    fn create(&self, registration: &Registration) -> Result<Option<String>, TargetError> {
        let flow_id = self.flow_id(&registration.flow)?;
        let _slot = self.http.write_slot();
        // Read directly before the write: the server would take what is new as a change of what
        // somebody has registered since it was read.
        let (flow, deployment) = (registration.flow.as_str(), registration.deployment.as_str());
        if let Some(found) = read::deployment_named(&self.http, flow, deployment)? {
            return Err(self.overtaken(registration, None, self.as_three(found))?);
        }
        let made = write::create(&self.http, registration, &flow_id, self.is_two())?;
        let Some(made) = made else {
            let found = read::deployment_named(&self.http, flow, deployment)?;
            return Err(match found {
                Some(found) => self.overtaken(registration, None, self.as_three(found))?,
                None => TargetError::Overtaken { held: None },
            });
        };
        let id = write::id(&self.http, &made)?;
        if let Some(updated) = read::text(&made, "updated") {
            self.cache().created.insert(id.clone(), updated.to_owned());
        }
        if let Some(triggers) = registration.fields.list(Field::Triggers) {
            automations::replace(&self.http, &id, triggers, &[])?;
        }
        Ok(Some(id))
    }

    /// The deployment, read directly before it is written.
    ///
    /// # Errors
    /// [`TargetError::Overtaken`] if it is not as it was when the plan was made.
    fn current(&self, id: &str, change: Change<'_>) -> Result<Value, TargetError> {
        let Change { held, registration, .. } = change;
        let found = match self.http.read(&Method::GET, &format!("/deployments/{id}"), None) {
            Err(TargetError::Refused { status: 404, .. }) => {
                return Err(TargetError::Overtaken { held: None });
            }
            found => found?,
        };
        let found = self.as_three(found);
        let now = held::held(&held.flow, &found);
        let is_same = |one: &Fields, other: &Fields| {
            one.iter().all(|(field, value)| {
                field == Field::Triggers || json_equal(value, other.value(field))
            })
        };
        let is_as_read = is_same(&now.fields, &held.fields) && is_same(&held.fields, &now.fields);
        if now.marks == held.marks && is_as_read {
            return Ok(found);
        }
        Err(self.overtaken(registration, Some(held), found)?)
    }

    /// A deployment as the API gave it, in the form of Prefect 3.
    fn as_three(&self, found: Value) -> Value {
        if self.is_two() { two::as_three(&found) } else { found }
    }

    /// What somebody else has written meanwhile, with the triggers that may be ours.
    fn overtaken(
        &self,
        registration: &Registration,
        before: Option<&Held>,
        found: Value,
    ) -> Result<TargetError, TargetError> {
        let mut now = held::held(registration.flow.as_str(), &found);
        if let Some(id) = now.id.clone() {
            self.cache().deployments.insert(id, Arc::new(found));
        }
        let known = before.map(|held| held.fields.items(Field::Triggers)).unwrap_or_default();
        let wanted = registration.fields.items(Field::Triggers);
        let mut names = trigger_names(known.iter().chain(wanted));
        names.extend(now.marks.as_ref().into_iter().flat_map(declared_triggers));
        if !names.is_empty() {
            self.read_triggers(Some(&names), &mut [&mut now])?;
        }
        Ok(TargetError::Overtaken { held: Some(Box::new(now)) })
    }

    /// Changes the triggers before the deployment. The deployment's marks say which triggers were
    /// declared; if the run is killed in between, the next one finds the old marks, and with them
    /// the triggers that it has to change.
    fn update(&self, id: &str, change: Change<'_>) -> Result<Option<String>, TargetError> {
        let Change { held, registration, fields, marks_change } = change;
        // It is taken out of the cache, as after this write the server holds something else.
        let read = self.cache().deployments.remove(id);
        let _slot = match read {
            Some(read) => due::write_slot(&self.http, id, &read)?,
            None => self.http.write_slot(),
        };
        let deployment = &self.current(id, change)?;
        if let Some(triggers) = fields.list(Field::Triggers) {
            self.replace_triggers(id, held, triggers)?;
        }
        let is_only_triggers = fields.iter().all(|(field, _)| field == Field::Triggers);
        if is_only_triggers && !marks_change {
            // Triggers are automations of their own. A write to the deployment itself would delete
            // its scheduled runs (docs/facts/prefect.md).
            return Ok(Some(id.to_owned()));
        }
        let is_two = self.is_two();
        let update = write::Update { held, registration, fields, marks_change, deployment, is_two };
        write::update(&self.http, update)?;
        Ok(Some(id.to_owned()))
    }

    fn replace_triggers(
        &self,
        id: &str,
        held: &Held,
        triggers: &[Value],
    ) -> Result<(), TargetError> {
        let known = self.cache().automations.remove(id);
        let automations = if let Some(known) = known {
            known
        } else {
            let before = held.fields.items(Field::Triggers);
            let names = trigger_names(before.iter().chain(triggers));
            automations::read(&self.http, Some(&names), &[id])?.remove(id).unwrap_or_default()
        };
        automations::replace(&self.http, id, triggers, &automations)
    }
}

/// One update, as [`Write::Update`] has it.
#[derive(Clone, Copy)]
struct Change<'a> {
    held: &'a Held,
    registration: &'a Registration,
    fields: &'a Fields,
    marks_change: bool,
}

fn trigger_names<'a>(triggers: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let name = |trigger: &Value| read::text(trigger, "name").unwrap_or_default().to_owned();
    triggers.into_iter().map(name).collect()
}

/// The names of triggers that marks say were declared.
fn declared_triggers(marks: &Marks) -> Vec<String> {
    let declared: Option<Value> =
        marks.declared.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let names = declared.as_ref().and_then(|declared| declared.get("triggers")?.as_array());
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(ToOwned::to_owned).collect()
}

impl Target for PrefectServer {
    fn describe(&self) -> TargetDescription {
        TargetDescription {
            kind: TargetKind::Prefect,
            url: Some(self.http.url().to_owned()),
            version: self.version.get().cloned().flatten(),
        }
    }

    fn version(&self) -> Result<Option<String>, TargetError> {
        self.contact()?;
        Ok(self.version.get().cloned().flatten())
    }

    fn read(&self, scope: ReadScope<'_>) -> Result<Vec<Held>, TargetError> {
        self.contact()?;
        let reading = match scope {
            ReadScope::All => read::deployments(&self.http, None, self.is_two())?,
            ReadScope::Flows(flows) => {
                let names: Vec<&str> = flows.iter().map(FlowName::as_str).collect();
                read::deployments(&self.http, Some(&names), self.is_two())?
            }
        };
        let mut cache = self.cache();
        cache.flows.extend(reading.flows);
        cache.deployments.extend(reading.deployments);
        Ok(reading.held)
    }

    fn adapt(&self, registrations: &mut [Registration]) -> Result<Vec<String>, TargetError> {
        self.contact()?;
        let mut notices = Vec::new();
        if self.is_two() {
            for registration in registrations {
                notices.extend(two::adapt(registration)?);
            }
        }
        Ok(notices)
    }

    fn work_pools(&self) -> Result<Option<WorkPools>, TargetError> {
        self.contact()?;
        let offered = read::work_pools(&self.http)?;
        Ok(Some(WorkPools { offered, default: self.default_work_pool.clone() }))
    }

    fn read_triggers(
        &self,
        names: Option<&[String]>,
        held: &mut [&mut Held],
    ) -> Result<(), TargetError> {
        self.contact()?;
        if names.is_none() && self.is_two() {
            // Prefect 2 has no automations outside of its Cloud, and answers 404.
            return Ok(());
        }
        let ids: Vec<&str> = held.iter().filter_map(|held| held.id.as_deref()).collect();
        let found = automations::read(&self.http, names, &ids)?;
        automations::complete(held, &found);
        self.cache().automations.extend(found);
        Ok(())
    }

    fn variables(&self, names: &[String]) -> Result<HashMap<String, Value>, TargetError> {
        self.contact()?;
        read::variables(&self.http, names)
    }

    fn block(&self, type_slug: &str, name: &str) -> Result<Option<BlockDocument>, TargetError> {
        self.contact()?;
        read::block(&self.http, type_slug, name)
    }

    fn settling_time(&self) -> Option<Duration> {
        // Whoever has read before our write was there sends his own within the time of a request.
        Some((self.http.longest_request() * 4).clamp(SHORTEST_SETTLING, LONGEST_SETTLING))
    }

    fn is_creator(&self, held: &Held) -> bool {
        // Runs that create one deployment at once are all told that they made it. The server has the time
        // of the last one.
        let created = held.id.as_ref().and_then(|id| self.cache().created.get(id).cloned());
        created.is_none() || created == held.registered_at
    }

    fn apply(&self, write: &Write<'_>) -> Result<Option<String>, TargetError> {
        self.contact()?;
        match *write {
            Write::Create(registration) => self.create(registration),
            Write::Update { held, registration, fields, marks_change } => {
                let Some(id) = held.id.as_deref() else { return self.create(registration) };
                self.update(id, Change { held, registration, fields, marks_change })
            }
            Write::Remove(held) => {
                if let Some(id) = held.id.as_deref() {
                    self.cache().deployments.remove(id);
                    write::remove(&self.http, id)?;
                }
                Ok(held.id.clone())
            }
        }
    }
}
