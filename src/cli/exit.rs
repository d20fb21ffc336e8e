//! The exit codes, as `docs/exit-codes.md` documents them.

/// Done, or nothing to do.
pub(super) const DONE: u8 = 0;
/// A guard refused.
pub(super) const REFUSED: u8 = 1;
/// The command line is wrong.
pub(super) const USAGE: u8 = 2;
/// `flowreg.toml`, or the configuration of Prefect, is wrong.
pub(super) const CONFIGURATION: u8 = 3;
/// The state of the repository or of the reference does not allow it.
pub(super) const GIT: u8 = 4;
/// The source of a flow is not valid.
pub(super) const FLOW_SOURCE: u8 = 5;
/// The target refused.
pub(super) const TARGET_REFUSED: u8 = 6;
/// The target could not be reached; the same command is safe to repeat.
pub(super) const TARGET_UNREACHABLE: u8 = 7;
/// Some were registered, some were not.
pub(super) const PARTIAL: u8 = 8;
/// `plan --exit-code`: there are changes.
pub(super) const CHANGES: u8 = 9;
/// `tag`: nothing to release by the commits, although flows are affected since the last tag.
pub(super) const NOTHING_TO_RELEASE: u8 = 11;
/// A bug in flowreg.
pub(super) const BUG: u8 = 70;
/// Interrupted by Ctrl-C: what the shell makes of the signal.
pub const INTERRUPTED: u8 = 130;

/// Says that what was printed did not arrive: the result may be half of one.
pub(super) fn report_lost_output() -> u8 {
    anstream::eprintln!("error: standard output could not be written");
    BUG
}

/// Every exit code and what it means, in the words of `docs/exit-codes.md`.
pub const ALL: &[(u8, &str)] = &[
    (DONE, "done, or nothing to do"),
    (REFUSED, "refused by a guard"),
    (USAGE, "usage"),
    (CONFIGURATION, "configuration"),
    (GIT, "git state or reference"),
    (FLOW_SOURCE, "flow source invalid"),
    (TARGET_REFUSED, "target refused"),
    (TARGET_UNREACHABLE, "target unreachable (safe to repeat)"),
    (PARTIAL, "partial: some are or would be registered, some not"),
    (CHANGES, "`plan --exit-code`: changes"),
    (
        NOTHING_TO_RELEASE,
        "`tag`: nothing to release by the commits, although flows are affected since the last tag",
    ),
    (BUG, "a bug in flowreg, or its output could not be written"),
    (INTERRUPTED, "interrupted"),
];
