// Writes the console's types of the API from the OpenAPI document. What is there already and the same is left alone.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
// The generator needs a TypeScript that can be called, which the compiler that checks the pages no longer is; the console has its own.
const require = createRequire(path.join(here, "console/package.json"));
const { default: openapiTS, astToString } = await import(pathToFileURL(require.resolve("openapi-typescript").replace(/\.cjs$/, ".mjs")));

const target = path.join(here, "console/src/api/schema.gen.ts");
const source = pathToFileURL(path.join(here, "../api/openapi.yaml"));
const text = `// Generated from api/openapi.yaml by web/generate.mjs; not to be edited.\n${astToString(await openapiTS(source, { alphabetize: true, defaultNonNullable: false }))}`;
await mkdir(path.dirname(target), { recursive: true });
if ((await readFile(target, "utf8").catch(() => "")) !== text) await writeFile(target, text);
