//! What a target holds already for a registration of a feature branch (a guest): one of the same
//! name, or mainline's registration of the same deployment, at a commit.
//!
//! A guest is needed only if the flow differs from mainline's commit; whether it does is found out
//! by `scan`, not here.

use std::collections::HashMap;

use super::names::encode_branch;
use flowreg_model::{Channel, CommitId, Held, Marks, Registration};

/// What a target holds for the same deployment as a registration of a feature branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Counterpart {
    /// A registration of the very same name: the branch's own, or somebody else's.
    SameName,
    /// Nothing, or a mainline registration whose commit is not known.
    Missing,
    /// Mainline's registration, of the same repository.
    Mainline {
        /// The commit that it is pinned to.
        commit: CommitId,
        /// What people call it: the tag, or the short id.
        version: String,
    },
}

/// The counterpart of each registration, in their order. `is_ours` says whether a repository's URL is
/// one of this repository.
pub(crate) fn counterparts(
    registrations: &[Registration],
    held: &[Held],
    is_ours: impl Fn(&str) -> bool,
) -> Vec<Counterpart> {
    let by_name: HashMap<(&str, &str), &Held> =
        held.iter().map(|held| ((held.flow.as_str(), held.deployment.as_str()), held)).collect();
    let counterpart = |registration: &Registration| {
        let flow = registration.flow.as_str();
        // The branch has registered the flow before. It is kept up to date even if the change was
        // taken back since, as people may be using it.
        if by_name.contains_key(&(flow, registration.deployment.as_str())) {
            return Counterpart::SameName;
        }
        let mainline = mainline_name(registration)
            .and_then(|name| by_name.get(&(flow, name)))
            .and_then(|held| held.marks.as_ref())
            .filter(|marks| is_ours(&marks.repository));
        mainline.and_then(pinned).unwrap_or(Counterpart::Missing)
    };
    registrations.iter().map(counterpart).collect()
}

/// The name that mainline gives the deployment.
fn mainline_name(registration: &Registration) -> Option<&str> {
    let suffix = format!("@{}", encode_branch(registration.reference.branch()?));
    registration.deployment.as_str().strip_suffix(&suffix)
}

fn pinned(marks: &Marks) -> Option<Counterpart> {
    if marks.channel != Channel::Mainline.as_str() {
        return None;
    }
    let commit: CommitId = marks.commit.as_ref()?.parse().ok()?;
    let version = marks.tag.clone().unwrap_or_else(|| commit.short().to_string());
    Some(Counterpart::Mainline { commit, version })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowreg_git::RepositoryIdentity;
    use flowreg_model::{CodeReference, Entrypoint, Fields, ReferenceName, ReferenceSource};

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
            fields: Fields::new(),
            open_schema: None,
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
            fields: Fields::new(),
            registered_at: None,
        }
    }

    fn mainline(repository: &str, is_pinned: bool) -> Marks {
        let name = ReferenceName::Tag("v1.2.0".parse().unwrap());
        Marks::new(repository, &reference(name, Channel::Mainline), is_pinned, None)
    }

    fn counterpart(held: &[Held]) -> Counterpart {
        let ours = RepositoryIdentity::of_urls(["https://h/a.git"]);
        counterparts(&[guest("https://h/a.git")], held, |url| ours.is(url)).remove(0)
    }

    #[test]
    fn what_the_branch_has_stays_its_own_whoever_made_it() {
        let both = [
            held("nightly", Some(mainline("https://h/a.git", true))),
            held("nightly@feat~x", None),
        ];
        assert_eq!(counterpart(&both), Counterpart::SameName);
    }

    #[test]
    fn mainline_counts_with_its_commit_and_of_the_same_repository() {
        let pinned = [held("nightly", Some(mainline("git@h:a.git", true)))];
        let Counterpart::Mainline { commit, version } = counterpart(&pinned) else {
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
            assert_eq!(
                counterpart(std::slice::from_ref(&other)),
                Counterpart::Missing,
                "{other:?}"
            );
        }
    }
}
