//! Writes the results of `flowreg tag` to the files from which later steps of a CI job read them:
//! those that GitHub Actions names in variables, and one that the user names (`--dotenv`).

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::Context;
use super::error::CommandError;
use crate::output::TagReport;

/// Writes `--dotenv`, `GITHUB_OUTPUT` and, where a tag was to be made, `GITHUB_STEP_SUMMARY`.
pub(super) fn write(
    context: &Context<'_>,
    dotenv: Option<&Path>,
    report: &TagReport,
    is_print: bool,
) -> Result<(), CommandError> {
    let pairs = report.pairs();
    if let Some(path) = dotenv {
        let path = context.surroundings.directory.join(path);
        std::fs::write(&path, &pairs).map_err(|error| CommandError::unwritable(&path, &error))?;
    }
    // Appended, as other commands of the same step write to these files, too.
    if let Some(path) = context.surroundings.environment.get("GITHUB_OUTPUT") {
        append(Path::new(path), &pairs)?;
    }
    if let Some(path) =
        context.surroundings.environment.get("GITHUB_STEP_SUMMARY").filter(|_| !is_print)
    {
        append(Path::new(path), &report.markdown())?;
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> Result<(), CommandError> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| CommandError::unwritable(path, &error))
}
