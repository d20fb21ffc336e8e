//! The `FLOW…` arguments: flow names and globs.

use clap::Args;
use globset::{GlobBuilder, GlobMatcher};

use super::error::CommandError;
use crate::model::{Flow, nearest};

/// How many names a hint lists when none is near.
const LISTED: usize = 10;

#[derive(Debug, Clone, Args)]
pub struct FlowArguments {
    /// Flow names or globs; all flows if none is given
    #[arg(value_name = "FLOW")]
    pub flows: Vec<String>,
}

impl FlowArguments {
    /// Whether only some flows are asked for.
    pub fn is_restricted(&self) -> bool {
        !self.flows.is_empty()
    }

    /// Whether a flow is asked for, going by its name.
    ///
    /// # Errors
    /// A usage error if an argument is no glob.
    pub fn matches(&self) -> Result<impl Fn(&Flow) -> bool, CommandError> {
        let matchers = self.matchers()?;
        Ok(move |flow: &Flow| {
            matchers.is_empty()
                || matchers.iter().any(|matcher| matcher.is_match(flow.name.as_str()))
        })
    }

    fn matchers(&self) -> Result<Vec<GlobMatcher>, CommandError> {
        self.flows.iter().map(|text| matcher(text)).collect()
    }

    /// The flows that are asked for.
    ///
    /// # Errors
    /// A usage error with the nearest names if an argument matches nothing.
    pub fn select(&self, mut flows: Vec<Flow>) -> Result<Vec<Flow>, CommandError> {
        if !self.is_restricted() {
            return Ok(flows);
        }
        let matchers = self.matchers()?;
        for (text, matcher) in self.flows.iter().zip(&matchers) {
            if !flows.iter().any(|flow| matcher.is_match(flow.name.as_str())) {
                return Err(no_match(text, &flows));
            }
        }
        flows.retain(|flow| matchers.iter().any(|matcher| matcher.is_match(flow.name.as_str())));
        Ok(flows)
    }
}

fn matcher(text: &str) -> Result<GlobMatcher, CommandError> {
    GlobBuilder::new(text)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| CommandError::usage(format!("`{text}`: {}", error.kind()), Vec::new()))
}

fn no_match(text: &str, flows: &[Flow]) -> CommandError {
    let names: Vec<&str> = flows.iter().map(|flow| flow.name.as_str()).collect();
    let hint = match nearest(text, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "there are no flows at this reference".to_owned(),
        None => format!(
            "the flows are {}{}",
            names
                .iter()
                .take(LISTED)
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
            if names.len() > LISTED { " … (`flowreg flows` lists all)" } else { "" }
        ),
    };
    CommandError::usage(format!("no flow matches `{text}`"), vec![hint])
}
