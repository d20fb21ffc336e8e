//! The keys that `flowreg.toml` may have, table by table.

use super::prefect1_table;
use super::tag::{PACKAGE_KEYS, TAG_KEYS};

/// The keys of a table: their names, and which of them hold tables with known keys.
///
/// The structs of `file` know the same names. They are repeated here because serde's error about an
/// unknown key has neither its position nor the nearest known key; a test checks that each name here
/// is one that is read.
pub(super) struct Keys {
    /// Empty: any name is allowed.
    pub names: &'static [&'static str],
    /// The keys of a table below one of them.
    pub below: fn(&str) -> Option<&'static Keys>,
}

/// The names of all settings of the file, without their tables; the tables themselves are none.
pub(crate) fn file_keys() -> Vec<&'static str> {
    let tables = [&REPOSITORY, &FLOWS, &MANIFEST, &MAINLINE, &FEATURE, &TAG, &HOOKS];
    tables.iter().flat_map(|table| table.names).copied().collect()
}

const NOTHING_BELOW: fn(&str) -> Option<&'static Keys> = |_| None;

/// The keys of the file.
pub(super) static ROOT: Keys = Keys {
    names: &[
        "target",
        "repository",
        "flows",
        "manifest",
        "prefect1",
        "mainline",
        "feature",
        "tag",
        "hooks",
        "flow",
    ],
    below: |name| match name {
        "repository" => Some(&REPOSITORY),
        "flows" => Some(&FLOWS),
        "manifest" => Some(&MANIFEST),
        "prefect1" => Some(&PREFECT1),
        "mainline" => Some(&MAINLINE),
        "feature" => Some(&FEATURE),
        "tag" => Some(&TAG),
        "hooks" => Some(&HOOKS),
        "flow" => Some(&ANY_FLOW),
        _ => None,
    },
};
static REPOSITORY: Keys = Keys {
    names: &[
        "remote",
        "url",
        "aliases",
        "access_token",
        "credentials",
        "mainline",
        "untagged",
        "pin",
        "unpinned",
        "submodules",
    ],
    below: NOTHING_BELOW,
};
static FLOWS: Keys = Keys {
    names: &["include", "exclude", "search_path", "python", "introspect", "deploy_calls"],
    below: NOTHING_BELOW,
};
static MANIFEST: Keys = Keys { names: &["files"], below: NOTHING_BELOW };
static PREFECT1: Keys = Keys { names: prefect1_table::KEYS, below: RUN_CONFIG_BELOW };
static RUN_CONFIG: Keys = Keys { names: prefect1_table::RUN_CONFIG_KEYS, below: NOTHING_BELOW };
const RUN_CONFIG_BELOW: fn(&str) -> Option<&'static Keys> =
    |name| (name == "run_config").then_some(&RUN_CONFIG);
static MAINLINE: Keys = Keys {
    names: &[
        "work_pool",
        "work_queue",
        "tags",
        "schedules",
        "job_variables",
        "run_config",
        "require_tag_on_mainline",
        "require_signed_tags",
    ],
    below: RUN_CONFIG_BELOW,
};
static TAG: Keys =
    Keys { names: TAG_KEYS, below: |name| (name == "package").then_some(&ANY_PACKAGE) };
/// The keys are names of packages: any.
static ANY_PACKAGE: Keys = Keys { names: &[], below: |_| Some(&PACKAGE) };
static PACKAGE: Keys = Keys { names: PACKAGE_KEYS, below: NOTHING_BELOW };
static FEATURE: Keys = Keys {
    names: &[
        "work_pool",
        "work_queue",
        "tags",
        "schedules",
        "job_variables",
        "run_config",
        "on_delete",
    ],
    below: RUN_CONFIG_BELOW,
};
static HOOKS: Keys = Keys { names: &["blocking", "time_limit"], below: NOTHING_BELOW };
/// The keys are names of flows: any.
static ANY_FLOW: Keys = Keys { names: &[], below: |_| Some(&FLOW) };
static FLOW: Keys = Keys {
    names: &[
        "deployment",
        "description",
        "parameters",
        "tags",
        "work_pool",
        "work_queue",
        "job_variables",
        "schedules",
        "run_config",
        "storage",
        "image_name",
        "image_tag",
        "path",
        "unpinned",
    ],
    below: |name| match name {
        "schedules" => Some(&SCHEDULE),
        "run_config" => Some(&RUN_CONFIG),
        _ => None,
    },
};
static SCHEDULE: Keys = Keys {
    names: &[
        "cron",
        "interval",
        "rrule",
        "timezone",
        "day_or",
        "anchor_date",
        "active",
        "parameters",
        "slug",
    ],
    below: NOTHING_BELOW,
};
