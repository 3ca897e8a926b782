//! Sources made with ffmpeg, once per kind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// Tests of one program run side by side; each clip is made once.
static MAKING: Mutex<()> = Mutex::new(());

/// Where clips are kept between runs: `target/clips`.
#[must_use]
pub fn folder() -> PathBuf {
    // `target/<profile>/deps/<test>` -> `target/clips`.
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(3).unwrap().join("clips")
}

fn clip(name: &str, arguments: &[&str]) -> PathBuf {
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = folder().join(name);
    if !path.exists() {
        fs::create_dir_all(folder()).unwrap();
        // Made beside and moved into place: test programs may run side by side, and a killed one leaves no half clip.
        let unfinished = folder().join(format!("{}-{name}", std::process::id()));
        let status = Command::new("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-y"])
            .args(arguments)
            .arg(&unfinished)
            .status()
            .expect("ffmpeg starts");
        assert!(status.success(), "ffmpeg makes {name}");
        fs::rename(unfinished, &path).unwrap();
    }
    path
}

const ENCODE: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];

fn picture_and_sound(name: &str, size: &str, seconds: u32) -> PathBuf {
    let video = format!("testsrc2=size={size}:rate=30:duration={seconds}");
    let audio = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
    clip(name, &[&["-f", "lavfi", "-i", &video, "-f", "lavfi", "-i", &audio], ENCODE].concat())
}

/// Seven seconds of 720p with sound: more than two segments, two of them whole.
#[must_use]
pub fn short() -> PathBuf {
    picture_and_sound("short.mp4", "1280x720", 7)
}

/// Two seconds of 360p with sound: the least there is to do.
#[must_use]
pub fn tiny() -> PathBuf {
    picture_and_sound("tiny.mp4", "640x360", 2)
}

/// Forty seconds of 1080p: long enough to interrupt.
#[must_use]
pub fn long() -> PathBuf {
    picture_and_sound("long.mp4", "1920x1080", 40)
}

/// Sound without a picture.
#[must_use]
pub fn audio_only() -> PathBuf {
    clip("audio-only.m4a", &["-f", "lavfi", "-i", "sine=frequency=440:duration=3", "-c:a", "aac"])
}

/// A picture without sound.
#[must_use]
pub fn silent() -> PathBuf {
    clip(
        "silent.mp4",
        &[&["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=2", "-an"], &ENCODE[..6]].concat(),
    )
}

/// A picture that was filmed upright: 640 by 360 pixels, and a quarter turn in the metadata.
#[must_use]
pub fn portrait() -> PathBuf {
    let lying = silent();
    clip("portrait.mp4", &["-i", lying.to_str().unwrap(), "-c", "copy", "-metadata:s:v", "rotate=90"])
}

/// A picture with six channels of sound.
#[must_use]
pub fn surround() -> PathBuf {
    let sound = "sine=frequency=440:sample_rate=48000:duration=2,pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0";
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=2", "-f", "lavfi", "-i", sound];
    clip("surround.mp4", &[&picture, ENCODE].concat())
}

/// A picture with two tracks of sound, in two languages.
#[must_use]
pub fn two_languages() -> PathBuf {
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=2"];
    let english = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"];
    let german = ["-f", "lavfi", "-i", "sine=frequency=880:sample_rate=48000:duration=2"];
    let tracks = ["-map", "0:v", "-map", "1:a", "-map", "2:a"];
    let languages = ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"];
    clip("two-languages.mp4", &[&picture[..], &english, &german, &tracks, &languages, ENCODE].concat())
}

/// A video whose index at the end is cut off.
#[must_use]
pub fn truncated() -> PathBuf {
    let whole = fs::read(short()).unwrap();
    written("truncated.mp4", &whole[..whole.len() / 2])
}

/// Words that call themselves a video.
#[must_use]
pub fn text() -> PathBuf {
    written("text.mp4", b"#EXTM3U\nthis is no video, whatever its name says\n")
}

/// Nothing at all.
#[must_use]
pub fn empty() -> PathBuf {
    written("empty.mp4", b"")
}

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    fs::create_dir_all(folder()).unwrap();
    let path = folder().join(name);
    if fs::read(&path).ok().as_deref() != Some(bytes) {
        let unfinished = folder().join(format!("{}-{name}", std::process::id()));
        fs::write(&unfinished, bytes).unwrap();
        fs::rename(unfinished, &path).unwrap();
    }
    path
}

/// A copy of `file` under another name, in a folder of its own.
#[must_use]
pub fn renamed(file: &Path, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::copy(file, &path).unwrap();
    path
}
