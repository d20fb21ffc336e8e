//! Tags for workers of Prefect 1, which can't check annotated ones out.

use super::ReferenceError;
use super::name_resolver::NameResolver;
use flowreg_model::{RemoteName, TagName, quoted};

/// What there is of the lightweight tag that hints propose beside an annotated one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LightweightTwin {
    /// Nothing has its name.
    Free {
        /// The remote to push it to.
        remote: Option<RemoteName>,
    },
    /// It is there, at the same commit.
    Made,
    /// Something else has its name.
    Taken,
}

fn twin_name(tag: &TagName) -> String {
    format!("{tag}-light")
}

impl LightweightTwin {
    /// What to type. The annotated tag stays as it is: others may have fetched it. A lightweight one beside it
    /// is what workers of Prefect 1 can check out.
    pub(super) fn hints(&self, tag: &TagName) -> Vec<String> {
        let (light, commit) = (twin_name(tag), format!("{tag}^{{}}"));
        let (light, commit) = (quoted(&light), quoted(&commit));
        let named = format!("flowreg … --tag {light}");
        let first = match self {
            Self::Free { remote } => {
                let push = remote.as_ref().map(|remote| format!("git push {remote} {light} && "));
                Some(format!("git tag {light} {commit} && {}{named}", push.unwrap_or_default()))
            }
            Self::Made => Some(named),
            Self::Taken => None,
        };
        let usual = "make tags for Prefect 1 without -a, -s and -m".to_owned();
        first.into_iter().chain([usual]).collect()
    }
}

impl NameResolver<'_> {
    /// Refuses an annotated tag where workers can't check one out: those of Prefect 1.
    ///
    /// What counts is the remote's tag. The one here may be a lightweight copy that
    /// `actions/checkout` made (docs/facts/ci-variables.md, trap 12).
    pub(super) fn refuse_annotated(&self, tag: &TagName) -> Result<(), ReferenceError> {
        if !self.rules.lightweight {
            return Ok(());
        }
        let is_annotated = match self.proof {
            Some(proof) => proof.refs.is_annotated(tag),
            None => self.refs.is_annotated(tag),
        };
        if !is_annotated {
            return Ok(());
        }
        let remote = self.proof.map(|proof| proof.remote.clone());
        Err(ReferenceError::AnnotatedTag { tag: tag.clone(), remote, twin: self.twin_of(tag) })
    }

    fn twin_of(&self, tag: &TagName) -> LightweightTwin {
        let Ok(twin) = twin_name(tag).parse::<TagName>() else { return LightweightTwin::Taken };
        let at = |tag: &TagName| self.refs.tag(tag).ok().flatten();
        match at(&twin) {
            found if self.has_branch(twin.as_str()) || (found.is_some() && found != at(tag)) => {
                LightweightTwin::Taken
            }
            Some(_) if self.refs.is_annotated(&twin) => LightweightTwin::Taken,
            Some(_) => LightweightTwin::Made,
            None => LightweightTwin::Free { remote: self.remote.cloned() },
        }
    }
}
