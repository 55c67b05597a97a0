import { expect, test } from "vitest";
import { createInput, imageArnOf, useLambdaMicrovms } from "../../../test/fixtures/use-lambda-microvms.ts";

const asking = (architecture: string) => ({ cpuConfigurations: [{ architecture }] });

test.each(["ARM_64", "X86_64"])("%s may be asked for; the build says what it was made on", async (architecture) => {
  const { call, makeImage, builder } = await useLambdaMicrovms();
  const imageIdentifier = await makeImage("app", asking(architecture));
  const of = { imageIdentifier, imageVersion: "1.0" };
  expect(await call("GetMicrovmImageVersion", of)).toMatchObject({ state: "SUCCESSFUL", ...asking(architecture) });
  expect((await call("ListMicrovmImageBuilds", of)).items).toMatchObject([
    { architecture: "X86_64", chipset: "GENERIC", chipsetGeneration: "1" },
  ]);
  expect(builder.requests[0]?.architectures).toEqual([architecture]);
});

test("an image that names no architecture is built for the host's, and reads none back", async () => {
  const { call, makeImage, builder } = await useLambdaMicrovms({ isArchitectureStrict: true });
  const imageIdentifier = await makeImage();
  const version = await call("GetMicrovmImageVersion", { imageIdentifier, imageVersion: "1.0" });
  expect(version.cpuConfigurations).toBeUndefined();
  expect(builder.requests[0]?.architectures).toEqual([]);
});

test("a strict server refuses what its host is not, in the words of a broken constraint", async () => {
  const { call, makeImage } = await useLambdaMicrovms({ isArchitectureStrict: true });
  const imageIdentifier = await makeImage("app", asking("X86_64"));
  const refused = {
    shape: "ValidationException",
    message:
      "1 validation error detected: Value at 'cpuConfigurations.1.member.architecture' failed to satisfy constraint: Member must satisfy enum value set: [X86_64]",
  };
  await expect(call("CreateMicrovmImage", createInput("other", asking("ARM_64")))).rejects.toMatchObject(refused);
  const { name: _, ...settings } = createInput("app", asking("ARM_64"));
  await expect(call("UpdateMicrovmImage", { ...settings, imageIdentifier })).rejects.toMatchObject(refused);
  await expect(call("GetMicrovmImage", { imageIdentifier: imageArnOf("other") })).rejects.toMatchObject({
    shape: "ResourceNotFoundException",
  });
});
