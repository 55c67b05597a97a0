import { ServiceFault } from "../../errors/service-fault.ts";

export function validation(message: string): ServiceFault {
  return new ServiceFault("ValidationException", message);
}

/** The host has no room; its own words are for whoever runs it. */
export function insufficientCapacity(cause: Error): ServiceFault {
  return new ServiceFault("InsufficientCapacityException", cause.message, { cause });
}

export function imageNotFound(arn: string): ServiceFault {
  return new ServiceFault("ResourceNotFoundException", `MicroVMImage not found for MicroVMImageID: ${arn}`, {
    members: { resourceId: arn, resourceType: "MicroVMImage" },
  });
}

export function versionNotFound(arn: string, version: string): ServiceFault {
  return new ServiceFault("ResourceNotFoundException", `Version ${version} not found for MicroVMImageID: ${arn}`, {
    members: { resourceId: `${arn}:${version}`, resourceType: "MicroVMImageVersion" },
  });
}

export function microvmNotFound(id: string): ServiceFault {
  return new ServiceFault("ResourceNotFoundException", `Unable to find microvmIdentifier ${id}`, {
    members: { resourceId: id, resourceType: "MicroVM" },
  });
}

/** For a client token that came with other parameters before (contract 2.2). */
export function tokenConflict(message: string): ServiceFault {
  return new ServiceFault("ConflictException", message);
}

export function imageConflict(arn: string, message: string): ServiceFault {
  return new ServiceFault("ConflictException", message, { members: { resourceId: arn, resourceType: "MicroVMImage" } });
}
