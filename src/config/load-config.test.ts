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

test("subnets are read from JSON, and what is no network is named", () => {
  const subnets = '{"subnet-0a1":["10.20.0.0/16","0.0.0.0/0"]}';
  expect(loadConfig({ CATNAP_SUBNETS: subnets }).subnets).toEqual({ "subnet-0a1": ["10.20.0.0/16", "0.0.0.0/0"] });
  expect(loadConfig({}).subnets).toEqual({});
  for (const bad of ["{", '{"subnet-a":["10.0.0.1/8"]}', '{"vpc-a":[]}', '{"subnet-a":"10.0.0.0/8"}'])
    expect(() => loadConfig({ CATNAP_SUBNETS: bad })).toThrow(/CATNAP_SUBNETS=/);
});
