//! The script that git runs: `hooks/shim.sh` with the name of the hook and the path of flowreg.
//!
//! Always `#!/bin/sh`: a hook whose interpreter can't be found makes a push hang for ever before
//! git 2.54 (`docs/facts/hooks.md`).

use std::path::{Path, PathBuf};

const TEMPLATE: &str = include_str!("../../hooks/shim.sh");
/// The id in the second line of every version of the script, by which our scripts are recognised.
const MARK: &str = "id 3f1d6a0c)";
/// The version of the script that this flowreg writes.
const VERSION: u32 = 1;

/// A hook of git's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookName {
    /// Before a push, at the one who pushes.
    PrePush,
    /// After a push, at the one who received it.
    PostReceive,
}

impl HookName {
    /// The file's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PrePush => "pre-push",
            Self::PostReceive => "post-receive",
        }
    }

    /// What the hook is called that was there before.
    pub(super) fn previous(self) -> String {
        format!("{}.flowreg-prev", self.as_str())
    }
}

/// Who wrote a hook script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScriptOrigin {
    /// This flowreg would write the same.
    Current {
        /// The flowreg that it calls.
        binary: PathBuf,
    },
    /// An older flowreg wrote it, or a person changed it.
    Different,
    /// A newer flowreg wrote it.
    Newer,
    /// Somebody else's.
    Foreign,
}

/// The script for a hook that calls the flowreg at `binary`.
pub(super) fn render(hook: HookName, binary: &Path) -> String {
    let quoted = format!("'{}'", binary.display().to_string().replace('\'', "'\\''"));
    TEMPLATE.replace("@HOOK@", hook.as_str()).replace("@FLOWREG@", &quoted)
}

/// Tells who wrote a script: by the id in it, then by rendering it again and comparing.
pub(super) fn origin(hook: HookName, content: &[u8]) -> ScriptOrigin {
    let text = String::from_utf8_lossy(content);
    let Some(mark) = text.lines().take(3).find(|line| line.contains(MARK)) else {
        return ScriptOrigin::Foreign;
    };
    let words = mark.split("shim v").nth(1).unwrap_or_default();
    let digits: String = words.chars().take_while(char::is_ascii_digit).collect();
    if digits.parse::<u32>().is_ok_and(|version| version > VERSION) {
        return ScriptOrigin::Newer;
    }
    match binary(&text) {
        Some(binary) if render(hook, &binary) == text => ScriptOrigin::Current { binary },
        _ => ScriptOrigin::Different,
    }
}

/// The flowreg that a script calls.
pub(super) fn binary(text: &str) -> Option<PathBuf> {
    let line = text.lines().find_map(|line| line.strip_prefix("flowreg='"))?;
    let quoted = line.trim_end_matches('\r').strip_suffix('\'')?;
    Some(PathBuf::from(quoted.replace("'\\''", "'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_recognised_whatever_path_it_has() {
        for path in ["/usr/bin/flowreg", "/a b/it's/flowreg"] {
            let script = render(HookName::PrePush, Path::new(path));
            let binary = PathBuf::from(path);
            assert_eq!(
                origin(HookName::PrePush, script.as_bytes()),
                ScriptOrigin::Current { binary }
            );
            assert_eq!(origin(HookName::PostReceive, script.as_bytes()), ScriptOrigin::Different);
            let newer = script.replace("shim v1", "shim v2");
            assert_eq!(origin(HookName::PrePush, newer.as_bytes()), ScriptOrigin::Newer);
            let edited = script + "echo more\n";
            assert_eq!(origin(HookName::PrePush, edited.as_bytes()), ScriptOrigin::Different);
        }
        assert_eq!(origin(HookName::PrePush, b"#!/bin/sh\n"), ScriptOrigin::Foreign);
    }

    #[test]
    fn the_template_has_the_ends_of_lines_and_the_version_that_git_and_we_need() {
        assert!(TEMPLATE.starts_with("#!/bin/sh\n"));
        assert!(!TEMPLATE.contains('\r'));
        assert!(TEMPLATE.contains(&format!("shim v{VERSION} ")) && TEMPLATE.contains(MARK));
    }
}
