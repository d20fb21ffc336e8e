//! The `FLOW…` arguments: flow names and globs.

use clap::Args;
use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::error::CommandError;
use flowreg_model::{Flow, nearest};

/// How many names a hint lists when none is near.
const LISTED: usize = 10;

#[derive(Debug, Clone, Default, Args)]
pub(super) struct FlowArguments {
    /// Flow names, flow/deployment, or globs of them; all flows if none is given
    #[arg(value_name = "FLOW")]
    pub flows: Vec<String>,
}

impl FlowArguments {
    /// Whether only some flows are asked for.
    pub(super) fn is_restricted(&self) -> bool {
        !self.flows.is_empty()
    }

    /// Whether a flow is asked for, going by its name.
    ///
    /// # Errors
    /// A usage error if an argument is no glob.
    pub(super) fn matches(&self) -> Result<impl Fn(&Flow) -> bool, CommandError> {
        let matchers = self.matchers()?;
        Ok(move |flow: &Flow| {
            matchers.is_empty()
                || matchers.iter().any(|matcher| matcher.is_match(flow.name.as_str()))
        })
    }

    /// Which of these pairs of flow and deployment are asked for: by the flow's name, by
    /// `flow/deployment`, or by the deployment's name where no flow has it.
    ///
    /// # Errors
    /// A usage error with the nearest names if an argument matches nothing.
    pub(super) fn select_deployments(
        &self,
        all: &[(&str, &str)],
    ) -> Result<Vec<bool>, CommandError> {
        if !self.is_restricted() {
            return Ok(vec![true; all.len()]);
        }
        let mut selected = vec![false; all.len()];
        for (text, matcher) in self.flows.iter().zip(self.matchers()?) {
            let by_pair = |(flow, name): &(&str, &str)| matcher.is_match(format!("{flow}/{name}"));
            let by_flow = |(flow, _): &(&str, &str)| matcher.is_match(flow);
            let by_name = |(_, name): &(&str, &str)| matcher.is_match(name);
            let ways: &[&Asked<'_>] =
                if text.contains('/') { &[&by_pair] } else { &[&by_flow, &by_name] };
            let way = ways.iter().find(|is_asked| all.iter().any(is_asked));
            let Some(is_asked) = way else { return Err(no_deployment(text, all)) };
            for (chosen, pair) in selected.iter_mut().zip(all) {
                *chosen |= is_asked(pair);
            }
        }
        Ok(selected)
    }

    fn matchers(&self) -> Result<Vec<GlobMatcher>, CommandError> {
        self.flows.iter().map(|text| matcher(text)).collect()
    }

    /// The flows that are asked for.
    ///
    /// # Errors
    /// A usage error with the nearest names if an argument matches nothing.
    pub(super) fn select(&self, mut flows: Vec<Flow>) -> Result<Vec<Flow>, CommandError> {
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

/// Whether a pair of flow and deployment is asked for.
type Asked<'a> = dyn Fn(&(&str, &str)) -> bool + 'a;

/// Globs over paths: `*` stays inside one directory, `**` does not.
///
/// # Errors
/// A configuration error for the first that is no glob.
pub(super) fn path_globs(globs: &[String]) -> Result<GlobSet, CommandError> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|error| {
            CommandError::configuration(format!("`{text}`: {}", error.kind()), Vec::new())
        })?;
        set.add(glob);
    }
    set.build().map_err(|error| CommandError::configuration(error.kind().to_string(), Vec::new()))
}

fn matcher(text: &str) -> Result<GlobMatcher, CommandError> {
    GlobBuilder::new(text)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| CommandError::usage(format!("`{text}`: {}", error.kind()), Vec::new()))
}

fn no_deployment(text: &str, all: &[(&str, &str)]) -> CommandError {
    let pairs: Vec<String> = all.iter().map(|(flow, name)| format!("{flow}/{name}")).collect();
    let near = if text.contains('/') {
        nearest(text, &pairs.iter().map(String::as_str).collect::<Vec<_>>())
    } else {
        let flows = all.iter().map(|(flow, _)| *flow);
        nearest(text, &flows.chain(all.iter().map(|(_, name)| *name)).collect::<Vec<_>>())
    };
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    let hint = hint.unwrap_or_else(|| {
        let names: Vec<&str> = pairs.iter().map(String::as_str).collect();
        listed("the deployments are", "flowreg plan -v", &names)
    });
    CommandError::usage(format!("no flow or deployment matches `{text}`"), vec![hint])
}

fn listed(what: &str, command: &str, names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more =
        if names.len() > LISTED { format!(" … (`{command}` lists all)") } else { String::new() };
    format!("{what} {}{more}", shown.join(", "))
}

fn no_match(text: &str, flows: &[Flow]) -> CommandError {
    let names: Vec<&str> = flows.iter().map(|flow| flow.name.as_str()).collect();
    let hint = match nearest(text, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "there are no flows at this reference".to_owned(),
        None => listed("the flows are", "flowreg flows", &names),
    };
    CommandError::usage(format!("no flow matches `{text}`"), vec![hint])
}
