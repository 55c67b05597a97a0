import { expect, test } from "vitest";
import { BASE_ARN, createInput, imageArnOf, useLambdaMicrovms } from "../../../test/fixtures/use-lambda-microvms.ts";

const APP = imageArnOf("app");

test("lists page first and filter then", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  for (const name of ["a-app", "b-lib", "c-app"]) await makeImage(name);
  const page = await call("ListMicrovmImages", { maxResults: 2, nameFilter: "lib" });
  expect(page.items.map((item: { name: string }) => item.name)).toEqual(["b-lib"]);
  const rest = await call("ListMicrovmImages", { maxResults: 2, nameFilter: "lib", nextToken: page.nextToken });
  expect(rest).toEqual({ items: [], nextToken: undefined });
  await expect(call("ListMicrovms", { nextToken: page.nextToken })).rejects.toMatchObject({
    shape: "ValidationException",
  });
  await expect(call("ListMicrovmImages", { nextToken: "!" })).rejects.toMatchObject({ shape: "ValidationException" });
  await expect(
    call("ListMicrovmImages", { nextToken: page.nextToken }, { accountId: "999999999999" }),
  ).rejects.toMatchObject({ shape: "ValidationException" });
  expect((await call("ListMicrovmImages", {}, { region: "eu-west-1" })).items).toEqual([]);
});

test("versions page from the newest on", async () => {
  const { call, builds, makeImage } = await useLambdaMicrovms();
  await makeImage();
  const { name: _name, ...update } = createInput("app");
  for (let made = 0; made < 2; made++) {
    await call("UpdateMicrovmImage", { ...update, imageIdentifier: APP });
    await builds.idle();
  }
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await call("ListMicrovmImageVersions", { imageIdentifier: APP, maxResults: 1, nextToken });
    seen.push(...page.items.map((item: { imageVersion: string }) => item.imageVersion));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  expect(seen).toEqual(["3.0", "2.0", "1.0"]);
});

test("the managed base image is listed with its versions, newest first", async () => {
  const { call } = await useLambdaMicrovms();
  expect((await call("ListManagedMicrovmImages")).items).toEqual([expect.objectContaining({ imageArn: BASE_ARN })]);
  const first = await call("ListManagedMicrovmImageVersions", { imageIdentifier: BASE_ARN, maxResults: 1 });
  expect(first.items).toEqual([expect.objectContaining({ imageVersion: "1", status: "AVAILABLE" })]);
  const second = await call("ListManagedMicrovmImageVersions", {
    imageIdentifier: BASE_ARN,
    nextToken: first.nextToken,
  });
  expect(second.items).toEqual([expect.objectContaining({ imageVersion: "0" })]);
  await expect(call("ListManagedMicrovmImageVersions", { imageIdentifier: "al2023-1" })).rejects.toMatchObject({
    message: "Invalid ARN format: al2023-1",
  });
});

test("images are tagged and untagged by ARN", async () => {
  const { call, makeImage } = await useLambdaMicrovms();
  await makeImage("app", { tags: { a: "1" } });
  await call("TagResource", { Resource: APP, Tags: { b: "2", a: "3" } });
  await call("UntagResource", { Resource: APP, TagKeys: ["b", "none"] });
  expect(await call("ListTags", { Resource: APP })).toEqual({ Tags: { a: "3" } });
  await expect(call("TagResource", { Resource: APP, Tags: { "aws:x": "1" } })).rejects.toMatchObject({
    shape: "InvalidParameterValueException",
  });
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, ""]));
  await expect(call("TagResource", { Resource: APP, Tags: many })).rejects.toMatchObject({
    shape: "InvalidParameterValueException",
  });
  await expect(call("ListTags", { Resource: imageArnOf("none") })).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
    message: `MicroVMImage not found for MicroVMImageID: ${imageArnOf("none")}`,
  });
  await expect(call("ListTags", { Resource: "app" })).rejects.toMatchObject({ shape: "ValidationException" });
});
