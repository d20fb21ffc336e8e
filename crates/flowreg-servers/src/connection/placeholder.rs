//! What stands in a variable whose value never came: a CI provider leaves the template in place where the variable is
//! not defined, and what is copied from its log has a mask for each secret.

/// Pairs that a name stands between: those of Azure DevOps, GitHub Actions and shells, Jinja and Helm, Harness.
const TEMPLATES: &[(&str, &str)] =
    &[("$(", ")"), ("${", "}"), ("{{", "}}"), ("<+", ">"), ("#{", "}#")];
/// What programs write for nothing.
const NOTHING: &[&str] = &["null", "undefined", "None", "nil", "<no value>", "<nil>"];
/// The shortest mask.
const MASK: &str = "***";

/// Something in place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// A template that nobody replaced, as it is written.
    Template(String),
    /// A word for nothing.
    Nothing(String),
    /// What is shown of a secret.
    Mask,
}

impl Placeholder {
    /// What the whole of a value is.
    pub(super) fn of(value: &str) -> Option<Self> {
        let value = value.trim();
        if NOTHING.contains(&value) {
            return Some(Self::Nothing(value.to_owned()));
        }
        if value.len() >= MASK.len() && value.bytes().all(|byte| byte == b'*') {
            return Some(Self::Mask);
        }
        Self::template(value).filter(|found| found.len() == value.len()).map(Self::of_template)
    }

    /// What is anywhere in an address, which can have none of these by itself.
    pub(super) fn within_address(value: &str) -> Option<Self> {
        let whole = Self::of(value);
        let template = || Self::template(value).map(Self::of_template);
        whole.or_else(template).or_else(|| value.contains(MASK).then_some(Self::Mask))
    }

    fn of_template(found: &str) -> Self {
        Self::Template(found.to_owned())
    }

    /// The first template in a text.
    fn template(text: &str) -> Option<&str> {
        let found = TEMPLATES.iter().filter_map(|(before, after)| {
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
        });
        // `$NAME`, and `%NAME%` of Windows: as the whole, as an address may have escapes like `%C3%A9`.
        let of_windows = || text.strip_prefix('%')?.strip_suffix('%');
        let variable = text.strip_prefix('$').or_else(of_windows).filter(|name| {
            name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
                && name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        });
        found.max_by_key(|found| found.len()).or_else(|| variable.map(|_| text))
    }

    /// What the value is, for a message.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Template(written) => {
                format!("contains `{written}`, a template that was not replaced")
            }
            Self::Nothing(word) => format!("is `{word}`, which stands for no value"),
            Self::Mask => "contains asterisks, which stand for a secret in a log".to_owned(),
        }
    }
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
        for word in NOTHING {
            assert_eq!(Placeholder::of(word), Some(Placeholder::Nothing((*word).to_owned())));
        }
        assert_eq!(Placeholder::of("*****"), Some(Placeholder::Mask));
        for (address, expected) in [
            ("https://$(HOST)/api", template("$(HOST)")),
            ("https://${{ vars.HOST }}:4200/api", template("${{ vars.HOST }}")),
            ("https://ada:***@prefect.example.com/api", Some(Placeholder::Mask)),
        ] {
            assert_eq!(Placeholder::within_address(address), expected, "{address}");
        }
        for value in
            ["pnu_1f", "ada:p$(x", "**", "a*b", "100%", "$1", "${", "{{ }}", "nullable", "ada:${x}"]
        {
            assert_eq!(Placeholder::of(value), None, "{value}");
        }
        for address in
            ["https://prefect.example.com/api", "https://ada:p%40ss%C3%A9@prefect.example.com/api"]
        {
            assert_eq!(Placeholder::within_address(address), None, "{address}");
        }
    }
}
