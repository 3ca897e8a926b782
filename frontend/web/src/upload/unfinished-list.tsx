/** Uploads that an earlier visit left unfinished. */

import { formatBytes } from "../format/size";
import { formatRelative } from "../format/time";
import { Icon } from "../ui/icon";
import type { Unfinished } from "./unfinished";

interface UnfinishedListProps {
  uploads: readonly Unfinished[];
  onForget: (uploadId: string) => void;
}

/** Asks for each file again, or forgets it. */
export function UnfinishedList({ uploads, onForget }: UnfinishedListProps) {
  if (uploads.length === 0) return null;
  return (
    <section class="panel stack" aria-labelledby="unfinished">
      <div>
        <h2 id="unfinished">Unfinished uploads</h2>
        <p class="soft">Choose the same file again, and its upload goes on where it stopped.</p>
      </div>
      <ul class="stack">
        {uploads.map((upload) => (
          <li key={upload.uploadId} class="row spread">
            <span class="upload-name">
              <strong>{upload.title}</strong>{" "}
              <span class="soft">
                {upload.file.name}, {formatBytes(upload.file.size)}, begun{" "}
                {formatRelative(new Date(upload.begunAt), new Date())}
              </span>
            </span>
            <button
              type="button"
              class="button"
              aria-label={`Forget ${upload.title}`}
              onClick={() => onForget(upload.uploadId)}
            >
              <Icon name="close" /> Forget
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
