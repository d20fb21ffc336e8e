//! What `[mainline]` asks of a tag before anything is registered at it: that production's history
//! has it, and that its signature holds.

use flowreg_git::tagging::{TagRule, history_hints};
use flowreg_git::{PeeledTag, ReferenceError, ci_provider};
use flowreg_model::{Channel, TagName};

use super::{Referenced, RunError};

/// Checks a tag; returns what is worth knowing where nothing is required.
///
/// # Errors
/// If a rule is required and does not hold, or nothing tells whether it does.
pub(super) fn check(referenced: &Referenced<'_>) -> Result<Option<String>, RunError> {
    let Some(tag) = referenced.reference.tag() else { return Ok(None) };
    let rules = referenced.configured.settings.channel(Channel::Mainline);
    if rules.require_signed_tags == Some(true) {
        check_signature(referenced, tag)?;
    }
    match rules.require_tag_on_mainline {
        Some(false) => Ok(None),
        Some(true) => check_mainline(referenced, tag).map(|()| None),
        None => Ok(doubt(referenced, tag)?),
    }
}

/// Nothing is required: a word of warning where it is certain from what is here.
fn doubt(referenced: &Referenced<'_>, tag: &TagName) -> Result<Option<String>, ReferenceError> {
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
    let remote = repository.remote(referenced.reference.remote.as_ref())?;
    let name = remote.as_ref().map(|remote| &remote.name);
    let here = repository.is_on_fetched_mainline(commit, globs, name)?;
    // The branches of a clone may be old: that they lack the tag is for the remote to say.
    let is_on_mainline = match &remote {
        Some(remote) if here != Some(true) && asks_remote(referenced) => {
            let answer = repository.ask_for_tags(remote, tag.as_str())?;
            repository.is_on_mainline(commit, globs, name, &answer.branches)?
        }
        _ => here,
    };
    match (is_on_mainline, &remote) {
        (Some(true), _) => Ok(()),
        (None, Some(remote)) => {
            let environment = &referenced.opened().surroundings.environment;
            let provider = ci_provider(environment);
            let hints = history_hints(provider, &remote.name);
            Err(TagRule::Mainline { tag: tag.clone(), is_known: false, hints }.into())
        }
        _ => {
            let hints = vec![format!("git branch --all --contains {tag}")];
            Err(TagRule::Mainline { tag: tag.clone(), is_known: true, hints }.into())
        }
    }
}

fn check_signature(referenced: &Referenced<'_>, tag: &TagName) -> Result<(), RunError> {
    let repository = &referenced.opened().repository;
    let remote = repository.remote(referenced.reference.remote.as_ref())?;
    let is_it = |held: &PeeledTag| held.name == *tag;
    // Some CI checkouts fetch an annotated tag as a lightweight one: the remote knows the object.
    let held = match remote.as_ref().filter(|_| asks_remote(referenced)) {
        Some(remote) => {
            let tags = repository.ask_for_tags(remote, tag.as_str())?.tags;
            let held = tags.into_iter().find(is_it);
            if let Some(held) = held.as_ref().filter(|held| held.is_annotated()) {
                repository.fetch_from(remote, &[&held.object])?;
            }
            held
        }
        None => repository.tags_here(tag.as_str())?.into_iter().find(is_it),
    };
    let unsigned = |reason: String| TagRule::Signed { tag: tag.clone(), reason };
    let Some(held) = held.filter(PeeledTag::is_annotated) else {
        return Err(unsigned("it is a lightweight tag".to_owned()).into());
    };
    repository.verify_tag(&held.object)?.map_err(|reason| unsigned(reason).into())
}

/// Whether the remote may and has to be asked: workers clone from it, and nobody said `--offline`.
fn asks_remote(referenced: &Referenced<'_>) -> bool {
    !referenced.is_offline && referenced.configured.target.needs_remote()
}
