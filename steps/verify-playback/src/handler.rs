//! A viewer's check: the parent playlist, every rendition's playlist, the first and the last segment of each.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use reqwest::Url;
use vodline_contracts::{
    ErrorCode,
    packaging::{AssetEndpoint, PackagingFormat},
    playback::{PlaybackPaths, Receipt, RenditionReceipt},
    steps::{VerifyPlaybackInput, VerifyPlaybackOutput},
};
use vodline_step::{StepError, backoff::Backoff, time::rfc3339};

use crate::playlist::{self, Media};

/// Bytes of a playlist at most.
const PLAYLIST_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a segment at most: more than ten seconds of the ladder's top.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often a fetch is tried here; after that the state machine tries anew, later.
const TRIES: u32 = 3;
/// Between those.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(300), longest: Duration::from_secs(1) };
/// How much longer or shorter than the video a rendition may be: sound ends a little off the picture, and the last segment
/// is rounded.
const TOLERANCE_MS: u64 = 1_000;
const TOLERANCE_PART: u64 = 50;

/// An MPEG transport stream is packets of this many bytes, each of which begins with this one.
/// Source: ISO/IEC 13818-1, 2.4.3.2.
const TS_PACKET_BYTES: usize = 188;
const TS_SYNC_BYTE: u8 = 0x47;

/// What a viewer was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// HTTP's.
    pub status: u16,
    /// Empty where there is none.
    pub content_type: String,
    /// The whole of it.
    pub body: Vec<u8>,
}

/// What the step touches.
pub trait Ports {
    /// The site, without a slash at the end.
    fn site(&self) -> &Url;
    /// Gets an address as a viewer does, `bytes_max` at most. The error says in words what was in the way.
    fn fetch(&self, url: Url, bytes_max: u64) -> impl Future<Output = Result<Fetched, String>>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// Verifies the video.
///
/// # Errors
/// [`ErrorCode::PlaybackUnverified`], with the path and what was wrong there.
pub async fn handle(input: VerifyPlaybackInput, ports: &impl Ports) -> Result<VerifyPlaybackOutput, StepError> {
    let mut viewer = Viewer { ports, bytes_fetched: 0 };
    let mut playback = PlaybackPaths::default();
    let mut receipt = None;
    for endpoint in &input.endpoints {
        let path = site_path(endpoint, &input.path_prefix)?;
        let url = ports.site().join(&path).map_err(|_| unverified(&path, "it is no address"))?;
        match endpoint.format {
            PackagingFormat::Hls => {
                let renditions = viewer.hls(&url, &input).await?;
                receipt = Some((path.clone(), renditions));
                playback.hls = Some(path);
            }
            PackagingFormat::Cmaf => {
                viewer.cmaf(&url).await?;
                playback.cmaf = Some(path);
            }
            PackagingFormat::Dash => {
                viewer.dash(&url).await?;
                playback.dash = Some(path);
            }
        }
    }
    let (master_path, renditions) = receipt
        .ok_or_else(|| StepError::new(ErrorCode::PlaybackUnverified, "the asset has no HLS endpoint to verify"))?;
    let verified_at = rfc3339(ports.now());
    let receipt = Receipt { verified_at, master_path, renditions, bytes_fetched: viewer.bytes_fetched };
    tracing::info!(bytes = receipt.bytes_fetched, renditions = receipt.renditions.len(), "the video plays");
    Ok(VerifyPlaybackOutput { receipt, playback })
}

/// The path of the site at which the distribution serves an egress URL.
fn site_path(endpoint: &AssetEndpoint, path_prefix: &str) -> Result<String, StepError> {
    let url = Url::parse(&endpoint.url).map_err(|_| unverified(&endpoint.url, "it is no address"))?;
    Ok(format!("{path_prefix}{}", url.path()))
}

fn unverified(place: &str, words: &str) -> StepError {
    StepError::new(ErrorCode::PlaybackUnverified, format!("{place}: {words}"))
}

/// One viewer, who remembers how much was fetched.
struct Viewer<'a, P> {
    ports: &'a P,
    bytes_fetched: u64,
}

impl<P: Ports> Viewer<'_, P> {
    async fn hls(&mut self, url: &Url, input: &VerifyPlaybackInput) -> Result<Vec<RenditionReceipt>, StepError> {
        let variants = self.parent(url).await?;
        let found = variants.len();
        let expected = input.rendition_count;
        if u32::try_from(found).ok() != Some(expected) {
            return Err(unverified(url.path(), &format!("it has {found} renditions instead of {expected}")));
        }
        let mut receipts = Vec::new();
        for (variant, resolution) in variants {
            let media = self.media(&variant).await?;
            receipts.push(self.rendition(&variant, resolution, &media, input.duration_ms).await?);
        }
        Ok(receipts)
    }

    async fn rendition(
        &mut self,
        url: &Url,
        resolution: Option<String>,
        media: &Media,
        video_ms: u64,
    ) -> Result<RenditionReceipt, StepError> {
        let (Some(first), Some(last)) = (media.segments.first(), media.segments.last()) else {
            return Err(unverified(url.path(), "it has no segments"));
        };
        if !media.is_complete {
            return Err(unverified(url.path(), "it is not complete"));
        }
        let seconds: f64 = media.segments.iter().map(|segment| segment.seconds).sum();
        // `as` saturates.
        let duration_ms = (seconds * 1000.0).round() as u64;
        if duration_ms.abs_diff(video_ms) > TOLERANCE_MS.max(video_ms / TOLERANCE_PART) {
            return Err(unverified(url.path(), &format!("it is {duration_ms} ms long instead of {video_ms}")));
        }
        Ok(RenditionReceipt {
            playlist_path: url.path().to_owned(),
            resolution,
            segments: u32::try_from(media.segments.len()).unwrap_or(u32::MAX),
            duration_ms,
            first_segment_bytes: self.segment(&self.resolve(url, &first.uri)?).await?,
            last_segment_bytes: self.segment(&self.resolve(url, &last.uri)?).await?,
        })
    }

    /// A CMAF parent playlist and its renditions' playlists.
    async fn cmaf(&mut self, url: &Url) -> Result<(), StepError> {
        for (variant, _) in self.parent(url).await? {
            self.media(&variant).await?;
        }
        Ok(())
    }

    async fn dash(&mut self, url: &Url) -> Result<(), StepError> {
        let manifest = self.fetch(url, PLAYLIST_BYTES_MAX).await?;
        let is_manifest = String::from_utf8_lossy(&manifest.body).contains("<MPD");
        if is_manifest { Ok(()) } else { Err(unverified(url.path(), "it is no DASH manifest")) }
    }

    /// Where the renditions of a parent playlist are, and how large.
    async fn parent(&mut self, url: &Url) -> Result<Vec<(Url, Option<String>)>, StepError> {
        let fetched = self.fetch(url, PLAYLIST_BYTES_MAX).await?;
        let parent = playlist::parent(&String::from_utf8_lossy(&fetched.body))
            .map_err(|error| unverified(url.path(), &format!("it is no playlist: {error}")))?;
        let place = |variant: playlist::Variant| Ok((self.resolve(url, &variant.uri)?, variant.resolution));
        parent.variants.into_iter().map(place).collect()
    }

    async fn media(&mut self, url: &Url) -> Result<Media, StepError> {
        let fetched = self.fetch(url, PLAYLIST_BYTES_MAX).await?;
        playlist::media(&String::from_utf8_lossy(&fetched.body))
            .map_err(|error| unverified(url.path(), &format!("it is no playlist: {error}")))
    }

    /// Fetches a segment; its size.
    async fn segment(&mut self, url: &Url) -> Result<u64, StepError> {
        let fetched = self.fetch(url, SEGMENT_BYTES_MAX).await?;
        let begins_a_packet = |offset: usize| fetched.body.get(offset).is_none_or(|byte| *byte == TS_SYNC_BYTE);
        if fetched.body.len() < TS_PACKET_BYTES || !begins_a_packet(0) || !begins_a_packet(TS_PACKET_BYTES) {
            return Err(unverified(url.path(), "it is no MPEG transport stream"));
        }
        Ok(fetched.body.len() as u64)
    }

    /// The address a playlist means. It must be one of the site: nothing else is what viewers get.
    fn resolve(&self, playlist: &Url, uri: &str) -> Result<Url, StepError> {
        let url =
            playlist.join(uri).map_err(|_| unverified(playlist.path(), "it names something that is no address"))?;
        if url.origin() == self.ports.site().origin() {
            Ok(url)
        } else {
            Err(unverified(playlist.path(), "it leads away from the site"))
        }
    }

    /// Fetches an address, with a few tries: what was attached a moment ago may not be everywhere yet.
    async fn fetch(&mut self, url: &Url, bytes_max: u64) -> Result<Fetched, StepError> {
        let mut tries = 1;
        loop {
            let words = match self.ports.fetch(url.clone(), bytes_max).await {
                Ok(fetched) if fetched.status != 200 => format!("it answers {}", fetched.status),
                Ok(fetched) if fetched.content_type.starts_with("text/html") => "it is a web page".to_owned(),
                Ok(fetched) if fetched.body.is_empty() => "it is empty".to_owned(),
                Ok(fetched) => {
                    self.bytes_fetched += fetched.body.len() as u64;
                    return Ok(fetched);
                }
                Err(words) => words,
            };
            if tries == TRIES {
                return Err(unverified(url.path(), &words));
            }
            BACKOFF.pause(tries).await;
            tries += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::{cell::RefCell, collections::BTreeMap};

    use vodline_contracts::{VideoId, steps::Run};

    use super::*;

    const SITE: &str = "http://127.0.0.1:8080";

    /// A site of a few files, some of which appear only after a number of requests.
    struct Fake {
        site: Url,
        files: RefCell<BTreeMap<String, Fetched>>,
        late: RefCell<u32>,
    }

    impl Ports for Fake {
        fn site(&self) -> &Url {
            &self.site
        }

        async fn fetch(&self, url: Url, _: u64) -> Result<Fetched, String> {
            if *self.late.borrow() > 0 {
                *self.late.borrow_mut() -= 1;
                return Ok(file(403, "text/xml", b"<Error/>"));
            }
            self.files.borrow().get(url.path()).cloned().ok_or_else(|| "it did not answer".to_owned())
        }

        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    fn file(status: u16, content_type: &str, body: &[u8]) -> Fetched {
        Fetched { status, content_type: content_type.to_owned(), body: body.to_vec() }
    }

    fn playlist(text: &str) -> Fetched {
        file(200, "application/vnd.apple.mpegurl", text.as_bytes())
    }

    fn segment(packets: usize) -> Fetched {
        let mut packet = [0; TS_PACKET_BYTES];
        packet[0] = TS_SYNC_BYTE;
        file(200, "video/mp2t", &packet.repeat(packets))
    }

    /// Two renditions of 20 s in four segments.
    fn site() -> Fake {
        let media = "#EXTM3U\n#EXTINF:6,\n0.ts\n#EXTINF:6,\n1.ts\n#EXTINF:6,\n2.ts\n#EXTINF:2,\n3.ts\n#EXT-X-ENDLIST\n";
        let parent = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\nlow/index.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=1280x720\nhigh/index.m3u8\n";
        let mut files = BTreeMap::from([("/v/g/out/v1/a/index.m3u8".to_owned(), playlist(parent))]);
        for rendition in ["low", "high"] {
            files.insert(format!("/v/g/out/v1/a/{rendition}/index.m3u8"), playlist(media));
            files.insert(format!("/v/g/out/v1/a/{rendition}/0.ts"), segment(5));
            files.insert(format!("/v/g/out/v1/a/{rendition}/3.ts"), segment(2));
        }
        Fake { site: Url::parse(SITE).expect("a URL"), files: RefCell::new(files), late: RefCell::default() }
    }

    async fn call(fake: &Fake) -> Result<VerifyPlaybackOutput, StepError> {
        let run = Run { execution_arn: "e".to_owned(), state: "VerifyPlayback".to_owned(), retry_count: 0 };
        let endpoint = AssetEndpoint {
            configuration_id: "g-hls".to_owned(),
            format: PackagingFormat::Hls,
            url: "https://h.egress.example/out/v1/a/index.m3u8".to_owned(),
        };
        let input = VerifyPlaybackInput {
            run,
            video_id: VideoId::of_object("b", "k", "1"),
            endpoints: vec![endpoint],
            path_prefix: "/v/g".to_owned(),
            rendition_count: 2,
            duration_ms: 20_020,
        };
        handle(input, fake).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_video_that_plays_gets_a_receipt() {
        let output = call(&site()).await.expect("it plays");
        assert_eq!(output.playback.hls.as_deref(), Some("/v/g/out/v1/a/index.m3u8"));
        let low = &output.receipt.renditions[0];
        assert_eq!(low.playlist_path, "/v/g/out/v1/a/low/index.m3u8");
        assert_eq!((low.resolution.as_deref(), low.segments, low.duration_ms), (Some("640x360"), 4, 20_000));
        assert_eq!((low.first_segment_bytes, low.last_segment_bytes), (5 * 188, 2 * 188));
        assert!(output.receipt.bytes_fetched > 14 * 188);
        let fake = site();
        *fake.late.borrow_mut() = 2;
        call(&fake).await.expect("it plays a moment later");
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_play_is_said_with_its_place() {
        let check = async |path: &str, broken: Option<Fetched>, words: &str| {
            let fake = site();
            let path = format!("/v/g/out/v1/a/{path}");
            match broken {
                Some(broken) => fake.files.borrow_mut().insert(path, broken),
                None => fake.files.borrow_mut().remove(&path),
            };
            let error = call(&fake).await.expect_err("it does not play");
            assert_eq!(error.code(), ErrorCode::PlaybackUnverified);
            assert_eq!(error.to_string(), format!("/v/g/out/v1/a/{words}"));
        };
        check("index.m3u8", Some(file(403, "", b"x")), "index.m3u8: it answers 403").await;
        check("index.m3u8", Some(file(200, "text/html; charset=utf-8", b"x")), "index.m3u8: it is a web page").await;
        check("index.m3u8", Some(playlist("x")), "index.m3u8: it is no playlist: it does not begin with #EXTM3U").await;
        check("index.m3u8", Some(playlist("#EXTM3U\n")), "index.m3u8: it has 0 renditions instead of 2").await;
        let away = "#EXTM3U\n#EXT-X-STREAM-INF:X=1\nhttp://169.254.169.254/\n#EXT-X-STREAM-INF:X=1\na\n";
        check("index.m3u8", Some(playlist(away)), "index.m3u8: it leads away from the site").await;
        check("high/index.m3u8", Some(playlist("#EXTM3U\n")), "high/index.m3u8: it has no segments").await;
        let short = "#EXTM3U\n#EXTINF:6,\n0.ts\n#EXT-X-ENDLIST\n";
        check("high/index.m3u8", Some(playlist(short)), "high/index.m3u8: it is 6000 ms long instead of 20020").await;
        let open = "#EXTM3U\n#EXTINF:20,\n0.ts\n";
        check("low/index.m3u8", Some(playlist(open)), "low/index.m3u8: it is not complete").await;
        check("low/3.ts", None, "low/3.ts: it did not answer").await;
        check("low/3.ts", Some(file(200, "video/mp2t", b"")), "low/3.ts: it is empty").await;
        check("high/0.ts", Some(file(200, "video/mp2t", &[1; 400])), "high/0.ts: it is no MPEG transport stream").await;
    }
}
