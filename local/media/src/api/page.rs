//! Lists in pages: their order, their length, and where the next one begins.

use vodline_core::{AwsError, Request, StoreError};

use crate::{
    definition::{self, Definition},
    service::MediaConvert,
};

use super::bad_request;

/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`maxResults`).
const PAGE_MAX: usize = 20;

/// `order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

/// `listBy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListBy {
    Name,
    CreationDate,
}

pub(super) fn order(request: &Request) -> Result<Option<Order>, AwsError> {
    match request.query_value("order").as_deref() {
        None => Ok(None),
        Some("ASCENDING") => Ok(Some(Order::Ascending)),
        Some("DESCENDING") => Ok(Some(Order::Descending)),
        Some(other) => Err(bad_request(format!("order: {other} is neither ASCENDING nor DESCENDING"))),
    }
}

pub(super) fn limit(request: &Request) -> Result<usize, AwsError> {
    match request.query_value("maxResults") {
        None => Ok(PAGE_MAX),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| bad_request("maxResults: Should be between 1 and 20")),
    }
}

/// `usual` where the request does not say.
fn list_by(request: &Request, usual: ListBy) -> Result<ListBy, AwsError> {
    match request.query_value("listBy").as_deref() {
        None => Ok(usual),
        Some("NAME") => Ok(ListBy::Name),
        Some("CREATION_DATE") => Ok(ListBy::CreationDate),
        Some(other) => Err(bad_request(format!("listBy: {other} is not supported by the local home"))),
    }
}

impl MediaConvert {
    /// A page of a kind of definition, `more` among them, and the token of the next page. There are few definitions, so all are
    /// read and sorted.
    pub(super) fn definitions<D: Definition>(
        &self,
        request: &Request,
        usual: ListBy,
        more: Option<D>,
    ) -> Result<(Vec<D>, Option<String>), AwsError> {
        let (order, limit, list_by) = (order(request)?, limit(request)?, list_by(request, usual)?);
        let category = request.query_value("category");
        let mut all: Vec<D> = self.store.read::<_, StoreError>(|connection| definition::all(connection))?;
        all.extend(more);
        all.retain(|definition| category.is_none() || definition.header().category == category);
        all.sort_by_cached_key(|definition| {
            let header = definition.header();
            let time = if list_by == ListBy::CreationDate { header.created_ms } else { 0 };
            (time, header.name.clone())
        });
        if order == Some(Order::Descending) {
            all.reverse();
        }
        if let Some(token) = request.query_value("nextToken") {
            let last = all.iter().position(|definition| definition.header().name == token);
            let last = last.ok_or_else(|| bad_request("nextToken: is not one that was given out"))?;
            all.drain(..=last);
        }
        let further = all.len() > limit;
        all.truncate(limit);
        let token = all.last().filter(|_| further).map(|definition| definition.header().name.clone());
        Ok((all, token))
    }
}
