import { ServiceFault } from "../../errors/service-fault.ts";

/** IAM's answer to members out of shape; the SDK does not model it. */
export function validationError(message: string): ServiceFault {
  return new ServiceFault("ValidationError", message, { status: 400 });
}

export function noSuchRole(name: string): ServiceFault {
  return new ServiceFault("NoSuchEntityException", `The role with name ${name} cannot be found.`);
}

export function noSuchRolePolicy(name: string): ServiceFault {
  return new ServiceFault("NoSuchEntityException", `The role policy with name ${name} cannot be found.`);
}

export function invalidInput(message: string): ServiceFault {
  return new ServiceFault("InvalidInputException", message);
}

export function limitExceeded(message: string): ServiceFault {
  return new ServiceFault("LimitExceededException", message);
}
