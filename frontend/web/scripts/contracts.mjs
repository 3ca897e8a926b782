// Writes src/contracts/api.d.ts from the JSON Schemas in /schemas, or checks that it is fresh.
//
//   node scripts/contracts.mjs --mode write|check
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { compile } from "json-schema-to-typescript";

const schemas = new URL("../../../schemas/", import.meta.url).pathname;
const output = new URL("../src/contracts/api.d.ts", import.meta.url).pathname;

/** The site speaks only to its own API; the other contracts are none of its business. */
const folder = join(schemas, "api");

/** Words beside a `$ref` would make the compiler write the type out again, under another name. */
function withoutWordsBesideRefs(schema) {
  if (Array.isArray(schema)) return schema.map(withoutWordsBesideRefs);
  if (typeof schema !== "object" || schema === null) return schema;
  if ("$ref" in schema) return { $ref: schema.$ref };
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withoutWordsBesideRefs(value)]));
}

/**
 * Every schema file repeats, under `$defs`, the types it refers to. Put all of them into one schema, each type once, so that
 * `Video` is one TypeScript type wherever it is used.
 */
function together() {
  const definitions = {};
  const properties = {};
  const add = (name, schema, file) => {
    const definition = withoutWordsBesideRefs({ title: name, ...schema });
    if (name in definitions && !isDeepStrictEqual(definitions[name], definition)) {
      throw new Error(`${relative(schemas, file)}: another type is called ${name} already`);
    }
    definitions[name] = definition;
  };
  for (const entry of readdirSync(folder).sort()) {
    if (!entry.endsWith(".schema.json")) continue;
    const file = join(folder, entry);
    const { $schema: _dialect, $defs, ...root } = JSON.parse(readFileSync(file, "utf8"));
    if (!root.title) throw new Error(`${relative(schemas, file)}: no title to name the type after`);
    add(root.title, root, file);
    properties[root.title] = { $ref: `#/$defs/${root.title}` };
    for (const [name, schema] of Object.entries($defs ?? {})) add(name, schema, file);
  }
  if (Object.keys(definitions).length === 0) throw new Error(`no schemas in ${folder}; run cargo xtask schemas`);
  return { title: "Contracts", type: "object", properties, required: Object.keys(properties), $defs: definitions };
}

/** The declarations, as the file holds them. */
function generate() {
  return compile(together(), "Contracts", {
    additionalProperties: false,
    bannerComment: "/* Generated from schemas/api by `npm run contracts`. Do not edit. */",
    style: { printWidth: 120 },
  });
}

const mode = process.argv[process.argv.indexOf("--mode") + 1];
if (mode === "write") {
  writeFileSync(output, await generate());
} else if (mode === "check") {
  if ((await generate()) !== readFileSync(output, "utf8")) {
    process.stderr.write("src/contracts/api.d.ts differs from schemas/api; run npm run contracts\n");
    process.exitCode = 1;
  }
}
