//! The script that git runs: `hooks/shim.sh`, made out for one hook and one flowreg.
//!
//! Always `#!/bin/sh`: a hook whose interpreter can't be found makes a push hang for ever before
//! git 2.54 (facts/hooks.md F3).

use std::path::{Path, PathBuf};

const TEMPLATE: &str = include_str!("../../hooks/shim.sh");
/// What every version of the script has in its second line.
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

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// This flowreg would write the same.
    Current {
        /// The flowreg that it calls.
        binary: PathBuf,
    },
    /// An older flowreg, or somebody who changed it.
    Different,
    /// A newer flowreg wrote it.
    Newer,
    /// Somebody else's.
    Foreign,
}

/// The script for a hook and a flowreg.
pub(super) fn render(hook: HookName, binary: &Path) -> String {
    let quoted = format!("'{}'", binary.display().to_string().replace('\'', "'\\''"));
    TEMPLATE.replace("@HOOK@", hook.as_str()).replace("@FLOWREG@", &quoted)
}

/// Who wrote a script.
pub(super) fn origin(hook: HookName, content: &[u8]) -> Origin {
    let text = String::from_utf8_lossy(content);
    let Some(mark) = text.lines().take(3).find(|line| line.contains(MARK)) else {
        return Origin::Foreign;
    };
    let words = mark.split("shim v").nth(1).unwrap_or_default();
    let digits: String = words.chars().take_while(char::is_ascii_digit).collect();
    if digits.parse::<u32>().is_ok_and(|version| version > VERSION) {
        return Origin::Newer;
    }
    match binary(&text) {
        Some(binary) if render(hook, &binary) == text => Origin::Current { binary },
        _ => Origin::Different,
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
            assert_eq!(origin(HookName::PrePush, script.as_bytes()), Origin::Current { binary });
            assert_eq!(origin(HookName::PostReceive, script.as_bytes()), Origin::Different);
            let newer = script.replace("shim v1", "shim v2");
            assert_eq!(origin(HookName::PrePush, newer.as_bytes()), Origin::Newer);
            let edited = script + "echo more\n";
            assert_eq!(origin(HookName::PrePush, edited.as_bytes()), Origin::Different);
        }
        assert_eq!(origin(HookName::PrePush, b"#!/bin/sh\n"), Origin::Foreign);
    }

    #[test]
    fn the_template_has_the_ends_of_lines_and_the_version_that_git_and_we_need() {
        assert!(TEMPLATE.starts_with("#!/bin/sh\n"));
        assert!(!TEMPLATE.contains('\r'));
        assert!(TEMPLATE.contains(&format!("shim v{VERSION} ")) && TEMPLATE.contains(MARK));
    }
}
