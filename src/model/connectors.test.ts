import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  hasManagedConnector,
  MANAGED_CONNECTORS,
  managedConnectorArn,
  parseConnectorArn,
  publicPorts,
  type ManagedConnector,
} from "./connectors.ts";

test.each(Object.keys(MANAGED_CONNECTORS) as ManagedConnector[])(
  "the managed connector %s is recognized by its ARN",
  (name) => {
    const arn = managedConnectorArn("us-east-1", name);
    expect(parseConnectorArn(arn)).toEqual({ kind: "managed", name, region: "us-east-1" });
    expect(hasManagedConnector([arn], name)).toBe(true);
  },
);

test("a customer connector keeps its account and id", () => {
  expect(parseConnectorArn("arn:aws:lambda:us-east-1:123456789012:network-connector:nc-1")).toEqual({
    kind: "customer",
    account: "123456789012",
    region: "us-east-1",
    id: "nc-1",
  });
});

test("names of the managed family that do not exist are told apart from malformed ARNs", () => {
  expect(parseConnectorArn(managedConnectorArn("us-east-1", "toString" as ManagedConnector)).kind).toBe(
    "unknown-managed",
  );
  expect(parseConnectorArn("ALL_INGRESS").kind).toBe("malformed");
});

test("a public port is part of the connector's name", () => {
  const named = (name: string) => managedConnectorArn("us-east-1", name as ManagedConnector);
  expect(parseConnectorArn(named("PUBLIC_INGRESS_3000"))).toEqual({
    kind: "public-port",
    port: 3000,
    region: "us-east-1",
  });
  for (const name of ["PUBLIC_INGRESS", "PUBLIC_INGRESS_", "PUBLIC_INGRESS_0", "PUBLIC_INGRESS_080"])
    expect(parseConnectorArn(named(name)).kind).toBe("unknown-managed");
  for (const name of ["PUBLIC_INGRESS_65536", "PUBLIC_INGRESS_1e3", "public_ingress_80"])
    expect(parseConnectorArn(named(name)).kind).toBe("unknown-managed");
  expect(publicPorts([named("HTTP_INGRESS"), named("PUBLIC_INGRESS_65535"), named("PUBLIC_INGRESS_1")])).toEqual([
    65535, 1,
  ]);
});

test("no text makes the parser throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseConnectorArn(`arn:aws:lambda:us-east-1:aws:${text}`).kind).not.toBe("customer");
    }),
  );
});
