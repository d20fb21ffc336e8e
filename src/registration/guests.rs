//! How a registration of a feature branch stands to what the target holds: whether the branch has
//! one already, and at which commit mainline has the same deployment.
//!
//! Whether the flow differs from that commit is not known here.

use std::collections::HashMap;

use super::names::encode_branch;
use flowreg_model::{Channel, CommitId, Held, Marks, Registration};

/// What a target holds beside a registration of a feature branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The branch has it already, or the name is taken.
    Held,
    /// There is no mainline registration whose commit is known.
    Alone,
    /// Mainline has the same deployment of the same repository, at a commit.
    Mainline {
        /// The commit.
        commit: CommitId,
        /// What it is called: the tag, or the short id.
        version: String,
    },
}

/// How each registration stands, in their order. With `is_ours`, all that is held belongs to this
/// repository.
pub(crate) fn standings(
    registrations: &[Registration],
    held: &[Held],
    is_ours: bool,
) -> Vec<Standing> {
    let by_name: HashMap<(&str, &str), &Held> =
        held.iter().map(|held| ((held.flow.as_str(), held.deployment.as_str()), held)).collect();
    let standing = |registration: &Registration| {
        let flow = registration.flow.as_str();
        if by_name.contains_key(&(flow, registration.deployment.as_str())) {
            return Standing::Held;
        }
        let mainline = mainline_name(registration)
            .and_then(|name| by_name.get(&(flow, name)))
            .and_then(|held| held.marks.as_ref())
            .filter(|marks| is_ours || marks.is_of_same_repository(&registration.marks));
        mainline.and_then(pinned).unwrap_or(Standing::Alone)
    };
    registrations.iter().map(standing).collect()
}

/// The name that mainline gives the deployment.
fn mainline_name(registration: &Registration) -> Option<&str> {
    let suffix = format!("@{}", encode_branch(registration.reference.branch()?));
    registration.deployment.as_str().strip_suffix(&suffix)
}

fn pinned(marks: &Marks) -> Option<Standing> {
    if marks.channel != Channel::Mainline.as_str() {
        return None;
    }
    let commit: CommitId = marks.commit.as_ref()?.parse().ok()?;
    let version = marks.tag.clone().unwrap_or_else(|| commit.short().to_string());
    Some(Standing::Mainline { commit, version })
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use flowreg_model::{CodeReference, Entrypoint, ReferenceName, ReferenceSource};

    fn reference(name: ReferenceName, channel: Channel) -> CodeReference {
        CodeReference {
            name,
            commit: "3".repeat(40).parse().unwrap(),
            source: ReferenceSource::Flag,
            source_detail: "--branch".to_owned(),
            channel,
            remote: None,
            proved: false,
        }
    }

    fn guest(repository: &str) -> Registration {
        let name = ReferenceName::Branch("feat/x".parse().unwrap());
        let reference = reference(name, Channel::Feature);
        Registration {
            flow: "etl".parse().unwrap(),
            deployment: "nightly@feat~x".parse().unwrap(),
            entrypoint: Entrypoint::new("flows/etl.py", "etl"),
            marks: Marks::new(repository, &reference, false, None),
            fields: Map::new(),
            upload: None,
            reference,
        }
    }

    fn held(deployment: &str, marks: Option<Marks>) -> Held {
        Held {
            id: None,
            flow: "etl".to_owned(),
            deployment: deployment.to_owned(),
            marks,
            fields: Map::new(),
            registered_at: None,
        }
    }

    fn mainline(repository: &str, is_pinned: bool) -> Marks {
        let name = ReferenceName::Tag("v1.2.0".parse().unwrap());
        Marks::new(repository, &reference(name, Channel::Mainline), is_pinned, None)
    }

    fn standing(held: &[Held], is_ours: bool) -> Standing {
        standings(&[guest("https://h/a.git")], held, is_ours).remove(0)
    }

    #[test]
    fn what_the_branch_has_stays_its_own_whoever_made_it() {
        let both = [
            held("nightly", Some(mainline("https://h/a.git", true))),
            held("nightly@feat~x", None),
        ];
        assert_eq!(standing(&both, false), Standing::Held);
    }

    #[test]
    fn mainline_counts_with_its_commit_and_of_the_same_repository() {
        let pinned = [held("nightly", Some(mainline("git@h:a.git", true)))];
        let Standing::Mainline { commit, version } = standing(&pinned, false) else {
            panic!("it is on mainline");
        };
        assert_eq!((commit.as_str(), version.as_str()), (&*"3".repeat(40), "v1.2.0"));
        for other in [
            held("nightly", Some(mainline("https://h/a.git", false))),
            held("nightly", Some(mainline("https://h/b.git", true))),
            held("weekly", Some(mainline("https://h/a.git", true))),
            held("nightly", Some(guest("https://h/a.git").marks)),
            held("nightly", None),
        ] {
            assert_eq!(standing(std::slice::from_ref(&other), false), Standing::Alone, "{other:?}");
        }
        let moved = [held("nightly", Some(mainline("https://h/b.git", true)))];
        assert_ne!(standing(&moved, true), Standing::Alone);
    }
}
