//! What a commit's header says about the next version, by
//! [Conventional Commits 1.0.0](https://www.conventionalcommits.org/en/v1.0.0/).
//!
//! Which lines of a message are headers is decided in [`super::squash`].

/// How much a change asks for, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Impact {
    /// `fix` and `perf`.
    Patch,
    /// `feat`.
    Minor,
    /// `!` after the type, or a footer `BREAKING CHANGE`.
    Major,
}

/// A header of the form `type(scope)!: description`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'h> {
    /// `feat`, `chore`, as it is written.
    pub kind: &'h str,
    /// What it asks for; `None` for what needs no release.
    pub impact: Option<Impact>,
    /// What stands after the colon.
    pub description: &'h str,
}

impl<'h> Header<'h> {
    /// Reads a line; `None` if it has another form.
    pub(super) fn read(line: &'h str) -> Option<Self> {
        let (before, description) = line.split_once(": ")?;
        let description = description.trim();
        if description.is_empty() {
            return None;
        }
        let (before, is_marked) = match before.strip_suffix('!') {
            Some(before) => (before, true),
            None => (before, false),
        };
        let kind = match before.split_once('(') {
            Some((kind, scope)) => {
                let scope = scope.strip_suffix(')')?;
                if scope.trim().is_empty() || scope.contains(['(', ')']) {
                    return None;
                }
                kind
            }
            None => before,
        };
        // `Merge branch 'feat: x'` has a colon as well, but no single word before it.
        let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
        if kind.is_empty() || !kind.chars().all(is_word) {
            return None;
        }
        // By item 15 of the specification types are not case sensitive, but `BREAKING CHANGE` is.
        let impact = match kind.to_ascii_lowercase().as_str() {
            _ if is_marked => Some(Impact::Major),
            "feat" => Some(Impact::Minor),
            "fix" | "perf" => Some(Impact::Patch),
            _ => None,
        };
        Some(Self { kind, impact, description })
    }
}

/// Whether a line is the footer that makes a change of any type a breaking one.
pub(super) fn is_breaking_footer(line: &str) -> bool {
    let rest =
        ["BREAKING CHANGE", "BREAKING-CHANGE"].iter().find_map(|word| line.strip_prefix(word));
    rest.is_some_and(|rest| {
        let value = rest.strip_prefix(": ").or_else(|| rest.strip_prefix(" #"));
        value.is_some_and(|value| !value.trim().is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides() {
        for (line, expected) in [
            ("feat: load more", Some(Impact::Minor)),
            ("feat(etl): load more", Some(Impact::Minor)),
            ("FEAT: load more", Some(Impact::Minor)),
            ("fix: x", Some(Impact::Patch)),
            ("perf(a-b/c): x", Some(Impact::Patch)),
            ("feat!: x", Some(Impact::Major)),
            ("chore(deps)!: x", Some(Impact::Major)),
            ("chore: x", None),
            ("docs(readme): x", None),
            ("revert: feat: x", None),
            ("feature: x", None),
        ] {
            assert_eq!(Header::read(line).unwrap().impact, expected, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_a_header_is_none() {
        for line in [
            "feat:x",
            "feat : x",
            "feat(: x",
            "feat(): x",
            "feat((a)): x",
            "feat: ",
            ": x",
            "Merge branch 'feat: x'",
            "Update the loader",
            "",
        ] {
            assert_eq!(Header::read(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_footer_of_a_breaking_change_is_in_capitals_and_says_what() {
        for (line, expected) in [
            ("BREAKING CHANGE: y", true),
            ("BREAKING-CHANGE: y", true),
            ("BREAKING CHANGE #12", true),
            ("breaking change: y", false),
            ("no BREAKING CHANGE: y", false),
            ("BREAKING CHANGES: y", false),
            ("BREAKING CHANGE: ", false),
        ] {
            assert_eq!(is_breaking_footer(line), expected, "{line:?}");
        }
    }
}
