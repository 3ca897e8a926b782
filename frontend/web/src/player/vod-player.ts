/**
 * `<vod-player>`: one video, played.
 *
 * Attributes, read when the element is connected: `src` (HLS parent playlist), `label` (title), `video-id` (remembers the
 * position under it), `poster`, `storyboard`, `start` (seconds; wins over the remembered position).
 *
 * Events, all bubbling: `vod-theatre` and `vod-help` (the viewer asks for them), `vod-error` with {@link PlayerErrorDetail}.
 *
 * Pages know nothing of what is inside. Today that is video.js 8.
 */

import "./no-dynamic-style";
import videojs from "video.js";
import "videojs-contrib-quality-menu";
import "video.js/dist/video-js.css";
import "videojs-contrib-quality-menu/dist/videojs-contrib-quality-menu.css";
import "./player.css";
import "./theatre-button";
import { DoubleTap } from "./double-tap";
import { prefer, preferences } from "./preferences";
import { recallPosition, rememberPosition } from "./resume";
import { type Command, commandFor, type Focus, isKept } from "./shortcuts";
import { attachStoryboard } from "./storyboard-preview";

type Player = ReturnType<typeof videojs>;

/** What went wrong, as the player tells it. */
export interface PlayerErrorDetail {
  code: number;
  message: string;
}

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const REMEMBER_EVERY_SECONDS = 5;
const FRAME_SECONDS = 1 / 30;
const HINT_MS = 700;

interface QualityLevel {
  width?: number;
  height?: number;
}

/** The element. */
export class VodPlayer extends HTMLElement {
  #player: Player | undefined;
  #hint: HTMLElement | undefined;
  #hintTimer: ReturnType<typeof setTimeout> | undefined;
  #detach: (() => void)[] = [];
  readonly #doubleTap = new DoubleTap();
  #touched = false;

  connectedCallback(): void {
    const video = document.createElement("video");
    video.className = "video-js vjs-fill";
    video.playsInline = true;
    video.setAttribute("aria-label", this.getAttribute("label") ?? "Video");
    this.#hint = document.createElement("div");
    this.#hint.className = "vod-hint";
    this.#hint.setAttribute("aria-hidden", "true");
    this.replaceChildren(video, this.#hint);

    const player = videojs(video, {
      controls: true,
      preload: "auto",
      poster: this.getAttribute("poster") ?? "",
      playbackRates: SPEEDS,
      // The element shows its own error card, with a way to try again.
      errorDisplay: false,
      // The keyboard map is our own: video.js has three of its keys.
      userActions: { hotkeys: false, doubleClick: () => this.#onDoubleClick() },
      // The same engine everywhere, so that the quality menu works everywhere; iOS without MediaSource keeps its own.
      html5: { vhs: { overrideNative: !videojs.browser.IS_SAFARI, useBandwidthFromLocalStorage: true } },
    });
    this.#player = player;
    this.#prepareQualityMenu(player);
    player.ready(() => {
      const bar = player.getChild("ControlBar");
      bar?.addChild("VodTheatreButton", {}, bar.children().length - 1);
    });
    this.#restorePreferences(player);
    this.#keepPosition(player);
    this.#describeSession();
    player.on("error", () => this.#showError());
    const storyboard = this.getAttribute("storyboard");
    if (storyboard) player.ready(() => this.#detach.push(attachStoryboard(player, storyboard)));

    const onKey = (event: KeyboardEvent) => this.#onKey(event);
    // While the event goes down: on its way up video.js stops every key that was pressed on one of its controls.
    document.addEventListener("keydown", onKey, { capture: true });
    this.#detach.push(() => document.removeEventListener("keydown", onKey, { capture: true }));
    video.addEventListener("pointerup", (event) => this.#onTap(event));

    this.#open(this.#startSeconds());
  }

  disconnectedCallback(): void {
    for (const detach of this.#detach.splice(0)) detach();
    clearTimeout(this.#hintTimer);
    this.#player?.dispose();
    this.#player = undefined;
    this.replaceChildren();
  }

  /** Where playback is, in seconds. */
  get currentSeconds(): number {
    return this.#player?.currentTime() ?? 0;
  }

  #startSeconds(): number {
    const asked = Number(this.getAttribute("start") ?? Number.NaN);
    if (Number.isFinite(asked)) return asked;
    return recallPosition(this.getAttribute("video-id") ?? "") ?? 0;
  }

  #open(atSeconds: number): void {
    const player = this.#player;
    if (!player) return;
    player.src({ src: this.getAttribute("src") ?? "", type: "application/x-mpegURL" });
    if (atSeconds > 0) player.one("loadedmetadata", () => player.currentTime(atSeconds));
  }

  /** Auto and the heights; what is chosen is remembered. */
  #prepareQualityMenu(player: Player): void {
    const extended = player as Player & {
      qualityLevels(): { on(type: string, listener: (event: { qualityLevel: QualityLevel }) => void): void };
      qualityMenu(options: object): void;
    };
    // The line names a rendition by its short side; the menu takes the height. They differ for portrait videos.
    extended.qualityLevels().on("addqualitylevel", ({ qualityLevel }) => {
      if (qualityLevel.width && qualityLevel.height) {
        qualityLevel.height = Math.min(qualityLevel.width, qualityLevel.height);
      }
    });
    extended.qualityMenu({ useResolutionLabels: true, defaultResolution: preferences().quality ?? "none" });

    // The menu tells nobody what was chosen, so look at it after each use.
    const look = () => {
      const chosen = this.querySelector(".vjs-quality-menu-wrapper .vjs-menu-item.vjs-selected .vjs-menu-item-text");
      const label = chosen?.textContent?.trim();
      if (!label) return;
      const quality = /^\d+p$/.test(label) ? label : undefined;
      if (quality !== preferences().quality) prefer({ quality });
    };
    for (const type of ["click", "keyup"]) {
      this.addEventListener(type, (event) => {
        if ((event.target as Element).closest(".vjs-quality-menu-wrapper")) look();
      });
    }
  }

  #restorePreferences(player: Player): void {
    const { volume, muted, speed } = preferences();
    if (volume !== undefined) player.volume(volume);
    if (muted !== undefined) player.muted(muted);
    if (speed !== undefined && SPEEDS.includes(speed)) player.defaultPlaybackRate(speed);
    player.on("volumechange", () => prefer({ volume: player.volume() ?? 1, muted: player.muted() ?? false }));
    player.one("loadedmetadata", () => {
      if (speed !== undefined && SPEEDS.includes(speed)) player.playbackRate(speed);
      player.on("ratechange", () => prefer({ speed: player.playbackRate() ?? 1 }));
    });
  }

  #keepPosition(player: Player): void {
    const videoId = this.getAttribute("video-id");
    if (!videoId) return;
    let kept = 0;
    const keep = () => {
      const seconds = player.currentTime() ?? 0;
      if (seconds === 0) return;
      kept = seconds;
      rememberPosition(videoId, seconds, player.duration() ?? 0);
    };
    player.on("timeupdate", () => {
      if (Math.abs((player.currentTime() ?? 0) - kept) >= REMEMBER_EVERY_SECONDS) keep();
    });
    player.on(["pause", "ended"], keep);
    window.addEventListener("pagehide", keep);
    this.#detach.push(keep, () => window.removeEventListener("pagehide", keep));
  }

  /** What the system's media controls show. */
  #describeSession(): void {
    if (!("mediaSession" in navigator)) return;
    const poster = this.getAttribute("poster");
    navigator.mediaSession.metadata = new MediaMetadata({
      title: this.getAttribute("label") ?? "",
      artwork: poster ? [{ src: new URL(poster, document.baseURI).href }] : [],
    });
  }

  #showError(): void {
    const error = this.#player?.error();
    if (!error) return;
    const detail: PlayerErrorDetail = { code: error.code, message: error.message ?? "" };
    const card = document.createElement("div");
    card.className = "vod-error";
    card.setAttribute("role", "alert");
    const title = document.createElement("h2");
    title.textContent = "The video does not play";
    const words = document.createElement("p");
    words.textContent = explain(detail.code);
    const technical = document.createElement("p");
    technical.className = "mono";
    technical.textContent = `Media error ${detail.code}: ${detail.message}`;
    const retry = document.createElement("button");
    retry.type = "button";
    retry.className = "button primary";
    retry.textContent = "Try again";
    retry.addEventListener("click", () => {
      const at = this.currentSeconds;
      card.remove();
      this.#player?.error(undefined);
      this.#open(at);
      this.#player?.play()?.catch(() => undefined);
    });
    card.append(title, words, technical, retry);
    this.querySelector(".vod-error")?.remove();
    this.append(card);
    this.#tell("vod-error", detail);
  }

  #onKey(event: KeyboardEvent): void {
    if (preferences().shortcutsOff || isKept(this.#focusOf(event.target), event.key)) return;
    const command = commandFor(event);
    if (command && this.#run(command)) event.preventDefault();
  }

  #focusOf(target: EventTarget | null): Focus {
    if (!(target instanceof Element)) return "page";
    const is = (selector: string) => target.closest(selector) !== null;
    if (is("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")) return "field";
    if (is("[role=menu], .vjs-menu")) return "menu";
    if (is("[aria-haspopup]")) return "menu button";
    if (is("[role=slider]")) return "slider";
    if (is("button, a, summary, [role=button], input")) return this.contains(target) ? "button" : "link";
    return this.contains(target) ? "player" : "page";
  }

  #onTap(event: PointerEvent): void {
    this.#touched = event.pointerType === "touch";
    if (!this.#touched || !(event.currentTarget instanceof HTMLElement)) return;
    const box = event.currentTarget.getBoundingClientRect();
    const seconds = this.#doubleTap.tap((event.clientX - box.left) / box.width, event.timeStamp);
    if (seconds !== undefined) this.#run({ kind: "seek-by", seconds });
  }

  /** With a mouse it is for full screen; of fingers it is a double tap, which seeks. */
  #onDoubleClick(): void {
    if (!this.#touched) this.#run({ kind: "toggle-fullscreen" });
  }

  #run(command: Command): boolean {
    const player = this.#player;
    if (!player) return false;
    switch (command.kind) {
      case "toggle-play":
        if (player.paused()) player.play()?.catch(() => undefined);
        else player.pause();
        return true;
      case "toggle-mute":
        player.muted(!player.muted());
        this.#say(player.muted() ? "Muted" : "Sound on");
        return true;
      case "toggle-fullscreen":
        void (player.isFullscreen() ? player.exitFullscreen() : player.requestFullscreen());
        return true;
      case "toggle-picture-in-picture":
        if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => undefined);
        else
          this.querySelector("video")
            ?.requestPictureInPicture?.()
            .catch(() => undefined);
        return true;
      case "toggle-captions":
        return this.#toggleCaptions(player);
      case "toggle-theatre":
        this.#tell("vod-theatre");
        return true;
      case "seek-by":
        this.#seek((player.currentTime() ?? 0) + command.seconds);
        this.#say(`${command.seconds > 0 ? "+" : "−"}${Math.abs(command.seconds)} s`);
        return true;
      case "seek-to-share":
        this.#seek((player.duration() ?? 0) * command.share);
        this.#say(`${Math.round(command.share * 100)} %`);
        return true;
      case "volume-by": {
        const volume = Math.min(1, Math.max(0, (player.volume() ?? 1) + command.amount));
        player.volume(volume);
        if (volume > 0) player.muted(false);
        this.#say(`Volume ${Math.round(volume * 100)} %`);
        return true;
      }
      case "speed-step": {
        const at = SPEEDS.indexOf(player.playbackRate() ?? 1);
        const speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + command.direction))] ?? 1;
        player.playbackRate(speed);
        this.#say(`${speed}×`);
        return true;
      }
      case "frame-step":
        if (!player.paused()) return false;
        this.#seek((player.currentTime() ?? 0) + command.direction * FRAME_SECONDS);
        return true;
      case "search": {
        const field = document.getElementById("search");
        field?.focus();
        return field !== null;
      }
      case "help":
        this.#tell("vod-help");
        return true;
    }
  }

  #seek(seconds: number): void {
    const duration = this.#player?.duration() ?? 0;
    this.#player?.currentTime(Math.min(duration, Math.max(0, seconds)));
  }

  #toggleCaptions(player: Player): boolean {
    const tracks = Array.from(player.textTracks() as unknown as ArrayLike<TextTrack>).filter(
      (track) => track.kind === "captions" || track.kind === "subtitles",
    );
    const first = tracks[0];
    if (!first) return false;
    const showing = tracks.find((track) => track.mode === "showing");
    if (showing) showing.mode = "disabled";
    else first.mode = "showing";
    this.#say(showing ? "Captions off" : "Captions on");
    return true;
  }

  /** Shows what a key did, for a moment. */
  #say(words: string): void {
    const hint = this.#hint;
    if (!hint) return;
    hint.textContent = words;
    hint.classList.add("shown");
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => hint.classList.remove("shown"), HINT_MS);
  }

  #tell(type: string, detail?: PlayerErrorDetail): void {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }));
  }
}

/** What a person reads of a media error: https://html.spec.whatwg.org/multipage/media.html#error-codes */
function explain(code: number): string {
  switch (code) {
    case 2:
      return "The connection broke off.";
    case 3:
      return "This browser could not decode what arrived.";
    case 4:
      return "The stream cannot be loaded, or this browser cannot play it.";
    default:
      return "Playback stopped unexpectedly.";
  }
}

customElements.define("vod-player", VodPlayer);
