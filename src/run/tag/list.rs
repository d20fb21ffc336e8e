//! The tags of a series, the highest version first: what `flowreg tag --list` shows.

use flowreg_git::ReferenceError;
use flowreg_git::tagging::SeriesTags;
use flowreg_model::{CommitId, RemoteName, TagName};
use jiff::Timestamp;
use serde::Serialize;

use super::request::{TagRequest, series};
use crate::run::{Opened, RunError};

/// The tags of a series.
#[derive(Debug, Serialize)]
pub(crate) struct TagList {
    /// The remote that was asked; `None`: they are those of this repository.
    pub remote: Option<RemoteName>,
    /// The highest version first.
    pub tags: Vec<ListedTag>,
    /// What is worth knowing.
    pub notices: Vec<String>,
}

/// A tag of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListedTag {
    /// The tag.
    pub tag: TagName,
    /// Its version, without the prefix.
    pub version: String,
    /// The commit that it leads to.
    pub commit: CommitId,
    /// When it was made, in RFC 3339; of a lightweight tag when the commit was. `None` if its object is
    /// not in this repository.
    pub date: Option<String>,
}

impl Opened<'_> {
    /// Lists the tags of a series: the remote's, or with `offline` those that are here.
    ///
    /// # Errors
    /// [`RunError`] if the series is not known, or the tags can't be read.
    pub(crate) fn list_tags(&self, request: &TagRequest) -> Result<TagList, RunError> {
        let repository = &self.repository;
        let settings = self.settings_at(&repository.head_commit()?, &request.run.reference)?;
        let remote = if request.offline {
            None
        } else {
            let name = settings.repository.remote.as_ref().map(|remote| &remote.value);
            Some(repository.remote(name)?.ok_or(ReferenceError::NoRemote)?)
        };
        let listed = repository.all_tags(remote.as_ref())?;
        let series = series(&settings, request.package.as_deref(), &listed)?;
        let held = SeriesTags::new(listed, &settings.tag.series, &series);
        let mut tags = Vec::new();
        for (version, tag) in held.iter() {
            let date = repository.tag_time(tag)?.and_then(|time| Timestamp::from_second(time).ok());
            tags.push(ListedTag {
                tag: tag.name.clone(),
                version: version.to_string(),
                commit: tag.commit.clone(),
                date: date.map(|date| date.to_string()),
            });
        }
        let too_large = held.notice_of_too_large();
        let remote = remote.map(|remote| remote.name);
        let undated = tags.iter().filter(|tag| tag.date.is_none()).count();
        let mut notices: Vec<String> = self.lacks_tags(request, &settings, tags.is_empty())?;
        notices.extend(too_large);
        if let Some(remote) = remote.as_ref().filter(|_| undated > 0) {
            let what = if undated == 1 { "tag is" } else { "tags are" };
            notices.push(format!(
                "{undated} {what} not in this repository, so the date is not known: git fetch {remote} --tags"
            ));
        }
        Ok(TagList { remote, tags, notices })
    }
}
