//! Which hook git will really run, whether it calls flowreg, and what is broken about it.
//!
//! Looks only; the repair is what a hint names, mostly `flowreg hooks install`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::fault::ScriptFault;
use super::husky_switch::HuskySwitch;
use super::install::{CONFIG_HOOKS, reason_for_force};
use super::install_error::InstallError;
use super::manager::Manager;
use super::previous::{self, PreviousHook};
use super::recognition::{
    HookPlace, Recognition, calls_flowreg, candidates, content, dangling, is_executable,
    runs_directory,
};
use super::shim::{self, HookName, ScriptOrigin};
use flowreg_git::{HookPath, Repository};
use flowreg_model::{Environment, quoted_path};

/// Where ours is if it is no file.
const IN_CONFIGURATION: &str = "hook.flowreg of git's configuration";

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
    /// A setting switches it off.
    Off,
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
    let found = match content(&hooks.directory.join(hook.as_str())) {
        // A directory in the place of the hook is a problem to report, not an error of this command.
        Err(InstallError::Directory { .. }) => Some(Vec::new()),
        found => found?,
    };
    let recognition = Recognition::with(&hooks, hook, found)?;
    let mut inspection = HookInspection {
        repository,
        hooks: &hooks,
        hook,
        recognition: &recognition,
        environment,
        problems: Vec::new(),
    };
    let ours = inspection.ours()?;
    inspection.problems_of_file();
    if ours.is_none() && !hooks.is_off() {
        inspection.shadowed()?;
    }
    let script = ours.as_ref().and_then(|ours| content(&ours.file).ok().flatten());
    let text = script.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let named = shim::binary(&text);
    let binary = ours.as_ref().and_then(|_| inspection.binary(named.as_deref()));
    if !script.as_deref().is_some_and(shim::is_ours) {
        inspection.problem_of_kept();
    }
    if let Some(ours) = &ours {
        if binary.is_none() {
            inspection.missing_binary(named.as_deref());
        }
        inspection.problems_of_ours(ours, script.as_deref().unwrap_or_default());
    }
    if ours.is_some() && recognition.lacks_husky {
        let message = format!(
            "{} is not there: git runs no hooks in this work tree",
            hooks.directory.display()
        );
        inspection.problem("no_husky", message, &Manager::command_of_husky(&hooks));
    }
    inspection.bad_switches()?;
    let is_broken = !inspection.problems.is_empty();
    let is_off = inspection.switches(ours.as_ref())?;
    let state = match &ours {
        _ if is_broken => HookState::Broken,
        _ if hooks.is_off() && is_off => HookState::Off,
        None => HookState::NotInstalled,
        Some(_) if is_off => HookState::Off,
        Some(_) => HookState::Installed,
    };
    // Only a script of ours that runs, and that nobody changed, is known to run the hook before it.
    let runs_first = ours.as_ref().is_some_and(|ours| is_executable(&ours.file))
        && script.is_some_and(|script| shim::origin(&script) == ScriptOrigin::Ours);
    let previous = ours.as_ref().and_then(|ours| previous::of(hook, &ours.file));
    Ok(HookStatus {
        hook: hook.as_str(),
        state,
        hooks_path: hooks
            .configured
            .as_ref()
            .map(|configured| format!("{} ({})", configured.value, configured.place())),
        owner: recognition.owner(),
        ours: ours.map(|ours| ours.how),
        binary,
        previous: previous.filter(|previous| runs_first && is_executable(previous)),
        problems: inspection.problems,
        path: recognition.path,
    })
}

/// Whether a bare repository has only our `pre-push`: then it is one that people push from.
fn pushes_only(repository: &Repository, hooks: &HookPath) -> bool {
    let is_ours = |file: &Path| content(file).ok().flatten().is_some_and(|one| shim::is_ours(&one));
    let mut ours = candidates(repository, hooks).into_iter().filter(|(_, file)| is_ours(file));
    ours.next().is_some_and(|(first, _)| {
        first == HookName::PrePush && ours.all(|(other, _)| other == HookName::PrePush)
    })
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
    recognition: &'a Recognition,
    environment: &'a Environment,
    problems: Vec<HookProblem>,
}

impl HookInspection<'_> {
    fn problem(&mut self, code: &'static str, message: String, hint: &str) {
        self.problems.push(HookProblem { code, message, hint: hint.to_owned() });
    }

    /// Finds what calls flowreg: our script where it belongs or as the hook itself, or a line that calls
    /// flowreg in somebody else's script or configuration; `None` if nothing does.
    fn ours(&self) -> Result<Option<OurHook>, InstallError> {
        let Recognition { path, found, manager, place, .. } = self.recognition;
        let found = found.as_deref();
        let at = |file: &Path, how: String| Some(OurHook { file: file.to_owned(), how });
        if found.is_some_and(shim::is_ours) && !matches!(place, HookPlace::Line(_)) {
            return Ok(at(path, path.display().to_string()));
        }
        match place {
            HookPlace::Script(file)
                if file != path && content(file)?.is_some_and(|one| shim::is_ours(&one)) =>
            {
                let runs = manager.map(|manager| format!(", which {} runs", manager.as_str()));
                return Ok(at(file, format!("{}{}", file.display(), runs.unwrap_or_default())));
            }
            HookPlace::Line(script) if self.recognition.has_line()? => {
                let how = format!("a line of {}, which husky runs", script.display());
                return Ok(at(script, how));
            }
            _ => {}
        }
        if found.is_some_and(calls_flowreg) {
            return Ok(at(path, format!("a line of {}", path.display())));
        }
        if let Some((name, text)) = manager.and_then(|manager| self.configuration_of(manager))
            && calls_flowreg(&text)
        {
            return Ok(at(path, format!("a job of {name}")));
        }
        let in_configuration = self.repository.configured("hook.flowreg.event");
        if in_configuration.as_deref() == Some(self.hook.as_str())
            && self.repository.git_version()? >= CONFIG_HOOKS
        {
            return Ok(at(path, IN_CONFIGURATION.to_owned()));
        }
        Ok(None)
    }

    /// Settings that are neither on nor off count as unset, which nobody would notice.
    fn bad_switches(&mut self) -> Result<(), InstallError> {
        for key in ["flowreg.enabled", "flowreg.quiet", "flowreg.verbose"] {
            let is_set = self.repository.configured(key).is_some();
            if !is_set || self.repository.switch(key).is_some() {
                continue;
            }
            let Some(configured) = self.repository.configured_in(key)? else { continue };
            let (value, place) = (&configured.value, configured.place());
            let message = format!("{key} is `{value}` ({place}), which is neither true nor false");
            self.problem("bad_value", message, &configured.unset(key));
        }
        Ok(())
    }

    /// Tells of the settings by which nothing is queued, and says whether there is one.
    fn switches(&mut self, ours: Option<&OurHook>) -> Result<bool, InstallError> {
        let before = self.problems.len();
        let code = "switched_off";
        if self.environment.get("FLOWREG_HOOKS") == Some("0") {
            let message = "FLOWREG_HOOKS is 0 in this environment: nothing is queued".to_owned();
            self.problem(code, message, "unset FLOWREG_HOOKS");
        }
        // Of husky 5 to 8 git runs the script itself, in which our line comes before theirs.
        if let (HookPlace::Line(script), Some(_)) = (&self.recognition.place, ours)
            && *script != self.recognition.path
            && let Some(switch) = HuskySwitch::of(self.environment)
        {
            self.problem(code, switch.message, &switch.hint);
        }
        let in_configuration = ours.is_some_and(|ours| ours.how == IN_CONFIGURATION);
        let mut keys = Vec::new();
        if self.repository.switch("flowreg.enabled") == Some(false) {
            keys.push(("flowreg.enabled", "nothing is queued"));
        }
        if in_configuration && self.repository.switch("hook.flowreg.enabled") == Some(false) {
            keys.push(("hook.flowreg.enabled", "git does not run it"));
        }
        if self.hooks.is_off() && !in_configuration {
            keys.push(("core.hooksPath", "git runs no hooks"));
        }
        for (key, effect) in keys {
            let Some(configured) = self.repository.configured_in(key)? else { continue };
            let place = configured.place();
            let message = format!("{key} is `{}` ({place}): {effect}", configured.value);
            self.problem(code, message, &configured.unset(key));
        }
        Ok(self.problems.len() > before)
    }

    fn configuration_of(&self, manager: Manager) -> Option<(&'static str, Vec<u8>)> {
        let names: &[&str] = match manager {
            Manager::PreCommit | Manager::Prek => &[".pre-commit-config.yaml", "prek.toml"],
            Manager::Lefthook => {
                &["lefthook.yml", "lefthook.yaml", ".lefthook.yml", "lefthook.toml"]
            }
            Manager::Overcommit => &[".overcommit.yml"],
            Manager::Husky | Manager::GitLfs => &[],
        };
        let top = self.repository.workdir()?;
        names.iter().find_map(|name| Some((*name, std::fs::read(top.join(name)).ok()?)))
    }

    /// Problems of the file that git runs: git skips it, or hangs on it (`docs/facts/hooks.md`).
    fn problems_of_file(&mut self) {
        let Recognition { path, found, place, .. } = self.recognition;
        if path.is_dir() {
            let message =
                format!("{} is a directory: git before 2.54 never ends a push", path.display());
            return self.problem("directory", message, "remove it");
        }
        let Some(found) = found else { return };
        if let Some(target) = dangling(path) {
            let message = format!(
                "{} leads to {}, which is not there: git skips it",
                path.display(),
                target.display()
            );
            let hint = format!("put it there; or go on without it: rm {}", quoted_path(path));
            return self.problem("dangling", message, &hint);
        }
        if matches!(place, HookPlace::Line(_)) && shim::is_ours(found) {
            let message =
                format!("{} is in place of husky's: the team's script never runs", path.display());
            self.problem("replaces_husky", message, "flowreg hooks install …");
        }
        if !is_executable(path) {
            let message = format!("{} is not executable: git skips it", path.display());
            self.problem("not_executable", message, &make_executable(path));
        }
        let fault = ScriptFault::of(found, self.environment);
        let file = path.display();
        match fault {
            Some(ScriptFault::WindowsLineEnds) => {
                let message =
                    format!("{file} has Windows line ends: git before 2.54 never ends a push");
                let hint = match shim::origin(found) {
                    ScriptOrigin::Foreign => "write it with LF line ends",
                    ScriptOrigin::Ours => "flowreg hooks install …",
                    ScriptOrigin::Edited | ScriptOrigin::Newer => "flowreg hooks install … --force",
                };
                self.problem("crlf", message, hint);
            }
            Some(ScriptFault::NoInterpreter(program)) => {
                let message = format!(
                    "{file} is for {program}, which is not there: git before 2.54 never ends a push"
                );
                self.problem("no_interpreter", message, &format!("install {program}"));
            }
            Some(ScriptFault::Empty) | None => {}
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
        let hint = match named {
            Some(_) => self.install(),
            None => "put flowreg on PATH".to_owned(),
        };
        self.problem("missing_binary", message, &hint);
    }

    fn problems_of_ours(&mut self, ours: &OurHook, script: &[u8]) {
        let is_below = ours.file.parent().is_some_and(|parent| parent.ends_with("post-receive.d"));
        if is_below && !runs_directory(&self.hooks.directory.join(self.hook.as_str())) {
            let message = "git does not run post-receive.d by itself, and there is no post-receive hook that runs it";
            self.problem("not_run", message.to_owned(), "remove the directory, and install again");
        }
        let is_main = ours.file.file_name().is_some_and(|name| name == self.hook.as_str());
        if !is_main && !is_executable(&ours.file) {
            let message = format!("{} is not executable: it is skipped", ours.file.display());
            self.problem("not_executable", message, &make_executable(&ours.file));
        }
        let file = ours.file.display();
        let text = String::from_utf8_lossy(script).replace("\r\n", "\n");
        match (shim::origin(script), shim::binary(&text)) {
            (ScriptOrigin::Edited, _) => {
                let message = format!("{file} was changed by hand");
                self.problem("outdated", message, &self.install_with_force());
            }
            (ScriptOrigin::Ours, Some(binary)) if shim::render(self.hook, &binary) != text => {
                let message = format!("{file} was written by another version of flowreg");
                self.problem("outdated", message, &self.install());
            }
            _ => {}
        }
        if shim::is_ours(script) {
            self.problem_of_previous(&ours.file);
        }
        if self.repository.configured("hook.flowreg.event").is_some() && shim::is_ours(script) {
            let message = "it is installed as a file and in git's configuration".to_owned();
            self.problem("installed_twice", message, "flowreg hooks uninstall …, then install one");
        }
    }

    /// Problems of the hook that was there before: our script passes it by without a word.
    fn problem_of_previous(&mut self, ours: &Path) {
        let (code, path, problem) = match previous::state(self.hook, ours) {
            PreviousHook::None => return,
            PreviousHook::Runs => return self.fault_of_previous(ours),
            PreviousHook::NotExecutable(path) => {
                let hint = make_executable(&path);
                let message = format!(
                    "{} is not executable: the hook that was there before does not run",
                    path.display()
                );
                return self.problem("previous_not_executable", message, &hint);
            }
            PreviousHook::Gone(path) => {
                let what = dangling(&path).map_or_else(
                    || "is gone".to_owned(),
                    |target| format!("leads to {}, which is not there", target.display()),
                );
                let what = format!("{what}: the hook that was there before does not run");
                ("previous_gone", path, what)
            }
            PreviousHook::Directory(path) => {
                ("previous_directory", path, "is a directory: every push is refused".to_owned())
            }
            PreviousHook::Incomplete(path) => {
                let message = format!(
                    "{} does not find what was put beside it since, and nothing can be written there",
                    path.display()
                );
                return self.problem("incomplete", message, &self.install());
            }
        };
        let hint = format!("put it back; or go on without it: {}", self.without(&path));
        self.problem(code, format!("{} {problem}", path.display()), &hint);
    }

    /// What becomes of pushes by a hook that our script runs first, and that can't be run.
    fn fault_of_previous(&mut self, ours: &Path) {
        let Some(path) = previous::of(self.hook, ours) else { return };
        let Ok(Some(script)) = content(&path) else { return };
        let file = path.display();
        let (code, message, hint) = match ScriptFault::of(&script, self.environment) {
            None => return,
            Some(ScriptFault::Empty) => (
                "previous_empty",
                format!("{file} is empty: the hook that was there before lets every push pass"),
                format!("write it again; or go on without it: {}", self.without(&path)),
            ),
            Some(ScriptFault::WindowsLineEnds) => (
                "previous_crlf",
                format!("{file} has Windows line ends: every push is refused"),
                "write it with LF line ends".to_owned(),
            ),
            Some(ScriptFault::NoInterpreter(program)) => (
                "previous_no_interpreter",
                format!("{file} is for {program}, which is not there: every push is refused"),
                format!("install {program}; or go on without it: {}", self.without(&path)),
            ),
        };
        self.problem(code, message, &hint);
    }

    /// Finds the hook that was kept for a script of ours which another tool has replaced.
    fn problem_of_kept(&mut self) {
        let path = &self.recognition.path;
        let Some(kept) = self.kept_and_replaced() else { return };
        let what = match self.recognition.owner() {
            Some("other") => format!("{} was replaced", path.display()),
            Some(owner) => format!("{owner} has replaced {}", path.display()),
            None => format!("{} is gone", path.display()),
        };
        let message = format!(
            "{what}: {}, which flowreg's hook ran first, does not run any more",
            kept.display()
        );
        self.problem("kept_not_run", message, &self.after_a_look(&kept));
    }

    /// The hook that is kept for a script of ours which is not there any more, unless the tool that made it has made
    /// it anew.
    fn kept_and_replaced(&self) -> Option<PathBuf> {
        let Recognition { path, found, .. } = self.recognition;
        let kept = previous::of(self.hook, path)?;
        let is_outdated = |found: &Vec<u8>| previous::is_outdated(&kept, found);
        (!found.as_ref().is_some_and(is_outdated)).then_some(kept)
    }

    fn after_a_look(&self, kept: &Path) -> String {
        format!("look into it, and then: {}", self.without(kept))
    }

    /// The command to go on without the hook that was kept: the directory that it was kept in says that there
    /// is one.
    fn without(&self, kept: &Path) -> String {
        format!("rm -r {} && {}", quoted_path(previous::place(kept)), self.install())
    }

    /// The command that installs this hook, as it goes through here.
    fn install(&self) -> String {
        match reason_for_force(self.repository, self.hooks, self.hook) {
            None => format!("flowreg hooks install …{}", self.install_option()),
            Some(_) => self.install_with_force(),
        }
    }

    fn install_with_force(&self) -> String {
        format!("flowreg hooks install …{} --force", self.install_option())
    }

    /// Without it the hook of the one who pushes is installed.
    fn install_option(&self) -> &'static str {
        match self.hook {
            HookName::PostReceive => " --server",
            HookName::PrePush => "",
        }
    }

    /// What to type where git does not look into the directory in which ours is. Whether to write into one that
    /// others use as well is for a person to decide.
    fn install_where_git_looks(&self) -> String {
        let refused = reason_for_force(self.repository, self.hooks, self.hook);
        let hints = refused.map(|refused| refused.hints()).unwrap_or_default();
        let command = format!("flowreg hooks install …{}", self.install_option());
        let hints = hints.iter().map(|hint| hint.replace("flowreg …", &command));
        let hints: Vec<String> = hints.collect();
        if hints.is_empty() { self.install() } else { hints.join("; ") }
    }

    /// Finds scripts of ours that git does not run, because it looks elsewhere or another tool
    /// replaced the hook.
    fn shadowed(&mut self) -> Result<(), InstallError> {
        let path = &self.recognition.path;
        for (hook, file) in candidates(self.repository, self.hooks) {
            let is_ours = hook == self.hook
                && file != *path
                && content(&file)?.is_some_and(|one| shim::is_ours(&one));
            if !is_ours {
                continue;
            }
            let message = if let Some(configured) = &self.hooks.configured {
                format!(
                    "installed as {}, but core.hooksPath is `{}` ({}): git never runs it",
                    file.display(),
                    configured.value,
                    configured.place()
                )
            } else {
                let file = file.display();
                match self.recognition.owner() {
                    Some(owner) => format!("{owner} has replaced the hook: {file} never runs"),
                    None => format!("{file} never runs: there is no {} hook", hook.as_str()),
                }
            };
            // An installation would find the place taken in which it keeps the hook that is there now.
            let hint = match self.kept_and_replaced() {
                Some(kept) if self.recognition.found.is_some() => self.after_a_look(&kept),
                _ => self.install_where_git_looks(),
            };
            self.problem("shadowed", message, &hint);
        }
        Ok(())
    }
}

fn make_executable(file: &Path) -> String {
    format!("chmod +x {}", quoted_path(file))
}
