/** The list: state machines at the side, the executions of one of them in the middle. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { count } from "../../format/size";
import { Icon } from "../../ui/icon";
import { ConsoleFrame } from "../../ui/layout";
import { statesApi } from "../client";
import { NewExecution } from "../new-execution";
import { Problem } from "../problem";
import type { ExecutionStatus, StateMachineListItem } from "../states-api";
import { EXECUTION_LOOKS, EXECUTION_STATUSES, machineAddress } from "../words";
import { Executions } from "./executions";
import "../console.css";

const MACHINES_PAGE = 1_000;

async function listMachines(): Promise<StateMachineListItem[]> {
  const call = await statesApi();
  const machines: StateMachineListItem[] = [];
  let nextToken: string | undefined;
  do {
    const page = await call("ListStateMachines", { maxResults: MACHINES_PAGE, ...(nextToken ? { nextToken } : {}) });
    machines.push(...page.stateMachines);
    nextToken = page.nextToken;
  } while (nextToken);
  return machines.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isStatus(text: string | null): text is ExecutionStatus {
  return EXECUTION_STATUSES.some((status) => status === text);
}

/** The page; machine, status and search live in the address. */
export function ExecutionsPage() {
  const [machines, setMachines] = useState<StateMachineListItem[]>();
  const [error, setError] = useState<unknown>();
  const [parameters, setParameters] = useState(() => new URLSearchParams(location.search));
  const [starting, setStarting] = useState(false);

  const load = useCallback(async () => {
    setError(undefined);
    try {
      setMachines(await listMachines());
    } catch (caught) {
      setError(caught);
    }
  }, []);
  useEffect(() => void load(), [load]);

  const change = (name: "status" | "q", value: string) => {
    const next = new URLSearchParams(parameters);
    if (value) next.set(name, value);
    else next.delete(name);
    history.replaceState(null, "", `?${next}`);
    setParameters(next);
  };

  const asked = parameters.get("machine");
  const machine =
    machines?.find(({ stateMachineArn }) => stateMachineArn === asked) ?? (asked ? undefined : machines?.[0]);
  const statusParameter = parameters.get("status");
  const status = isStatus(statusParameter) ? statusParameter : undefined;
  const query = parameters.get("q") ?? "";

  return (
    <ConsoleFrame>
      <h1 class="visually-hidden">Executions</h1>
      {error !== undefined && (
        <Problem title="The state machines cannot be listed" error={error} onRetry={() => void load()} />
      )}
      {!machines && error === undefined && <p role="status">Loading…</p>}
      {machines?.length === 0 && (
        <div class="empty">
          <h2>No state machines</h2>
          <p class="soft">Bring a stack up, and its state machines are listed here.</p>
        </div>
      )}
      {machines && machines.length > 0 && (
        <div class="list-page">
          <nav class="machines" aria-labelledby="machines">
            <h2 id="machines">{count(machines.length, "state machine")}</h2>
            <ul>
              {machines.map((item) => (
                <li key={item.stateMachineArn}>
                  <a href={machineAddress(item.stateMachineArn)} aria-current={item === machine ? "page" : undefined}>
                    {item.name}
                    {item.type === "EXPRESS" && <span class="soft"> Express</span>}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          {!machine && <Problem title="There is no such state machine" error={new Error(asked ?? "")} />}
          {machine && (
            <section class="stack executions" aria-labelledby="executions">
              <div class="row spread">
                <h2 id="executions" class="title">
                  {machine.name}
                </h2>
                <button type="button" class="button primary" onClick={() => setStarting(true)}>
                  <Icon name="plus" /> New execution
                </button>
              </div>
              {machine.type === "EXPRESS" ? (
                <p class="soft">Executions of an Express machine are not kept.</p>
              ) : (
                <>
                  <div class="row filters">
                    <label class="field">
                      <span>Status</span>
                      <select value={status ?? ""} onChange={(event) => change("status", event.currentTarget.value)}>
                        <option value="">Any</option>
                        {EXECUTION_STATUSES.map((value) => (
                          <option key={value} value={value}>
                            {EXECUTION_LOOKS[value].words}
                          </option>
                        ))}
                      </select>
                    </label>
                    <label class="field grow">
                      <span>Name</span>
                      <input
                        type="search"
                        value={query}
                        placeholder="Search by name"
                        autocomplete="off"
                        onInput={(event) => change("q", event.currentTarget.value)}
                      />
                    </label>
                  </div>
                  <Executions
                    key={`${machine.stateMachineArn} ${status ?? ""}`}
                    stateMachineArn={machine.stateMachineArn}
                    status={status}
                    query={query}
                  />
                </>
              )}
            </section>
          )}
          {starting && machine && (
            <NewExecution stateMachineArn={machine.stateMachineArn} input="{}" onClose={() => setStarting(false)} />
          )}
        </div>
      )}
    </ConsoleFrame>
  );
}
