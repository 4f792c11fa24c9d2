// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Real responses against the schemas of api/openapi.yaml.
import { readFileSync } from "node:fs";

import Ajv from "ajv/dist/2020.js";
import { parse } from "yaml";

const text = readFileSync(new URL("../../api/openapi.yaml", import.meta.url), "utf8");
export const openapi = parse(text);

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema({ $id: "openapi", components: openapi.components });

export function validate(name, value) {
  const check = ajv.getSchema(`openapi#/components/schemas/${name}`);
  if (!check) throw new Error(`api/openapi.yaml has no schema ${name}`);
  if (!check(value)) {
    throw new Error(`${name}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value).slice(0, 2000)}`);
  }
  return value;
}
