//! `cargo xtask demo`: from a clean clone to a video that plays.

use std::path::PathBuf;

use serde_json::Value;

use crate::{
    Outcome,
    home::{self, Home, Place, Profile},
    shell::{output, root},
    tools,
};

/// Length of the sample that is made when no video is given.
const SAMPLE_SECONDS: u32 = 20;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Put this video through instead of a sample.
    #[arg(long)]
    video: Option<PathBuf>,
    /// End when the video's fate is known: exit 0 only when it is READY and its receipt holds.
    #[arg(long)]
    once: bool,
    /// Where the home keeps its data.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port of the AWS APIs.
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// Port of the edge.
    #[arg(long, default_value_t = 8080)]
    edge_port: u16,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    tools::ffmpeg()?;
    home::build(Profile::Dev)?;
    home::build_site()?;
    let (video, title) = match &arguments.video {
        Some(video) => {
            let path = std::path::absolute(video).map_err(|error| format!("{}: {error}", video.display()))?;
            (path, None)
        }
        None => {
            let path = root().join("target/demo/sample.mp4");
            home::sample(&path, SAMPLE_SECONDS)?;
            (path, Some("Sample: twenty seconds of test picture"))
        }
    };
    let place = Place {
        data: arguments.data.clone().unwrap_or_else(|| root().join("data")),
        port: arguments.port,
        edge_port: arguments.edge_port,
    };
    println!("==> start the home; its data is in {}", place.data.display());
    let mut home = Home::start(Profile::Dev, &place)?;
    println!("==> upload {} and follow its run", video.display());
    let mut upload = home.vodline();
    upload.arg("upload").arg(&video).arg("--json");
    if let Some(title) = title {
        upload.args(["--title", title]);
    }
    let row: Value =
        serde_json::from_str(&output(&mut upload)?).map_err(|error| format!("the row cannot be read: {error}"))?;
    check_receipt(&row)?;
    let id = row["videoId"].as_str().unwrap_or_default();
    let site = home.output("SiteUrl")?;
    println!();
    println!("The video plays:   {site}/watch.html?v={id}");
    println!("The catalogue:     {site}/");
    println!("Upload your own:   {site}/upload.html#key={}", upload_key(&home)?);
    println!("See the run:       http://127.0.0.1:{}/_console/executions.html", arguments.port);
    if arguments.once {
        return Ok(());
    }
    println!("\nThe home stays up; Ctrl-C ends it. `target/debug/vodline --help` has the rest.");
    home.wait()
}

/// The receipt holds when every rendition was seen to play for the video's whole length.
fn check_receipt(row: &Value) -> Outcome {
    let renditions = row["receipt"]["renditions"].as_array().filter(|all| !all.is_empty());
    let renditions = renditions.ok_or("the row has no receipt")?;
    let planned = row["renditions"].as_array().map_or(0, Vec::len);
    if row["status"] != "READY" || renditions.len() != planned {
        return Err(format!(
            "{} of {planned} renditions were seen to play; the row is {}",
            renditions.len(),
            row["status"]
        ));
    }
    for rendition in renditions {
        if rendition["firstSegmentBytes"].as_u64().unwrap_or(0) == 0
            || rendition["lastSegmentBytes"].as_u64().unwrap_or(0) == 0
        {
            return Err(format!("the receipt has an empty segment: {rendition}"));
        }
    }
    println!("==> READY; the receipt holds for {planned} renditions");
    Ok(())
}

fn upload_key(home: &Home) -> Outcome<String> {
    let text = output(home.vodline().args(["status", "--upload-key"]))?;
    Ok(text.trim().to_owned())
}
