//! What modules need of what `scripts/test.sh` installs: `tests/suite/needs.txt`, kept true.

/// The needs of a module by that file; empty if the module is not there.
fn needs_of(module: &str) -> Vec<&'static str> {
    include_str!("../needs.txt")
        .lines()
        .find_map(|line| line.strip_prefix(module)?.strip_prefix(' '))
        .map_or_else(Vec::new, |needs| needs.split_whitespace().collect())
}

/// The modules that the file names.
pub(crate) fn modules_with_needs() -> Vec<&'static str> {
    include_str!("../needs.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Fails a test that uses what its module does not say that it needs: `scripts/test.sh` would not
/// install it for that module alone.
///
/// The test harness names a test's thread after the test. Threads that the test itself starts
/// have no such name: there nothing is checked, as the test as a whole has passed here before.
pub(crate) fn uses(what: &str) {
    let thread = std::thread::current();
    if let Some((module, _)) = thread.name().and_then(|name| name.split_once("::")) {
        assert!(
            needs_of(module).contains(&what),
            "the module {module} uses {what}: say so in tests/suite/needs.txt"
        );
    }
}

/// Fails a test that can't go on without something that is not installed.
pub(crate) fn not_installed(what: &str, directory: &std::path::Path) -> ! {
    panic!(
        "{what} is not in {}: run `scripts/test.sh NAME`, which installs what the tests with NAME in \
         their names need, or `scripts/test.sh`, which installs all",
        directory.display()
    );
}
