//! Which flows are asked for: names and globs of flows and deployments.

use flowreg_model::{Flow, nearest};
use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::error::ConfigurationError;

/// How many names a hint lists where none is similar to the one that was given.
const LISTED: usize = 10;

/// Flow names, `flow/deployment`, or globs of them; all flows if there is none.
#[derive(Debug, Clone, Default)]
pub struct FlowFilter(pub Vec<String>);

/// What was asked for, and is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A name that can't be a glob.
    #[error("`{text}`: {reason}")]
    Glob {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No flow has this name.
    #[error("no flow matches `{text}`")]
    NoFlow {
        /// What was asked for.
        text: String,
        /// Which flow is meant, or which there are.
        hint: String,
    },
    /// No flow and no deployment has this name.
    #[error("no flow or deployment matches `{text}`")]
    NoDeployment {
        /// What was asked for.
        text: String,
        /// Which one is meant, or which there are.
        hint: String,
    },
    /// It is of a package that no tag of the run stands for.
    #[error("`{text}` is of no package that {tags_stand_for}")]
    OtherPackage {
        /// What was asked for.
        text: String,
        /// The tags of the run, and the verb.
        tags_stand_for: String,
        /// Which tag has it.
        hint: String,
    },
}

impl SelectionError {
    /// What to type.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Glob { .. } => None,
            Self::NoFlow { hint, .. }
            | Self::NoDeployment { hint, .. }
            | Self::OtherPackage { hint, .. } => Some(hint),
        }
    }
}

impl FlowFilter {
    /// Whether only some flows are asked for.
    pub fn is_restricted(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a flow is asked for, going by its name.
    ///
    /// # Errors
    /// [`SelectionError::Glob`] if a name is no glob.
    pub(super) fn matches(&self) -> Result<impl Fn(&Flow) -> bool, SelectionError> {
        let matchers = self.matchers()?;
        Ok(move |flow: &Flow| {
            matchers.is_empty()
                || matchers.iter().any(|matcher| matcher.is_match(flow.name.as_str()))
        })
    }

    /// Which deployments are asked for: by the flow's name, by `flow/deployment`, or by the deployment's
    /// name where no flow has it.
    ///
    /// # Errors
    /// [`SelectionError`] with the nearest names if one matches nothing.
    pub(super) fn select_deployments(
        &self,
        declared: &DeclaredNames<'_>,
    ) -> Result<SelectedDeployments, SelectionError> {
        let DeclaredNames { built, failed, is_incomplete } = declared;
        if !self.is_restricted() {
            let (built, failed) = (vec![true; built.len()], vec![true; failed.len()]);
            return Ok(SelectedDeployments { built, failed });
        }
        let mut selected = SelectedDeployments {
            built: vec![false; built.len()],
            failed: vec![false; failed.len()],
        };
        for (text, matcher) in self.0.iter().zip(self.matchers()?) {
            let by_pair = |(flow, name): &(&str, &str)| matcher.is_match(format!("{flow}/{name}"));
            let by_flow = |(flow, _): &(&str, &str)| matcher.is_match(flow);
            let by_name = |(_, name): &(&str, &str)| matcher.is_match(name);
            // A flow's name comes first: `nightly` may be one flow's name and the name of many
            // flows' deployments, and whoever has such a flow would get too much.
            let readings: &[&IsSelected<'_>] =
                if text.contains('/') { &[&by_pair] } else { &[&by_flow, &by_name] };
            let reading = readings.iter().find(|matches| built.iter().any(matches));
            // Of what can't be built the flow's name may not be known. Where nothing else has the name
            // of the deployment, that one is meant.
            let name = text.rsplit_once('/').map_or(text.as_str(), |(_, name)| name);
            let by_name_alone = self::matcher(name)?;
            let may_be_meant = |one: &(&str, &str)| match reading {
                Some(matches) => matches(one),
                None => by_flow(one) || by_pair(one) || by_name_alone.is_match(one.1),
            };
            let is_failed = failed.iter().any(may_be_meant);
            for (chosen, pair) in selected.failed.iter_mut().zip(failed) {
                *chosen |= may_be_meant(pair);
            }
            match reading {
                Some(matches) => {
                    for (chosen, pair) in selected.built.iter_mut().zip(built) {
                        *chosen |= matches(pair);
                    }
                }
                None if is_failed => {}
                // It may be in what can't be read.
                None if *is_incomplete => selected.failed.fill(true),
                None => {
                    let all: Vec<(&str, &str)> = built.iter().chain(failed).copied().collect();
                    return Err(no_deployment(text, &all));
                }
            }
        }
        Ok(selected)
    }

    /// Whether any of some deployments is asked for; pairs of flow and deployment.
    ///
    /// # Errors
    /// [`SelectionError::Glob`] if a name is no glob.
    pub(super) fn has_any(&self, pairs: &[(String, String)]) -> Result<bool, SelectionError> {
        let built = pairs.iter().map(|(flow, name)| (flow.as_str(), name.as_str())).collect();
        let declared = DeclaredNames { built, failed: Vec::new(), is_incomplete: false };
        match self.select_deployments(&declared) {
            Ok(_) => Ok(true),
            Err(SelectionError::NoDeployment { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn matchers(&self) -> Result<Vec<GlobMatcher>, SelectionError> {
        self.0.iter().map(|text| matcher(text)).collect()
    }

    /// The flows that are asked for.
    ///
    /// # Errors
    /// [`SelectionError`] with the nearest names if one matches nothing.
    pub(super) fn select(&self, mut flows: Vec<Flow>) -> Result<Vec<Flow>, SelectionError> {
        if !self.is_restricted() {
            return Ok(flows);
        }
        let matchers = self.matchers()?;
        // Each name has to match something. A misspelt one would else be left out without a word.
        for (text, matcher) in self.0.iter().zip(&matchers) {
            if !flows.iter().any(|flow| matcher.is_match(flow.name.as_str())) {
                return Err(no_match(text, &flows));
            }
        }
        flows.retain(|flow| matchers.iter().any(|matcher| matcher.is_match(flow.name.as_str())));
        Ok(flows)
    }
}

/// The deployments that are declared, as pairs of flow and deployment.
pub(super) struct DeclaredNames<'n> {
    /// Those that can be registered.
    pub built: Vec<(&'n str, &'n str)>,
    /// Those that can't be; the flow's name is that of its function.
    pub failed: Vec<(&'n str, &'n str)>,
    /// Whether there may be others, in a file that can't be read or without a name.
    pub is_incomplete: bool,
}

/// Which of the declared deployments are asked for, in their order.
pub(super) struct SelectedDeployments {
    pub built: Vec<bool>,
    pub failed: Vec<bool>,
}

/// Whether a pair of flow and deployment is asked for.
type IsSelected<'a> = dyn Fn(&(&str, &str)) -> bool + 'a;

/// Globs over paths: `*` stays inside one directory, `**` does not.
///
/// # Errors
/// [`ConfigurationError::Glob`] for the first that is no glob.
pub(super) fn path_globs(globs: &[String]) -> Result<GlobSet, ConfigurationError> {
    let error = |glob: &str, error: &globset::Error| ConfigurationError::Glob {
        glob: glob.to_owned(),
        reason: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        set.add(glob.map_err(|problem| error(text, &problem))?);
    }
    set.build().map_err(|problem| error(problem.glob().unwrap_or_default(), &problem))
}

fn matcher(text: &str) -> Result<GlobMatcher, SelectionError> {
    GlobBuilder::new(text).build().map(|glob| glob.compile_matcher()).map_err(|error| {
        SelectionError::Glob { text: text.to_owned(), reason: error.kind().to_string() }
    })
}

fn no_deployment(text: &str, all: &[(&str, &str)]) -> SelectionError {
    let pairs: Vec<String> = all.iter().map(|(flow, name)| format!("{flow}/{name}")).collect();
    let near = if text.contains('/') {
        nearest(text, &pairs.iter().map(String::as_str).collect::<Vec<_>>())
    } else {
        let flows = all.iter().map(|(flow, _)| *flow);
        nearest(text, &flows.chain(all.iter().map(|(_, name)| *name)).collect::<Vec<_>>())
    };
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    let hint = hint.unwrap_or_else(|| {
        if pairs.is_empty() {
            return "there are no deployments at this reference".to_owned();
        }
        let names: Vec<&str> = pairs.iter().map(String::as_str).collect();
        listed("the deployments are", "flowreg plan -v", &names)
    });
    SelectionError::NoDeployment { text: text.to_owned(), hint }
}

fn listed(what: &str, command: &str, names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more =
        if names.len() > LISTED { format!(" … (`{command}` lists all)") } else { String::new() };
    format!("{what} {}{more}", shown.join(", "))
}

fn no_match(text: &str, flows: &[Flow]) -> SelectionError {
    let names: Vec<&str> = flows.iter().map(|flow| flow.name.as_str()).collect();
    let hint = match nearest(text, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "there are no flows at this reference".to_owned(),
        None => listed("the flows are", "flowreg flows", &names),
    };
    SelectionError::NoFlow { text: text.to_owned(), hint }
}
