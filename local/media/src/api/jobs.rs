//! GetJob, ListJobs, SearchJobs, CancelJob.

use http::StatusCode;
use serde_json::json;
use vodline_core::{AwsError, Request, Response, StoreError};

use crate::{
    event::Happening,
    record::{JobRecord, Status},
    service::MediaConvert,
    store::{self, Filter},
};

use super::{
    answer, bad_request, not_found,
    page::{self, Order},
    shapes,
};

impl MediaConvert {
    pub(super) fn get_job(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:GetJob", &self.job_arn(id))?;
        let record = self.find(id)?;
        answer(StatusCode::OK, &shapes::JobAnswer { job: shapes::Job::new(&self.account, &record) })
    }

    pub(super) fn list_jobs(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:ListJobs", &self.queue_arn(request.query_value("queue").as_deref())?)?;
        self.page(request, None)
    }

    pub(super) fn search_jobs(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:SearchJobs", &self.queue_arn(request.query_value("queue").as_deref())?)?;
        self.page(request, request.query_value("inputFile"))
    }

    /// A job that has ended cannot be cancelled. A running one is stopped at once, whatever it has written by then stays.
    pub(super) fn cancel_job(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:CancelJob", &self.job_arn(id))?;
        self.find(id)?;
        let now = self.clock.now().as_millisecond();
        let canceled = self.change(id, Some(&Happening::Canceled), |record| {
            if !matches!(record.status, Status::Submitted | Status::Progressing) {
                return false;
            }
            record.status = Status::Canceled;
            record.finished_ms = Some(now);
            true
        })?;
        if canceled.is_none() {
            let message = format!("the job {id} has ended and cannot be canceled");
            return Err(AwsError::with_status(StatusCode::CONFLICT, "ConflictException", message));
        }
        self.stop(id);
        answer(StatusCode::ACCEPTED, &json!({}))
    }

    pub(super) fn job_arn(&self, id: &str) -> String {
        self.account.arn("mediaconvert", &format!("jobs/{id}"))
    }

    pub(super) fn find(&self, id: &str) -> Result<JobRecord, AwsError> {
        let record = self.store.read(|connection| store::get(connection, id))?;
        record.ok_or_else(|| not_found(format!("no job has the id {id}")))
    }

    fn page(&self, request: &Request, input: Option<String>) -> Result<Response, AwsError> {
        let ascending = page::order(request)? == Some(Order::Ascending);
        let queue = request.query_value("queue").map(|queue| self.queue_arn(Some(&queue))).transpose()?;
        let status = request
            .query_value("status")
            .map(|name| Status::parse(&name).ok_or_else(|| bad_request(format!("status: {name} is no job status"))))
            .transpose()?;
        let limit = page::limit(request)?;
        let after = request.query_value("nextToken").map(|token| position(&token)).transpose()?;
        let filter = Filter { status, queue, input, ascending, after, limit: limit + 1 };
        let mut records =
            self.store.read::<_, StoreError>(|connection| store::list(connection, &filter)).map_err(AwsError::from)?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next_token = records.last().filter(|_| more).map(|last| format!("{}~{}", last.created_ms, last.id));
        let jobs = records.iter().map(|record| shapes::Job::new(&self.account, record)).collect();
        answer(StatusCode::OK, &shapes::JobsAnswer { jobs, next_token })
    }
}

/// A token names the last job of the page before: its time and id.
fn position(token: &str) -> Result<(i64, String), AwsError> {
    token
        .split_once('~')
        .and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())))
        .ok_or_else(|| bad_request("nextToken: is not one that was given out"))
}
