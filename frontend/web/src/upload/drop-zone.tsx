/** Where files come in: dropped anywhere on the page, chosen, or pasted. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../ui/icon";

interface DropZoneProps {
  onFiles: (files: readonly File[]) => void;
  /** Once there are files, the zone steps back. */
  small: boolean;
}

/** The zone with its button. */
export function DropZone({ onFiles, small }: DropZoneProps) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;

  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const onDragOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onDragLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      // Without this a file that misses the zone would replace the page.
      event.preventDefault();
      setOver(false);
      latest.current([...(event.dataTransfer?.files ?? [])]);
    };
    const onPaste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length > 0) latest.current(files);
    };
    document.addEventListener("dragover", onDragOver);
    document.addEventListener("dragleave", onDragLeave);
    document.addEventListener("drop", onDrop);
    document.addEventListener("paste", onPaste);
    return () => {
      document.removeEventListener("dragover", onDragOver);
      document.removeEventListener("dragleave", onDragLeave);
      document.removeEventListener("drop", onDrop);
      document.removeEventListener("paste", onPaste);
    };
  }, []);

  return (
    <div class={`drop-zone ${over ? "over" : ""} ${small ? "small" : ""}`}>
      <Icon name="upload" />
      <p>{over ? "Let go to add" : "Drop videos here, anywhere on the page"}</p>
      <button type="button" class="button primary" onClick={() => input.current?.click()}>
        Choose files
      </button>
      <input
        ref={input}
        class="visually-hidden"
        type="file"
        accept="video/*,.mkv,.mxf,.ts,.mts,.m2ts,.vob"
        multiple
        tabIndex={-1}
        aria-label="Videos to upload"
        onChange={(event) => {
          latest.current([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
    </div>
  );
}
