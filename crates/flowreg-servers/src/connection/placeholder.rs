//! What stands in a variable whose value never came: a CI provider leaves the template in place where the variable is
//! not defined, and what is copied from its log has a mask for each secret.

/// Pairs that a name stands between: those of Azure DevOps, GitHub Actions and shells, Jinja and Helm, Harness.
const TEMPLATES: &[(&str, &str)] =
    &[("$(", ")"), ("$[", "]"), ("${", "}"), ("{{", "}}"), ("<+", ">"), ("#{", "}#")];
/// Pairs around what people are to put their own value for: those of the documentation of Prefect and of others. An
/// IPv6 address between brackets has colons, which no name has.
const BLANKS: &[(&str, &str)] = &[("[", "]"), ("<", ">")];
/// The same as words, without what stands between their parts.
const BLANK_WORDS: &[&str] = &["changeme", "replaceme", "fillmein", "todo", "fixme", "tbd"];
/// What programs write for nothing, in any case.
const NOTHING: &[&str] = &["null", "undefined", "none", "nil", "<no value>", "<nil>"];
const QUOTES: [char; 3] = ['"', '\'', '`'];
/// The shortest mask.
const MASK: &str = "***";

/// Something in place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// A template that nobody replaced, as it is written.
    Template(String),
    /// What somebody was to put a value for, as it is written.
    Blank(String),
    /// A value between quotes that belong to what it was written in.
    Quotes,
    /// A word for nothing.
    Nothing(String),
    /// What is shown of a secret.
    Mask,
}

impl Placeholder {
    /// What the whole of a value is.
    pub(super) fn of(value: &str) -> Option<Self> {
        let value = value.trim();
        if NOTHING.iter().any(|word| word.eq_ignore_ascii_case(value)) {
            return Some(Self::Nothing(value.to_owned()));
        }
        if value.len() > 1
            && value.starts_with(QUOTES)
            && value.chars().next() == value.chars().last()
        {
            return Some(Self::Quotes);
        }
        if value.len() >= MASK.len() && value.bytes().all(|byte| byte == b'*') {
            return Some(Self::Mask);
        }
        let is_word = |char: &char| !matches!(char, '-' | '_' | ' ');
        let word: String = value.to_ascii_lowercase().chars().filter(is_word).collect();
        if BLANK_WORDS.contains(&&*word) {
            return Some(Self::Blank(value.to_owned()));
        }
        let is_whole = |found: &&str| found.len() == value.len();
        let template = Self::template(value).filter(is_whole).map(Self::of_template);
        template.or_else(|| Self::blank(value).filter(is_whole).map(Self::of_blank))
    }

    /// What is anywhere in an address, which can have none of these by itself.
    pub(super) fn within_address(value: &str) -> Option<Self> {
        let whole = Self::of(value);
        let template = || Self::template(value).map(Self::of_template);
        let blank = || Self::blank(value).map(Self::of_blank);
        let mask = || value.contains(MASK).then_some(Self::Mask);
        // One of a pair may have been lost.
        let quotes = || {
            let value = value.trim();
            (value.starts_with(QUOTES) || value.ends_with(QUOTES)).then_some(Self::Quotes)
        };
        whole.or_else(template).or_else(blank).or_else(mask).or_else(quotes)
    }

    fn of_blank(found: &str) -> Self {
        Self::Blank(found.to_owned())
    }

    fn of_template(found: &str) -> Self {
        Self::Template(found.to_owned())
    }

    /// The first template in a text.
    fn template(text: &str) -> Option<&str> {
        let found = TEMPLATES.iter().filter_map(|pair| name_between(text, *pair));
        // `$NAME`, and `%NAME%` of Windows: as the whole, as an address may have escapes like `%C3%A9`.
        let of_windows = || text.strip_prefix('%')?.strip_suffix('%');
        let variable = text.strip_prefix('$').or_else(of_windows).filter(|name| {
            name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
                && name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        });
        found.max_by_key(|found| found.len()).or_else(|| variable.map(|_| text))
    }

    /// The first in a text that somebody was to put a value for.
    fn blank(text: &str) -> Option<&str> {
        BLANKS.iter().find_map(|pair| name_between(text, *pair))
    }

    /// What the value is, for a message.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Template(written) => {
                format!("contains `{written}`, a template that was not replaced")
            }
            Self::Blank(written) => {
                format!("contains `{written}`, a placeholder that was not filled in")
            }
            Self::Quotes => {
                "begins or ends with a quote, which belongs to the shell or the file and not to the value"
                    .to_owned()
            }
            Self::Nothing(word) => format!("is `{word}`, which stands for no value"),
            Self::Mask => "contains asterisks, which stand for a secret in a log".to_owned(),
        }
    }
}

/// The first name between two signs, together with them.
fn name_between<'t>(text: &'t str, (before, after): (&str, &str)) -> Option<&'t str> {
    let start = text.find(before)?;
    let inside = start + before.len();
    // `${{ secrets.URL }}` has two brackets of each.
    let braces = text.get(inside..)?.chars().take_while(|char| *char == '{').count();
    let after = after.repeat(1 + braces);
    let end = inside + braces + text.get(inside + braces..)?.find(&after)?;
    let name = text.get(inside + braces..end)?.trim();
    let is_name = !name.is_empty()
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && name.chars().all(|char| char.is_alphanumeric() || "_.-[]'\" ".contains(char));
    is_name.then(|| text.get(start..end + after.len())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_value_is_told_from_what_is_one() {
        let template = |text: &str| Some(Placeholder::Template(text.to_owned()));
        for text in [
            "$(PREFECT_API_URL)",
            "${PREFECT_API_URL}",
            "${{ secrets.PREFECT_API_URL }}",
            "{{ url }}",
            "{{url}}",
            "%PREFECT_API_URL%",
            "$PREFECT_API_URL",
            "<+pipeline.variables.url>",
            "#{Prefect.Url}#",
        ] {
            assert_eq!(Placeholder::of(text), template(text), "{text}");
            assert_eq!(Placeholder::of(&format!(" {text}\n")), template(text), "{text}");
            assert_eq!(Placeholder::within_address(text), template(text), "{text}");
        }
        let blank = |text: &str| Some(Placeholder::Blank(text.to_owned()));
        for text in ["[ACCOUNT-ID]", "<account>", "<your api key>", "CHANGEME", "change-me", "TODO"]
        {
            assert_eq!(Placeholder::of(text), blank(text), "{text}");
            assert_eq!(Placeholder::within_address(text), blank(text), "{text}");
        }
        for text in ["\"https://prefect.example.com/api\"", "'pnu_1f'", "`x`"] {
            assert_eq!(Placeholder::of(text), Some(Placeholder::Quotes), "{text}");
        }
        for word in NOTHING.iter().chain(&["None", "NULL"]) {
            assert_eq!(Placeholder::of(word), Some(Placeholder::Nothing((*word).to_owned())));
        }
        assert_eq!(Placeholder::of("*****"), Some(Placeholder::Mask));
        for (address, expected) in [
            ("https://$(HOST)/api", template("$(HOST)")),
            ("https://${{ vars.HOST }}:4200/api", template("${{ vars.HOST }}")),
            (
                "https://api.prefect.cloud/api/accounts/[ACCOUNT-ID]/workspaces/x",
                blank("[ACCOUNT-ID]"),
            ),
            ("https://<host>:4200/api", blank("<host>")),
            ("https://prefect.example.com/api'", Some(Placeholder::Quotes)),
            ("https://ada:***@prefect.example.com/api", Some(Placeholder::Mask)),
        ] {
            assert_eq!(Placeholder::within_address(address), expected, "{address}");
        }
        for value in [
            "pnu_1f", "ada:p$(x", "**", "a*b", "100%", "$1", "${", "{{ }}", "nullable", "ada:${x}",
            "ada:'x'", "ada:[x]", "a\"", "\"", "[]", "<>",
        ] {
            assert_eq!(Placeholder::of(value), None, "{value}");
        }
        for address in [
            "https://prefect.example.com/api",
            "https://ada:p%40ss%C3%A9@prefect.example.com/api",
            "http://[::1]:4200/api",
            "http://[fe80::1%25eth0]/api",
            "https://todo.example.com/none",
        ] {
            assert_eq!(Placeholder::within_address(address), None, "{address}");
        }
    }
}
