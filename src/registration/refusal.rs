//! Why a registration is refused, and what to type then. When it is, is decided in `plan`, of work
//! pools in `pools`, of Prefect 1 in `run::prefect1`.

use flowreg_model::Field;

/// What a server offers if it has no work pool that a worker could poll.
pub(super) const NONE_USABLE: &str = "no usable one";

/// Why a guard refuses a registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else created the deployment.
    #[error("the deployment exists and was not created by flowreg")]
    NotOurs,
    /// Another repository registered the deployment.
    #[error("the deployment belongs to {owner}")]
    OtherRepository {
        /// The other repository's URL.
        owner: String,
    },
    /// The tag is registered already, at another commit.
    #[error("tag {tag} is registered at {held}, and is now at {wanted}")]
    MovedTag {
        /// The tag.
        tag: String,
        /// The commit at the target.
        held: String,
        /// The commit here.
        wanted: String,
    },
    /// The target holds a newer version.
    #[error("the target holds {held}, which is a higher version than {wanted}")]
    Downgrade {
        /// The version at the target.
        held: String,
        /// The version that was to be registered.
        wanted: String,
    },
    /// No work pool is configured, and the target offers none or several.
    #[error("no work pool is configured, and the server has {offered}")]
    NoWorkPool {
        /// What the server has, in words.
        offered: String,
    },
    /// A flow of Prefect 1 was not registered from this repository.
    #[error("project `{project}` has the flow already, {}", owner_in_words(.owner.as_ref()))]
    FlowOfOthers {
        /// The project.
        project: String,
        /// The repository that its storage names.
        owner: Option<String>,
    },
    /// The project of Prefect 1 does not exist.
    #[error("the project `{project}` does not exist")]
    ProjectMissing {
        /// The project.
        project: String,
    },
    /// Of several schedules without a slug some were edited and some are new or gone, and people
    /// have switched one of them off.
    #[error(
        "schedules without a slug were edited, and others of them are new or gone: which of them \
         people have switched off can't be told any more"
    )]
    AmbiguousSchedules,
    /// Two schedules of one deployment have the same slug.
    #[error("two schedules have the slug `{slug}`")]
    DuplicateSlug {
        /// The slug.
        slug: String,
    },
    /// The work pool does not exist.
    #[error("work pool `{pool}` does not exist; the server has {offered}")]
    WorkPoolMissing {
        /// The configured one.
        pool: String,
        /// What the server has, in words.
        offered: String,
    },
}

/// What to do about a deployment that is somebody else's.
const ADOPT: &str = "to take it over: flowreg … --adopt, which as a plan shows what goes and what stays; or give ours another \
     name: [flow.\"NAME\"] deployment = \"…\"";

fn alias_hint(owner: &str) -> String {
    format!("if that is this repository: [repository] aliases = [\"{owner}\"]")
}

fn owner_in_words(owner: Option<&String>) -> String {
    owner.map_or_else(
        || "and it was not registered from a repository".to_owned(),
        |owner| format!("and it belongs to {owner}"),
    )
}

impl Refusal {
    /// The word that JSON uses.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOurs | Self::FlowOfOthers { owner: None, .. } => "not_ours",
            Self::OtherRepository { .. } | Self::FlowOfOthers { .. } => "other_repository",
            Self::MovedTag { .. } => "moved_tag",
            Self::Downgrade { .. } => "downgrade",
            Self::NoWorkPool { .. } => "no_work_pool",
            Self::WorkPoolMissing { .. } => "work_pool_missing",
            Self::DuplicateSlug { .. } => "duplicate_slug",
            Self::AmbiguousSchedules => "ambiguous_schedules",
            Self::ProjectMissing { .. } => "project_missing",
        }
    }

    /// The field that it is about; `None` for the deployment as a whole.
    pub(crate) fn field(&self) -> Option<Field<'static>> {
        match self {
            Self::WorkPoolMissing { .. } => Some(Field::WorkPoolName),
            Self::DuplicateSlug { .. } | Self::AmbiguousSchedules => Some(Field::Schedules),
            _ => None,
        }
    }

    /// Whether it is a mistake of the declaration, whatever the target holds.
    pub(crate) fn is_mistake(&self) -> bool {
        matches!(self, Self::DuplicateSlug { .. })
    }

    /// Whether it stays refused however often it is tried: the target has a higher version, or the tag at
    /// another commit.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Downgrade { .. } | Self::MovedTag { .. })
    }

    /// What to type.
    pub(crate) fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NotOurs => ADOPT,
            Self::OtherRepository { owner } => return vec![ADOPT.to_owned(), alias_hint(owner)],
            Self::MovedTag { .. } => {
                "give the new commit a tag of its own: a tag that is registered stays at its commit"
            }
            Self::Downgrade { .. } => "to go back on purpose: flowreg … --allow-downgrade",
            Self::NoWorkPool { offered } if offered == NONE_USABLE => {
                "create one: prefect work-pool create NAME --type process"
            }
            Self::NoWorkPool { .. } => {
                "choose one in flowreg.toml: [mainline] work_pool = \"NAME\" and [feature] work_pool = \"NAME\""
            }
            Self::FlowOfOthers { owner, .. } => {
                let adopt = "to take it over: flowreg … --adopt, or register into another project: [prefect1] project";
                return std::iter::once(adopt.to_owned())
                    .chain(owner.as_deref().map(alias_hint))
                    .collect();
            }
            Self::ProjectMissing { project } => {
                return vec![format!("prefect create project \"{project}\"")];
            }
            Self::AmbiguousSchedules => {
                "give the edited schedules a slug, then they start switched on; or edit rules in one \
                 step, and add or remove schedules in another"
            }
            Self::DuplicateSlug { .. } => "give each schedule of a deployment a slug of its own",
            Self::WorkPoolMissing { .. } => {
                "create it with `prefect work-pool create NAME --type process`, or change work_pool in flowreg.toml"
            }
        };
        vec![hint.to_owned()]
    }
}
