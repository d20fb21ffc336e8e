//! Where a queued push is to be registered: written down by the hook, and found again by whoever delivers.
//!
//! Between the push and its delivery somebody may have switched the profile from staging to production.
//! What was pushed with the one in mind must not end up in the other.

use flowreg_model::{CommitId, TargetKind};

use super::opened::{check_target, choose_target};
use super::{Configured, Opened, RunError, Surroundings, TargetChoice};
use crate::push::{QueuedPush, QueuedTarget, TARGET_VARIABLES};
use crate::settings::Settings;

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
        self.target_where(push, &[])
    }

    /// The same where these variables are set besides.
    pub(super) fn target_where(
        &self,
        push: &QueuedPush,
        variables: &[(&str, &str)],
    ) -> Option<QueuedTarget> {
        let object = push.object.as_ref().or(push.before.as_ref());
        let commit = push.commit.clone().or_else(|| self.repository.peeled(object?));
        let settings = self.settings_of_push(commit.as_ref()).ok()?;
        target_of_settings(&with_variables(&self.surroundings, variables), &settings)
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
/// than where they say. The address alone counts only where nothing else names a server: a key that is
/// configured for another one must not be sent to it.
fn reached(
    surroundings: &Surroundings,
    settings: &Settings,
    queued: &QueuedTarget,
) -> Option<TargetChoice> {
    let [profile, address] = TARGET_VARIABLES;
    let profile = queued.profile.as_deref().map(|value| (profile, value));
    let is_prefect = queued.kind == TargetKind::Prefect;
    let address = queued.url.as_deref().filter(|_| is_prefect).map(|value| (address, value));
    let with = |variables: &[Option<(&str, &str)>]| {
        let is_unset = |(name, _): &(&str, &str)| surroundings.environment.raw(name).is_none();
        let added: Vec<_> = variables.iter().copied().flatten().filter(is_unset).collect();
        choose_target(&with_variables(surroundings, &added), settings).ok()
    };
    let is_there = |target: &TargetChoice| queued_target(target).is(queued);
    let by_profile = with(&[profile]);
    let names_no_server = matches!(by_profile, None | Some(TargetChoice::Local));
    by_profile
        .filter(is_there)
        .or_else(|| with(&[]).filter(is_there))
        .or_else(|| with(&[profile, address]).filter(|target| names_no_server && is_there(target)))
}

fn with_variables(surroundings: &Surroundings, variables: &[(&str, &str)]) -> Surroundings {
    let kept = surroundings.environment.iter();
    let environment = kept.chain(variables.iter().copied()).collect();
    Surroundings { environment, ..surroundings.clone() }
}
