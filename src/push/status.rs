//! Which hook git will really run, whether it calls flowreg, and what is broken about it.
//!
//! Looks only; the repair is what a hint names, mostly `flowreg hooks install`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::install::{
    InstallError, NOT_RUN, candidates, content, husky_script, is_executable, is_husky,
    runs_directory,
};
use super::manager::Manager;
use super::shim::{self, HookName, ScriptOrigin};
use flowreg_git::{HookPath, Repository};
use flowreg_model::Environment;

/// Whether a push is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HookState {
    /// Our script runs.
    Installed,
    /// Nobody installed it.
    NotInstalled,
    /// It is there, but does not run, or would make a push hang.
    Broken,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HookProblem {
    /// A word that does not change.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to type.
    pub hint: String,
}

/// One hook of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HookStatus {
    /// `pre-push` or `post-receive`.
    pub hook: &'static str,
    /// Whether ours runs.
    pub state: HookState,
    /// The file that git runs, if there is one; where it would look otherwise.
    pub path: PathBuf,
    /// `core.hooksPath` and which configuration sets it.
    pub hooks_path: Option<String>,
    /// Whose hook that is: `flowreg`, a manager, `other`, or `None` if there is none.
    pub owner: Option<&'static str>,
    /// Where ours is.
    pub ours: Option<String>,
    /// The flowreg that ours calls.
    pub binary: Option<PathBuf>,
    /// The hook that runs before ours.
    pub previous: Option<PathBuf>,
    /// What is wrong.
    pub problems: Vec<HookProblem>,
}

/// Inspects the hook that this repository should have: `pre-push`, in a bare repository
/// `post-receive`, unless only `pre-push` was installed there.
///
/// # Errors
/// [`InstallError`] if git can't be asked or a file can't be read.
pub(crate) fn status(
    repository: &Repository,
    environment: &Environment,
) -> Result<HookStatus, InstallError> {
    let hooks = repository.hook_path()?;
    let is_bare = repository.workdir().is_none();
    let receives = is_bare && !pushes_only(repository, &hooks);
    let hook = if receives { HookName::PostReceive } else { HookName::PrePush };
    let path = hooks.directory.join(hook.as_str());
    let found = match content(&path) {
        // A directory in the place of the hook is a problem to report, not an error of this command.
        Err(InstallError::Directory { .. }) => Some(Vec::new()),
        found => found?,
    };
    let mut inspection =
        HookInspection { repository, hooks: &hooks, hook, environment, problems: Vec::new() };
    let ours = inspection.ours(&path, found.as_deref())?;
    inspection.problems_of_file(&path, found.as_deref());
    if ours.is_none() {
        inspection.shadowed(&path)?;
    }
    let script = ours.as_ref().and_then(|ours| content(&ours.file).ok().flatten());
    let text = script.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let named = shim::binary(&text);
    let binary = ours.as_ref().and_then(|_| inspection.binary(named.as_deref()));
    if let Some(ours) = &ours {
        if binary.is_none() {
            inspection.missing_binary(named.as_deref());
        }
        inspection.problems_of_ours(ours, script.as_deref().unwrap_or_default());
    }
    let state = match (&ours, inspection.problems.is_empty()) {
        (_, false) => HookState::Broken,
        (Some(_), true) => HookState::Installed,
        (None, true) => HookState::NotInstalled,
    };
    let previous = ours.as_ref().map(|ours| ours.file.with_file_name(hook.previous()));
    Ok(HookStatus {
        hook: hook.as_str(),
        state,
        hooks_path: hooks
            .configured
            .as_ref()
            .map(|(path, scope)| format!("{path} ({})", scope.as_str())),
        owner: found.as_deref().map(|found| owner(hook, found)),
        path,
        ours: ours.map(|ours| ours.how),
        binary,
        previous: previous.filter(|previous| previous.exists()),
        problems: inspection.problems,
    })
}

/// Whether a bare repository has only our `pre-push`: then it is one that people push from.
fn pushes_only(repository: &Repository, hooks: &HookPath) -> bool {
    let mut ours = candidates(repository, hooks).into_iter().filter(|(hook, file)| {
        let content = content(file).ok().flatten();
        content.is_some_and(|content| shim::origin(*hook, &content) != ScriptOrigin::Foreign)
    });
    ours.next().is_some_and(|(first, _)| {
        first == HookName::PrePush && ours.all(|(other, _)| other == HookName::PrePush)
    })
}

fn owner(hook: HookName, found: &[u8]) -> &'static str {
    match (shim::origin(hook, found), Manager::of_hook(found)) {
        (ScriptOrigin::Foreign, Some(manager)) => manager.as_str(),
        (ScriptOrigin::Foreign, None) => "other",
        _ => "flowreg",
    }
}

/// The file that calls flowreg, among what git runs.
struct OurHook {
    file: PathBuf,
    /// In words.
    how: String,
}

struct HookInspection<'a> {
    repository: &'a Repository,
    hooks: &'a HookPath,
    hook: HookName,
    environment: &'a Environment,
    problems: Vec<HookProblem>,
}

impl HookInspection<'_> {
    fn problem(&mut self, code: &'static str, message: String, hint: &str) {
        self.problems.push(HookProblem { code, message, hint: hint.to_owned() });
    }

    /// Finds what calls flowreg: our script as the hook itself, in `post-receive.d`, as `.legacy`
    /// under pre-commit and prek, or a line that calls flowreg in somebody else's script or
    /// configuration; `None` if nothing does.
    fn ours(&self, path: &Path, found: Option<&[u8]>) -> Result<Option<OurHook>, InstallError> {
        let at = |file: &Path, how: String| Some(OurHook { file: file.to_owned(), how });
        let is_ours = |content: &[u8]| shim::origin(self.hook, content) != ScriptOrigin::Foreign;
        if found.is_some_and(is_ours) {
            return Ok(at(path, path.display().to_string()));
        }
        let beside = self.hooks.directory.join("post-receive.d").join("flowreg");
        if self.hook == HookName::PostReceive && content(&beside)?.is_some_and(|c| is_ours(&c)) {
            return Ok(at(&beside, beside.display().to_string()));
        }
        let manager = found.and_then(Manager::of_hook);
        let legacy = path.with_file_name(format!("{}.legacy", self.hook.as_str()));
        if let Some(manager) = manager.filter(|manager| manager.runs_legacy())
            && content(&legacy)?.is_some_and(|content| is_ours(&content))
        {
            let how = format!("{}, which {} runs", legacy.display(), manager.as_str());
            return Ok(at(&legacy, how));
        }
        let calls = |text: &[u8]| String::from_utf8_lossy(text).contains("flowreg hook ");
        if is_husky(self.hooks) {
            let script = husky_script(self.hooks);
            if content(&script)?.is_some_and(|text| calls(&text)) {
                let how = format!("a line of {}, which husky runs", script.display());
                return Ok(at(&script, how));
            }
        }
        if found.is_some_and(calls) {
            return Ok(at(path, format!("a line of {}", path.display())));
        }
        if let Some((name, text)) = manager.and_then(|manager| self.configuration_of(manager))
            && calls(&text)
        {
            return Ok(at(path, format!("a job of {name}")));
        }
        let in_configuration = self.repository.configured("hook.flowreg.event");
        if in_configuration.as_deref() == Some(self.hook.as_str())
            && self.repository.switch("hook.flowreg.enabled") != Some(false)
            && self.repository.git_version()? >= (2, 54)
        {
            return Ok(at(path, "hook.flowreg of git's configuration".to_owned()));
        }
        Ok(None)
    }

    fn configuration_of(&self, manager: Manager) -> Option<(&'static str, Vec<u8>)> {
        let names: &[&str] = match manager {
            Manager::PreCommit | Manager::Prek => &[".pre-commit-config.yaml", "prek.toml"],
            Manager::Lefthook => {
                &["lefthook.yml", "lefthook.yaml", ".lefthook.yml", "lefthook.toml"]
            }
            Manager::Husky | Manager::GitLfs => &[],
        };
        let top = self.repository.workdir()?;
        names.iter().find_map(|name| Some((*name, std::fs::read(top.join(name)).ok()?)))
    }

    /// Problems of the file that git runs: git skips it, or hangs on it (`docs/facts/hooks.md`).
    fn problems_of_file(&mut self, path: &Path, found: Option<&[u8]>) {
        if path.is_dir() {
            let message =
                format!("{} is a directory: git before 2.54 never ends a push", path.display());
            return self.problem("directory", message, "remove it");
        }
        let Some(found) = found else { return };
        let hint = "flowreg hooks install";
        if !is_executable(path) {
            let message = format!("{} is not executable: git skips it", path.display());
            self.problem("not_executable", message, &format!("chmod +x '{}'", path.display()));
        }
        let shebang = found.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if shebang.starts_with(b"#!") && shebang.ends_with(b"\r") {
            let message = format!(
                "{} has Windows line ends: git before 2.54 never ends a push",
                path.display()
            );
            let hint = if shim::origin(self.hook, found) == ScriptOrigin::Foreign {
                "write it with LF line ends"
            } else {
                "flowreg hooks install --force"
            };
            return self.problem("crlf", message, hint);
        }
        if shim::origin(self.hook, found) == ScriptOrigin::Different {
            let message = format!(
                "{} was written by another version of flowreg, or changed by hand",
                path.display()
            );
            self.problem("outdated", message, hint);
        }
    }

    /// The flowreg that will be called: the one that the script names, else the first where the script
    /// looks. The directories are those of `hooks/shim.sh`.
    fn binary(&self, named: Option<&Path>) -> Option<PathBuf> {
        let home = self.environment.get("HOME").map(Path::new);
        let below_home =
            [".cargo/bin", ".local/bin"].map(|place| home.map(|home| home.join(place)));
        let usual = ["/usr/local/bin", "/opt/homebrew/bin"].map(|place| Some(PathBuf::from(place)));
        // A line in somebody else's script only looks on PATH.
        let usual = below_home.into_iter().chain(usual).flatten().filter(|_| named.is_some());
        let path = self.environment.get("PATH").unwrap_or_default();
        let places = std::env::split_paths(path).chain(usual).map(|place| place.join("flowreg"));
        let mut programs = named.map(Path::to_owned).into_iter().chain(places);
        programs.find(|program| is_executable(program))
    }

    fn missing_binary(&mut self, named: Option<&Path>) {
        let message = match named {
            Some(named) => {
                format!("{} does not exist: pushes are kept, but not registered", named.display())
            }
            None => "flowreg is not on PATH: nothing is queued".to_owned(),
        };
        let hint = if named.is_some() { "flowreg hooks install" } else { "put flowreg on PATH" };
        self.problem("missing_binary", message, hint);
    }

    fn problems_of_ours(&mut self, ours: &OurHook, script: &[u8]) {
        let is_below = ours.file.parent().is_some_and(|parent| parent.ends_with("post-receive.d"));
        if is_below && !runs_directory(&self.hooks.directory.join(self.hook.as_str())) {
            self.problem("not_run", NOT_RUN.to_owned(), "remove the directory, and install again");
        }
        let is_main = ours.file.file_name().is_some_and(|name| name == self.hook.as_str());
        if !is_main && !is_executable(&ours.file) {
            let message = format!("{} is not executable: it is skipped", ours.file.display());
            self.problem("not_executable", message, &format!("chmod +x '{}'", ours.file.display()));
        }
        if self.repository.configured("hook.flowreg.event").is_some()
            && shim::origin(self.hook, script) != ScriptOrigin::Foreign
        {
            let message = "it is installed as a file and in git's configuration".to_owned();
            self.problem("installed_twice", message, "flowreg hooks uninstall, then install one");
        }
    }

    /// Finds scripts of ours that git does not run, because it looks elsewhere or another tool
    /// replaced the hook.
    fn shadowed(&mut self, path: &Path) -> Result<(), InstallError> {
        for (hook, file) in candidates(self.repository, self.hooks) {
            let is_ours = hook == self.hook
                && file != path
                && content(&file)?
                    .is_some_and(|one| shim::origin(hook, &one) != ScriptOrigin::Foreign);
            if !is_ours {
                continue;
            }
            let message = if let Some((configured, scope)) = &self.hooks.configured {
                format!(
                    "installed as {}, but core.hooksPath is `{configured}` ({}): git never runs it",
                    file.display(),
                    scope.as_str()
                )
            } else {
                let file = file.display();
                match content(path).ok().flatten() {
                    Some(found) => {
                        let owner = owner(hook, &found);
                        format!("{owner} has replaced the hook: {file} never runs")
                    }
                    None => format!("{file} never runs: there is no {} hook", hook.as_str()),
                }
            };
            self.problem("shadowed", message, "flowreg hooks install");
        }
        Ok(())
    }
}
