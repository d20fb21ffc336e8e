//! Where a queued push is to be registered: written down by the hook, and found again by whoever delivers.
//!
//! Between the push and its delivery somebody may have switched the profile from staging to production.
//! What was pushed with the one in mind must not end up in the other.

use flowreg_model::{CommitId, TargetKind};

use super::opened::{check_target, choose_target};
use super::{Configured, Opened, RunError, Surroundings, TargetChoice};
use crate::push::{QueuedPush, QueuedTarget};
use crate::settings::Settings;

/// The variables by which a person names a target for one command.
const PROFILE: &str = "PREFECT_PROFILE";
const ADDRESS: &str = "PREFECT_API_URL";

/// The target, as the record of a queued push keeps it.
pub(super) fn queued_target(target: &TargetChoice) -> QueuedTarget {
    let (url, profile) = match target {
        TargetChoice::Local => (None, None),
        TargetChoice::Prefect(connection) => {
            (Some(connection.api_url.clone()), connection.profile.clone())
        }
        TargetChoice::Prefect1(connection) => (Some(connection.api_url.clone()), None),
    };
    QueuedTarget { kind: target.kind(), url, profile }
}

/// The target that the settings of a pushed commit choose; `None` if that can't be told, or if a run
/// would refuse it, as in a CI build where no server is configured.
pub(crate) fn target_of_settings(
    surroundings: &Surroundings,
    settings: &Settings,
) -> Option<QueuedTarget> {
    let target = choose_target(surroundings, settings).ok()?;
    check_target(&target, settings, &surroundings.environment).ok()?;
    Some(queued_target(&target))
}

impl Opened<'_> {
    /// The target that is configured here and now for what was pushed; `None` if that can't be told.
    pub(super) fn target_of(&self, push: &QueuedPush) -> Option<QueuedTarget> {
        let object = push.object.as_ref().or(push.before.as_ref());
        let commit = push.commit.clone().or_else(|| self.repository.peeled(object?));
        let settings = self.settings_of_push(commit.as_ref()).ok()?;
        target_of_settings(&self.surroundings, &settings)
    }

    /// The settings at a commit, with the target that a push was queued for. Where that can't be reached
    /// from here, it is the one that is configured; [`QueuedTarget::is`] tells them apart.
    pub(super) fn configure_for_push(
        &self,
        push: &QueuedPush,
        commit: Option<&CommitId>,
    ) -> Result<Configured<'_>, RunError> {
        let settings = self.settings_of_push(commit)?;
        let here = || choose_target(&self.surroundings, &settings);
        let target = match &push.target {
            Some(queued) => match reached(&self.surroundings, &settings, queued) {
                Some(target) => target,
                None => here()?,
            },
            None => here()?,
        };
        Ok(self.configured_with(settings, target))
    }
}

/// The target that a push was queued for, if the configuration leads there once the profile and the
/// address of then are put in.
///
/// What a person sets for this command goes before both, so that nobody registers in silence elsewhere
/// than where they say. The address alone is not enough: with the key of another profile it would send
/// that key to a server that it does not belong to.
fn reached(
    surroundings: &Surroundings,
    settings: &Settings,
    queued: &QueuedTarget,
) -> Option<TargetChoice> {
    let with = |names: &[(&str, Option<&String>)]| {
        let mut surroundings = surroundings.clone();
        let given = surroundings.environment.clone();
        let added = names.iter().filter(|(name, _)| given.raw(name).is_none());
        let added = added.filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.clone())));
        let kept = given.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        surroundings.environment = kept.chain(added).collect();
        choose_target(&surroundings, settings).ok()
    };
    let profile = (PROFILE, queued.profile.as_ref());
    let address = (ADDRESS, queued.url.as_ref().filter(|_| queued.kind == TargetKind::Prefect));
    let is_there = |target: &TargetChoice| queued_target(target).is(queued);
    with(&[profile])
        .filter(is_there)
        .or_else(|| with(&[]).filter(is_there))
        .or_else(|| with(&[profile, address]).filter(|target| queued_target(target) == *queued))
}
