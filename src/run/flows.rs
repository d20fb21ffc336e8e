//! The flows at a reference: the scan of the tree finds them, and where it can't be exact, the
//! user's Python is asked. `flowreg flows` ends here.

use std::collections::BTreeSet;

use flowreg_model::{CommitId, Entrypoint, Explanation, Flow, FlowProblem};

use super::affected::Affected;
use super::manifests::Manifests;
use super::request::Notice;
use super::starts::Start;
use super::{FlowFilter, Referenced, RunError};
use crate::introspection::{
    AskError, IntrospectedScan, IntrospectionContext, Limits, ask_what_is_new, merge_answers,
    note_unanswered, questions,
};
use crate::scan::{ANALYSER, NamedFlows, Scan, Selection, explain, look_up, scan};
use crate::store::AnalysisCache;

/// The flows that were asked for.
pub struct FlowList {
    /// By path and line, with why they are listed.
    pub flows: Vec<AffectedFlow>,
    /// The commit since which they changed, if only such flows were asked for.
    pub base: Option<CommitId>,
    /// What is wrong with the sources.
    pub problems: Vec<FlowProblem>,
    /// What is worth knowing.
    pub notices: Vec<Notice>,
}

/// A flow, and the way along imports to what changed, if only such flows were asked for.
pub struct AffectedFlow {
    /// The flow.
    pub flow: Flow,
    /// From the flow's file to what changed, both included.
    pub affected_by: Option<Vec<String>>,
}

impl Referenced<'_> {
    /// The flows that are asked for; with a base only those that are affected by what changed
    /// since then. `with_imported` lists a flow also where other files import it.
    ///
    /// # Errors
    /// [`RunError`] if the tree can't be read, or a name matches nothing.
    pub fn list_flows(
        &self,
        filter: &FlowFilter,
        base: Option<&String>,
        with_imported: bool,
    ) -> Result<FlowList, RunError> {
        let base = self.base(base)?;
        let IntrospectedScan { scan, notices, remarks, .. } = if self.configured.is_prefect1() {
            self.prefect1_flows()?
        } else {
            self.introspected_flows(filter)?
        };
        self.opened().tell(&notices);
        let Scan { mut flows, imported, mut problems, files, .. } = scan;
        // A flow that other files import is registered by the file that defines it, and people look
        // for it there. Programs want every entrypoint by which Prefect could load it.
        if with_imported {
            flows.extend(imported);
            flows.sort_by(|one, other| {
                (one.entrypoint.path(), one.line).cmp(&(other.entrypoint.path(), other.line))
            });
        }
        let flows = filter.select(flows)?;
        // A mistake in a declaration is told by every command that looks at flows: whoever lists them
        // wants to know that some can't be registered.
        let manifests =
            if self.configured.is_prefect1() { Manifests::default() } else { self.manifests()? };
        problems.extend(manifests.problems());
        let affected = match &base {
            Some((_, base)) => {
                let starts: Vec<Start> =
                    flows.iter().map(|flow| Start::of_script(flow.entrypoint.path())).collect();
                let starts: Vec<&Start> = starts.iter().collect();
                Some(self.affected_since(base, &manifests, Some(&files), &starts)?)
            }
            None => None,
        };
        let listed = |flow: Flow| {
            let affected_by =
                affected.as_ref().and_then(|by: &Affected| by.chain_of_flow(&flow.entrypoint));
            let is_listed = affected.is_none() || affected_by.is_some();
            is_listed.then_some(AffectedFlow { flow, affected_by })
        };
        let flows: Vec<AffectedFlow> = flows.into_iter().filter_map(listed).collect();
        let of_flows = flows.iter().filter_map(|listed| remarks.get(&listed.flow.entrypoint));
        let notices = notices.into_iter().chain(of_flows.flatten().cloned());
        let notices = notices.map(Notice::from).collect();
        Ok(FlowList { flows, base: base.map(|(_, commit)| commit), problems, notices })
    }

    /// How a flow at the commit came about.
    ///
    /// # Errors
    /// [`RunError::Scan`] if the tree can't be read.
    pub fn explain(&self, entrypoint: &Entrypoint) -> Result<Option<Explanation>, RunError> {
        Ok(explain(self.tree()?, self.search_path(), entrypoint)?)
    }

    /// The source roots that the settings name.
    pub(super) fn search_path(&self) -> Option<&[String]> {
        self.configured.settings.search_path.as_deref()
    }

    /// Finds the flows in the tree, and asks Python about those that are wanted and not exact.
    pub(super) fn introspected_flows(
        &self,
        filter: &FlowFilter,
    ) -> Result<IntrospectedScan, RunError> {
        let scan = self.scan_all()?;
        let is_wanted = filter.matches()?;
        self.introspected("", scan, &is_wanted)
    }

    /// Finds the flows in the tree.
    pub(super) fn scan_all(&self) -> Result<Scan, RunError> {
        let settings = &self.configured.settings;
        let selection = Selection::new(&settings.include, &settings.exclude)?;
        let cache = AnalysisCache::open(self.opened().repository.common_dir(), ANALYSER, "");
        Ok(scan(self.tree()?, &selection, self.search_path(), &cache)?)
    }

    /// Finds the flows of some files in a directory of the commit; paths are from there.
    pub(super) fn scan_in(&self, directory: &str, selection: &Selection) -> Result<Scan, RunError> {
        let Some(tree) = self.tree()?.subtree(directory)? else { return Ok(Scan::default()) };
        let common_dir = self.opened().repository.common_dir();
        let cache = AnalysisCache::open(common_dir, ANALYSER, directory);
        Ok(scan(&tree, selection, self.search_path(), &cache)?)
    }

    /// What entrypoints of scripts and modules in a directory of the commit lead to.
    pub(super) fn look_up_in(
        &self,
        directory: &str,
        asked: &BTreeSet<Entrypoint>,
    ) -> Result<NamedFlows, RunError> {
        match self.tree()?.subtree(directory)? {
            Some(tree) if !asked.is_empty() => Ok(look_up(&tree, self.search_path(), asked)?),
            _ => Ok(NamedFlows::default()),
        }
    }

    /// Asks Python about the flows of a scan that are wanted and not exact. `root` is the directory
    /// of the commit that was scanned.
    pub(super) fn introspected(
        &self,
        root: &str,
        scan: Scan,
        is_wanted: &dyn Fn(&Flow) -> bool,
    ) -> Result<IntrospectedScan, RunError> {
        let settings = &self.configured.settings;
        let questions = questions(&scan, settings.introspect, is_wanted);
        if questions.is_empty() {
            return Ok(IntrospectedScan { scan, ..IntrospectedScan::default() });
        }
        let surroundings = &self.opened().surroundings;
        let answers = {
            // Ctrl-C would end the process at once and leave the checkout on the disk. So until it is
            // removed, only the work that is under way is told of it.
            let _handled = surroundings.interrupt.handle_for_now();
            let work = self.opened().work("asking Python", questions.len());
            ask_what_is_new(
                &self.python_at(root, Limits::default()),
                self.tree()?,
                &questions,
                &work,
            )
        };
        if surroundings.interrupt.is_requested() {
            return Err(RunError::Interrupted);
        }
        match answers {
            Ok(answers) => Ok(merge_answers(scan, &questions, answers)),
            // A machine without Prefect, as most CI runners are, must be able to register what is
            // exact. The rest says that it is not exact, and why Python was not asked.
            Err(AskError::Unavailable(why)) => Ok(note_unanswered(scan, &questions, &why)),
            Err(AskError::Interrupted) => Err(RunError::Interrupted),
        }
    }

    /// The user's Python, on a checkout of the commit, working in a directory of it.
    pub(super) fn python_at<'a>(
        &'a self,
        root: &'a str,
        limits: Limits,
    ) -> IntrospectionContext<'a> {
        let surroundings = &self.opened().surroundings;
        IntrospectionContext {
            repository: &self.opened().repository,
            commit: &self.reference.commit,
            root,
            python: self.configured.settings.python.as_deref(),
            directory: &surroundings.directory,
            environment: &surroundings.environment,
            limits,
        }
    }
}
