//! What `[mainline]` asks of a tag before anything is registered at it: that it is in the history
//! of a mainline branch, and that its signature holds.
//!
//! These rules hold for every tag, whoever made it. What `flowreg tag` asks before it makes one is
//! in [`super::tag`].

use flowreg_git::tagging::{TagRule, history_hints};
use flowreg_git::{PeeledTag, ReferenceError, ci_provider};
use flowreg_model::{Channel, CodeReference, TagName, quoted};

use super::{Referenced, RunError};

/// Checks the rules for the tags of a run; a branch has none. Returns a warning if they are off
/// mainline, and the settings do not say whether that matters.
///
/// # Errors
/// If a tag breaks a rule that is required, if nothing tells whether it does, or if the
/// repository or the remote can't be read.
pub(super) fn check(referenced: &Referenced<'_>) -> Result<Option<String>, RunError> {
    if referenced.is_new_tag {
        return Ok(None);
    }
    let rules = referenced.configured.settings.channel(Channel::Mainline);
    if rules.require_signed_tags == Some(true) {
        for tag in referenced.references().filter_map(CodeReference::tag) {
            check_signature(referenced, tag)?;
        }
    }
    // All are at one commit.
    let Some(tag) = referenced.reference.tag() else { return Ok(None) };
    match rules.require_tag_on_mainline {
        // Somebody decided that tags may be anywhere, and wants no warning about it.
        Some(false) => Ok(None),
        Some(true) => check_mainline(referenced, tag).map(|()| None),
        None => Ok(off_mainline_warning(referenced, tag)?),
    }
}

/// The warning about a tag that is off mainline, where this clone is certain of it. The remote is
/// not asked, because a request is too much for a warning that nothing depends on.
fn off_mainline_warning(
    referenced: &Referenced<'_>,
    tag: &TagName,
) -> Result<Option<String>, ReferenceError> {
    let globs = &referenced.configured.settings.repository.mainline;
    let reference = &referenced.reference;
    let repository = &referenced.opened().repository;
    let is_on_mainline =
        repository.is_on_fetched_mainline(&reference.commit, globs, reference.remote.as_ref())?;
    Ok((is_on_mainline == Some(false)).then(|| {
        format!(
            "{tag} is not on a mainline branch ({}), as far as this clone knows",
            globs.join(", ")
        )
    }))
}

fn check_mainline(referenced: &Referenced<'_>, tag: &TagName) -> Result<(), RunError> {
    let globs = &referenced.configured.settings.repository.mainline;
    let commit = &referenced.reference.commit;
    let repository = &referenced.opened().repository;
    let remote = referenced.configured.remote()?;
    let name = remote.map(|remote| &remote.name);
    let here = repository.is_on_fetched_mainline(commit, globs, name)?;
    // The branches of a clone may be old. If one of them has the tag, that is enough; if none has,
    // the remote's branches decide, as mainline may have got the commit since.
    let is_on_mainline = match remote {
        Some(remote) if here != Some(true) && asks_remote(referenced) => {
            let answer = repository.ask_for_tags(remote, tag.as_str())?;
            repository.is_on_mainline(commit, globs, name, &answer.branches)?
        }
        _ => here,
    };
    match (is_on_mainline, remote) {
        (Some(true), _) => Ok(()),
        (None, Some(remote)) => {
            let environment = &referenced.opened().surroundings.environment;
            let provider = ci_provider(environment);
            let hints = history_hints(provider, &remote.name);
            Err(TagRule::Mainline { tag: tag.clone(), is_known: false, hints }.into())
        }
        // It is certain, or there is no remote from which to fetch what would tell more.
        _ => {
            let hints = vec![format!("git branch --all --contains {}", quoted(tag.as_str()))];
            Err(TagRule::Mainline { tag: tag.clone(), is_known: true, hints }.into())
        }
    }
}

fn check_signature(referenced: &Referenced<'_>, tag: &TagName) -> Result<(), RunError> {
    let repository = &referenced.opened().repository;
    let remote = referenced.configured.remote()?;
    let has_name = |held: &PeeledTag| held.name == *tag;
    // The signature is in the tag's object, which a clone may lack: `actions/checkout` makes only a
    // lightweight copy of the tag (docs/facts/ci-variables.md, trap 12). The remote's tag counts.
    let held = match remote.filter(|_| asks_remote(referenced)) {
        Some(remote) => {
            let tags = repository.ask_for_tags(remote, tag.as_str())?.tags;
            let held = tags.into_iter().find(has_name);
            if let Some(held) = held.as_ref().filter(|held| held.is_annotated()) {
                repository.fetch_from(remote, &[&held.object])?;
            }
            held
        }
        None => repository.tags_here(tag.as_str())?.into_iter().find(has_name),
    };
    let unsigned = |reason: String| TagRule::Signed { tag: tag.clone(), reason };
    let Some(held) = held.filter(PeeledTag::is_annotated) else {
        return Err(unsigned("it is a lightweight tag".to_owned()).into());
    };
    repository.verify_tag(&held.object)?.map_err(|reason| unsigned(reason).into())
}

/// Whether the remote is asked: not with `--offline`, and not for the embedded registry, for
/// which no worker clones anything.
fn asks_remote(referenced: &Referenced<'_>) -> bool {
    !referenced.is_offline && referenced.configured.target.needs_remote()
}
