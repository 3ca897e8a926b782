/** The local home as the console sees it: the pages, their configuration, and Step Functions on the same port. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Execution, HistoryEvent, StateMachineListItem } from "../../../src/console/states-api";
import { readBody, type Running, sendFile, sendJson, serve } from "./server";

const DIST = join(import.meta.dirname, "../../../dist/console");
const POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const ACCOUNT = "arn:aws:states:eu-central-1:000000000000";

interface Kept {
  execution: Execution;
  definition: string;
  events: HistoryEvent[];
}

export function machineArn(name: string): string {
  return `${ACCOUNT}:stateMachine:${name}`;
}

/** What a test sees and steers. */
export class Home {
  machines: StateMachineListItem[] = [];
  executions: Kept[] = [];
  /** Operations that were called, in order, with their input. */
  calls: { operation: string; input: Record<string, unknown> }[] = [];
  onRedrive: ((kept: Kept) => void) | undefined;
  #server: Running | undefined;

  get origin(): string {
    return this.#server?.origin ?? "";
  }

  address(page: string): string {
    return `${this.origin}/_console/${page}`;
  }

  async start(): Promise<void> {
    this.#server = await serve((request, response, url) => this.#answer(request, response, url));
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }

  addMachine(name: string, type: "STANDARD" | "EXPRESS" = "STANDARD"): string {
    this.machines.push({ stateMachineArn: machineArn(name), name, type, creationDate: 1_800_000_000 });
    return machineArn(name);
  }

  addExecution(
    machine: string,
    name: string,
    definition: string,
    events: HistoryEvent[],
    change: Partial<Execution>,
  ): Kept {
    const first = events[0];
    const kept: Kept = {
      definition,
      events,
      execution: {
        executionArn: `${ACCOUNT}:execution:${machine}:${name}`,
        stateMachineArn: machineArn(machine),
        name,
        status: "RUNNING",
        startDate: first?.timestamp ?? 1_800_000_000,
        redriveCount: 0,
        redriveStatus: "NOT_REDRIVABLE",
        ...change,
      },
    };
    this.executions.unshift(kept);
    return kept;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (request.method === "POST") return this.#operation(request, response);
    const page = url.pathname.replace(/^\/_console/, "");
    if (page === "/console-config.json") {
      const credentials = { accessKeyId: "AKIDLOCAL", secretAccessKey: "not a secret" };
      return sendJson(response, 200, { endpoint: this.origin, region: "eu-central-1", ...credentials });
    }
    sendFile(response, DIST, page, { "content-security-policy": POLICY });
  }

  async #operation(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fail = (code: string, message: string) =>
      sendJson(
        response,
        400,
        { __type: `com.amazonaws.swf.service.v2.model#${code}`, message },
        "application/x-amz-json-1.0",
      );
    const succeed = (body: unknown) => sendJson(response, 200, body, "application/x-amz-json-1.0");

    const signature =
      /^AWS4-HMAC-SHA256 Credential=AKIDLOCAL\/\d{8}\/eu-central-1\/states\/aws4_request, SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]{64}$/;
    if (!signature.test(request.headers.authorization ?? "")) return fail("IncompleteSignature", "not signed");
    const [service, operation = ""] = String(request.headers["x-amz-target"]).split(".");
    if (service !== "AWSStepFunctions")
      return fail("UnknownOperationException", String(request.headers["x-amz-target"]));
    const input = JSON.parse((await readBody(request)).toString()) as Record<string, unknown>;
    this.calls.push({ operation, input });

    if (operation === "ListStateMachines") return succeed({ stateMachines: this.machines });
    if (operation === "ListExecutions") return succeed(this.#list(input));
    if (operation === "StartExecution") {
      const name = typeof input["name"] === "string" ? input["name"] : `run-${this.executions.length + 1}`;
      const machine = String(input["stateMachineArn"]).split(":").at(-1) ?? "";
      const definition = this.executions[0]?.definition ?? "{}";
      const kept = this.addExecution(machine, name, definition, [], { input: String(input["input"]) });
      return succeed({ executionArn: kept.execution.executionArn, startDate: kept.execution.startDate });
    }
    const kept = this.executions.find(({ execution }) => execution.executionArn === input["executionArn"]);
    if (!kept) return fail("ExecutionDoesNotExist", `Execution Does Not Exist: '${String(input["executionArn"])}'`);
    switch (operation) {
      case "DescribeExecution":
        return succeed(kept.execution);
      case "DescribeStateMachineForExecution": {
        const { stateMachineArn } = kept.execution;
        const name = stateMachineArn.split(":").at(-1);
        return succeed({ stateMachineArn, name, definition: kept.definition, updateDate: 1_800_000_000 });
      }
      case "GetExecutionHistory":
        return succeed(history(kept.events, input));
      case "StopExecution":
        kept.execution = {
          ...kept.execution,
          status: "ABORTED",
          stopDate: kept.execution.startDate + 30,
          cause: String(input["cause"]),
        };
        return succeed({ stopDate: kept.execution.stopDate });
      case "RedriveExecution":
        if (kept.execution.redriveStatus !== "REDRIVABLE") return fail("ExecutionNotRedrivable", "not redrivable");
        this.onRedrive?.(kept);
        return succeed({ redriveDate: kept.execution.startDate + 60 });
      default:
        return fail("UnknownOperationException", operation);
    }
  }

  #list(input: Record<string, unknown>): unknown {
    const all = this.executions
      .map(({ execution }) => execution)
      .filter((execution) => execution.stateMachineArn === input["stateMachineArn"])
      .filter((execution) => !input["statusFilter"] || execution.status === input["statusFilter"])
      .sort((a, b) => b.startDate - a.startDate);
    const from = Number(input["nextToken"] ?? 0);
    const limit = Number(input["maxResults"] ?? 100);
    const more = from + limit < all.length;
    return { executions: all.slice(from, from + limit), ...(more ? { nextToken: String(from + limit) } : {}) };
  }
}

/** GetExecutionHistory, in pages smaller than asked for, as the service is free to do. */
function history(events: HistoryEvent[], input: Record<string, unknown>): unknown {
  const all = input["reverseOrder"] ? [...events].reverse() : events;
  const from = Number(input["nextToken"] ?? 0);
  const limit = Math.min(25, Number(input["maxResults"] ?? 100));
  const more = from + limit < all.length;
  return { events: all.slice(from, from + limit), ...(more ? { nextToken: String(from + limit) } : {}) };
}
