import { expect, test } from "vitest";
import { loadConfig } from "./load-config.ts";

test("defaults need no environment", () => {
  expect(loadConfig({}).bind).toBe("127.0.0.1");
});

test("a flag wins over the environment, and numbers are parsed", () => {
  expect(loadConfig({ CATNAP_API_PORT: "1" }, { apiPort: "2" }).apiPort).toBe(2);
});

test("a bad value names its variable", () => {
  expect(() => loadConfig({ CATNAP_API_PORT: "many" })).toThrow(/CATNAP_API_PORT="many"/);
});
