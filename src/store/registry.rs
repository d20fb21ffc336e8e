//! The registry of the embedded target: one row a deployment.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Store, StoreError};
use flowreg_model::{Fields, Marks};

/// One registration as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryRow {
    /// The row's number: the registration's id.
    pub id: i64,
    /// The flow's name.
    pub flow: String,
    /// The deployment's name.
    pub deployment: String,
    /// flowreg's marks.
    pub marks: Marks,
    /// The fields, by Prefect's names.
    pub fields: Fields,
    /// RFC 3339.
    pub registered_at: String,
}

const COLUMNS: &str = "id, flow, deployment, marks, fields, registered_at";

impl Store {
    /// All registrations, by name.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file can't be read.
    pub fn registrations(&self) -> Result<Vec<RegistryRow>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM registration ORDER BY flow, deployment");
        let rows = || -> rusqlite::Result<Vec<RegistryRow>> {
            self.connection.prepare_cached(&query)?.query_map([], read_row)?.collect()
        };
        rows().map_err(|source| self.error(source))
    }
}

/// The registration of a name.
pub(super) fn registration(
    transaction: &Transaction<'_>,
    flow: &str,
    deployment: &str,
) -> rusqlite::Result<Option<RegistryRow>> {
    let query = format!("SELECT {COLUMNS} FROM registration WHERE flow = ?1 AND deployment = ?2");
    transaction.prepare_cached(&query)?.query_row([flow, deployment], read_row).optional()
}

/// Stores a registration, replacing the one of the same name, and returns its id.
pub(super) fn put_registration(
    transaction: &Transaction<'_>,
    flow: &str,
    deployment: &str,
    marks: &Marks,
    fields: &Fields,
    now: &str,
) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO registration (flow, deployment, marks, fields, registered_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (flow, deployment) DO UPDATE
             SET marks = ?3, fields = ?4, registered_at = ?5",
        )?
        .execute(params![flow, deployment, json(marks)?, json(fields)?, now])?;
    transaction
        .prepare_cached("SELECT id FROM registration WHERE flow = ?1 AND deployment = ?2")?
        .query_row([flow, deployment], |row| row.get(0))
}

/// Removes a registration; one that is gone already is no error.
pub(super) fn remove_registration(
    transaction: &Transaction<'_>,
    flow: &str,
    deployment: &str,
) -> rusqlite::Result<()> {
    let query = "DELETE FROM registration WHERE flow = ?1 AND deployment = ?2";
    transaction.execute(query, [flow, deployment]).map(|_| ())
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<RegistryRow> {
    Ok(RegistryRow {
        id: row.get("id")?,
        flow: row.get("flow")?,
        deployment: row.get("deployment")?,
        marks: from_json(&row.get::<_, String>("marks")?)?,
        fields: from_json(&row.get::<_, String>("fields")?)?,
        registered_at: row.get("registered_at")?,
    })
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}
