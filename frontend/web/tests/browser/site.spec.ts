import { expect, type Page } from "@playwright/test";
import { expectAccessible, shoot, watchForComplaints } from "./checks";
import { test } from "./fixtures";
import { ordinaryDay } from "./stub/site";
import { failedVideo, inState, processingVideo, readyVideo, soundVideo, videoId } from "./stub/videos";

const THEMES = ["light", "dark"] as const;

test.describe("catalogue", () => {
  for (const theme of THEMES) {
    test(`an ordinary day, ${theme}`, async ({ page, site }) => {
      site.videos = ordinaryDay();
      const expectNoComplaints = await watchForComplaints(page);
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(site.origin);
      await expect(page.getByRole("heading", { level: 2 })).toHaveCount(18);
      await expect(page.getByText("Transcoding 42 %")).toBeVisible();
      await expect(page.getByText("Vod.UnsupportedSource")).toBeVisible();
      // A title is text, whatever it looks like.
      await expect(page.getByRole("link", { name: "<img src=x onerror=alert(1)>" })).toBeVisible();
      await shoot(page, `catalogue-${theme}`);
      await expectAccessible(page);
      expectNoComplaints();
    });
  }

  test("on a phone", async ({ page, site }) => {
    site.videos = ordinaryDay();
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(site.origin);
    await expect(page.getByText("How the lock gates work")).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await shoot(page, "catalogue-phone");
    await expectAccessible(page);
  });

  test("rows refresh by themselves until everything is through", async ({ page, site }) => {
    site.videos = [processingVideo(1, 12, { title: "Fresh" }), readyVideo(2)];
    await page.goto(site.origin);
    await expect(page.getByText("Transcoding 12 %")).toBeVisible();
    site.videos = [processingVideo(1, 77, { title: "Fresh" }), readyVideo(2)];
    await expect(page.getByText("Transcoding 77 %")).toBeVisible();
    site.videos = [readyVideo(1, { title: "Fresh" }), readyVideo(2)];
    await expect(page.getByText("Transcoding")).toHaveCount(0);
    await expect(page.getByRole("status").filter({ hasText: "Fresh: ready to watch" })).toHaveCount(1);
  });

  test("further pages come on request", async ({ page, site }) => {
    site.videos = Array.from({ length: 60 }, (_, index) => readyVideo(index + 1));
    await page.goto(site.origin);
    const cards = page.getByRole("heading", { level: 2 });
    await expect(cards).toHaveCount(24);
    await page.getByRole("button", { name: "Show more" }).click();
    await expect(cards).toHaveCount(48);
    await page.getByRole("button", { name: "Show more" }).click();
    await expect(cards).toHaveCount(60);
    await expect(page.getByRole("button", { name: "Show more" })).toHaveCount(0);
  });

  test("a search looks through all pages and lives in the address", async ({ page, site }) => {
    site.videos = Array.from({ length: 60 }, (_, index) => readyVideo(index + 1));
    await page.goto(`${site.origin}/index.html?q=card+59`);
    await expect(page.getByRole("heading", { level: 2 })).toHaveText(["Test card 59"]);
    await page.getByRole("searchbox").fill("nowhere");
    await expect(page.getByText("No video matches")).toBeVisible();
    expect(page.url()).toContain("q=nowhere");
    await shoot(page, "catalogue-no-match");
  });

  test("nothing there yet", async ({ page, site }) => {
    await page.goto(site.origin);
    await expect(page.getByText("No videos yet")).toBeVisible();
    await shoot(page, "catalogue-empty");
    await expectAccessible(page);
  });

  test("a failing API is told, and tried again", async ({ page, site }) => {
    site.videos = [readyVideo(1)];
    site.failLists = 3;
    await page.goto(site.origin);
    await expect(page.getByRole("alert")).toContainText("The table cannot be read.");
    await shoot(page, "catalogue-error");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByText("Test card 1")).toBeVisible();
  });

  test("the theme is switched and remembered", async ({ page, site }) => {
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(site.origin);
    await page.getByRole("button", { name: "Change to dark theme" }).click();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
    await page.reload();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  });

  test("a mouse that rests on a card runs through its storyboard", async ({ page, site }) => {
    site.videos = [readyVideo(1)];
    await page.goto(site.origin);
    await page.getByRole("link", { name: "Test card 1" }).hover();
    await expect(page.locator(".hover-preview")).toBeVisible();
    await page.mouse.move(5, 700);
    await expect(page.locator(".hover-preview")).toBeHidden();
  });

  test("the keyboard reaches everything", async ({ page, site }) => {
    site.videos = [readyVideo(1)];
    await page.goto(site.origin);
    await expect(page.getByText("Test card 1")).toBeVisible();
    await page.keyboard.press("Tab");
    await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await expect(page.getByRole("link", { name: "Test card 1" })).toBeFocused();
  });
});

test.describe("watch", () => {
  // Functions, not strings: the policy of the pages refuses `eval`, and the tests do not bypass it.
  const facts = (page: Page) =>
    page.locator("video").evaluate((video: HTMLVideoElement) => ({
      seconds: video.currentTime,
      height: video.videoHeight,
      paused: video.paused,
      speed: video.playbackRate,
    }));
  const expectSeconds = (page: Page) => expect.poll(async () => (await facts(page)).seconds);
  const expectHeight = (page: Page) => expect.poll(async () => (await facts(page)).height);
  const expectPaused = (page: Page) => expect.poll(async () => (await facts(page)).paused);

  test("plays, seeks by keyboard, changes quality, remembers", async ({ page, site }) => {
    site.videos = ordinaryDay();
    const expectNoComplaints = await watchForComplaints(page);
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("How the lock gates work");
    await expect(page).toHaveTitle("How the lock gates work · Vodline");
    await expect(page.locator(".vjs-big-play-button")).toBeVisible();
    await shoot(page, "watch-light");

    await page.locator("vod-player").getByRole("button", { name: "Play Video" }).click();
    await expectSeconds(page).toBeGreaterThan(0.5);
    expect((await facts(page)).height).toBeGreaterThan(0);

    await page.keyboard.press("k");
    await expectPaused(page).toBe(true);
    const before = (await facts(page)).seconds;
    await page.keyboard.press("l");
    await expectSeconds(page).toBeGreaterThan(before + 9);

    await page.getByRole("button", { name: "Quality Levels" }).click();
    const items = page.locator(".vjs-quality-menu-wrapper .vjs-menu-item-text");
    await expect(items).toHaveText(["720p", "360p", "Auto"]);
    await shoot(page, "watch-quality");
    await page.locator(".vjs-quality-menu-wrapper .vjs-menu-item").filter({ hasText: "360p" }).click();
    await expect(items.first()).toBeHidden();
    await page.keyboard.press("0");
    await expectSeconds(page).toBeLessThan(1);
    await page.keyboard.press("k");
    await expectPaused(page).toBe(false);
    await expectHeight(page).toBe(360);

    await page.keyboard.press("5");
    await expectSeconds(page).toBeGreaterThan(11);
    await page.keyboard.press("k");
    await expectPaused(page).toBe(true);
    await page.reload();
    await expectSeconds(page).toBeGreaterThan(10);
    await expectHeight(page).toBe(360);
    expectNoComplaints();
  });

  test("help, theatre and speed by keyboard", async ({ page, site }) => {
    site.videos = ordinaryDay();
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
    await page.locator(".vjs-big-play-button").waitFor();
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await expect(help).toBeVisible();
    await shoot(page, "watch-help");
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await expect(help).toBeHidden();
    await page.keyboard.press("t");
    await expect(page.locator(".watch.theatre")).toBeVisible();
    await page.keyboard.press(">");
    await expect.poll(async () => (await facts(page)).speed).toBe(1.25);

    await page.getByRole("button", { name: "Keyboard" }).click();
    await page.getByRole("checkbox", { name: "Shortcuts are on" }).uncheck();
    await page.keyboard.press("Escape");
    await page.keyboard.press("t");
    await expect(page.locator(".watch.theatre")).toBeVisible();
  });

  test("keys work whatever control has the focus", async ({ page, site }) => {
    site.videos = ordinaryDay();
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
    await page.locator(".vjs-big-play-button").click();
    await expectSeconds(page).toBeGreaterThan(0.3);
    await page.getByRole("button", { name: "Mute" }).focus();
    await page.keyboard.press("k");
    await expectPaused(page).toBe(true);
    await page.keyboard.press("End");
    await expectSeconds(page).toBeGreaterThan(23);
    // The seek bar keeps its own keys.
    await page.getByRole("slider", { name: "Progress Bar" }).focus();
    await page.keyboard.press("Home");
    await expectSeconds(page).toBeLessThan(1);
    // The search field keeps all of them.
    await page.keyboard.press("/");
    await page.keyboard.type("k l");
    await expect(page.getByRole("searchbox")).toHaveValue("k l");
    await expectPaused(page).toBe(true);
  });

  test("the link at this time is copied", async ({ page, site, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    site.videos = ordinaryDay();
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}&t=12`);
    await expectSeconds(page).toBeGreaterThanOrEqual(12);
    await page.getByRole("button", { name: "Copy link at this time" }).click();
    await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      `${site.origin}/watch.html?v=${videoId(2)}&t=12s`,
    );
  });

  test("a link leads to a moment", async ({ page, site }) => {
    site.videos = ordinaryDay();
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}&t=0m15s`);
    await expectSeconds(page).toBeGreaterThanOrEqual(15);
  });

  for (const theme of THEMES) {
    test(`accessible, ${theme}`, async ({ page, site }) => {
      site.videos = ordinaryDay();
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
      await page.locator(".vjs-big-play-button").waitFor();
      await shoot(page, `watch-${theme}`);
      await expectAccessible(page);
    });
  }

  test("the storyboard shows above the seek bar", async ({ page, site }) => {
    site.videos = ordinaryDay();
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
    await page.locator(".vjs-big-play-button").click();
    await expectSeconds(page).toBeGreaterThan(0.3);
    const bar = await page.locator(".vjs-progress-holder").boundingBox();
    if (!bar) throw new Error("no seek bar");
    await page.mouse.move(bar.x + bar.width * 0.7, bar.y + bar.height / 2);
    await expect(page.locator(".vod-storyboard")).toBeVisible();
    await shoot(page, "watch-storyboard");
  });

  test("every stream is linked to, and sound alone is a video too", async ({ page, site }) => {
    site.videos = [readyVideo(1), soundVideo(2)];
    await page.goto(`${site.origin}/watch.html?v=${videoId(1)}`);
    const streams = page.getByRole("region", { name: "Streams" });
    await expect(streams.getByRole("link")).toHaveText(["master.m3u8", "master.mpd"]);
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
    await expect(page.getByText("128k")).toBeVisible();
    await expect(streams.getByRole("link")).toHaveText(["master.m3u8"]);
    await expect(page.locator("dt:text-is('Picture') + dd")).toHaveText("None");
    // The player is given what there is.
    await expect(page.locator("vod-player")).toHaveAttribute("src", /master\.m3u8$/);
    await expectAccessible(page);
  });

  test("a stream that does not come is told, and tried again", async ({ page, site }) => {
    site.videos = ordinaryDay();
    site.streamsFail = true;
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
    await expect(page.getByRole("alert")).toContainText("The video does not play");
    await shoot(page, "watch-error");
    await expectAccessible(page);
    site.streamsFail = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await expectSeconds(page).toBeGreaterThan(0.3);
    await expect(page.getByRole("alert")).toHaveCount(0);
  });

  test("on a phone", async ({ page, site }) => {
    site.videos = ordinaryDay();
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${site.origin}/watch.html?v=${videoId(2)}`);
    await page.locator(".vjs-big-play-button").waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await shoot(page, "watch-phone");
    await expectAccessible(page);
  });

  test("a video in the making shows its states and then plays", async ({ page, site }) => {
    const making = processingVideo(1, 42);
    site.videos = [making];
    site.details.set(making.videoId, [inState(making, 1), inState(making, 2), { video: readyVideo(1) }]);
    await page.goto(`${site.origin}/watch.html?v=${making.videoId}`);
    await expect(page.getByText("Probe source")).toBeVisible();
    await expect(page.getByText("Start job")).toBeVisible();
    await shoot(page, "watch-processing");
    await expect(page.locator("vod-player")).toBeVisible();
  });

  test("a failed video says why", async ({ page, site }) => {
    const failed = failedVideo(1);
    site.details.set(failed.videoId, [inState(failed, 1, true)]);
    await page.goto(`${site.origin}/watch.html?v=${failed.videoId}`);
    await expect(page.getByRole("alert")).toContainText("the upload has no video track");
    await shoot(page, "watch-failed");
    await expectAccessible(page);
  });

  test("a wrong link says so", async ({ page, site }) => {
    for (const id of ["", "nonsense", videoId(99)]) {
      await page.goto(`${site.origin}/watch.html?v=${id}`);
      await expect(page.getByText("There is no such video")).toBeVisible();
    }
    await expectAccessible(page);
  });
});
