//! One page.

use vodline_api_kit::{Failure, Request, query};
use vodline_catalog::{Catalog, Cursor};
use vodline_contracts::api::VideoList;

/// Videos on a page, unless the caller says.
const LIMIT: u16 = 24;
/// Videos on a page at most.
const LIMIT_MAX: u16 = 50;

/// What the handler touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
}

/// The page.
///
/// # Errors
/// A bad request, and what DynamoDB answers.
pub async fn handle(request: &Request, ports: &impl Ports) -> Result<VideoList, Failure> {
    let limit = match query(request, "limit") {
        None => LIMIT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| Failure::bad_request(format!("the limit is a number from 1 to {LIMIT_MAX}")))?,
    };
    let cursor = query(request, "cursor")
        .map(Cursor::decode)
        .transpose()
        .map_err(|error| Failure::bad_request(error.to_string()))?;
    let page = ports.catalog().newest_first(limit, cursor.as_ref()).await?;
    Ok(VideoList { videos: page.videos, next_cursor: page.next.map(|cursor| cursor.encode()) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use serde_json::json;
    use vodline_contracts::{VideoId, video::Video};
    use vodline_testing::samples::{self, at};

    use super::*;

    struct Fake(Catalog);

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.0
        }
    }

    fn request(query: &[(&str, &str)]) -> Request {
        let query: std::collections::BTreeMap<_, _> = query.iter().copied().collect();
        let http = json!({ "method": "GET", "path": "/api/videos", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1" });
        let request = json!({
            "version": "2.0", "routeKey": "GET /api/videos", "rawPath": "/api/videos", "headers": {},
            "queryStringParameters": query, "requestContext": { "http": http, "timeEpoch": 0 },
            "isBase64Encoded": false,
        });
        serde_json::from_value(request).expect("a request")
    }

    #[tokio::test]
    async fn pages_follow_each_other_and_nonsense_is_refused() {
        let catalog = vodline_testing::catalog();
        for second in 0..3 {
            let created_at = vodline_step::time::rfc3339(at(second));
            let video_id = VideoId::of_object("b", &second.to_string(), "1");
            let video = Video { video_id, created_at, title: second.to_string(), ..samples::video() };
            catalog.admit(&video).await.expect("admitted");
        }
        let fake = Fake(catalog);
        let titles = |list: &VideoList| list.videos.iter().map(|video| video.title.clone()).collect::<String>();

        let all = handle(&request(&[]), &fake).await.expect("a page");
        assert_eq!((titles(&all).as_str(), all.next_cursor), ("210", None));
        let first = handle(&request(&[("limit", "2")]), &fake).await.expect("a page");
        assert_eq!(titles(&first), "21");
        let cursor = first.next_cursor.expect("more");
        let second = handle(&request(&[("limit", "2"), ("cursor", &cursor)]), &fake).await.expect("a page");
        assert_eq!((titles(&second).as_str(), second.next_cursor), ("0", None));

        for query in [("limit", "0"), ("limit", "51"), ("limit", "x"), ("limit", "-1"), ("cursor", "x"), ("cursor", "")]
        {
            let failure = handle(&request(&[query]), &fake).await.expect_err("refused");
            assert_eq!(failure.code(), "BadRequest", "{query:?}");
        }
    }
}
