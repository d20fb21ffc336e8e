//! Which files are registered at which code reference: in a repository with several packages, the tag of one
//! stands for its files only (docs/tagging.md, "Several packages").

use flowreg_git::tagging::{SeriesPaths, SeriesSet};
use flowreg_model::{CodeReference, Registration, quoted};

use super::desired::Gathered;
use super::request::Notice;
use super::selection::{FlowFilter, SelectionError};
use super::starts::Start;
use super::{ConfigurationError, Referenced, RunError};

/// How many of the deployments that are left out are named.
const NAMED: usize = 3;

/// The files of each code reference of a run.
pub(super) struct PackageFiles<'a> {
    files: Vec<(&'a CodeReference, SeriesPaths)>,
    set: &'a SeriesSet,
    /// Whether somebody named the first reference's tag, and did not leave it to a branch.
    is_tag_named: bool,
    /// Whether only the first reference can be registered at.
    is_first_only: bool,
}

impl Referenced<'_> {
    /// The references beside the first at which something can be registered: the flows of Prefect 1 are
    /// built for one.
    pub(super) fn further_registered(&self) -> &[CodeReference] {
        if self.configured.is_prefect1() { &[] } else { &self.further }
    }

    /// Which files are registered at which of the references.
    ///
    /// # Errors
    /// [`RunError::Tag`] if a package's path is nowhere in the commit;
    /// [`ConfigurationError::OneTagForPrefect1`].
    pub(super) fn package_files(&self) -> Result<PackageFiles<'_>, RunError> {
        let is_tag_named = ["--tag", "BUILD_TAG"].contains(&self.reference.source_detail.as_str());
        let is_first_only = self.configured.is_prefect1();
        if is_first_only && !is_tag_named && !self.further.is_empty() {
            let tags = self.references().map(|one| one.name.as_str().to_owned()).collect();
            let commit = self.reference.commit.clone();
            return Err(ConfigurationError::OneTagForPrefect1 { commit, tags }.into());
        }
        let set = &self.configured.settings.tag.series;
        let series_of = |one: &CodeReference| one.tag().and_then(|tag| set.series_of(tag));
        // Also those that have no tag here: of which package a file is depends on the paths of all.
        if set.has_packages() && self.references().any(|one| series_of(one).is_some()) {
            set.check_paths(&self.opened().repository, &self.reference.commit)?;
        }
        let files = self.references().map(|reference| {
            let package = series_of(reference).filter(|series| series.package.is_some());
            (reference, SeriesPaths::new(package.map_or(&[], |package| &package.paths)))
        });
        Ok(PackageFiles { files: files.collect(), set, is_tag_named, is_first_only })
    }
}

impl<'a> PackageFiles<'a> {
    /// The reference of a file: that of the package which names it most closely. `None` if no package that
    /// has a reference has the file, or its reference can't be registered at.
    pub(super) fn reference_of(&self, file: &str) -> Option<&'a CodeReference> {
        let fitting = self.files.iter().enumerate();
        let fitting = fitting.filter_map(|(index, (reference, paths))| {
            Some((paths.closeness(file)?, index, *reference))
        });
        // Of equals the first: the packages are in the order of their names.
        let closest = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (_, index, reference) = closest?;
        (index == 0 || !self.is_first_only).then_some(reference)
    }

    /// Leaves out what belongs to none of the packages: they have tags of their own.
    ///
    /// # Errors
    /// [`SelectionError::OtherPackage`] if that leaves nothing of what was asked for by name.
    pub(super) fn restrict(
        &self,
        gathered: &mut Gathered,
        filter: &FlowFilter,
    ) -> Result<(), SelectionError> {
        let is_ours = |file: &str| self.reference_of(file).is_some();
        let starts = &gathered.starts;
        // The file that a run starts with decides, not the one that defines the flow: a package may
        // deploy a flow that it imports from a common library.
        let (kept, left_out): (Vec<_>, Vec<_>) =
            std::mem::take(&mut gathered.registrations).into_iter().partition(|one| {
                let start = starts.get(&(one.flow.to_string(), one.deployment.to_string()));
                is_ours(start.map_or(one.entrypoint.path(), Start::file))
            });
        gathered.registrations = kept;
        let file = |entrypoint: &str| entrypoint.split(':').next().unwrap_or("").to_owned();
        gathered.unbuilt.retain(|item| is_ours(&file(&item.entrypoint)));
        gathered.problems.retain(|problem| is_ours(&problem.path));
        for one in filter.0.iter().filter(|_| !left_out.is_empty()) {
            self.refuse_other_package(one, gathered, &left_out)?;
        }
        let names: Vec<String> =
            left_out.iter().map(|one| format!("{}/{}", one.flow, one.deployment)).collect();
        gathered.left_out = names.len();
        gathered.notices.extend(self.notice(&names, filter.is_restricted()));
        Ok(())
    }

    /// Refuses a name all of whose deployments are left out.
    fn refuse_other_package(
        &self,
        text: &str,
        kept: &Gathered,
        left_out: &[Registration],
    ) -> Result<(), SelectionError> {
        let pair = |one: &Registration| (one.flow.to_string(), one.deployment.to_string());
        let unbuilt = kept.unbuilt.iter().map(|one| (one.flow.clone(), one.deployment.clone()));
        let kept_pairs: Vec<_> = kept.registrations.iter().map(pair).chain(unbuilt).collect();
        let filter = FlowFilter(vec![text.to_owned()]);
        if filter.has_any(&kept_pairs)? {
            return Ok(());
        }
        let is_meant = |one: &&Registration| filter.has_any(&[pair(one)]).unwrap_or(false);
        let Some(meant) = left_out.iter().find(is_meant) else { return Ok(()) };
        let start = kept.starts.get(&pair(meant));
        let file = start.map_or(meant.entrypoint.path(), Start::file);
        let hint = match self.set.package_of(file) {
            Some(package) => format!(
                "`{file}` is of the package `{package}`: flowreg tag … --package {}",
                quoted(package)
            ),
            None if self.has_only_packages() => format!(
                "`{file}` is of no package; for tags that have it: prefix = \"v\" under [tag] in flowreg.toml"
            ),
            None => format!("`{file}` is of no package: a tag of the repository as a whole has it"),
        };
        Err(SelectionError::OtherPackage {
            text: text.to_owned(),
            tags_stand_for: self.tags_stand_for(),
            hint,
        })
    }

    /// Whether the repository as a whole has no versions.
    fn has_only_packages(&self) -> bool {
        let SeriesSet::Declared(all) = self.set else { return false };
        all.iter().all(|series| series.package.is_some())
    }

    /// The tags at which something is registered, and what they do.
    fn tags_stand_for(&self) -> String {
        let references = self.files.iter().take(if self.is_first_only { 1 } else { usize::MAX });
        let tags: Vec<&str> = references.map(|(reference, _)| reference.name.as_str()).collect();
        let verb = if tags.len() == 1 { "stands" } else { "stand" };
        format!("{} {verb} for", tags.join(" and "))
    }

    /// `is_restricted`: some flows were asked for by name.
    fn notice(&self, left_out: &[String], is_restricted: bool) -> Vec<Notice> {
        if left_out.is_empty() {
            return Vec::new();
        }
        let (belong, keep) =
            if left_out.len() == 1 { ("belongs", "keeps") } else { ("belong", "keep") };
        let text = format!(
            "{} {belong} to no package that {}, and {keep} what is registered",
            named(left_out),
            self.tags_stand_for()
        );
        // Whoever names the tag of a package means that package alone.
        let is_detail = self.is_tag_named && self.files.len() == 1 && !is_restricted;
        let details = left_out.iter().map(|name| Notice::detail(format!("left out: {name}")));
        std::iter::once(Notice { is_detail, ..Notice::from(text) }).chain(details).collect()
    }
}

/// `etl/nightly, report/default, sync/default and 9 more`
fn named(deployments: &[String]) -> String {
    let first = deployments.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match deployments.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
