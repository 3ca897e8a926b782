import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

test("the site's types are those of the schemas", () => {
  const script = new URL("../../scripts/contracts.mjs", import.meta.url).pathname;
  expect(() => execFileSync("node", [script, "--mode", "check"], { stdio: "pipe" })).not.toThrow();
}, 20_000);
