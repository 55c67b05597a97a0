import { describeViolations, findViolations } from "../../model/constraint-check.ts";
import { integer, list, structure, text } from "../../model/constraint-shape.ts";
import { ServiceFault } from "../../errors/service-fault.ts";

const NAME = "[\\w+=,.@-]*";

/** Members of AssumeRole as the STS API reference bounds them. */
const ASSUME_ROLE = structure({
  "RoleArn!": text(20, 2048, "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD]+"),
  "RoleSessionName!": text(2, 64, NAME),
  PolicyArns: list(structure({ arn: text(20, 2048) }), 0, 10),
  Policy: text(1, 2048, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"),
  DurationSeconds: integer(900, 43_200),
  ExternalId: text(2, 1224, "[\\w+=,.@:\\/-]*"),
  SourceIdentity: text(2, 64, NAME),
});

/** Throws ValidationError for members out of shape; STS words them with a small first letter. */
export function checkAssumeRole(input: unknown): void {
  const violations = findViolations(ASSUME_ROLE, input).map((violation) =>
    violation.replace(/'([A-Z])/, (_match, first: string) => `'${first.toLowerCase()}`),
  );
  if (violations.length > 0) throw stsValidation(describeViolations(violations));
}

/** STS's answer to members it cannot take; the SDK does not model it. */
export function stsValidation(message: string): ServiceFault {
  return new ServiceFault("ValidationError", message, { status: 400 });
}
