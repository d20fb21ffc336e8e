//! Paths as people write them.

/// A path (`./etl`, `etl/`, `/etl`) from the root of the repository and without the ornament; the root itself is
/// empty. `None` if it leads out of the repository.
pub fn normalized_path(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match part {
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_people_write_it() {
        for (path, expected) in [
            ("etl", Some("etl")),
            ("./etl", Some("etl")),
            ("etl/", Some("etl")),
            ("/etl//flows/", Some("etl/flows")),
            ("./packages/../etl", Some("etl")),
            (".", Some("")),
            ("", Some("")),
            ("../etl", None),
            ("etl/../..", None),
        ] {
            assert_eq!(normalized_path(path).as_deref(), expected, "{path}");
        }
    }
}
