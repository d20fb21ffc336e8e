//! Recognises what looks like a secret. A secret in a configuration file would be registered as it
//! is, and be shown to everybody who may read the deployment.

/// How tokens of well-known services begin, with the length from which on they count.
const TOKEN_PREFIXES: &[(&str, usize)] = &[
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("gldt-", 20),
    ("pnu_", 20),
    ("pnb_", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("sk_live_", 20),
    ("AKIA", 20),
    ("ATBB", 20),
];

/// Whether the text is nothing but a template that names a secret where the worker finds it.
pub fn is_reference(text: &str) -> bool {
    let inside = text
        .trim()
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .map(str::trim)
        .filter(|inside| !inside.contains(['{', '}']));
    inside.is_some_and(|inside| {
        ["prefect.blocks.", "prefect.variables.", "$"]
            .iter()
            .filter_map(|prefix| inside.strip_prefix(prefix))
            .any(|name| !name.is_empty() && !name.contains(char::is_whitespace))
    })
}

/// Whether the text is nothing but a template, whatever fills it in.
pub fn is_template(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{{") && text.ends_with("}}")
}

/// Whether the text holds a token of a well-known service, or a URL with a password.
pub fn is_literal(text: &str) -> bool {
    has_password(text)
        || text.split(|char: char| !(char.is_ascii_alphanumeric() || "_-".contains(char))).any(
            |word| {
                TOKEN_PREFIXES
                    .iter()
                    .any(|(prefix, length)| word.starts_with(prefix) && word.len() >= *length)
            },
        )
}

/// Whether a name says that what it stands for is a secret: `GITHUB_TOKEN`, `db_password`.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "passwd", "api_key", "apikey", "private_key", "credential"]
        .iter()
        .any(|word| name.contains(word))
        // Too short to look for inside words: `monkey` and `pattern` are no secrets.
        || name.split('_').any(|part| matches!(part, "key" | "pat" | "auth" | "dsn" | "pwd"))
}

/// Whether a text has a URL like `https://user:password@host`. A template in the place of the
/// password is no secret.
fn has_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or(rest);
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.and_then(|user| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty() && !password.contains(['{', '$']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_passwords_are_recognised() {
        for secret in [
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "Bearer glpat-abcdefghij0123456789",
            "postgresql://etl:hunter2@db.example.com/prod",
            "see https://u:p@h/x",
        ] {
            assert!(is_literal(secret), "{secret}");
        }
    }

    #[test]
    fn names_templates_and_plain_urls_are_no_secrets() {
        for text in [
            "registry.example.com/etl:{tag}",
            "https://git@example.com/x.git",
            "postgresql://etl:{{ prefect.blocks.secret.db }}@db/prod",
            "postgresql://etl:$PASSWORD@db/prod",
            "ghp_",
            "AKIAlike",
            "http://localhost:4200/a@b:c",
        ] {
            assert!(!is_literal(text), "{text}");
        }
    }

    #[test]
    fn only_a_whole_template_is_a_reference() {
        assert!(is_reference("{{ prefect.blocks.secret.git-token }}"));
        assert!(is_reference("{{ $GIT_TOKEN }}"));
        for text in
            ["ghp_x", "{{ ghp_x }}", "{{ prefect.blocks.secret.x }}ghp_x", "{{ prefect.blocks. }}"]
        {
            assert!(!is_reference(text), "{text}");
        }
    }
}
