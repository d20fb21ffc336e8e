//! One GraphQL request and its answer, in the form that the client of Prefect 1 uses
//! (docs/facts/prefect1.md, "Requests").

use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::Prefect1Error;
use crate::TargetError;
use crate::connection::prefect::PrefectConnection;
use crate::connection::prefect1::Prefect1Connection;
use crate::prefect::http::{Http, Kind, NOT_PREFECTS, Request};

/// The client that flowreg is tested against.
const CORE_VERSION: &str = "1.4.1";

/// The GraphQL API.
pub(super) struct GraphQl {
    http: Http,
    secrets: Vec<SecretString>,
}

impl GraphQl {
    /// Prepares a connection without using it.
    pub(super) fn new(connection: &Prefect1Connection) -> Result<Self, TargetError> {
        let header = |name: &str, value: &str| (name.to_owned(), SecretString::from(value));
        let mut headers = vec![header("X-PREFECT-CORE-VERSION", CORE_VERSION)];
        if let (Some(_), Some(tenant)) = (&connection.key, &connection.tenant) {
            headers.push(header("X-PREFECT-TENANT-ID", tenant));
        }
        let http = Http::new(
            PrefectConnection {
                api_url: connection.api_url.clone(),
                profile: None,
                origin: connection.origin.clone(),
                auth_string: None,
                key: connection.key.clone(),
                headers,
                tls: connection.tls.clone(),
                request_timeout: None,
                max_retries: None,
                default_work_pool: None,
                // The proxy in front of a server that is starting answers 504.
                retry_extra_codes: vec![504],
            },
            1,
        )?;
        Ok(Self { http, secrets: connection.key.iter().cloned().collect() })
    }

    /// The API's address.
    pub(super) fn url(&self) -> &str {
        self.http.url()
    }

    /// Sends a query or a mutation and returns its `data`.
    ///
    /// Safe to repeat: a query changes nothing, and a registration with a key is made once.
    ///
    /// # Errors
    /// [`TargetError::Unreachable`], or [`Prefect1Error`] for everything that was answered.
    pub(super) fn send(
        &self,
        query: &str,
        variables: Option<&Value>,
    ) -> Result<Value, TargetError> {
        // The variables are JSON inside a JSON text, as the client sends them.
        let variables = variables.map_or_else(|| "null".to_owned(), Value::to_string);
        let body = json!({"query": query, "variables": variables});
        let size = variables.len() + query.len();
        // Mutations are sent as reads, too, so that they pass the gate that holds writes back: that
        // is for servers on SQLite, and Prefect 1 has PostgreSQL.
        let request =
            Request { kind: Kind::Read, method: &Method::POST, path: "", body: Some(&body) };
        let answer = self.http.send(request).map_err(|error| self.refused(error, size))?;
        let mut answer: Value = serde_json::from_slice(&answer.body)
            .map_err(|_| self.no_graphql("the answer is not JSON".to_owned()))?;
        if let Some(errors) = answer.get("errors").and_then(Value::as_array)
            && !errors.is_empty()
        {
            return Err(self.answered_errors(errors));
        }
        match answer.get_mut("data").map(Value::take) {
            Some(Value::Object(data)) => Ok(Value::Object(data)),
            _ => Err(self.no_graphql("the answer has no data".to_owned())),
        }
    }

    fn answered_errors(&self, errors: &[Value]) -> TargetError {
        use secrecy::ExposeSecret;

        let is_unauthenticated = |error: &Value| {
            error.pointer("/extensions/code").and_then(Value::as_str) == Some("UNAUTHENTICATED")
        };
        if errors.iter().any(is_unauthenticated) {
            return Prefect1Error::Unauthenticated { url: self.url().to_owned() }.into();
        }
        let messages = errors.iter().filter_map(|error| error.get("message")?.as_str());
        let mut messages: Vec<&str> = messages.take(3).collect();
        messages.dedup();
        let text = messages.join("; ");
        let text = self
            .secrets
            .iter()
            .fold(text, |text, secret| text.replace(secret.expose_secret(), "***"));
        Prefect1Error::Refused(if text.is_empty() { "no reason given".to_owned() } else { text })
            .into()
    }

    fn refused(&self, error: TargetError, size: usize) -> TargetError {
        match error {
            TargetError::Unauthorized { url, .. } => Prefect1Error::Unauthenticated { url }.into(),
            TargetError::NotAnApi { reason, .. } => {
                self.no_graphql(reason.replace(NOT_PREFECTS, ""))
            }
            TargetError::Refused { status: 413, .. } => {
                Prefect1Error::TooLarge { kilobytes: size.div_ceil(1000) }.into()
            }
            TargetError::Refused { message, .. } if message.contains("UNAUTHENTICATED") => {
                Prefect1Error::Unauthenticated { url: self.url().to_owned() }.into()
            }
            TargetError::Refused { status: 404 | 405, message } => self.no_graphql(message),
            TargetError::Refused { message, .. } => Prefect1Error::Refused(message).into(),
            error => error,
        }
    }

    pub(super) fn no_graphql(&self, reason: String) -> TargetError {
        Prefect1Error::NotGraphQl { url: self.url().to_owned(), reason }.into()
    }
}

/// A text as a literal of GraphQL, whose escapes are those of JSON.
pub(super) fn literal(text: &str) -> String {
    Value::from(text).to_string()
}
