/** The history, event by event. */

import { useMemo, useState } from "preact/hooks";
import { count } from "../../format/size";
import { formatElapsed, formatMoment } from "../../format/time";
import { Icon } from "../../ui/icon";
import { matchesWords } from "../../paging/words";
import { detailsOf, type History } from "../history";
import { JsonView } from "../json-view";
import type { HistoryEvent } from "../states-api";

const EVENTS_SHOWN = 200;

interface EventListProps {
  events: readonly HistoryEvent[];
  history: History;
  /** Without filter and without the state's name: for the events of one state. */
  compact?: boolean;
}

/** The list; each event opens to its details. */
export function EventList({ events, history, compact = false }: EventListProps) {
  const [query, setQuery] = useState("");
  const [limit, setLimit] = useState(EVENTS_SHOWN);
  const startSeconds = events[0]?.timestamp ?? 0;
  const found = useMemo(
    () => events.filter((event) => matchesWords(`${event.type} ${history.stateOf.get(event.id) ?? ""}`, query)),
    [events, history, query],
  );
  return (
    <div class="stack">
      {!compact && (
        <div class="row filters">
          <label class="field grow">
            <span>Filter by type or state</span>
            <input
              type="search"
              value={query}
              placeholder="Such as TaskFailed"
              autocomplete="off"
              onInput={(event) => setQuery(event.currentTarget.value)}
            />
          </label>
          <p class="soft" role="status">
            {count(found.length, "event")}
          </p>
        </div>
      )}
      {found.length === 0 && <p class="soft">No events.</p>}
      <ol class={`events ${compact ? "compact" : ""}`}>
        {found.slice(0, limit).map((event) => (
          <EventRow
            key={event.id}
            event={event}
            state={compact ? undefined : (history.stateOf.get(event.id) ?? "")}
            elapsedMs={(event.timestamp - startSeconds) * 1000}
          />
        ))}
      </ol>
      {found.length > limit && (
        <button type="button" class="button" onClick={() => setLimit(limit + EVENTS_SHOWN)}>
          Show more
        </button>
      )}
    </div>
  );
}

interface EventRowProps {
  event: HistoryEvent;
  state: string | undefined;
  elapsedMs: number;
}

function EventRow({ event, state, elapsedMs }: EventRowProps) {
  const [open, setOpen] = useState(false);
  const bad = /(Failed|TimedOut|Aborted)$/.test(event.type);
  return (
    <li class="event">
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="chevron" class={open ? "open" : ""} />
        <span class="event-id">{event.id}</span>
        <span class={`event-type ${bad ? "bad" : ""}`}>
          {bad && <Icon name="cross" />}
          {event.type}
        </span>
        {state !== undefined && <span class="event-state">{state}</span>}
        <span class="event-elapsed">{formatElapsed(elapsedMs)}</span>
        <time class="event-time" dateTime={new Date(event.timestamp * 1000).toISOString()}>
          {formatMoment(new Date(event.timestamp * 1000))}
        </time>
      </button>
      {open && <EventDetails event={event} />}
    </li>
  );
}

/** Input, output and the like are JSON in strings: shown as JSON. The rest of the event as it is. */
function EventDetails({ event }: { event: HistoryEvent }) {
  const { input, output, parameters, cause, ...rest } = detailsOf(event);
  const embedded = Object.entries({ input, output, parameters, cause }).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return (
    <div class="event-details">
      {embedded.map(([name, text]) => (
        <JsonView key={name} label={name} text={text} />
      ))}
      <JsonView
        label="event"
        text={JSON.stringify({ id: event.id, previousEventId: event.previousEventId ?? 0, type: event.type, ...rest })}
      />
    </div>
  );
}
