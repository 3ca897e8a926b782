/** One execution: the error first, then the graph, the table, the events, input and output, and the definition. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { announce } from "../../ui/announce";
import { ConsoleFrame } from "../../ui/layout";
import { useNow } from "../../ui/now";
import { Tabs } from "../../ui/tabs";
import { parseDefinition } from "../definition";
import { History, mayGoOn, statusByState } from "../history";
import { JsonView } from "../json-view";
import { Problem } from "../problem";
import { EXECUTION_LOOKS } from "../words";
import { ErrorCard } from "./error-card";
import { EventList } from "./event-list";
import { type Followed, useExecution } from "./follow";
import { Graph } from "./graph";
import { Header } from "./header";
import { StatePanel } from "./state-panel";
import { StateTable } from "./state-table";
import "../console.css";

const TICK_MS = 1_000;

const TABS = [
  { id: "graph", words: "Graph" },
  { id: "table", words: "Table" },
  { id: "events", words: "Events" },
  { id: "data", words: "Input & output" },
  { id: "definition", words: "Definition" },
] as const;

type TabId = (typeof TABS)[number]["id"];

function tabOfAddress(): TabId {
  return TABS.find(({ id }) => `#${id}` === location.hash)?.id ?? "graph";
}

/** The page; which execution stands in the address. */
export function ExecutionPage() {
  const arn = new URLSearchParams(location.search).get("arn") ?? "";
  const { followed, error, refresh } = useExecution(arn);
  useEffect(() => {
    if (followed) document.title = `${followed.execution.name} · Vodline`;
  }, [followed?.execution.name]);
  return (
    <ConsoleFrame>
      {!followed && (
        <>
          <h1 class="visually-hidden">Execution</h1>
          {error === undefined ? (
            <p role="status">Loading…</p>
          ) : (
            <Problem title="The execution cannot be read" error={error} onRetry={() => void refresh()} />
          )}
        </>
      )}
      {followed && (
        <div class="stack">
          <Header followed={followed} onChanged={refresh} />
          {error !== undefined && <Problem title="What is shown is not fresh" error={error} />}
          <Content followed={followed} />
        </div>
      )}
    </ConsoleFrame>
  );
}

function Content({ followed }: { followed: Followed }) {
  const { execution, machine: description, events } = followed;
  const [tab, setTab] = useState(tabOfAddress);
  const [selected, setSelected] = useState<string>();
  const running = mayGoOn(execution.status);
  const now = useNow(running ? TICK_MS : undefined);

  const machine = useMemo(() => parseDefinition(description.definition), [description.definition]);
  const history = useMemo(() => new History(events), [events]);
  const statuses = useMemo(() => statusByState(history.visits), [history]);
  useStatusAnnouncements(execution.status);

  const failed = history.visits.findLast((visit) => visit.status === "failed" || visit.status === "timed-out");
  // Until someone selects a state, the one that matters is shown: that which failed, or that which is at work.
  const atWork = history.visits.findLast((visit) => visit.status === "running" && visit.type !== "Parallel");
  const shown = selected ?? failed?.name ?? atWork?.name ?? history.visits.at(-1)?.name;

  const panelHolder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // On a narrow screen the panel lies below what was selected in.
    if (selected !== undefined) panelHolder.current?.scrollIntoView({ block: "nearest" });
  }, [selected]);

  const selectTab = (id: TabId) => {
    putTabIntoAddress(id);
    setTab(id);
  };
  const panel = shown !== undefined && (
    <div ref={panelHolder} class="panel-holder">
      <StatePanel key={shown} name={shown} history={history} machine={machine} events={events} now={now} />
    </div>
  );
  return (
    <>
      <ErrorCard
        execution={execution}
        failed={failed}
        onSelect={(name) => {
          setSelected(name);
          selectTab("graph");
        }}
      />
      <Tabs label="Views of the execution" tabs={TABS} selected={tab} onSelect={selectTab}>
        {tab === "graph" && (
          <div class="split">
            {machine ? (
              <Graph
                machine={machine}
                ended={execution.status === "SUCCEEDED"}
                statuses={statuses}
                selected={shown}
                onSelect={setSelected}
              />
            ) : (
              <p>The definition cannot be read.</p>
            )}
            {panel}
          </div>
        )}
        {tab === "table" && (
          <div class="split wide">
            <StateTable
              visits={history.visits}
              startMs={execution.startDate * 1000}
              endMs={execution.stopDate === undefined || running ? now : execution.stopDate * 1000}
              selected={shown}
              onSelect={setSelected}
            />
            {panel}
          </div>
        )}
        {tab === "events" && <EventList events={events} history={history} />}
        {tab === "data" && (
          <div class="side-by-side">
            <JsonView label="Input" text={execution.input} />
            <JsonView label="Output" text={execution.output} />
          </div>
        )}
        {tab === "definition" && <JsonView label="Definition" text={description.definition} />}
      </Tabs>
    </>
  );
}

function putTabIntoAddress(tab: TabId): void {
  window.history.replaceState(null, "", `${location.search}#${tab}`);
}

function useStatusAnnouncements(status: Followed["execution"]["status"]): void {
  const before = useRef(status);
  useEffect(() => {
    if (before.current !== status) announce(`The execution: ${EXECUTION_LOOKS[status].words}`);
    before.current = status;
  }, [status]);
}
