//! What `[mainline]` asks of a tag before anything is registered at it: that production's history
//! has it, and that its signature holds.

use super::error::CommandError;
use super::session::Session;
use flowreg_git::tagging::{TagRule, history_hints};
use flowreg_git::{ReferenceError, ci_provider};
use flowreg_model::{Channel, CodeReference, Environment, TagName};

/// Checks a tag; returns what is worth knowing where nothing is required.
///
/// # Errors
/// If a rule is required and does not hold, or nothing tells whether it does.
pub(super) fn check(
    session: &Session,
    reference: &CodeReference,
    environment: &Environment,
    is_offline: bool,
) -> Result<Option<String>, CommandError> {
    let Some(tag) = reference.tag() else { return Ok(None) };
    let rules = session.settings.channel(Channel::Mainline);
    if rules.require_signed_tags == Some(true) {
        signed(session, reference, tag, is_offline)?;
    }
    match rules.require_tag_on_mainline {
        Some(false) => Ok(None),
        Some(true) => on_mainline(session, reference, tag, environment, is_offline).map(|()| None),
        None => Ok(doubt(session, reference, tag)?),
    }
}

/// Nothing is required: a word of warning where it is certain from what is here.
fn doubt(
    session: &Session,
    reference: &CodeReference,
    tag: &TagName,
) -> Result<Option<String>, ReferenceError> {
    let globs = &session.settings.repository.mainline;
    let remote = reference.remote.as_ref();
    let standing = session.repository.is_on_fetched_mainline(&reference.commit, globs, remote)?;
    Ok((standing == Some(false)).then(|| {
        format!(
            "{tag} is not on a mainline branch ({}), as far as this clone knows",
            globs.join(", ")
        )
    }))
}

fn on_mainline(
    session: &Session,
    reference: &CodeReference,
    tag: &TagName,
    environment: &Environment,
    is_offline: bool,
) -> Result<(), CommandError> {
    let globs = &session.settings.repository.mainline;
    let remote = session.repository.remote(reference.remote.as_ref())?;
    let name = remote.as_ref().map(|remote| &remote.name);
    let here = session.repository.is_on_fetched_mainline(&reference.commit, globs, name)?;
    // What a clone has may be old, so a no is only the remote's to say.
    let standing = match &remote {
        Some(remote) if here != Some(true) && !is_offline && session.target.needs_remote() => {
            let asked = session.repository.ask_for_tags(remote, tag.as_str())?;
            let branches = &asked.branches;
            session.repository.is_on_mainline(&reference.commit, globs, name, branches)?
        }
        _ => here,
    };
    match (standing, &remote) {
        (Some(true), _) => Ok(()),
        (None, Some(remote)) => {
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

fn signed(
    session: &Session,
    reference: &CodeReference,
    tag: &TagName,
    is_offline: bool,
) -> Result<(), CommandError> {
    let repository = &session.repository;
    let remote = repository.remote(reference.remote.as_ref())?;
    let asks = session.target.needs_remote() && !is_offline;
    // A checkout may have a lightweight copy: the remote knows the object.
    let held = match remote.as_ref().filter(|_| asks) {
        Some(remote) => {
            let found = repository.ask_for_tags(remote, tag.as_str())?.tags;
            let held = found.into_iter().find(|held| held.name == *tag);
            if let Some(held) = held.as_ref().filter(|held| held.is_annotated()) {
                repository.fetch_from(remote, &[&held.object])?;
            }
            held
        }
        None => repository.tags_here(tag.as_str())?.into_iter().find(|held| held.name == *tag),
    };
    let unsigned = |reason: String| TagRule::Signed { tag: tag.clone(), reason };
    let Some(held) = held.filter(flowreg_git::PeeledTag::is_annotated) else {
        return Err(unsigned("it is a lightweight tag".to_owned()).into());
    };
    repository.verify_tag(&held.object)?.map_err(|reason| unsigned(reason).into())
}
