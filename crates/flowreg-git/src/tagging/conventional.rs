//! What a commit's message says about the next version, by
//! [Conventional Commits 1.0.0](https://www.conventionalcommits.org/en/v1.0.0/).

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

/// What a message asks for; `None` for what needs no release, and for messages in another form.
pub(crate) fn impact(message: &str) -> Option<Impact> {
    let (header, body) = message.split_once('\n').unwrap_or((message, ""));
    // Messages that were written with CRLF have a carriage return here.
    let (before, description) = header.trim_end().split_once(": ")?;
    if description.trim().is_empty() {
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
    if is_marked || body.lines().any(is_breaking_footer) {
        return Some(Impact::Major);
    }
    // By item 15 of the specification types are not case sensitive, but `BREAKING CHANGE` is.
    match kind.to_ascii_lowercase().as_str() {
        "feat" => Some(Impact::Minor),
        "fix" | "perf" => Some(Impact::Patch),
        _ => None,
    }
}

/// The most that one of several messages asks for.
pub(crate) fn impact_of<'m>(messages: impl IntoIterator<Item = &'m str>) -> Option<Impact> {
    messages.into_iter().filter_map(impact).max()
}

fn is_breaking_footer(line: &str) -> bool {
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
        for (message, expected) in [
            ("feat: load more", Some(Impact::Minor)),
            ("feat(etl): load more", Some(Impact::Minor)),
            ("FEAT: load more", Some(Impact::Minor)),
            ("fix: x", Some(Impact::Patch)),
            ("perf(a-b/c): x", Some(Impact::Patch)),
            ("chore: x", None),
            ("docs(readme): x", None),
            ("revert: feat: x", None),
            ("feature: x", None),
        ] {
            assert_eq!(impact(message), expected, "{message}");
        }
    }

    #[test]
    fn a_breaking_change_of_any_type_is_major() {
        for message in [
            "feat!: x",
            "chore(deps)!: x",
            "refactor: x\n\nBREAKING CHANGE: y",
            "fix: x\n\nbody\n\nReviewed-by: Z\nBREAKING-CHANGE: y",
            "fix: x\r\n\r\nBREAKING CHANGE: y\r\n",
            "fix: x\n\nBREAKING CHANGE #12",
        ] {
            assert_eq!(impact(message), Some(Impact::Major), "{message}");
        }
    }

    #[test]
    fn what_only_looks_like_it_counts_as_it_stands() {
        for (message, expected) in [
            ("feat:x", None),
            ("feat : x", None),
            ("feat(: x", None),
            ("feat(): x", None),
            ("feat((a)): x", None),
            ("feat: ", None),
            (": x", None),
            ("Merge branch 'feat: x'", None),
            ("Update the loader", None),
            ("", None),
            ("fix: x\n\nbreaking change: y", Some(Impact::Patch)),
            ("fix: x\n\nno BREAKING CHANGE: y", Some(Impact::Patch)),
            ("fix: x\n\nBREAKING CHANGES: y", Some(Impact::Patch)),
            ("Say it\n\nBREAKING CHANGE: y", None),
        ] {
            assert_eq!(impact(message), expected, "{message:?}");
        }
    }

    #[test]
    fn the_strongest_of_several_counts() {
        assert_eq!(impact_of(["fix: a", "chore: b", "feat: c"]), Some(Impact::Minor));
        assert_eq!(impact_of(["chore: b"]), None);
    }
}
