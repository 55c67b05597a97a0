import { ServiceFault } from "../../errors/service-fault.ts";
import { parsePolicy, PolicySyntaxError, type PolicyKind } from "../../auth/policy-document.ts";
import { limitExceeded } from "./iam-faults.ts";

/** Characters besides white space that IAM allows in a role's trust policy. */
const MAX_TRUST_POLICY_CHARACTERS = 4096;
/** The same for all inline policies of a role together. */
export const MAX_INLINE_POLICY_CHARACTERS = 10_240;

/** Throws MalformedPolicyDocument in IAM's words. */
export function checkPolicyText(text: string, kind: PolicyKind): void {
  try {
    parsePolicy(text, kind);
  } catch (cause) {
    if (cause instanceof PolicySyntaxError)
      throw new ServiceFault("MalformedPolicyDocumentException", cause.message, { cause });
    throw cause;
  }
}

export function checkTrustPolicyText(text: string): void {
  checkPolicyText(text, "trust");
  if (policySize(text) > MAX_TRUST_POLICY_CHARACTERS) {
    throw limitExceeded(`Cannot exceed quota for ACLSizePerRole: ${MAX_TRUST_POLICY_CHARACTERS}`);
  }
}

export function policySize(text: string): number {
  return text.replace(/\s/g, "").length;
}

/** IAM gives documents back URL-encoded (RFC 3986). */
export function encodePolicyText(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
