//! What is told of each request.
//!
//! A request is logged when its answer has gone out, or broken off: the body carries the record and hands it over when it is
//! dropped.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{Either, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use jiff::Timestamp;

use super::{
    Plane,
    answer::Body,
    request::Viewer,
    routes::{Distribution, LogRoute},
    viewer_response::X_CACHE,
};
use crate::access_log::{AccessLogs, Record};

/// Sees to it that a request is logged, if its distribution logs.
pub(super) fn watch(
    plane: &Plane,
    distribution: Option<&Distribution>,
    viewer: Viewer,
    begun: Instant,
    response: Response<Body>,
) -> Response<Body> {
    let (Some(logs), Some(distribution)) = (&plane.access_logs, distribution) else { return response };
    let Some(route) = &distribution.log else { return response };
    let (head, body) = response.into_parts();
    let result = head.headers.get(X_CACHE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let record = Record {
        ended_at: Timestamp::UNIX_EPOCH,
        viewer: viewer.arrival.peer,
        scheme: viewer.arrival.scheme,
        method: viewer.method,
        version: viewer.version,
        uri: viewer.uri,
        request_headers: viewer.headers,
        domain_name: distribution.domain_name.clone(),
        request_id: viewer.id,
        status: head.status.as_u16(),
        result: result.strip_suffix(" from cloudfront").unwrap_or(result).to_owned(),
        complete: false,
        response_headers: head.headers.clone(),
        body_bytes: 0,
        first_byte: begun.elapsed(),
        taken: Duration::ZERO,
    };
    let expected = head.headers.get(header::CONTENT_LENGTH).and_then(length);
    let ended = body.is_end_stream();
    let pending = Pending { logs: logs.clone(), clock: plane.clock.clone(), route: route.clone(), record, begun };
    let watched = Watched { body, pending: Some(pending), sent: 0, expected, ended };
    Response::from_parts(head, Either::Right(UnsyncBoxBody::new(watched)))
}

fn length(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// A record that lacks its end.
struct Pending {
    logs: Arc<AccessLogs>,
    clock: Arc<dyn vodline_core::Clock>,
    route: Arc<LogRoute>,
    record: Record,
    begun: Instant,
}

/// A body on its way out, and the record of its request.
struct Watched {
    body: Body,
    pending: Option<Pending>,
    sent: u64,
    expected: Option<u64>,
    ended: bool,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        // Either kind of body fails with the same error, which the sum of them hides in a box.
        let polled = match &mut self.body {
            Either::Left(memory) => Pin::new(memory).poll_frame(context).map_err(|never| match never {}),
            Either::Right(stream) => Pin::new(stream).poll_frame(context),
        };
        match &polled {
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Ok(frame))) => {
                self.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.ended = self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(Pending { logs, clock, route, mut record, begun }) = self.pending.take() else { return };
        record.ended_at = clock.now();
        record.taken = begun.elapsed();
        record.body_bytes = self.sent;
        record.complete = self.ended || self.expected == Some(self.sent);
        logs.record(route, record);
    }
}
