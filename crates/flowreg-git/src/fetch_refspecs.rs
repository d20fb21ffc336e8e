//! The fetch refspecs of a remote: what of it is fetched, and to which refs here
//! (<https://git-scm.com/docs/git-fetch#CRTB>).

use gix::bstr::ByteSlice;

/// The values of `remote.<name>.fetch`.
pub(super) struct FetchRefspecs(Vec<String>);

impl FetchRefspecs {
    pub(super) fn of(configuration: &gix::config::File, remote: &str) -> Self {
        let sections = configuration.sections_by_name("remote").into_iter().flatten();
        let of_remote = sections.filter(|section| {
            section.header().subsection_name().is_some_and(|name| name == remote.as_bytes())
        });
        let refspecs = of_remote.flat_map(|section| section.values("fetch"));
        Self(refspecs.filter_map(|refspec| refspec.to_str().ok().map(str::to_owned)).collect())
    }

    /// The two sides of each; of one that excludes refs, or keeps them nowhere, there is only one.
    fn sides(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|refspec| refspec.trim_start_matches('+').split_once(':'))
    }

    /// The ref by which a ref of the remote is tracked here.
    pub(super) fn tracked_as(&self, reference: &str) -> Option<String> {
        let mut tracked = self.sides().filter_map(|(from, to)| mapped(reference, from, to));
        tracked.find(|name| name.starts_with("refs/"))
    }

    /// What a tracking ref is fetched from, if it is anything else than this ref of the remote: of a pull request, or of
    /// a review. Where two are fetched to one place, it is unknown which of them is there.
    pub(super) fn other_source(&self, tracking: &str, reference: &str) -> Option<String> {
        let mut sources = self.sides().filter_map(|(from, to)| mapped(tracking, to, from));
        sources.find(|source| source != reference)
    }

    /// Whether every branch of the remote is fetched.
    pub(super) fn has_all_branches(&self) -> bool {
        self.sides().any(|(from, _)| ["refs/heads/*", "refs/*"].contains(&from))
            && !self.0.iter().any(|refspec| refspec.starts_with('^'))
    }
}

/// A ref that one side of a refspec fits, as the other side has it.
fn mapped(reference: &str, from: &str, to: &str) -> Option<String> {
    match (from.split_once('*'), to.split_once('*')) {
        (Some((before, after)), Some((to_before, to_after))) => {
            let middle = reference.strip_prefix(before)?.strip_suffix(after)?;
            (!middle.is_empty()).then(|| format!("{to_before}{middle}{to_after}"))
        }
        (None, None) => (from == reference).then(|| to.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::FetchRefspecs;

    fn refspecs(values: &[&str]) -> FetchRefspecs {
        FetchRefspecs(values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn refspecs_lead_to_tracking_branches() {
        for (refspec, reference, expected) in [
            (
                "+refs/heads/*:refs/remotes/origin/*",
                "refs/heads/a/b",
                Some("refs/remotes/origin/a/b"),
            ),
            ("+refs/heads/*:refs/remotes/origin/*", "refs/tags/v1", None),
            ("refs/heads/main:refs/remotes/o/main", "refs/heads/main", Some("refs/remotes/o/main")),
            ("refs/heads/main:refs/remotes/o/main", "refs/heads/mainly", None),
            ("+refs/heads/f-*-x:refs/r/*", "refs/heads/f-1-x", Some("refs/r/1")),
            ("^refs/heads/x", "refs/heads/x", None),
            ("refs/heads/main", "refs/heads/main", None),
        ] {
            let tracked = refspecs(&[refspec]).tracked_as(reference);
            assert_eq!(tracked.as_deref(), expected, "{refspec} {reference}");
        }
    }

    #[test]
    fn what_is_fetched_from_elsewhere_is_no_branch() {
        let heads = "+refs/heads/*:refs/remotes/origin/*";
        for (values, branch, expected) in [
            (&[heads][..], "pr/7/head", None),
            (&[heads, "+refs/pull/*:refs/remotes/origin/pr/*"], "x", None),
            (
                &[heads, "+refs/pull/*:refs/remotes/origin/pr/*"],
                "pr/7/head",
                Some("refs/pull/7/head"),
            ),
            (&["+refs/pull/*/head:refs/remotes/origin/*"], "7", Some("refs/pull/7/head")),
            (&["+refs/heads/team/*:refs/remotes/origin/*"], "x", Some("refs/heads/team/x")),
            (&["+refs/heads/main:refs/remotes/origin/main"], "x", None),
            (&[], "x", None),
        ] {
            let (tracking, head) =
                (format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}"));
            let source = refspecs(values).other_source(&tracking, &head);
            assert_eq!(source.as_deref(), expected, "{values:?} {branch}");
        }
    }

    #[test]
    fn only_a_refspec_of_all_branches_has_them_all() {
        let heads = "+refs/heads/*:refs/remotes/origin/*";
        for (values, expected) in [
            (&[heads][..], true),
            (&["+refs/heads/main:refs/remotes/origin/main", heads], true),
            (&["+refs/*:refs/*"], true),
            (&["+refs/heads/main:refs/remotes/origin/main"], false),
            (&["+refs/heads/f/*:refs/remotes/origin/f/*"], false),
            (&[heads, "^refs/heads/dependabot/*"], false),
            (&[], false),
        ] {
            assert_eq!(refspecs(values).has_all_branches(), expected, "{values:?}");
        }
    }
}
