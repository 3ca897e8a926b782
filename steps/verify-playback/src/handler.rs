//! A viewer's check: every manifest, every rendition of it, the first and the last segment of each, sound too.

use std::{cell::Cell, future::Future, time::Duration};

use futures::future::try_join_all;
use jiff::Timestamp;
use reqwest::Url;
use vodline_contracts::{
    ErrorCode,
    packaging::PackagingFormat,
    playback::{ManifestReceipt, PlaybackPaths, Receipt, RenditionReceipt},
    steps::{VerifyPlaybackInput, VerifyPlaybackOutput},
};
use vodline_step::{StepError, backoff::Backoff, time::rfc3339};

use crate::{
    dash, playlist,
    segment::{self, Kind},
};

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

/// Verifies the video: all its manifests at the same time.
///
/// # Errors
/// [`ErrorCode::PlaybackUnverified`], with the path and what was wrong there.
pub async fn handle(input: VerifyPlaybackInput, ports: &impl Ports) -> Result<VerifyPlaybackOutput, StepError> {
    let viewer = Viewer { ports, bytes_fetched: Cell::new(0), input: &input };
    let seen = try_join_all(manifests(&input)?.into_iter().map(|(format, path)| viewer.manifest(format, path))).await?;

    // What players are told to open first comes first.
    let hls = seen.iter().find(|seen| seen.receipt.format == PackagingFormat::Hls);
    let main = hls.or_else(|| seen.iter().find(|seen| seen.receipt.format == PackagingFormat::Cmaf));
    let main =
        main.ok_or_else(|| StepError::new(ErrorCode::PlaybackUnverified, "there is no HLS parent playlist to verify"))?;
    let path = |format| seen.iter().map(|seen| &seen.receipt).find(|seen| seen.format == format).map(|seen| &seen.path);
    let playback = PlaybackPaths {
        hls: path(PackagingFormat::Hls).cloned(),
        dash: path(PackagingFormat::Dash).cloned(),
        cmaf: path(PackagingFormat::Cmaf).cloned(),
        mp4: None,
    };
    let receipt = Receipt {
        verified_at: rfc3339(ports.now()),
        master_path: main.receipt.path.clone(),
        renditions: main.renditions.clone(),
        manifests: seen.iter().map(|seen| seen.receipt.clone()).collect(),
        bytes_fetched: viewer.bytes_fetched.get(),
    };
    tracing::info!(bytes = receipt.bytes_fetched, manifests = receipt.manifests.len(), "the video plays");
    Ok(VerifyPlaybackOutput { receipt, playback })
}

/// The manifests to play from, as paths of the site: the asset's, or the job's own where there is no asset.
fn manifests(input: &VerifyPlaybackInput) -> Result<Vec<(PackagingFormat, String)>, StepError> {
    let path = |address: &str| {
        let url = Url::parse(address).map_err(|_| unverified(address, "it is no address"))?;
        // The path of an egress URL, or the key of an object: the distribution serves both as they are.
        Ok(format!("{}{}", input.path_prefix, url.path()))
    };
    if let (true, Some(job)) = (input.endpoints.is_empty(), &input.job) {
        let hls = (PackagingFormat::Cmaf, path(&job.hls_playlist_uri)?);
        let dash = job.dash_manifest_uri.as_deref().map(|uri| Ok((PackagingFormat::Dash, path(uri)?)));
        return std::iter::once(Ok(hls)).chain(dash).collect();
    }
    input.endpoints.iter().map(|endpoint| Ok((endpoint.format, path(&endpoint.url)?))).collect()
}

fn unverified(place: &str, words: &str) -> StepError {
    StepError::new(ErrorCode::PlaybackUnverified, format!("{place}: {words}"))
}

/// What was seen of a manifest.
struct Seen {
    receipt: ManifestReceipt,
    renditions: Vec<RenditionReceipt>,
}

/// Renditions, and tracks of sound beside them.
type Tracks = (Vec<RenditionReceipt>, Vec<RenditionReceipt>);

/// One viewer, who remembers how much was fetched.
struct Viewer<'a, P> {
    ports: &'a P,
    input: &'a VerifyPlaybackInput,
    bytes_fetched: Cell<u64>,
}

impl<P: Ports> Viewer<'_, P> {
    async fn manifest(&self, format: PackagingFormat, path: String) -> Result<Seen, StepError> {
        let url = self.ports.site().join(&path).map_err(|_| unverified(&path, "it is no address"))?;
        let (renditions, audio) = match format {
            PackagingFormat::Hls | PackagingFormat::Cmaf => self.hls(&url, format).await?,
            PackagingFormat::Dash => self.dash(&url).await?,
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let receipt = ManifestReceipt {
            format,
            path,
            renditions: count(renditions.len()),
            audio_tracks: count(audio.len()),
            segments: renditions.iter().chain(&audio).map(|track| track.segments).sum(),
        };
        Ok(Seen { receipt, renditions })
    }

    /// Plays from a parent playlist: its renditions, and the sound beside them.
    async fn hls(&self, url: &Url, format: PackagingFormat) -> Result<Tracks, StepError> {
        let fetched = self.fetch(url, PLAYLIST_BYTES_MAX).await?;
        let parent = playlist::parent(&String::from_utf8_lossy(&fetched.body))
            .map_err(|error| unverified(url.path(), &format!("it is no playlist: {error}")))?;
        self.expect_renditions(url, parent.variants.len())?;
        let mut renditions = Vec::new();
        for variant in parent.variants {
            let place = self.resolve(url, &variant.uri)?;
            renditions.push(self.media(&place, variant.resolution, format).await?);
        }
        let mut audio = Vec::new();
        for uri in parent.audio {
            audio.push(self.media(&self.resolve(url, &uri)?, None, format).await?);
        }
        Ok((renditions, audio))
    }

    /// Plays a rendition of a parent playlist, or its sound.
    async fn media(
        &self,
        url: &Url,
        resolution: Option<String>,
        format: PackagingFormat,
    ) -> Result<RenditionReceipt, StepError> {
        let fetched = self.fetch(url, PLAYLIST_BYTES_MAX).await?;
        let media = playlist::media(&String::from_utf8_lossy(&fetched.body))
            .map_err(|error| unverified(url.path(), &format!("it is no playlist: {error}")))?;
        let (Some(first), Some(last)) = (media.segments.first(), media.segments.last()) else {
            return Err(unverified(url.path(), "it has no segments"));
        };
        if !media.is_complete {
            return Err(unverified(url.path(), "it is not complete"));
        }
        let kind = match (&media.initialization, format) {
            (Some(initialization), _) => {
                self.segment(&self.resolve(url, initialization)?, Kind::Initialization).await?;
                Kind::Fragment
            }
            (None, PackagingFormat::Hls) => Kind::Stream,
            (None, _) => return Err(unverified(url.path(), "it has no initialisation segment")),
        };
        let seconds = media.segments.iter().map(|segment| segment.seconds).sum();
        Ok(RenditionReceipt {
            playlist_path: url.path().to_owned(),
            resolution,
            segments: u32::try_from(media.segments.len()).unwrap_or(u32::MAX),
            duration_ms: self.expect_duration(url, seconds)?,
            first_segment_bytes: self.segment(&self.resolve(url, &first.uri)?, kind).await?,
            last_segment_bytes: self.segment(&self.resolve(url, &last.uri)?, kind).await?,
        })
    }

    /// Plays from a DASH manifest. Where it has pictures, they are the renditions; where not, sound is.
    async fn dash(&self, url: &Url) -> Result<Tracks, StepError> {
        let fetched = self.fetch(url, PLAYLIST_BYTES_MAX).await?;
        let representations = dash::representations(&String::from_utf8_lossy(&fetched.body))
            .map_err(|error| unverified(url.path(), &format!("it is no DASH manifest: {error}")))?;
        let (pictures, sound): (Vec<_>, Vec<_>) = representations.iter().partition(|track| track.is_video);
        let (renditions, audio) = if pictures.is_empty() { (sound, pictures) } else { (pictures, sound) };
        self.expect_renditions(url, renditions.len())?;
        let play = async |tracks: Vec<&dash::Representation>| {
            let mut receipts = Vec::new();
            for track in tracks {
                receipts.push(self.representation(url, track).await?);
            }
            Ok::<_, StepError>(receipts)
        };
        Ok((play(renditions).await?, play(audio).await?))
    }

    async fn representation(&self, url: &Url, track: &dash::Representation) -> Result<RenditionReceipt, StepError> {
        self.segment(&self.resolve(url, &track.initialization)?, Kind::Initialization).await?;
        Ok(RenditionReceipt {
            playlist_path: url.path().to_owned(),
            resolution: track.resolution.clone(),
            segments: u32::try_from(track.segments).unwrap_or(u32::MAX),
            duration_ms: self.expect_duration(url, track.seconds)?,
            first_segment_bytes: self.segment(&self.resolve(url, &track.first)?, Kind::Fragment).await?,
            last_segment_bytes: self.segment(&self.resolve(url, &track.last)?, Kind::Fragment).await?,
        })
    }

    fn expect_renditions(&self, url: &Url, found: usize) -> Result<(), StepError> {
        let expected = self.input.rendition_count;
        if u32::try_from(found).ok() == Some(expected) {
            return Ok(());
        }
        Err(unverified(url.path(), &format!("it has {found} renditions instead of {expected}")))
    }

    /// The duration in milliseconds, which is roughly the video's.
    fn expect_duration(&self, url: &Url, seconds: f64) -> Result<u64, StepError> {
        let video_ms = self.input.duration_ms;
        // `as` saturates.
        let duration_ms = (seconds * 1000.0).round() as u64;
        if duration_ms.abs_diff(video_ms) > TOLERANCE_MS.max(video_ms / TOLERANCE_PART) {
            return Err(unverified(url.path(), &format!("it is {duration_ms} ms long instead of {video_ms}")));
        }
        Ok(duration_ms)
    }

    /// Fetches a segment; its size.
    async fn segment(&self, url: &Url, kind: Kind) -> Result<u64, StepError> {
        let fetched = self.fetch(url, SEGMENT_BYTES_MAX).await?;
        if !segment::is(&fetched.body, kind) {
            return Err(unverified(url.path(), kind.contradiction()));
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
    async fn fetch(&self, url: &Url, bytes_max: u64) -> Result<Fetched, StepError> {
        let mut tries = 1;
        loop {
            let words = match self.ports.fetch(url.clone(), bytes_max).await {
                Ok(fetched) if fetched.status != 200 => format!("it answers {}", fetched.status),
                Ok(fetched) if fetched.content_type.starts_with("text/html") => "it is a web page".to_owned(),
                Ok(fetched) if fetched.body.is_empty() => "it is empty".to_owned(),
                Ok(fetched) => {
                    self.bytes_fetched.set(self.bytes_fetched.get() + fetched.body.len() as u64);
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

    use vodline_contracts::{VideoId, packaging::AssetEndpoint, steps::Run};
    use vodline_testing::samples;

    use super::*;
    use crate::segment::tests::{fragment, initialization, stream};

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
        file(200, "video/mp2t", &stream(packets))
    }

    /// The same two renditions in CMAF and DASH, with their sound beside them.
    fn fragmented(folder: &str) -> BTreeMap<String, Fetched> {
        let media = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:6,\n0.mp4\n#EXTINF:6,\n1.mp4\n#EXTINF:8,\n2.mp4\n#EXT-X-ENDLIST\n";
        let parent = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"audio/index.m3u8\"\n\
            #EXT-X-STREAM-INF:AUDIO=\"a\",RESOLUTION=640x360\nlow/index.m3u8\n\
            #EXT-X-STREAM-INF:AUDIO=\"a\",RESOLUTION=1280x720\nhigh/index.m3u8\n";
        let template = "<SegmentTemplate timescale=\"1\" startNumber=\"0\" initialization=\"$RepresentationID$/init.mp4\" \
            media=\"$RepresentationID$/$Number$.mp4\"><SegmentTimeline><S d=\"6\" r=\"1\"/><S d=\"8\"/></SegmentTimeline></SegmentTemplate>";
        let mpd = format!(
            "<MPD><Period><AdaptationSet contentType=\"video\">{template}<Representation id=\"low\"/><Representation id=\"high\"/>\
             </AdaptationSet><AdaptationSet contentType=\"audio\">{template}<Representation id=\"audio\"/></AdaptationSet></Period></MPD>"
        );
        let mut files = BTreeMap::from([
            (format!("{folder}/master.m3u8"), playlist(parent)),
            (format!("{folder}/master.mpd"), file(200, "application/dash+xml", mpd.as_bytes())),
        ]);
        for track in ["low", "high", "audio"] {
            files.insert(format!("{folder}/{track}/index.m3u8"), playlist(media));
            files.insert(format!("{folder}/{track}/init.mp4"), file(200, "video/mp4", &initialization()));
            for number in [0, 2] {
                files.insert(format!("{folder}/{track}/{number}.mp4"), file(200, "video/mp4", &fragment()));
            }
        }
        files
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

    fn input(endpoints: &[(PackagingFormat, &str)]) -> VerifyPlaybackInput {
        let endpoint = |(format, path): &(PackagingFormat, &str)| AssetEndpoint {
            configuration_id: format!("g-{}", format.as_str()),
            format: *format,
            url: format!("https://h.egress.example{path}"),
        };
        VerifyPlaybackInput {
            run: Run { execution_arn: "e".to_owned(), state: "VerifyPlayback".to_owned(), retry_count: 0 },
            video_id: VideoId::of_object("b", "k", "1"),
            endpoints: endpoints.iter().map(endpoint).collect(),
            path_prefix: "/v/g".to_owned(),
            job: None,
            rendition_count: 2,
            duration_ms: 20_020,
        }
    }

    async fn call(fake: &Fake) -> Result<VerifyPlaybackOutput, StepError> {
        handle(input(&[(PackagingFormat::Hls, "/out/v1/a/index.m3u8")]), fake).await
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

    /// Renditions, tracks of sound, and segments of each manifest.
    fn counts(output: &VerifyPlaybackOutput) -> Vec<(PackagingFormat, u32, u32, u32)> {
        let manifests = output.receipt.manifests.iter();
        manifests.map(|seen| (seen.format, seen.renditions, seen.audio_tracks, seen.segments)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn every_format_is_played_and_hls_comes_first() {
        let fake = site();
        fake.files.borrow_mut().extend(fragmented("/v/g/out/v1/c"));
        let endpoints = [
            (PackagingFormat::Dash, "/out/v1/c/master.mpd"),
            (PackagingFormat::Hls, "/out/v1/a/index.m3u8"),
            (PackagingFormat::Cmaf, "/out/v1/c/master.m3u8"),
        ];
        let output = handle(input(&endpoints), &fake).await.expect("it plays");
        assert_eq!(output.receipt.master_path, "/v/g/out/v1/a/index.m3u8");
        assert_eq!(output.playback.dash.as_deref(), Some("/v/g/out/v1/c/master.mpd"));
        assert_eq!(output.playback.cmaf.as_deref(), Some("/v/g/out/v1/c/master.m3u8"));
        let expected =
            [(PackagingFormat::Dash, 2, 1, 9), (PackagingFormat::Hls, 2, 0, 8), (PackagingFormat::Cmaf, 2, 1, 9)];
        assert_eq!(counts(&output), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_job_packaged_is_played_as_it_is() {
        let fake = Fake { files: RefCell::new(fragmented("/media/v/cmaf")), ..site() };
        let mut job = samples::job_outputs("job-1");
        job.hls_playlist_uri = "s3://media/media/v/cmaf/master.m3u8".to_owned();
        job.dash_manifest_uri = Some("s3://media/media/v/cmaf/master.mpd".to_owned());
        let input = VerifyPlaybackInput { job: Some(job), path_prefix: String::new(), ..input(&[]) };
        let output = handle(input, &fake).await.expect("it plays");
        assert_eq!(output.receipt.master_path, "/media/v/cmaf/master.m3u8");
        assert_eq!((output.playback.hls, output.playback.dash.is_some()), (None, true));
        assert_eq!(output.receipt.renditions.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn fragments_are_looked_into_and_sound_is_too() {
        let check = async |path: &str, broken: Option<Fetched>, words: &str| {
            let fake = Fake { files: RefCell::new(fragmented("/v/g/c")), ..site() };
            match broken {
                Some(broken) => fake.files.borrow_mut().insert(format!("/v/g/c/{path}"), broken),
                None => fake.files.borrow_mut().remove(&format!("/v/g/c/{path}")),
            };
            for (format, path) in [(PackagingFormat::Cmaf, "/c/master.m3u8"), (PackagingFormat::Dash, "/c/master.mpd")]
            {
                let error = handle(input(&[(format, path)]), &fake).await.expect_err("it does not play");
                assert_eq!(error.to_string(), format!("/v/g/c/{words}"));
            }
        };
        check("audio/2.mp4", None, "audio/2.mp4: it did not answer").await;
        check("low/0.mp4", Some(segment(5)), "low/0.mp4: it is no fragment of an MP4").await;
        let swapped = file(200, "video/mp4", &fragment());
        check("high/init.mp4", Some(swapped), "high/init.mp4: it is no initialisation of an MP4").await;
    }

    #[tokio::test(start_paused = true)]
    async fn dash_is_held_against_the_video() {
        let check = async |change: &dyn Fn(&mut VerifyPlaybackInput), words: &str| {
            let fake = Fake { files: RefCell::new(fragmented("/v/g/c")), ..site() };
            let mut input = input(&[(PackagingFormat::Dash, "/c/master.mpd")]);
            change(&mut input);
            let error = handle(input, &fake).await.expect_err("it does not play");
            assert_eq!(error.to_string(), words);
        };
        check(&|input| input.rendition_count = 3, "/v/g/c/master.mpd: it has 2 renditions instead of 3").await;
        check(&|input| input.duration_ms = 60_000, "/v/g/c/master.mpd: it is 20000 ms long instead of 60000").await;
        // Without a parent playlist nothing plays everywhere.
        check(&|_| {}, "there is no HLS parent playlist to verify").await;
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
