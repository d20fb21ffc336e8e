//! Makes the tag of the next version and pushes exactly that ref.
//!
//! Several CI jobs may do so at once, and each of them may be run again. Nothing but the remote can
//! decide between them: the tags of a clone may be old or missing, but a git server creates a ref
//! only if there is none of that name. So of two jobs that push one tag, one succeeds. The other
//! reads the remote's tags again and decides anew, in a new round.
//!
//! Which version comes next is decided in [`flowreg_git::tagging`]; what holds for a tag that is
//! registered, whoever made it, in [`super::tag_rules`].

use std::time::Duration;

use flowreg_git::tagging::{
    self, Bump, Day, Decision, RequestedVersion, Series, SeriesTags, TagError, Version, decide,
    message,
};
use flowreg_git::{
    PeeledTag, PushOutcome, ReferenceError, ReferenceRequest, ReferenceRules, Rejection, Remote,
    Repository, TagKind, TagPush, Untagged, ci_provider, is_mainline, resolve,
};
use flowreg_model::{
    BranchName, Channel, CommitId, ReferenceSource, RemoteName, TagName, TargetKind,
};
use serde::Serialize;

use super::{AppliedRun, Opened, ReferenceChoice, RunError, RunRequest, Surroundings};
use crate::settings::Settings;

/// After so many rounds no further one is tried, so that a job ends in any case. A round is lost if
/// another job was faster, or if the remote refused for a reason that may pass.
const MOST_ROUNDS: u32 = 30;
/// After so many rejections that name no rule of the server, the last one is reported. Such a
/// reason can pass by itself: another push may hold the lock of a ref for a moment.
const MOST_REJECTIONS: u32 = 4;

/// Which tag is to be made, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone, Default)]
pub(crate) struct TagRequest {
    /// The version, with or without the prefix of its series; `None`: the next one.
    pub version: Option<String>,
    /// Which part goes up, instead of what the commits ask for.
    pub bump: Option<Bump>,
    /// What a pre-release is called.
    pub pre: Option<String>,
    /// Build metadata of the version.
    pub build: Option<String>,
    /// The package of `[tag.package]`.
    pub package: Option<String>,
    /// The commit to tag; HEAD if nothing is said.
    pub commit: Option<String>,
    /// Say which tag it would be, and make none.
    pub print: bool,
    /// Do not ask the remote: the tags of this clone count. Goes with `print` only.
    pub offline: bool,
    /// Sign the tag, as git is configured to.
    pub sign: bool,
    /// The tag's message, instead of the list of commits.
    pub message: Option<String>,
    /// Push the active branch together with the tag, both or none.
    pub with_branch: bool,
    /// Tag a commit that is not on a mainline branch.
    pub off_mainline: bool,
    /// Whether everything is registered at the tag afterwards.
    pub register: bool,
    /// The remote to push to.
    pub remote: Option<RemoteName>,
    /// Take a version that is lower than others, and register it.
    pub allow_downgrade: bool,
    /// Take over deployments that flowreg did not create.
    pub adopt: bool,
    /// Register deployments whose runs would not use the code at the reference.
    pub allow_unpinned: bool,
    /// Run the build and push steps of `prefect.yaml`.
    pub run_steps: bool,
    /// How many writes may be under way at once.
    pub jobs: Option<usize>,
}

/// What became of the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TagOutcome {
    /// It was made and pushed.
    Created,
    /// The commit had it already.
    Exists,
    /// It is the next one, and was not made.
    Next,
    /// There is none to make.
    Nothing,
    /// A later tag has the commit already.
    Contained,
}

/// The tag of a commit.
#[derive(Debug, Clone)]
pub(crate) struct TaggedCommit {
    /// The tag and its version without the prefix; `None` if there is none to make.
    pub tag: Option<(TagName, String)>,
    /// The commit.
    pub commit: CommitId,
    /// The tag before it, as far as it is known.
    pub previous: Option<TagName>,
    /// What became of it.
    pub outcome: TagOutcome,
    /// The remote that was asked.
    pub remote: Option<RemoteName>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<String>,
}

/// A request that contradicts itself, or the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagUsageError {
    /// `--pre` without `--bump pre`.
    #[error("--pre goes with --bump pre")]
    PreWithoutBump,
    /// The version does not follow the scheme of the series.
    #[error("`{text}` is no version of the scheme of {prefix}…")]
    NoVersion {
        /// What was asked for.
        text: String,
        /// The prefix of the series.
        prefix: String,
    },
    /// No such package.
    #[error("there is no package `{name}` under [tag.package]")]
    NoPackage {
        /// What was asked for.
        name: String,
        /// The packages that may be meant.
        packages: Vec<String>,
    },
    /// Each package has versions of its own, and none was named.
    #[error("several packages have versions of their own: which one?")]
    WhichPackage {
        /// The packages.
        packages: Vec<String>,
    },
    /// Workers of Prefect 1 crash on annotated tags, and a signed tag is one.
    #[error("workers of prefect1 can't use a signed tag: it is an annotated one")]
    SignedForPrefect1,
}

impl TagUsageError {
    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::PreWithoutBump => vec!["flowreg tag --bump pre --pre <word>".to_owned()],
            Self::NoVersion { .. } => vec!["flowreg tag --print".to_owned()],
            Self::NoPackage { packages, .. } | Self::WhichPackage { packages } => {
                packages.iter().map(|name| format!("flowreg tag --package {name}")).collect()
            }
            Self::SignedForPrefect1 => vec!["flowreg tag, without --sign".to_owned()],
        }
    }
}

impl Opened<'_> {
    /// Makes the tag of a commit and pushes it, unless the commit has its tag already or there is
    /// no version to make.
    ///
    /// # Errors
    /// [`RunError`] if the request makes no sense, or the tag can't be made.
    pub(crate) fn tag(&self, request: &TagRequest) -> Result<TaggedCommit, RunError> {
        let repository = &self.repository;
        let commit = match &request.commit {
            Some(revision) => repository.commit_of(revision)?,
            None => repository.head_commit()?,
        };
        let remote = request.remote.clone();
        let choice = ReferenceChoice { remote, ..ReferenceChoice::default() };
        // The file at the commit that gets the tag, because registering at the tag reads that one.
        let settings = self.settings_at(&commit, &choice)?;
        // A tag can't be taken back. So whatever keeps this run from registering has to be known before.
        if request.register {
            self.configure_at(Some(&commit))?.check_target()?;
        }
        let (series, version) = requested_version(request, &settings)?;
        let name = settings.repository.remote.as_ref().map(|remote| &remote.value);
        let remote = repository.remote(name)?;
        if remote.is_none() && !request.print {
            return Err(ReferenceError::NoRemote.into());
        }
        let run = TagRun {
            surroundings: &self.surroundings,
            request,
            repository,
            settings: &settings,
            series: &series,
            commit: &commit,
            version: &version,
            remote: remote.as_ref().filter(|_| !request.offline),
        };
        run.tag()
    }

    /// Registers everything at a tag; `None` if there is no tag.
    ///
    /// # Errors
    /// [`RunError`] for what concerns the run as a whole.
    pub(crate) fn register_at(
        &self,
        tagged: &TaggedCommit,
        request: &TagRequest,
    ) -> Result<Option<AppliedRun>, RunError> {
        let Some((tag, _)) = &tagged.tag else { return Ok(None) };
        let run = RunRequest {
            allow_downgrade: request.allow_downgrade,
            adopt: request.adopt,
            allow_unpinned: request.allow_unpinned,
            run_steps: request.run_steps,
            jobs: request.jobs,
            reference: ReferenceChoice {
                tag: Some(tag.to_string()),
                remote: tagged.remote.clone(),
                ..ReferenceChoice::default()
            },
            ..RunRequest::default()
        };
        Ok(Some(self.plan(&run)?.apply()))
    }
}

/// Which day it is, in UTC.
fn today(surroundings: &Surroundings) -> Day {
    let today = (surroundings.clock)().to_zoned(jiff::tz::TimeZone::UTC).date();
    let week = today.iso_week_date();
    Day {
        year: u16::try_from(today.year()).unwrap_or_default(),
        month: u8::try_from(today.month()).unwrap_or_default(),
        day: u8::try_from(today.day()).unwrap_or_default(),
        week: u8::try_from(week.week()).unwrap_or_default(),
        week_year: u16::try_from(week.year()).unwrap_or_default(),
    }
}

/// Which series and version are meant.
fn requested_version(
    request: &TagRequest,
    settings: &Settings,
) -> Result<(Series, RequestedVersion), TagUsageError> {
    let package = request.package.as_deref();
    let Some(text) = &request.version else {
        let bump = request.bump;
        if request.pre.is_some() && bump != Some(Bump::Pre) {
            return Err(TagUsageError::PreWithoutBump);
        }
        let next =
            RequestedVersion::Next { bump, pre: request.pre.clone(), build: request.build.clone() };
        return Ok((series(settings, package)?, next));
    };
    // CI providers often give the full name of a ref.
    let name = text.strip_prefix("refs/tags/").unwrap_or(text);
    let by_prefix = settings.tag.series_by_prefix(name);
    let series = match (package, by_prefix) {
        (None, Some(series)) => series.clone(),
        _ => series(settings, package)?,
    };
    let version = name.strip_prefix(series.prefix.as_str()).and_then(|rest| series.parse(rest));
    let version = version.or_else(|| series.parse(name)).ok_or_else(|| {
        TagUsageError::NoVersion { text: text.clone(), prefix: series.prefix.clone() }
    })?;
    Ok((series, RequestedVersion::Exactly { version, may_be_lower: request.allow_downgrade }))
}

fn series(settings: &Settings, package: Option<&str>) -> Result<Series, TagUsageError> {
    settings.tag.series(package).cloned().map_err(|missing| {
        let packages = missing.nearest.map_or(missing.packages, |name| vec![name]);
        match package {
            Some(name) => TagUsageError::NoPackage { name: name.to_owned(), packages },
            None => TagUsageError::WhichPackage { packages },
        }
    })
}

/// One run of `flowreg tag`: what was asked for, and what it works on.
struct TagRun<'a> {
    surroundings: &'a Surroundings,
    request: &'a TagRequest,
    repository: &'a Repository,
    settings: &'a Settings,
    series: &'a Series,
    commit: &'a CommitId,
    version: &'a RequestedVersion,
    /// The remote; `None` if it is not to be asked, or if there is none.
    remote: Option<&'a Remote>,
}

impl TagRun<'_> {
    fn tag(&self) -> Result<TaggedCommit, RunError> {
        let question = tagging::TagRequest {
            repository: self.repository,
            series: self.series,
            commit: self.commit,
            version: self.version,
            remote: self.remote,
            today: today(self.surroundings),
            provider: ci_provider(&self.surroundings.environment),
        };
        let mut rejections = 0;
        for round in 0..MOST_ROUNDS {
            // Read again in each round: who was faster has made a tag that was not there before, so
            // this commit may have its tag by now, or need a higher version.
            let tags = SeriesTags::read(self.repository, self.series, self.remote)?;
            let decision = decide(&question, &tags)?;
            let mut tagged = self.tagged_commit(&decision);
            let Decision::Create { tag, previous, commits, .. } = &decision else {
                if let Decision::Exists { tag, .. } = &decision {
                    self.create_missing_tag_here(tag)?;
                }
                return Ok(tagged);
            };
            let notice = self.check_mainline(&tags)?;
            tagged.notices.extend(notice);
            let Some(remote) = self.remote.filter(|_| !self.request.print) else {
                return Ok(tagged);
            };
            let text = self.request.message.as_ref().map(|text| format!("{text}\n"));
            let text = text.unwrap_or_else(|| message(tag, previous.as_ref(), commits));
            match self.publish(remote, tag, &text)? {
                PushOutcome::Created => {
                    tagged.outcome = TagOutcome::Created;
                    return Ok(tagged);
                }
                // Another job pushed the very same object, as lightweight tags of one commit always
                // are. The tag is not this job's, and the next round finds it at the commit.
                PushOutcome::AlreadyThere => {}
                PushOutcome::Rejected(rejection) => {
                    rejections += 1;
                    if self.is_last_word(remote, tag, &rejection, rejections)? {
                        return Err(self.rejected(remote, tag, rejection).into());
                    }
                }
            }
            std::thread::sleep(pause(round));
        }
        Err(TagError::Outrun(MOST_ROUNDS).into())
    }

    /// Makes a ref in this clone for a tag that only the remote has, if everything is registered at
    /// it: the embedded registry never asks the remote, so the tag has to be here.
    fn create_missing_tag_here(&self, tag: &PeeledTag) -> Result<(), RunError> {
        let Some(remote) = self.remote.filter(|_| self.request.register) else { return Ok(()) };
        if self.repository.tag_here(&tag.name)?.is_none() {
            // The commit is here, but an annotated tag is an object of its own.
            if tag.is_annotated() {
                self.repository.fetch_from(remote, &[&tag.object])?;
            }
            self.repository.create_local_tag(&tag.name, &tag.object);
        }
        Ok(())
    }

    /// Whether another round is of no use after a rejection.
    ///
    /// It is of none if a rule of the server decided, or if the branch that goes along was refused:
    /// mostly somebody else pushed to it, and only a person can bring the two together. Any other
    /// reason can mean that another job made the tag a moment before. The remote is asked for it,
    /// and the next round takes it into account. If the tag is not there, the push is tried again a
    /// few times.
    fn is_last_word(
        &self,
        remote: &Remote,
        tag: &TagName,
        rejection: &Rejection,
        rejections: u32,
    ) -> Result<bool, RunError> {
        if rejection.is_of_branch || rejection.is_final() {
            return Ok(true);
        }
        let there = self.repository.ask_for_tags(remote, tag.as_str())?;
        let is_there = there.tags.iter().any(|held| held.name == *tag);
        Ok(!is_there && rejections >= MOST_REJECTIONS)
    }

    fn rejected(&self, remote: &Remote, tag: &TagName, rejection: Rejection) -> TagError {
        TagError::Rejected {
            tag: tag.clone(),
            branch: self.active_branch().map(|branch| branch.to_string()),
            remote: remote.name.clone(),
            rejection: Box::new(rejection),
        }
    }

    fn publish(&self, remote: &Remote, tag: &TagName, text: &str) -> Result<PushOutcome, RunError> {
        let kind = self.kind()?;
        let held = self.repository.tags_here(tag.as_str())?.into_iter().find(|t| t.name == *tag);
        // A tag that only this clone has is never moved. If it stayed where it is and the remote
        // got one of that name, the two would stand for different code.
        if let Some(held) = held.as_ref().filter(|held| held.commit != *self.commit) {
            let (tag, here) = (tag.clone(), held.commit.clone());
            return Err(TagError::TakenHere { tag, here, commit: self.commit.clone() }.into());
        }
        // A tag that somebody made here by hand, with a message of their own, is pushed as it is,
        // if it is of the kind that is needed. Where a signed one is needed, it does not count:
        // nothing here tells whether it is signed.
        let by_hand = held.filter(|held| {
            kind != TagKind::Signed && held.is_annotated() == (kind == TagKind::Annotated)
        });
        let object = match by_hand {
            Some(held) => held.object,
            None => self.repository.make_tag(tag, self.commit, kind, text)?,
        };
        let branch = if self.request.with_branch {
            Some(self.active_branch().ok_or(TagError::NoBranch)?)
        } else {
            None
        };
        let push = TagPush {
            tag,
            object: &object,
            branch: branch.as_ref().map(|branch| (branch, self.commit)),
            // With `register` this run registers at the tag after the push. If the pre-push hook
            // queued the tag as well, everything would be registered a second time.
            hooks_register: !self.request.register,
        };
        let outcome = self.repository.push_tag(remote, &push)?;
        if outcome == PushOutcome::Created {
            self.repository.create_local_tag(tag, &object);
        }
        Ok(outcome)
    }

    /// What kind of tag the target's workers can use: those of Prefect 1 crash on annotated tags
    /// (docs/facts/prefect1.md, "Git storage").
    fn kind(&self) -> Result<TagKind, RunError> {
        let target = self.settings.target.as_ref().map(|target| target.value);
        let is_signed = self.request.sign || self.repository.signs_tags();
        match (target, is_signed) {
            // Only the flag is refused. `tag.gpgSign` is a person's setting for all repositories,
            // and says nothing about this tag.
            (Some(TargetKind::Prefect1), _) if self.request.sign => {
                Err(TagUsageError::SignedForPrefect1.into())
            }
            (Some(TargetKind::Prefect1), _) => Ok(TagKind::Lightweight),
            (_, true) => Ok(TagKind::Signed),
            (_, false) => Ok(TagKind::Annotated),
        }
    }

    /// HEAD's branch, if the commit is its last one. `--commit` may name any other, which must not
    /// be pushed to the branch that happens to be checked out.
    fn active_branch(&self) -> Option<BranchName> {
        let branch = self.repository.active_branch()?;
        let tip = self.repository.head_commit().ok()?;
        (tip == *self.commit).then_some(branch)
    }

    /// Refuses a commit that is in the history of no mainline branch. Where the tag is only
    /// printed, or is meant to be off mainline, that is a notice instead.
    fn check_mainline(&self, tags: &SeriesTags) -> Result<Option<String>, RunError> {
        let globs = &self.settings.repository.mainline;
        let name = self.remote.map(|remote| &remote.name);
        // With the remote's branches of this round: mainline may have got the commit a moment ago.
        let is_on_mainline = match self.remote {
            Some(_) => self.repository.is_on_mainline(self.commit, globs, name, &tags.branches),
            None => self.repository.is_on_fetched_mainline(self.commit, globs, None),
        };
        let is_on_mainline = is_on_mainline.map_err(TagError::from)?;
        let active = self.active_branch();
        let unpushed = match active {
            Some(branch) if is_mainline(globs, &branch)? => Some(branch),
            _ => None,
        };
        // With `--with-branch` the same push puts the commit on the mainline branch.
        let goes_along = self.request.with_branch && unpushed.is_some();
        // If mainline went on, a shallow clone lacks the commits between and can't tell. Then the
        // CI provider's word counts that it builds a mainline branch.
        if is_on_mainline.unwrap_or_else(|| self.is_mainline_build()) || goes_along {
            return Ok(None);
        }
        let is_required = self.settings.channel(Channel::Mainline).require_tag_on_mainline;
        let is_required = is_required == Some(true);
        let error = TagError::NotMainline {
            commit: self.commit.clone(),
            repository: name.map_or_else(|| "this repository".to_owned(), ToString::to_string),
            is_known: is_on_mainline.is_some(),
            unpushed: unpushed.filter(|_| is_on_mainline == Some(false)),
            is_required,
        };
        if self.request.print || (self.request.off_mainline && !is_required) {
            return Ok(Some(error.to_string()));
        }
        Err(error.into())
    }

    /// Whether the environment, or the branch that is checked out, says that this is a mainline
    /// branch at the commit. Builds of pull requests are none: the ladder refuses a source branch
    /// that has the name of a mainline branch.
    fn is_mainline_build(&self) -> bool {
        let request = ReferenceRequest::from(ReferenceRules {
            ask_remote: false,
            // The commit has no tag yet, which is no reason against the branch here.
            untagged: Untagged::Branch,
            mainline: self.settings.repository.mainline.clone(),
            ..ReferenceRules::default()
        });
        let resolution = resolve(self.repository, &self.surroundings.environment, &request);
        resolution.reference.is_ok_and(|reference| {
            let is_named = matches!(
                reference.source,
                ReferenceSource::GitBranch | ReferenceSource::ActiveBranch | ReferenceSource::Ci
            );
            is_named && reference.channel == Channel::Mainline && reference.commit == *self.commit
        })
    }

    fn tagged_commit(&self, decision: &Decision) -> TaggedCommit {
        let without_tag = |outcome, previous: &Option<TagName>| TaggedCommit {
            tag: None,
            commit: self.commit.clone(),
            previous: previous.clone(),
            outcome,
            remote: self.remote.map(|remote| remote.name.clone()),
            notices: Vec::new(),
        };
        let named = |tag: &TagName, version: &Version| Some((tag.clone(), version.to_string()));
        match decision {
            Decision::Exists { tag, version, previous } => {
                let mut tagged = without_tag(TagOutcome::Exists, previous);
                if self.is_unusable(tag.is_annotated()) {
                    tagged.notices.push(format!(
                        "{} is an annotated tag, which workers of prefect1 can't check out",
                        tag.name
                    ));
                }
                TaggedCommit { tag: named(&tag.name, version), ..tagged }
            }
            Decision::Create { tag, version, previous, .. } => {
                TaggedCommit { tag: named(tag, version), ..without_tag(TagOutcome::Next, previous) }
            }
            Decision::Nothing { previous, commits } => TaggedCommit {
                notices: vec![nothing(previous.as_ref(), *commits)],
                ..without_tag(TagOutcome::Nothing, previous)
            },
            Decision::Contained { by, previous } => TaggedCommit {
                notices: vec![format!(
                    "{} is in {by} already: a later job was faster, and there is nothing to do",
                    self.commit.short()
                )],
                ..without_tag(TagOutcome::Contained, previous)
            },
        }
    }

    fn is_unusable(&self, is_annotated: bool) -> bool {
        let target = self.settings.target.as_ref().map(|target| target.value);
        is_annotated && target == Some(TargetKind::Prefect1)
    }
}

/// Why there is nothing to release, and what would be one.
fn nothing(previous: Option<&TagName>, commits: usize) -> String {
    let since = previous.map(|tag| format!(" since {tag}")).unwrap_or_default();
    match commits {
        0 => format!("nothing to release: no commits{since}"),
        1 => format!(
            "nothing to release: the one commit{since} is neither feat, fix, perf nor breaking \
             (--bump makes a version all the same)"
        ),
        _ => format!(
            "nothing to release: none of the {commits} commits{since} is feat, fix, perf or \
             breaking (--bump makes a version all the same)"
        ),
    }
}

/// How long to wait before the next round.
///
/// Jobs that began together would otherwise go on to push at the same moments. The process id makes
/// the pauses of jobs on one machine differ, and later rounds wait longer, up to 0.3 seconds, so
/// that others can finish.
fn pause(round: u32) -> Duration {
    let own = u64::from(std::process::id() % 40);
    Duration::from_millis(own + u64::from(round.min(10)) * 25)
}
