//! The site and the console in a real browser, on a real home.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use vodline_tests::{Home, client_environment, clips, root, text};

#[test]
fn a_browser_watches_uploads_and_redrives() {
    let home = Home::start();
    let row = home.upload(&clips::short(), &["--title", "Test picture, seven seconds"]);
    assert_eq!(row["status"], "READY", "{row:#}");

    // A run whose cause is mended by the time somebody looks at it.
    let watermark = format!("s3://{}/assets/watermark.png", home.output("MediaBucket"));
    let aws = |arguments: &[&str]| {
        let bin = std::env::var_os("VODLINE_AWS_BIN").map(std::path::PathBuf::from).unwrap_or_default();
        let output = Command::new(bin.join("aws")).args(arguments).envs(client_environment(&home)).output().unwrap();
        assert!(output.status.success(), "aws {arguments:?}: {}", text(&output));
    };
    aws(&["s3", "rm", &watermark]);
    let failed = home.upload(&clips::tiny(), &["--title", "Without a watermark"]);
    assert_eq!(failed["error"]["code"], "Vod.TranscodeFailed", "{failed:#}");
    aws(&["s3", "cp", root().join("assets/watermark.png").to_str().unwrap(), &watermark]);

    let shots = clips::folder().with_file_name("screenshots");
    std::fs::create_dir_all(&shots).unwrap();
    let output = Command::new("node")
        .arg(root().join("tests/browser.mjs"))
        .arg(home.site(""))
        .arg(row["videoId"].as_str().unwrap())
        .arg(home.print(&["status", "--upload-key"]).trim())
        .arg(clips::tiny())
        .arg(format!("{}/_console/", home.endpoint()))
        .arg(failed["executionArn"].as_str().unwrap())
        .arg(&shots)
        .output()
        .unwrap();
    assert!(output.status.success(), "see {}: {}", shots.display(), text(&output));
}
