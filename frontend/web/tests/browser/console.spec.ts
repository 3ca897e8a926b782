import { expect, type Page } from "@playwright/test";
import {
  failedRun,
  finishRedrivenRun,
  finishRun,
  goodRun,
  INPUT,
  PUBLISH,
  redriveRun,
  transcodingRun,
} from "../fixtures/publish";
import { Recorder } from "../fixtures/recorder";
import { expectAccessible, shoot, watchForComplaints } from "./checks";
import { test } from "./fixtures";
import type { Home } from "./stub/home";

const THEMES = ["light", "dark"] as const;
const NOW = Date.now() / 1000;

function addFailed(home: Home) {
  const { recorder, cursor } = failedRun(NOW - 600);
  const kept = home.addExecution("publish", "upload-harbour-at-dawn", PUBLISH, recorder.events, {
    status: "FAILED",
    stopDate: recorder.seconds,
    input: JSON.stringify(INPUT),
    error: "Vod.PlaybackUnverified",
    cause: JSON.stringify({
      errorType: "Vod.PlaybackUnverified",
      errorMessage: "the parent playlist answered 403 at the edge",
    }),
    redriveStatus: "REDRIVABLE",
  });
  return { kept, recorder, cursor };
}

function addGood(home: Home, name: string, agoSeconds: number) {
  const recorder = goodRun(NOW - agoSeconds);
  return home.addExecution("publish", name, PUBLISH, recorder.events, {
    status: "SUCCEEDED",
    stopDate: recorder.seconds,
    input: JSON.stringify(INPUT),
    output: '{"videoId":"v00000000000000000001"}',
  });
}

function state(page: Page, name: string) {
  return page
    .getByRole("group", { name: "States of the machine" })
    .getByRole("button", { name: new RegExp(`^${name},`) });
}

test.describe("list", () => {
  for (const theme of THEMES) {
    test(`machines and executions, ${theme}`, async ({ page, home }) => {
      home.addMachine("publish");
      home.addMachine("thumbnails");
      home.addMachine("quick", "EXPRESS");
      for (let index = 0; index < 70; index += 1) addGood(home, `upload-${index}`, 4_000 + index * 60);
      addFailed(home);
      const running = new Recorder(NOW - 20);
      transcodingRun(running);
      home.addExecution("publish", "upload-lock-gates", PUBLISH, running.events, { input: JSON.stringify(INPUT) });
      const expectNoComplaints = await watchForComplaints(page);
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(home.address("executions.html"));
      await expect(page.getByRole("row")).toHaveCount(51);
      await expect(page.getByRole("link", { name: "upload-lock-gates" })).toBeVisible();
      await shoot(page, `executions-${theme}`);
      await expectAccessible(page);
      await page.getByRole("button", { name: "Show more" }).click();
      await expect(page.getByRole("row")).toHaveCount(73);

      await page.getByLabel("Status").selectOption("Failed");
      await expect(page.getByRole("row")).toHaveCount(2);
      expect(page.url()).toContain("status=FAILED");
      await page.getByLabel("Status").selectOption("Any");
      await page.getByRole("searchbox", { name: "Name" }).fill("upload-69");
      await expect(page.getByRole("row")).toHaveCount(2);
      await page.reload();
      await expect(page.getByRole("row")).toHaveCount(2);

      await page.getByRole("link", { name: "thumbnails" }).click();
      await expect(page.getByText("No executions.")).toBeVisible();
      await page.getByRole("link", { name: "quick" }).click();
      await expect(page.getByText("Executions of an Express machine are not kept.")).toBeVisible();
      expectNoComplaints();
    });
  }

  test("a new execution", async ({ page, home }) => {
    home.addMachine("publish");
    addGood(home, "first", 100);
    await page.goto(home.address("executions.html"));
    await page.getByRole("button", { name: "New execution" }).click();
    await page.getByLabel("Input (JSON)").fill("{nonsense");
    await page.getByRole("button", { name: "Start" }).click();
    await expect(page.getByRole("alert")).toContainText("The input is not JSON");
    await shoot(page, "execution-new");
    await expectAccessible(page);
    await page.getByLabel("Input (JSON)").fill('{"answer": 42}');
    await page.getByLabel("Name (optional)").fill("by-hand");
    await page.getByRole("button", { name: "Start" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("by-hand");
    expect(home.calls.find(({ operation }) => operation === "StartExecution")?.input).toMatchObject({
      name: "by-hand",
      input: '{"answer": 42}',
    });
  });

  test("without a home it says so", async ({ page, home }) => {
    home.addMachine("publish");
    await page.route("**/console-config.json", (route) => route.fulfill({ status: 404 }));
    await page.goto(home.address("executions.html"));
    await expect(page.getByRole("alert")).toContainText("console-config.json cannot be read");
  });
});

test.describe("execution", () => {
  for (const theme of THEMES) {
    test(`a failed run is read and redriven, ${theme}`, async ({ page, home }) => {
      home.addMachine("publish");
      const { kept, recorder, cursor } = addFailed(home);
      home.onRedrive = (which) => {
        redriveRun(recorder, cursor);
        const { error: _error, cause: _cause, stopDate: _stop, ...rest } = which.execution;
        which.execution = { ...rest, status: "RUNNING", redriveCount: 1, redriveStatus: "NOT_REDRIVABLE" };
      };
      const expectNoComplaints = await watchForComplaints(page);
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(home.address(`execution.html?arn=${encodeURIComponent(kept.execution.executionArn)}`));
      await expect(page.getByRole("alert")).toContainText("The execution failed in VerifyPlayback");
      await expect(page.getByRole("alert")).toContainText("the parent playlist answered 403 at the edge");
      await expect(state(page, "VerifyPlayback")).toHaveAccessibleName("VerifyPlayback, Task, Failed");
      await expect(state(page, "StartJob")).toHaveAccessibleName("StartJob, Task, Succeeded");
      await expect(state(page, "AlreadyAdmitted")).toHaveAccessibleName("AlreadyAdmitted, Succeed, Not started");
      await shoot(page, `execution-failed-${theme}`);
      await expectAccessible(page);

      await page.getByRole("button", { name: "Redrive" }).click();
      await expect(state(page, "VerifyPlayback")).toHaveAccessibleName("VerifyPlayback, Task, Running");
      await expect(page.getByRole("alert")).toHaveCount(0);
      finishRedrivenRun(recorder, cursor);
      kept.execution = { ...kept.execution, status: "SUCCEEDED", stopDate: recorder.seconds, output: "{}" };
      await expect(state(page, "RecordCatalog")).toHaveAccessibleName("RecordCatalog, Task, Succeeded");
      await expect(state(page, "VerifyPlayback")).toHaveAccessibleName("VerifyPlayback, Task, Succeeded");
      await shoot(page, `execution-redriven-${theme}`);
      expectNoComplaints();
    });
  }

  test("the graph follows a run", async ({ page, home }) => {
    home.addMachine("publish");
    const recorder = new Recorder(NOW - 20);
    const { job } = transcodingRun(recorder);
    const kept = home.addExecution("publish", "live", PUBLISH, recorder.events, { input: JSON.stringify(INPUT) });
    await page.goto(home.address(`execution.html?arn=${encodeURIComponent(kept.execution.executionArn)}`));
    await expect(state(page, "StartJob")).toHaveAccessibleName("StartJob, Task, Running");
    await expect(state(page, "TranscodeAndPrepareDelivery")).toHaveAccessibleName(/Running$/);
    await shoot(page, "execution-running");
    finishRun(recorder, job);
    kept.execution = { ...kept.execution, status: "SUCCEEDED", stopDate: recorder.seconds, output: "{}" };
    await expect(state(page, "RecordCatalog")).toHaveAccessibleName("RecordCatalog, Task, Succeeded");
    await expect(page.getByRole("status").filter({ hasText: "The execution: Succeeded" })).toHaveCount(1);
  });

  test("table, events, input and output, definition", async ({ page, home }) => {
    home.addMachine("publish");
    const { kept } = addFailed(home);
    await page.goto(home.address(`execution.html?arn=${encodeURIComponent(kept.execution.executionArn)}`));
    await page.getByRole("tab", { name: "Table" }).click();
    await expect(page.getByRole("row")).toHaveCount(9);
    await shoot(page, "execution-table");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Close TranscodeAndPrepareDelivery" }).click();
    await expect(page.getByRole("row")).toHaveCount(6);

    await page.getByRole("tab", { name: "Events" }).first().click();
    await page.getByRole("searchbox").fill("TaskFailed");
    await expect(page.getByText("2 events")).toBeVisible();
    await page
      .getByRole("button", { name: /TaskFailed/ })
      .first()
      .click();
    await expect(page.getByRole("region", { name: "cause" })).toContainText("Vod.PlaybackUnverified");
    await shoot(page, "execution-events");
    await expectAccessible(page);

    await page.getByRole("tab", { name: "Input & output" }).click();
    await expect(page.getByRole("region", { name: "Input" })).toContainText("harbour at dawn.mp4");
    await shoot(page, "execution-data");
    await expectAccessible(page);
    await page.getByRole("tab", { name: "Definition" }).last().click();
    await expect(page.getByRole("region", { name: "Definition" })).toContainText('"StartAt": "AdmitUpload"');
    expect(page.url()).toContain("#definition");

    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export" }).click();
    expect((await download).suggestedFilename()).toBe("upload-harbour-at-dawn.json");
  });

  test("the keyboard walks through the graph", async ({ page, home }) => {
    home.addMachine("publish");
    const kept = addGood(home, "good", 100);
    await page.goto(home.address(`execution.html?arn=${encodeURIComponent(kept.execution.executionArn)}`));
    await state(page, "AdmitUpload").focus();
    await page.keyboard.press("ArrowDown");
    await expect(state(page, "ProbeSource")).toBeFocused();
    await page.keyboard.press("ArrowLeft");
    await expect(state(page, "AlreadyAdmitted")).toBeFocused();
    await page.keyboard.press("ArrowRight");
    await expect(state(page, "ProbeSource")).toBeFocused();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { level: 2, name: /StartJob|EnsurePackagingGroup/ })).toBeVisible();
    const tab = page.getByRole("tab", { name: "Graph" });
    await tab.focus();
    await page.keyboard.press("ArrowRight");
    await expect(page.getByRole("tab", { name: "Table" })).toBeFocused();
    await expect(page.getByRole("columnheader", { name: "Timeline" })).toBeVisible();
  });

  test("a running execution is stopped", async ({ page, home }) => {
    home.addMachine("publish");
    const recorder = new Recorder(NOW - 20);
    transcodingRun(recorder);
    const kept = home.addExecution("publish", "live", PUBLISH, recorder.events, { input: JSON.stringify(INPUT) });
    await page.goto(home.address(`execution.html?arn=${encodeURIComponent(kept.execution.executionArn)}`));
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByLabel("Cause (optional)").fill("wrong file");
    await page.getByRole("button", { name: "Stop it" }).click();
    await expect(page.getByText("The execution was stopped")).toBeVisible();
    expect(home.calls.find(({ operation }) => operation === "StopExecution")?.input).toMatchObject({
      cause: "wrong file",
    });
  });

  test("the new execution begins with this one's input", async ({ page, home }) => {
    home.addMachine("publish");
    const kept = addGood(home, "good", 100);
    await page.goto(home.address(`execution.html?arn=${encodeURIComponent(kept.execution.executionArn)}`));
    await page.getByRole("button", { name: "New execution" }).click();
    await expect(page.getByLabel("Input (JSON)")).toHaveValue(JSON.stringify(INPUT, null, 2));
  });

  test("on a phone", async ({ page, home }) => {
    home.addMachine("publish");
    const { kept } = addFailed(home);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(home.address(`execution.html?arn=${encodeURIComponent(kept.execution.executionArn)}`));
    await expect(state(page, "VerifyPlayback")).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await shoot(page, "execution-phone");
    await expectAccessible(page);
  });

  test("a wrong ARN says so", async ({ page, home }) => {
    await page.goto(home.address("execution.html?arn=nonsense"));
    await expect(page.getByRole("alert")).toContainText("ExecutionDoesNotExist");
    await expectAccessible(page);
  });
});
