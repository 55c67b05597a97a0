import { Readable } from "node:stream";
import * as schemas from "@aws-sdk/client-iam";
import { QueryShapeSerializer } from "@aws-sdk/core/protocols";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceFault } from "../../errors/service-fault.ts";
import { createAwsQuery } from "./aws-query.ts";

const xmlNamespace = "https://iam.amazonaws.com/doc/2010-05-08/";
const protocol = createAwsQuery({ signingName: "iam", protocol: "awsQuery", schemas, operations: {}, xmlNamespace });

async function accept(form: string): ReturnType<typeof protocol.accept> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return protocol.accept({ method: "POST", path: "/", query: [], headers, body: Readable.from([Buffer.from(form)]) });
}

const readForm = async (form: string) => (await accept(form))?.readInput();

test("lists, structures and numbers are read from their dotted names", async () => {
  const form =
    "Action=CreateRole&Version=2010-05-08&RoleName=a+b&MaxSessionDuration=3600&Tags.member.2.Key=y&Tags.member.2.Value=2&Tags.member.1.Key=x&Tags.member.1.Value=";
  expect(await readForm(form)).toEqual({
    RoleName: "a b",
    MaxSessionDuration: 3600,
    Tags: [
      { Key: "x", Value: "" },
      { Key: "y", Value: "2" },
    ],
  });
  expect(await readForm("Action=CreateRole&Tags=")).toEqual({ Tags: [] });
});

test("whatever the SDK writes is read back the same", async () => {
  const text = fc.string({ unit: "grapheme", maxLength: 20 });
  const input = fc.record({
    RoleName: text,
    MaxSessionDuration: fc.nat(),
    Tags: fc.array(fc.record({ Key: text, Value: text }), { minLength: 1, maxLength: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(input, async (value) => {
      const serializer = new QueryShapeSerializer({
        timestampFormat: { useTrait: true, default: 5 },
        httpBindings: false,
        ...{ xmlNamespace, serviceNamespace: "", serializeEmptyLists: true },
      });
      serializer.write(schemas.CreateRoleRequest$, value);
      expect(await readForm(`Action=CreateRole&Version=2010-05-08${String(serializer.flush())}`)).toEqual(value);
    }),
  );
});

test.each([
  ["Tags.member.x.Key=a", /not the number of a list item/],
  ["MaxSessionDuration=long", /MaxSessionDuration is not a number/],
  ["RoleName.x=1", /RoleName has parameters below it/],
  [`${"a.".repeat(40)}b=1`, /nested too deeply/],
])("the form %s is refused", async (form, message) => {
  await expect(readForm(`Action=CreateRole&${form}`)).rejects.toMatchObject({
    shape: "MalformedInput",
    message: expect.stringMatching(message),
  });
});

test("no action, or one that is not of the service, is refused", async () => {
  await expect(accept("Version=2010-05-08")).rejects.toMatchObject({ shape: "MissingAction" });
  await expect(accept("Action=Fly&Version=2010-05-08")).rejects.toMatchObject({
    shape: "InvalidAction",
    message: "Could not find operation Fly for version 2010-05-08",
  });
});

test("an output is wrapped in its result, an operation without one has only metadata", async () => {
  const get = await accept("Action=GetRole");
  const output = { Role: { RoleName: "a<b", CreateDate: new Date(0), Tags: [{ Key: "k", Value: "v" }] } };
  expect(protocol.writeOutput(get!.operation, output, "id").body).toBe(
    `<GetRoleResponse xmlns="${xmlNamespace}"><GetRoleResult><Role><RoleName>a&lt;b</RoleName><CreateDate>1970-01-01T00:00:00Z</CreateDate>` +
      "<Tags><member><Key>k</Key><Value>v</Value></member></Tags></Role></GetRoleResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetRoleResponse>",
  );
  const remove = await accept("Action=DeleteRole");
  expect(protocol.writeOutput(remove!.operation, {}, "id").body).toBe(
    `<DeleteRoleResponse xmlns="${xmlNamespace}"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DeleteRoleResponse>`,
  );
});

test("faults carry the code that clients know, which may differ from the shape's name", () => {
  const answer = protocol.writeFault(new ServiceFault("NoSuchEntityException", "not <here>"), "id");
  expect(answer.status).toBe(404);
  expect(answer.body).toContain("<Type>Sender</Type><Code>NoSuchEntity</Code><Message>not &lt;here&gt;</Message>");
  expect(protocol.writeFault(protocol.internalFault(new Error("x")), "id")).toMatchObject({
    status: 500,
    body: expect.stringContaining("<Type>Receiver</Type><Code>InternalFailure</Code>"),
  });
});
