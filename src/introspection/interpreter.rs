//! Which Python is asked: the one that the settings name, else that of the active virtual
//! environment, else the one in the work tree, else the first on `PATH`.

use std::path::{Path, PathBuf};

use super::failure::Unavailable;
use flowreg_model::Environment;

/// Virtual environments that a work tree may have, and where their interpreter lies.
const IN_WORK_TREE: &[&str] = &[".venv/bin/python", "venv/bin/python"];
const ON_PATH: &[&str] = &["python3", "python"];

/// Finds the interpreter; `base` is the work tree, or the working directory if there is none.
///
/// A link is not followed: `bin/python` of a virtual environment is a link to the base interpreter,
/// and Python finds the environment by the path that it was started as.
///
/// # Errors
/// [`Unavailable::NoSuchPython`] if the settings name one that does not exist. Another one is not
/// tried then: it would have other libraries, and other answers.
pub(super) fn find(
    configured: Option<&str>,
    base: &Path,
    environment: &Environment,
) -> Result<PathBuf, Unavailable> {
    if let Some(configured) = configured {
        // As in a shell: a name without a slash is a command, anything else a path.
        let found = if configured.contains('/') {
            Some(base.join(configured)).filter(|path| path.is_file())
        } else {
            on_path(configured, environment)
        };
        return found.ok_or_else(|| Unavailable::NoSuchPython(configured.into()));
    }
    // What the user has activated is meant, even if the work tree has an environment as well. The
    // first Python on `PATH` is mostly the system's, which has no Prefect.
    let active = environment.path("VIRTUAL_ENV").map(|home| home.join("bin/python"));
    let in_work_tree = IN_WORK_TREE.iter().map(|path| base.join(path));
    active
        .into_iter()
        .chain(in_work_tree)
        .find(|path| path.is_file())
        .or_else(|| ON_PATH.iter().find_map(|name| on_path(name, environment)))
        .ok_or(Unavailable::NoPython)
}

fn on_path(name: &str, environment: &Environment) -> Option<PathBuf> {
    let path = environment.get("PATH")?;
    std::env::split_paths(path).map(|directory| directory.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn the_settings_win_over_the_active_environment_over_the_work_tree_over_the_path() {
        let home = tempfile::tempdir().unwrap();
        let base = home.path().join("work");
        std::fs::create_dir(&base).unwrap();
        let at = |path: &str| home.path().join(path);
        let environment: Environment = [
            ("PATH", at("usr/bin").display().to_string()),
            ("VIRTUAL_ENV", at("active").display().to_string()),
        ]
        .into_iter()
        .collect();
        let found = |configured: Option<&str>| find(configured, &base, &environment).ok();

        assert_eq!(found(None), None);
        touch(&at("usr/bin/python"));
        assert_eq!(found(None), Some(at("usr/bin/python")));
        touch(&at("usr/bin/python3"));
        assert_eq!(found(None), Some(at("usr/bin/python3")));
        touch(&base.join("venv/bin/python"));
        assert_eq!(found(None), Some(base.join("venv/bin/python")));
        touch(&base.join(".venv/bin/python"));
        assert_eq!(found(None), Some(base.join(".venv/bin/python")));
        touch(&at("active/bin/python"));
        assert_eq!(found(None), Some(at("active/bin/python")));
        assert_eq!(found(Some("python")), Some(at("usr/bin/python")));
        assert_eq!(found(Some("venv/bin/python")), Some(base.join("venv/bin/python")));
        assert_eq!(found(Some("other/bin/python")), None);
    }
}
