import { describe, expect, test } from "vitest";
import { History, statusByState, type Visit } from "../../src/console/history";
import { tableRows } from "../../src/console/table-rows";
import { failedRun, finishRedrivenRun, goodRun, redriveRun, transcodingRun } from "../fixtures/publish";
import { Recorder } from "../fixtures/recorder";

/** A history in brief: `parent/name[iteration]: status`. */
function brief(visits: readonly Visit[]): string[] {
  return visits.map((visit) => {
    const iteration = visit.iteration === undefined ? "" : `[${visit.iteration}]`;
    return `${visit.parent ? `${visit.parent.name}/` : ""}${visit.name}${iteration}: ${visit.status}`;
  });
}

function check(recorder: Recorder, expected: string[]): Visit[] {
  const { visits } = new History(recorder.events);
  expect(brief(visits)).toEqual(expected);
  return visits;
}

const DELIVERY = "TranscodeAndPrepareDelivery";

describe("the publish machine", () => {
  test("while it transcodes", () => {
    const recorder = new Recorder();
    transcodingRun(recorder);
    check(recorder, [
      "AdmitUpload: succeeded",
      "ProbeSource: succeeded",
      `${DELIVERY}: running`,
      `${DELIVERY}/StartJob: running`,
      `${DELIVERY}/EnsurePackagingGroup: succeeded`,
      `${DELIVERY}/AttachOrigin: succeeded`,
    ]);
  });

  test("when all went well", () => {
    const visits = check(goodRun(), [
      "AdmitUpload: succeeded",
      "ProbeSource: succeeded",
      `${DELIVERY}: succeeded`,
      `${DELIVERY}/StartJob: succeeded`,
      `${DELIVERY}/EnsurePackagingGroup: succeeded`,
      `${DELIVERY}/AttachOrigin: succeeded`,
      "IngestAsset: succeeded",
      "VerifyPlayback: succeeded",
      "RecordCatalog: succeeded",
    ]);
    expect(visits[0]).toMatchObject({ type: "Task", resource: "lambda:invoke", attempts: 1, output: '{"ok":true}' });
  });

  test("failed after a retry, redriven, succeeded", () => {
    const { recorder, cursor } = failedRun();
    const failed = new History(recorder.events).visits.at(-1);
    expect(failed).toMatchObject({
      name: "VerifyPlayback",
      status: "failed",
      attempts: 2,
      error: "Vod.PlaybackUnverified",
    });

    redriveRun(recorder, cursor);
    const again = new History(recorder.events).visits.at(-1);
    expect(again).toMatchObject({
      name: "VerifyPlayback",
      status: "running",
      attempts: 3,
      error: undefined,
      leftAt: undefined,
    });

    finishRedrivenRun(recorder, cursor);
    const { visits } = new History(recorder.events);
    expect(brief(visits).slice(-2)).toEqual(["VerifyPlayback: succeeded", "RecordCatalog: succeeded"]);
    expect(visits.filter((visit) => visit.name === "VerifyPlayback")).toHaveLength(1);
  });

  test("every event belongs to its state", () => {
    const { recorder } = failedRun();
    const { visits, stateOf } = new History(recorder.events);
    for (const visit of visits) {
      expect(visit.events.length).toBeGreaterThanOrEqual(2);
      expect(new Set(visit.events.map((id) => stateOf.get(id)))).toEqual(new Set([visit.name]));
    }
  });
});

describe("redrives", () => {
  test("branches go on side by side, whichever comes first", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Parallel", "Both");
    recorder.add(cursor, "ParallelStateStarted");
    const [left, right, third] = [{ ...cursor }, { ...cursor }, { ...cursor }];
    recorder.enter(left, "Task", "Left");
    recorder.begin(left, { FunctionName: "left", Payload: { taskToken: "1" } });
    recorder.enter(right, "Task", "Right");
    recorder.begin(right, { FunctionName: "right", Payload: { taskToken: "2" } });
    recorder.enter(third, "Wait", "Pause");
    recorder.fail(left, "Boom", "it went off");
    recorder.add(left, "ParallelStateFailed", { error: "Boom", cause: "it went off" });
    recorder.add(left, "ExecutionFailed", { error: "Boom" });
    check(recorder, ["Both: failed", "Both/Left: failed", "Both/Right: aborted", "Both/Pause: aborted"]);

    const redriven = { previous: recorder.events.length };
    recorder.add(redriven, "ExecutionRedriven", { redriveCount: 1 });
    check(recorder, ["Both: running", "Both/Left: running", "Both/Right: running", "Both/Pause: running"]);
    const [rightAgain, leftAgain, pauseAgain] = [{ ...redriven }, { ...redriven }, { ...redriven }];
    recorder.begin(rightAgain, { FunctionName: "right", Payload: { taskToken: "3" } });
    recorder.begin(leftAgain, { FunctionName: "left", Payload: { taskToken: "4" } });
    recorder.exit(pauseAgain, "Wait", "Pause");
    recorder.succeed(rightAgain);
    recorder.exit(rightAgain, "Task", "Right");
    const visits = check(recorder, [
      "Both: running",
      "Both/Left: running",
      "Both/Right: succeeded",
      "Both/Pause: succeeded",
    ]);
    expect(visits.map(({ attempts }) => attempts)).toEqual([0, 2, 2, 0]);
  });

  test("a Fail state is entered anew", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Fail", "Refuse");
    recorder.add(cursor, "ExecutionFailed", { error: "No" });
    recorder.add(cursor, "ExecutionRedriven", { redriveCount: 1 });
    check(recorder, ["Refuse: failed"]);
    recorder.enter(cursor, "Fail", "Refuse");
    check(recorder, ["Refuse: failed", "Refuse: running"]);
  });

  test("an aborted execution goes on too", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Task", "A");
    recorder.begin(cursor);
    const stopped = { previous: 0 };
    recorder.add(stopped, "ExecutionAborted");
    recorder.add(stopped, "ExecutionRedriven", { redriveCount: 1 });
    recorder.begin(stopped);
    recorder.succeed(stopped);
    recorder.exit(stopped, "Task", "A");
    check(recorder, ["A: succeeded"]);
  });

  test("what a Catch has dealt with stays as it is", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Task", "A");
    recorder.begin(cursor);
    recorder.fail(cursor, "Boom", "it went off");
    recorder.exit(cursor, "Task", "A");
    recorder.enter(cursor, "Task", "B");
    recorder.begin(cursor);
    recorder.fail(cursor, "Bang", "so did this");
    recorder.add(cursor, "ExecutionFailed", { error: "Bang" });
    recorder.add(cursor, "ExecutionRedriven", { redriveCount: 1 });
    check(recorder, ["A: caught", "B: running"]);
  });
});

describe("how states end", () => {
  test("an error that is caught", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Task", "A");
    recorder.begin(cursor);
    recorder.fail(cursor, "Boom", "it went off");
    recorder.exit(cursor, "Task", "A");
    recorder.enter(cursor, "Pass", "Recover");
    recorder.exit(cursor, "Pass", "Recover");
    recorder.add(cursor, "ExecutionSucceeded", { output: "{}" });
    const visits = check(recorder, ["A: caught", "Recover: succeeded"]);
    expect(visits[0]?.error).toBe("Boom");
  });

  test("an error, a retry, success", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Task", "A");
    recorder.begin(cursor);
    recorder.fail(cursor, "Boom", "it went off");
    recorder.begin(cursor);
    recorder.succeed(cursor);
    recorder.exit(cursor, "Task", "A");
    const [visit] = check(recorder, ["A: succeeded"]);
    expect(visit?.attempts).toBe(2);
  });

  test("a Fail state takes error and cause from the execution", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Fail", "Refuse");
    recorder.add(cursor, "ExecutionFailed", { error: "No", cause: "because" });
    const [visit] = check(recorder, ["Refuse: failed"]);
    expect(visit).toMatchObject({ error: "No", cause: "because" });
  });

  test.each([
    ["ExecutionAborted", "aborted"],
    ["ExecutionTimedOut", "timed-out"],
  ])("%s ends what is open", (type, status) => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Wait", "Pause");
    recorder.add({ previous: 0 }, type);
    check(recorder, [`Pause: ${status}`]);
  });

  test("a stop between two attempts is a stop", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Task", "A");
    recorder.begin(cursor);
    recorder.fail(cursor, "Boom", "it went off");
    recorder.add(cursor, "TaskStateAborted");
    recorder.add(cursor, "ExecutionAborted");
    const [visit] = check(recorder, ["A: aborted"]);
    expect(visit?.error).toBe("Boom");
  });

  test("a failing branch aborts the others", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Parallel", "Both");
    recorder.add(cursor, "ParallelStateStarted");
    const left = { ...cursor };
    const right = { ...cursor };
    recorder.enter(left, "Task", "Left");
    recorder.begin(left);
    recorder.enter(right, "Wait", "Right");
    recorder.fail(left, "Boom", "it went off");
    recorder.add(left, "ParallelStateFailed", { error: "Boom", cause: "it went off" });
    recorder.add(left, "ExecutionFailed", { error: "Boom" });
    check(recorder, ["Both: failed", "Both/Left: failed", "Both/Right: aborted"]);
  });

  test("Map iterations are told apart", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Map", "Each");
    recorder.add(cursor, "MapStateStarted", { length: 2 });
    const iterations = [0, 1].map((index) => {
      const own = { ...cursor };
      recorder.add(own, "MapIterationStarted", { name: "Each", index });
      recorder.enter(own, "Pass", "Item");
      return own;
    });
    for (const [index, own] of iterations.entries()) {
      recorder.exit(own, "Pass", "Item");
      recorder.add(own, "MapIterationSucceeded", { name: "Each", index });
    }
    const last = iterations[1] ?? cursor;
    recorder.add(last, "MapStateSucceeded");
    recorder.exit(last, "Map", "Each");
    recorder.enter(last, "Pass", "After");
    const visits = check(recorder, [
      "Each: succeeded",
      "Each/Item[0]: succeeded",
      "Each/Item[1]: succeeded",
      "After: running",
    ]);
    const rows = tableRows(visits, visits[0]?.enteredAt ?? 0, recorder.seconds * 1000, new Set());
    expect(rows.map(({ depth, label }) => `${depth} ${label}`)).toEqual([
      "0 Each",
      "1 Iteration 0",
      "2 Item",
      "1 Iteration 1",
      "2 Item",
      "0 After",
    ]);
    const closed = tableRows(visits, 0, 0, new Set([rows[1]?.key ?? "", "unknown"]));
    expect(closed.map(({ label }) => label)).toEqual(["Each", "Iteration 0", "Iteration 1", "Item", "After"]);
  });

  test("a loop shows its latest turn", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.task(cursor, "Look");
    recorder.enter(cursor, "Task", "Look");
    recorder.begin(cursor);
    expect(statusByState(new History(recorder.events).visits).get("Look")).toBe("running");
  });

  test("what is not understood changes nothing", () => {
    const recorder = new Recorder();
    const cursor = recorder.start({});
    recorder.enter(cursor, "Task", "A");
    recorder.add(cursor, "SomethingNew", { answer: 42 });
    recorder.add({ previous: 9_999 }, "TaskScheduled");
    recorder.add({ previous: 0 }, "TaskStateExited");
    check(recorder, ["A: running"]);
  });
});

test("rows tell when and how long", () => {
  const { visits } = new History(goodRun(100).events);
  const rows = tableRows(visits, 100_000, 0, new Set());
  expect(
    rows.slice(0, 3).map(({ startedAfterMs, durationMs }) => [Math.round(startedAfterMs), Math.round(durationMs)]),
  ).toEqual([
    [0, 400],
    [400, 1_200],
    [1_600, 8_500],
  ]);
});
