//! The cheap question before a file is decoded and parsed: can it have a flow at all? Most files of a
//! repository can't, and this decides what a scan costs.

use memchr::memmem;

use super::deploy_calls::may_deploy;

/// Whether the bytes can hold a flow, or deploy those of another file.
pub fn is_candidate(source: &[u8]) -> bool {
    has_flow_word(source) || may_deploy(source)
}

/// Whether the bytes can hold a flow: the word `flow` (or `Flow`, the class) stands in them.
///
/// Python also reads compatibility characters as plain letters (`ﬂow` is `flow`), so a file with
/// other than ASCII characters that mentions Prefect passes too. [`super::analyse`] asks the same
/// question first: what does not pass has no flows by definition.
pub(crate) fn has_flow_word(source: &[u8]) -> bool {
    // One search for the part that `flow` and `Flow` share, then a look at the byte before it, is
    // faster than two searches. This runs over every Python file of the tree.
    let word = memmem::find_iter(source, b"low")
        .any(|at| at.checked_sub(1).and_then(|at| source.get(at)).is_some_and(|byte| is_f(*byte)));
    word || (!source.is_ascii() && mentions_prefect(source))
}

fn is_f(byte: u8) -> bool {
    matches!(byte, b'f' | b'F')
}

/// Whether a file that can't be read may be meant to have flows.
///
/// A file for another Python, or a template, with the word "workflow" in it is no failure of
/// this run; one that names Prefect in code, or decorates something with a `flow`, is.
pub(crate) fn is_meant_to_have_flows(source: &[u8]) -> bool {
    has_flow_word(source) && source.split(|byte| *byte == b'\n').any(is_flow_line)
}

fn is_flow_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let is_import = line.starts_with(b"import ") || line.starts_with(b"from ");
    (is_import && mentions_prefect(line)) || is_flow_decorator(line)
}

/// `@flow`, `@flow(...)`, `@prefect.flow ...`.
fn is_flow_decorator(line: &[u8]) -> bool {
    let Some(name) = line.strip_prefix(b"@") else { return false };
    let end = name
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.'))
        .unwrap_or(name.len());
    name.get(..end).is_some_and(|name| name == b"flow" || name.ends_with(b".flow"))
}

fn mentions_prefect(source: &[u8]) -> bool {
    memmem::find(source, b"prefect").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_the_word_is_no_candidate() {
        assert!(is_candidate(b"from prefect import flow"));
        assert!(is_candidate(b"from prefect import Flow"));
        assert!(!is_candidate(b"from prefect import task\nslow = 1"));
        assert!(is_candidate("from prefect import ﬂow".as_bytes()));
    }

    #[test]
    fn an_unreadable_file_counts_only_if_it_is_about_prefect() {
        assert!(!is_meant_to_have_flows(b"print 'workflow'"));
        assert!(!is_meant_to_have_flows(b"# uses prefect flows\nprint 'x'"));
        assert!(is_meant_to_have_flows(b"from prefect import flow\nprint 'x'"));
        assert!(is_meant_to_have_flows(b"from ours import flow\n@flow(name='x')\ndef f(:"));
        assert!(!is_meant_to_have_flows(b"@workflow.defn\ndef f(:"));
    }
}
