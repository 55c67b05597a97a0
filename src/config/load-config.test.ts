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

test("what counts as activity is a list of known things", () => {
  expect(loadConfig({}).activity).toEqual(new Set(["traffic"]));
  expect(loadConfig({ CATNAP_ACTIVITY: "cpu, keep-alive" }).activity).toEqual(new Set(["cpu", "keep-alive"]));
  for (const bad of ["disk", "cpu,", "CPU"])
    expect(() => loadConfig({ CATNAP_ACTIVITY: bad })).toThrow(/CATNAP_ACTIVITY=/);
});

test("quotas are off, the service's, or the caller's own", () => {
  expect(loadConfig({}).quotas).toEqual({});
  expect(loadConfig({ CATNAP_QUOTAS: "service" }).quotas).toMatchObject({
    images: 100,
    rates: { SuspendMicrovm: { burst: 2 } },
  });
  const own = '{"memoryGB":0.5,"rates":{"RunMicrovm":2.5,"GetMicrovm":{"perSecond":1,"burst":9}}}';
  expect(loadConfig({ CATNAP_QUOTAS: own }).quotas).toEqual({
    memoryGB: 0.5,
    rates: { RunMicrovm: { perSecond: 2.5, burst: 2 }, GetMicrovm: { perSecond: 1, burst: 9 } },
  });
  for (const bad of ["on", '{"image":1}', '{"images":-1}', '{"rates":{"Run":1}}', '{"rates":{"RunMicrovm":0}}'])
    expect(() => loadConfig({ CATNAP_QUOTAS: bad })).toThrow(/CATNAP_QUOTAS=/);
});

test("what is wrong inside a JSON setting is named by its path", () => {
  expect(() => loadConfig({ CATNAP_QUOTAS: '{"images":-1}' })).toThrow(/is not valid: images: Too small/);
  expect(() => loadConfig({ CATNAP_QUOTAS: '{"rates":{"Run":1}}' })).toThrow(/is not valid: rates.Run: /);
});

test("prices are the service's, or one table of the caller's own", () => {
  expect(loadConfig({}).prices).toBeNull();
  expect(loadConfig({ CATNAP_PRICES: '{"currency":"EUR","vcpuSecond":0.5}' }).prices).toEqual({
    currency: "EUR",
    vcpuSecond: 0.5,
    memoryGbSecond: 0,
    snapshotReadGb: 0,
    snapshotWriteGb: 0,
    storageGbHour: 0,
  });
  for (const bad of ["free", '{"vcpu":1}', '{"vcpuSecond":-1}', '{"currency":"euro"}'])
    expect(() => loadConfig({ CATNAP_PRICES: bad })).toThrow(/CATNAP_PRICES=/);
});
