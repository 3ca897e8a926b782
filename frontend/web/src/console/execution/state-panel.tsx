/** All about one state of the execution: what went in and out, its details, definition and events. */

import { useState } from "preact/hooks";
import { formatElapsed, formatMoment } from "../../format/time";
import { Status } from "../../ui/status";
import { Tabs } from "../../ui/tabs";
import { allStates, type Machine } from "../definition";
import type { History, Visit } from "../history";
import { JsonView } from "../json-view";
import type { HistoryEvent } from "../states-api";
import { causeWords } from "../words";
import { EventList } from "./event-list";

const TABS = [
  { id: "input", words: "Input" },
  { id: "output", words: "Output" },
  { id: "details", words: "Details" },
  { id: "definition", words: "Definition" },
  { id: "events", words: "Events" },
] as const;

interface StatePanelProps {
  name: string;
  history: History;
  machine: Machine | undefined;
  events: readonly HistoryEvent[];
  now: number;
}

/** The panel; of a state that was entered more than once, the latest visit unless another is chosen. */
export function StatePanel({ name, history, machine, events, now }: StatePanelProps) {
  const [chosen, setChosen] = useState<number>();
  const visits = history.visits.filter((visit) => visit.name === name);
  const visit = visits.find(({ id }) => id === chosen) ?? visits.at(-1);
  const [tab, setTab] = useState<(typeof TABS)[number]["id"]>();
  const state = machine && allStates(machine).get(name);
  const shown = tab ?? (visit?.error !== undefined ? "details" : "input");
  return (
    <section class="panel state-panel" aria-labelledby="state">
      <div class="row spread">
        <h2 id="state">{name}</h2>
        <Status look={visit?.status ?? "idle"} />
      </div>
      {visits.length > 1 && (
        <label class="field">
          <span>Entered {visits.length} times</span>
          <select value={visit?.id} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
            {visits.map((option, index) => (
              <option key={option.id} value={option.id}>
                {visitWords(option, index)}
              </option>
            ))}
          </select>
        </label>
      )}
      <Tabs label={`About ${name}`} tabs={TABS} selected={shown} onSelect={setTab}>
        {shown === "input" && <JsonView label="Input" text={visit?.input} />}
        {shown === "output" && <JsonView label="Output" text={visit?.output} />}
        {shown === "details" && <Details visit={visit} type={state?.type} now={now} />}
        {shown === "definition" && <JsonView label="Definition" text={state && JSON.stringify(state.source)} />}
        {shown === "events" && (
          <EventList events={events.filter(({ id }) => visit?.events.includes(id))} history={history} compact />
        )}
      </Tabs>
    </section>
  );
}

function visitWords(visit: Visit, index: number): string {
  const iteration = visit.iteration === undefined ? "" : `, iteration ${visit.iteration}`;
  return `${index + 1}${iteration}: ${visit.status}`;
}

function Details({ visit, type, now }: { visit: Visit | undefined; type: string | undefined; now: number }) {
  if (!visit) return <p class="soft">This {type} state was not entered in this execution.</p>;
  return (
    <div class="stack">
      {visit.error !== undefined && (
        <div class={`notice ${visit.status === "caught" ? "caught" : "failed"}`}>
          <div>
            {visit.status === "running" && <p>The last attempt failed, and it may be tried again:</p>}
            <strong class="mono">{visit.error}</strong>
            {visit.cause !== undefined && <p class="cause">{causeWords(visit.cause)}</p>}
          </div>
        </div>
      )}
      <dl class="facts">
        <dt>Type</dt>
        <dd>{visit.type}</dd>
        {visit.resource && (
          <>
            <dt>Resource</dt>
            <dd class="mono">{visit.resource}</dd>
          </>
        )}
        <dt>Entered</dt>
        <dd>{formatMoment(new Date(visit.enteredAt))}</dd>
        <dt>Left</dt>
        <dd>{visit.leftAt === undefined ? "Not yet" : formatMoment(new Date(visit.leftAt))}</dd>
        <dt>Duration</dt>
        <dd>{formatElapsed((visit.leftAt ?? now) - visit.enteredAt)}</dd>
        {visit.attempts > 0 && (
          <>
            <dt>Attempts</dt>
            <dd>{visit.attempts}</dd>
          </>
        )}
        {visit.parent && (
          <>
            <dt>Inside</dt>
            <dd>
              {visit.parent.name}
              {visit.iteration !== undefined && `, iteration ${visit.iteration}`}
            </dd>
          </>
        )}
      </dl>
    </div>
  );
}
