import { ServiceFault } from "../../errors/service-fault.ts";

export function invalidParameter(message: string): ServiceFault {
  return new ServiceFault("InvalidParameterException", message);
}

export function noSuchGroup(): ServiceFault {
  return new ServiceFault("ResourceNotFoundException", "The specified log group does not exist.");
}

export function noSuchStream(): ServiceFault {
  return new ServiceFault("ResourceNotFoundException", "The specified log stream does not exist.");
}

export function alreadyExists(what: "group" | "stream"): ServiceFault {
  return new ServiceFault("ResourceAlreadyExistsException", `The specified log ${what} already exists`);
}
