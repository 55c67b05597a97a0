import { expect, test } from "vitest";
import { ACCOUNT, CONTEXT } from "../../../test/fixtures/use-lambda-microvms.ts";
import { createStsService } from "./sts-service.ts";

test("the root is known by its account id, a session by its access key", async () => {
  const ask = createStsService().operations["GetCallerIdentity"]!;
  expect(await ask({}, CONTEXT)).toEqual({ UserId: ACCOUNT, Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:root` });
  const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/Role/session`;
  expect(await ask({}, { ...CONTEXT, principal: { ...CONTEXT.principal, arn } })).toEqual({
    UserId: "AKIA",
    Account: ACCOUNT,
    Arn: arn,
  });
});

test("temporary credentials are refused plainly", async () => {
  await expect(createStsService().operations["AssumeRole"]!({}, CONTEXT)).rejects.toMatchObject({
    shape: "AccessDenied",
    status: 403,
  });
});
