/** Where the console finds Step Functions. The local home serves `console-config.json` beside the pages. */

/** What the file says. */
export interface ConsoleConfig {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Reads what the file holds; says which field is missing. */
export function parseConfig(value: unknown): ConsoleConfig {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Partial<
    Record<keyof ConsoleConfig, unknown>
  >;
  const text = (name: keyof ConsoleConfig) => {
    const field = fields[name];
    if (typeof field !== "string" || field === "") throw new Error(`console-config.json has no ${name}`);
    return field;
  };
  return {
    endpoint: text("endpoint"),
    region: text("region"),
    accessKeyId: text("accessKeyId"),
    secretAccessKey: text("secretAccessKey"),
    ...(typeof fields.sessionToken === "string" ? { sessionToken: fields.sessionToken } : {}),
  };
}

/** Fetches the file. */
export async function loadConfig(): Promise<ConsoleConfig> {
  const response = await fetch(new URL("console-config.json", document.baseURI), { cache: "no-store" });
  if (!response.ok) throw new Error(`console-config.json cannot be read: status ${response.status}`);
  return parseConfig(await response.json());
}
