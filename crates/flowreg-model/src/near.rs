//! "Did you mean": the name that a misspelt one was most likely meant to be.

/// The name that is most similar to the word, if one is similar enough to be what was meant.
///
/// Jaro-Winkler gives 1 for equal words, and weighs the beginning more, where people rarely mistype.
/// 0.7 is the bound that clap uses for its own suggestions. Capitals count as small letters.
pub fn nearest<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    let word = word.to_lowercase();
    names
        .iter()
        .map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), *name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}

/// The name of which the word is a slip: one or two letters are wrong, and none of its numbers is another.
/// Stricter than [`nearest`], for names that are alike although they mean different things: branches, tags.
pub fn misspelt<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let own = digits(word);
    let most = if word.chars().count() < 8 { 1 } else { 2 };
    let is_other_number = |name: &str| {
        let others = digits(name);
        others != own && others.len() == own.len()
    };
    names
        .iter()
        .filter(|name| **name != word && !is_other_number(name))
        .map(|name| (strsim::osa_distance(&word.to_lowercase(), &name.to_lowercase()), *name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// The names as a choice: `` `a`, `b` or `c` ``.
pub fn either(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_no_other_name() {
        for (word, names, meant) in [
            ("mian", &["main", "maintenance"][..], Some("main")),
            ("v1.0.O", &["v1.0.0", "v1.0.1"], Some("v1.0.0")),
            ("V1.0.0", &["v1.0.0"], Some("v1.0.0")),
            ("v1.0.1", &["v1.0.0", "v1.0.2"], None),
            ("feature/new", &["feature/x", "feature/net"], Some("feature/net")),
            ("feat/2", &["feat/1"], None),
            ("orign", &["origin"], Some("origin")),
        ] {
            assert_eq!(misspelt(word, names), meant, "{word}");
        }
    }

    #[test]
    fn what_differs_in_capitals_only_is_nearest() {
        assert_eq!(nearest("cancel_new", &["ENQUEUE", "CANCEL_NEW"]), Some("CANCEL_NEW"));
        assert_eq!(nearest("quite another", &["ENQUEUE", "CANCEL_NEW"]), None);
    }

    #[test]
    fn a_choice_reads_as_a_sentence() {
        assert_eq!(either(&["a"]), "`a`");
        assert_eq!(either(&["a", "b"]), "`a` or `b`");
        assert_eq!(either(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
