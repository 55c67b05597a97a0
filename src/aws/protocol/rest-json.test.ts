import { Readable } from "node:stream";
import * as schemas from "@aws-sdk/client-lambda-microvms";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceFault } from "../../errors/service-fault.ts";
import { createRestJson } from "./rest-json.ts";

const protocol = createRestJson({ signingName: "lambda", protocol: "restJson1", schemas, operations: {} });

async function readRun(
  body: string | Buffer,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<Record<string, unknown> | undefined> {
  const bytes = Buffer.from(body);
  const request = {
    method: "POST",
    path: "/2025-09-09/microvms",
    query: [],
    headers,
    body: Readable.from(bytes.length > 0 ? [bytes] : []),
  };
  return (await protocol.accept(request))?.readInput();
}

test("a body is read by its schema; null is absent, unknown members vanish", async () => {
  const body = {
    imageIdentifier: "arn",
    clientToken: null,
    nonsense: { a: 1 },
    idlePolicy: { autoResumeEnabled: true, other: 1 },
  };
  expect(await readRun(JSON.stringify(body))).toEqual({
    imageIdentifier: "arn",
    idlePolicy: { autoResumeEnabled: true },
  });
  expect(await readRun(JSON.stringify({ ...body, __type: "x", toString: "y" }))).toMatchObject({
    imageIdentifier: "arn",
  });
  expect(await readRun("")).toEqual({});
});

test.each([
  ["no JSON", "{", /not valid JSON/],
  ["no UTF-8", Buffer.from([0x22, 0xff, 0x22]), /not valid JSON/],
  ["no object", "[]", /not an object/],
  ["a number for a string", '{"imageIdentifier":1}', /imageIdentifier is not a string/],
  ["a string for a number", '{"maximumDurationInSeconds":"1"}', /maximumDurationInSeconds is not a number/],
  ["a string for a structure", '{"idlePolicy":"x"}', /idlePolicy is not an object/],
  [
    "a string for a boolean",
    '{"idlePolicy":{"autoResumeEnabled":"true"}}',
    /idlePolicy.autoResumeEnabled is not true or false/,
  ],
  ["a string for a list", '{"egressNetworkConnectors":"x"}', /egressNetworkConnectors is not a list/],
  ["null in a list", '{"egressNetworkConnectors":[null]}', /egressNetworkConnectors\[0\] is not a string/],
  ["two members of a union", '{"logging":{"disabled":{},"cloudWatch":{}}}', /logging must have exactly one/],
])("a body with %s is a ValidationException", async (_name, body, message) => {
  await expect(readRun(body)).rejects.toMatchObject({
    shape: "ValidationException",
    status: 400,
    message: expect.stringMatching(message),
  });
});

test("another content type and a body beyond 1 MiB are refused", async () => {
  await expect(readRun("{}", { "content-type": "text/xml" })).rejects.toMatchObject({ shape: "ValidationException" });
  await expect(readRun(Buffer.alloc(1024 * 1024 + 1, 32))).rejects.toMatchObject({ status: 413 });
});

test("any JSON is either read or refused as a client's mistake", async () => {
  const name = fc.constantFrom(
    "imageIdentifier",
    "idlePolicy",
    "logging",
    "egressNetworkConnectors",
    "maximumDurationInSeconds",
    "__proto__",
    "__type",
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, fc.jsonValue()), async (body) => {
      const outcome = await readRun(JSON.stringify(body)).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ shape: "ValidationException" });
      else for (const key of Object.keys(outcome as object)) expect(body).toHaveProperty(key);
    }),
  );
});

test("numbers in the query must be numbers", async () => {
  const request = {
    method: "GET",
    path: "/2025-09-09/microvms",
    query: [["maxResults", "many"] as const],
    headers: {},
    body: Readable.from([]),
  };
  const call = await protocol.accept(request);
  await expect(call?.readInput()).rejects.toMatchObject({
    shape: "ValidationException",
    message: "maxResults is not a number",
  });
});

test("an output has its status, its members and nothing else", async () => {
  const call = await protocol.accept({
    method: "POST",
    path: "/2025-09-09/microvm-images",
    query: [],
    headers: {},
    body: Readable.from([]),
  });
  const output = { name: "a", createdAt: new Date(1_790_000_000_500), tags: undefined, secret: 1 };
  expect(protocol.writeOutput(call!.operation, output, "id")).toEqual({
    status: 201,
    headers: { "content-type": "application/json", "x-amzn-requestid": "id" },
    body: '{"name":"a","createdAt":1790000000.5}',
  });
});

test("operations without an output answer 204 and no body, those with an empty one {}", async () => {
  const write = async (method: string, path: string) => {
    const call = await protocol.accept({
      method,
      path,
      query: [["tagKeys", "a"]],
      headers: {},
      body: Readable.from([]),
    });
    const { status, body } = protocol.writeOutput(call!.operation, {}, "id");
    return [status, body];
  };
  expect(await write("DELETE", "/2017-03-31/tags/arn")).toEqual([204, undefined]);
  expect(await write("POST", "/2025-09-09/microvms/m/suspend")).toEqual([200, "{}"]);
});

test("every modelled exception has the status of its schema", () => {
  const statuses = {
    AccessDeniedException: 403,
    ConflictException: 409,
    ServiceQuotaExceededException: 402,
    ThrottlingException: 429,
    ResourceNotFoundException: 404,
    ValidationException: 400,
    InternalServerException: 500,
    InsufficientCapacityException: 500,
  };
  for (const [shape, status] of Object.entries(statuses)) {
    const { headers, ...answer } = protocol.writeFault(
      new ServiceFault(shape, "why", { members: { retryAfterSeconds: 3, resourceId: "r" } }),
      "id",
    );
    expect([answer.status, headers["x-amzn-errortype"], JSON.parse(answer.body as string).message]).toEqual([
      status,
      shape,
      "why",
    ]);
  }
});

test("what is no route answers an HTML 404", () => {
  const answer = protocol.writeFault(protocol.unknownOperation(undefined), "id");
  expect(answer).toMatchObject({
    status: 404,
    headers: { "content-type": "text/html", "x-amzn-errortype": "UnknownOperationException" },
  });
});
