/** The upload page: files in, progress, and then the states of the line until the video plays. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count } from "../format/size";
import { announce } from "../ui/announce";
import { Icon } from "../ui/icon";
import { SiteFrame } from "../ui/layout";
import { DropZone } from "./drop-zone";
import { refusal, titleOf } from "./file-check";
import { keepKey, takeKeyFromAddress, uploadKey } from "./key";
import { KeyForm } from "./key-form";
import { Queue, realPorts } from "./queue";
import { UploadRow } from "./row";
import { forgetUnfinished, unfinishedOf, unfinishedUploads } from "./unfinished";
import { UnfinishedList } from "./unfinished-list";
import "./upload.css";

/** The page. */
export function UploadPage() {
  const [, redraw] = useState(0);
  const queue = useMemo(() => new Queue(realPorts(), () => redraw((turn) => turn + 1)), []);
  const [key, setKey] = useState(uploadKey);
  const [refusals, setRefusals] = useState<string[]>([]);
  const [unfinished, setUnfinished] = useState(unfinishedUploads);
  const keyRefused = useRef(false);

  useEffect(() => {
    const onHash = () => {
      takeKeyFromAddress();
      setKey(uploadKey());
    };
    window.addEventListener("hashchange", onHash);
    return () => window.removeEventListener("hashchange", onHash);
  }, []);

  useEffect(() => {
    const guard = (event: BeforeUnloadEvent) => {
      if (queue.busy) event.preventDefault();
    };
    const goOn = () => {
      for (const { id, transfer } of queue.items) if (transfer.state.status === "interrupted") queue.start(id);
    };
    window.addEventListener("beforeunload", guard);
    window.addEventListener("online", goOn);
    return () => {
      window.removeEventListener("beforeunload", guard);
      window.removeEventListener("online", goOn);
    };
  }, [queue]);

  // A key that the server refuses is asked for again, and what it stopped goes on with the new one.
  const stopped = queue.items.filter(
    ({ transfer }) => transfer.state.status === "interrupted" && isKeyError(transfer.state.error),
  );
  useEffect(() => {
    if (stopped.length === 0 || key === "") return;
    keyRefused.current = true;
    keepKey("");
    setKey("");
  }, [stopped.length, key]);

  const enterKey = (text: string) => {
    keepKey(text);
    keyRefused.current = false;
    setKey(text);
    for (const { id } of stopped) queue.start(id);
  };

  const add = (files: readonly File[]) => {
    const refused: string[] = [];
    for (const file of files) {
      const reason = refusal(file);
      if (reason) refused.push(`${file.name}: ${reason}`);
      else queue.add(file, unfinishedOf(file)?.title ?? titleOf(file.name));
    }
    setRefusals(refused);
    const accepted = files.length - refused.length;
    if (accepted > 0) announce(`${count(accepted, "file")} added`);
  };

  const waiting = queue.items.filter(({ started }) => !started);
  const shown = new Set(queue.items.map(({ transfer }) => `${transfer.file.name} ${transfer.file.size}`));
  return (
    <SiteFrame>
      <div class="upload">
        <h1>Upload videos</h1>
        {key === "" && <KeyForm refused={keyRefused.current} onKey={enterKey} />}
        <DropZone onFiles={add} small={queue.items.length > 0} />
        {refusals.length > 0 && (
          <div class="notice failed" role="alert">
            <Icon name="warning" />
            <div>
              <h2>Not added</h2>
              <ul>
                {refusals.map((words) => (
                  <li key={words}>{words}</li>
                ))}
              </ul>
            </div>
          </div>
        )}
        <UnfinishedList
          uploads={unfinished.filter(({ file }) => !shown.has(`${file.name} ${file.size}`))}
          onForget={(uploadId) => {
            forgetUnfinished(uploadId);
            setUnfinished(unfinishedUploads());
          }}
        />
        {queue.items.length > 0 && (
          <section class="stack" aria-labelledby="files">
            <div class="row spread">
              <h2 id="files">{count(queue.items.length, "file")}</h2>
              {waiting.length > 1 && (
                <button
                  type="button"
                  class="button primary"
                  disabled={key === ""}
                  onClick={() => {
                    for (const { id } of waiting) queue.start(id);
                  }}
                >
                  <Icon name="upload" /> Upload all {waiting.length}
                </button>
              )}
            </div>
            <ul class="upload-rows">
              {queue.items.map((item) => (
                <UploadRow
                  key={item.id}
                  item={item}
                  state={item.transfer.state}
                  keyMissing={key === ""}
                  onStart={() => queue.start(item.id)}
                  onRemove={() => queue.remove(item.id)}
                />
              ))}
            </ul>
          </section>
        )}
      </div>
    </SiteFrame>
  );
}

function isKeyError(error: Error | undefined): boolean {
  return error !== undefined && "code" in error && error.code === "UploadKeyRequired";
}
