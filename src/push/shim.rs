//! The script that git runs: `hooks/shim.sh` with the name of the hook and the path of flowreg.
//!
//! Always `#!/bin/sh`: a hook whose interpreter can't be found makes a push hang for ever before
//! git 2.54 (`docs/facts/hooks.md`).

use std::path::{Path, PathBuf};

const TEMPLATE: &str = include_str!("../../hooks/shim.sh");
/// The id in the second line of every version of the script, by which our scripts are recognised.
const MARK: &str = "id 3f1d6a0c)";
/// The version of the script that this flowreg writes.
const VERSION: u32 = 2;
/// The check sums of version 1, which did not carry one: of `pre-push` and of `post-receive`.
const FIRST_SUMS: [u32; 2] = [0x343b_0fea, 0x634d_517f];
/// What the line begins with that names the flowreg to call.
const BINARY: &str = "flowreg='";

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
}

/// Who wrote a hook script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScriptOrigin {
    /// This flowreg or an older one, and nobody changed it since.
    Ours,
    /// A flowreg wrote it, and a person changed it.
    Edited,
    /// A newer flowreg wrote it.
    Newer,
    /// Somebody else's.
    Foreign,
}

/// The script for a hook that calls the flowreg at `binary`.
pub(super) fn render(hook: HookName, binary: &Path) -> String {
    let quoted = format!("'{}'", binary.display().to_string().replace('\'', "'\\''"));
    let script = TEMPLATE.replace("@HOOK@", hook.as_str()).replace("@FLOWREG@", &quoted);
    let sum = format!("{:08x}", sum(&script));
    script.replace("@SUM@", &sum)
}

/// Tells who wrote a script: by the id in it, then by its check sum.
pub(super) fn origin(content: &[u8]) -> ScriptOrigin {
    let text = String::from_utf8_lossy(content);
    let Some(mark) = text.lines().take(3).find(|line| line.contains(MARK)) else {
        return ScriptOrigin::Foreign;
    };
    let words = mark.split("shim v").nth(1).unwrap_or_default();
    let mut words = words.split(' ');
    let version = words.next().and_then(|version| version.parse().ok());
    let is_whole = match version {
        Some(version) if version > VERSION => return ScriptOrigin::Newer,
        Some(1) => FIRST_SUMS.contains(&sum(&text)),
        _ => {
            let written = words.nth(1).and_then(|sum| u32::from_str_radix(sum, 16).ok());
            written == Some(sum(&text))
        }
    };
    if is_whole && binary(&text).is_some() { ScriptOrigin::Ours } else { ScriptOrigin::Edited }
}

/// Whether a flowreg wrote a script, whatever became of it since.
pub(super) fn is_ours(content: &[u8]) -> bool {
    origin(content) != ScriptOrigin::Foreign
}

/// The flowreg that a script calls.
pub(super) fn binary(text: &str) -> Option<PathBuf> {
    let line = text.lines().find_map(|line| line.strip_prefix(BINARY))?;
    let quoted = line.trim_end_matches('\r').strip_suffix('\'')?;
    Some(PathBuf::from(quoted.replace("'\\''", "'")))
}

/// The check sum of what is the same in every script of one version: all lines but those with the
/// sum itself and with the path of flowreg. Windows line ends do not count: git makes them.
fn sum(text: &str) -> u32 {
    let lines = text.lines().filter(|line| !line.contains(MARK) && !line.starts_with(BINARY));
    let mut hasher = crc32fast::Hasher::new();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_recognised_whatever_path_it_has() {
        for hook in [HookName::PrePush, HookName::PostReceive] {
            for path in ["/usr/bin/flowreg", "/a b/it's/flowreg"] {
                let script = render(hook, Path::new(path));
                assert_eq!(binary(&script), Some(PathBuf::from(path)));
                assert_eq!(origin(script.as_bytes()), ScriptOrigin::Ours);
                let windows = script.replace('\n', "\r\n");
                assert_eq!(origin(windows.as_bytes()), ScriptOrigin::Ours);
                let newer = script.replace("shim v2", "shim v3");
                assert_eq!(origin(newer.as_bytes()), ScriptOrigin::Newer);
                let edited = script + "echo more\n";
                assert_eq!(origin(edited.as_bytes()), ScriptOrigin::Edited);
            }
        }
        assert_eq!(origin(b"#!/bin/sh\n"), ScriptOrigin::Foreign);
    }

    #[test]
    fn the_first_version_is_recognised_as_long_as_nobody_changed_it() {
        let first = include_str!("../../tests/suite/first_shim.sh");
        let first = first.replace("@FLOWREG@", "'/usr/bin/flowreg'");
        for script in [first.clone(), first.replace("pre-push", "post-receive")] {
            assert_eq!(origin(script.as_bytes()), ScriptOrigin::Ours, "{:#x}", sum(&script));
            let edited = script.replace("exit 0", "exit 1");
            assert_eq!(origin(edited.as_bytes()), ScriptOrigin::Edited);
        }
    }

    #[test]
    fn the_template_has_the_ends_of_lines_and_the_version_that_git_and_we_need() {
        assert!(TEMPLATE.starts_with("#!/bin/sh\n"));
        assert!(!TEMPLATE.contains('\r'));
        assert!(TEMPLATE.contains(&format!("shim v{VERSION} ")) && TEMPLATE.contains(MARK));
    }
}
