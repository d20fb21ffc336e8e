//! What only a server of Prefect 1 says.

/// Why Prefect 1 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Prefect1Error {
    /// The API key is missing or wrong.
    #[error("{url} refused the API key")]
    Unauthenticated {
        /// The API's address.
        url: String,
    },
    /// There is something at the address, but not the API of Prefect 1.
    #[error("{url} is not the GraphQL API of Prefect 1: {reason}")]
    NotGraphQl {
        /// The API's address.
        url: String,
        /// What it is instead.
        reason: String,
    },
    /// The project does not exist.
    #[error("the project `{project}` does not exist")]
    ProjectMissing {
        /// The project.
        project: String,
    },
    /// The flow is larger than a request may be.
    #[error(
        "the flow is too large for the server: {kilobytes} kB compressed, and it takes about 5000 kB"
    )]
    TooLarge {
        /// The size of the request.
        kilobytes: usize,
    },
    /// The server understood and said no.
    #[error("the server refused it: {0}")]
    Refused(String),
    /// Another flowreg of this repository is registering.
    #[error(
        "another flowreg has been registering for {0} s, and only one at a time may: two at once would each make a first version of a new flow"
    )]
    Busy(u64),
}

impl Prefect1Error {
    /// The word that JSON uses.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated { .. } => "unauthorized",
            Self::NotGraphQl { .. } => "not_an_api",
            Self::ProjectMissing { .. } => "project_missing",
            Self::TooLarge { .. } => "too_large",
            Self::Refused(_) => "target_refused",
            Self::Busy(_) => "busy",
        }
    }

    /// What to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unauthenticated { .. } => {
                "prefect auth login --key KEY, or set PREFECT__CLOUD__API_KEY".to_owned()
            }
            Self::NotGraphQl { .. } => {
                "set PREFECT__CLOUD__API to the address of the API, for example \
                 http://localhost:4200"
                    .to_owned()
            }
            Self::ProjectMissing { project } => format!("prefect create project \"{project}\""),
            Self::TooLarge { .. } => {
                "split the flow: each of its tasks adds to its size".to_owned()
            }
            Self::Busy(_) => "run it again once the other one has ended".to_owned(),
            Self::Refused(_) => return None,
        })
    }
}
