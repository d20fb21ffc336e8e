//! What is said of deployments that Python declares and flowreg does not register.

use flowreg_model::{Channel, CodeReference, DeployCall, Registration};

use super::FlowFilter;
use super::deploy_calls::{deploys, line};
use super::desired::Gathered;
use super::entrypoints::in_directory;
use super::request::Notice;
use crate::registration::names;

/// How many calls are told one by one; the others are counted.
const TOLD: usize = 3;

/// How many registrations of a flow are named.
const NAMED: usize = 3;

/// A call that is told.
pub(super) struct ToldCall {
    /// The call.
    pub call: DeployCall,
    /// The name of its flow, if it is known.
    pub flow: Option<String>,
}

impl ToldCall {
    /// The same call of a script in a directory.
    pub(super) fn below(mut self, directory: &str) -> Self {
        self.call.path = in_directory(directory, &self.call.path);
        self
    }
}

impl Gathered {
    /// Tells of the calls that deploy flows beside what is registered.
    pub(super) fn tell_deploy_calls(&mut self, reference: &CodeReference, filter: &FlowFilter) {
        let mut told = std::mem::take(&mut self.told);
        let place = |told: &ToldCall| (told.call.path.clone(), told.call.line, told.call.column);
        told.sort_by_key(place);
        told.dedup_by(|one, other| one.call == other.call);
        let mut besides = Vec::new();
        let mut doubled = Vec::new();
        for one in told {
            let of_flow: Vec<&Registration> = self
                .registrations
                .iter()
                .filter(|registration| one.flow.as_deref() == Some(registration.flow.as_str()))
                .collect();
            // Where only some flows are asked for, the others are no matter of this run.
            if of_flow.is_empty() && filter.is_restricted() {
                continue;
            }
            let call = DeployCall { flow: one.flow.clone().or(one.call.flow.clone()), ..one.call };
            let name = call.deployment.as_deref().map(|name| registered_name(name, reference));
            let is_same = |registration: &&&Registration| {
                name.as_deref() == Some(registration.deployment.as_str())
            };
            match of_flow.iter().find(is_same) {
                // A guest has a name of its own, which Python does not write.
                Some(_) if reference.channel == Channel::Feature => {}
                Some(registration) => {
                    let declared =
                        self.explained.of(registration).and_then(|one| one.declared_at.clone());
                    doubled.push(said_of_double(&call, declared.as_deref()));
                }
                None => {
                    let also = registers(&of_flow);
                    besides.push(format!("{} {} by itself; {also}", line(&call), deploys(&call)));
                }
            }
        }
        self.notices.extend(shortened(
            doubled,
            ["writes a deployment", "write deployments"]
                .map(|what| format!("{what} that flowreg writes as well")),
            "",
        ));
        let hint = "to register what they declare: [flows] deploy_calls = \"read\" in \
                    flowreg.toml; to hear nothing of it: \"ignore\"";
        let what = ["deploys a flow by itself", "deploy flows by themselves"];
        self.notices.extend(shortened(besides, what.map(str::to_owned), hint));
    }
}

fn registered_name(name: &str, reference: &CodeReference) -> String {
    match (reference.channel, reference.branch()) {
        (Channel::Feature, Some(branch)) => names::feature_name(name, branch)
            .map_or_else(|_| name.to_owned(), |name| name.to_string()),
        _ => name.to_owned(),
    }
}

fn registers(registrations: &[&Registration]) -> String {
    let names = registrations.iter().take(NAMED);
    let names: Vec<String> =
        names.map(|one| format!("`{}/{}`", one.flow, one.deployment)).collect();
    match registrations.len().saturating_sub(NAMED) {
        _ if names.is_empty() => "flowreg registers nothing of this flow".to_owned(),
        0 => format!("flowreg registers {}", names.join(", ")),
        more => format!("flowreg registers {} and {more} more", names.join(", ")),
    }
}

fn said_of_double(call: &DeployCall, declared: Option<&str>) -> String {
    match declared {
        Some(place) => {
            // `prefect.yaml:12:5` without the column, as the other place.
            let place = place.rsplit_once(':').map_or(place, |(place, _)| place);
            format!(
                "{} {}, which {place} declares as well: both write it",
                line(call),
                deploys(call)
            )
        }
        None => format!(
            "{} {}, which flowreg registers as well: both write it",
            line(call),
            deploys(call)
        ),
    }
}

/// The first lines, and what is to be said of the others, of one and of several; they are for those who
/// want to see everything.
fn shortened(mut lines: Vec<String>, [one, several]: [String; 2], hint: &str) -> Vec<Notice> {
    if lines.is_empty() {
        return Vec::new();
    }
    let others = lines.split_off(lines.len().min(TOLD));
    let count = others.len();
    let mut notices: Vec<Notice> = lines.into_iter().map(Notice::from).collect();
    notices.extend(others.into_iter().map(Notice::detail));
    let more = match count {
        0 => String::new(),
        1 => format!("one more call {one} (`-v` lists it)"),
        more => format!("{more} more calls {several} (`-v` lists them)"),
    };
    match (more.as_str(), hint) {
        ("", "") => {}
        ("", hint) => notices.push(Notice::from(hint.to_owned())),
        (_, "") => notices.push(Notice::from(more)),
        (_, hint) => notices.push(Notice::from(format!("{more}; {hint}"))),
    }
    notices
}
