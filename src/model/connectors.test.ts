import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  hasManagedConnector,
  MANAGED_CONNECTORS,
  managedConnectorArn,
  parseConnectorArn,
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

test("no text makes the parser throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseConnectorArn(`arn:aws:lambda:us-east-1:aws:${text}`).kind).not.toBe("customer");
    }),
  );
});
