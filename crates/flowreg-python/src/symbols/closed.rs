//! Which names modules of the standard library, of Prefect and pydantic have, in one version of each. A name
//! that is not among them may be one of another version, or none.

use std::sync::LazyLock;

use foldhash::HashMap;

/// Made by `scripts/names.py`: a line of versions, then each module with its names.
const TABLE: &str = include_str!("names_of_modules.txt");

/// The names of each module, with spaces between them.
static MODULES: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect()
});

/// The version of a package that the table is of, as it is told: `Prefect 3.8.8`.
fn version(top: &str) -> &'static str {
    let package = match top {
        "prefect" => "Prefect ",
        "pydantic" => "pydantic ",
        _ => "Python ",
    };
    let line = TABLE.lines().next().unwrap_or_default();
    let parts = line.trim_start_matches("# ").split([',', ':']).map(str::trim);
    parts.into_iter().find(|part| part.starts_with(package)).unwrap_or("this version")
}

/// Why a module may not have a name, if it is not known to have it. Modules that are not in the table are
/// not asked about, and neither are attributes of anything but modules.
pub(crate) fn may_lack(path: &str) -> Option<String> {
    let (module, leaf) = path.rsplit_once('.')?;
    let names = MODULES.get(module)?;
    let is_known = leaf.starts_with('_')
        || MODULES.contains_key(path)
        || names.split(' ').any(|name| name == leaf || name == "*")
        || super::modules::NAMES.binary_search_by_key(&module, |(module, _)| *module).is_ok()
        || super::came_with(path).is_some();
    let version = version(path.split('.').next().unwrap_or(path));
    (!is_known).then(|| format!("{version} has no `{path}`"))
}

/// The same for a module and the packages that it is in.
pub(crate) fn may_lack_module(path: &str) -> Option<String> {
    let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).find_map(may_lack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_of_a_module_may_be_missing() {
        let said = may_lack("prefect.deployments.Deployment").unwrap();
        assert_eq!(said, "Prefect 3.8.8 has no `prefect.deployments.Deployment`");
        assert!(may_lack("copy.replace").unwrap().starts_with("Python 3.11 has no"));
        assert!(may_lack_module("prefect.orion.schemas").unwrap().contains("`prefect.orion`"));
        for known in ["prefect.flow", "prefect.flows.Flow", "os.path.join", "logging.handlers"] {
            assert_eq!(may_lack(known), None);
        }
        assert_eq!(may_lack_module("tkinter.ttk"), None);
        assert_eq!(may_lack("prefect.server.api.nothing"), None);
        assert_eq!(may_lack_module("prefect.server.api"), None);
    }
}
