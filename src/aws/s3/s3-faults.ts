import { AppError } from "../../errors/app-error.ts";
import { ServiceFault } from "../../errors/service-fault.ts";

/** S3's own errors; the SDK models only few of them, so each brings its status. */
export function noSuchBucket(bucket: string): ServiceFault {
  return new ServiceFault("NoSuchBucket", "The specified bucket does not exist", { members: { BucketName: bucket } });
}

export function noSuchKey(key: string): ServiceFault {
  return new ServiceFault("NoSuchKey", "The specified key does not exist.", { members: { Key: key } });
}

export function noSuchUpload(uploadId: string): ServiceFault {
  const message =
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
  return new ServiceFault("NoSuchUpload", message, { members: { UploadId: uploadId } });
}

export function accessDenied(): ServiceFault {
  return new ServiceFault("AccessDenied", "Access Denied");
}

export function invalidArgument(message: string, name?: string, value?: string): ServiceFault {
  const members = name === undefined ? {} : { ArgumentName: name, ArgumentValue: value ?? "" };
  return new ServiceFault("InvalidArgument", message, { status: 400, members });
}

export function invalidRequest(message: string): ServiceFault {
  return new ServiceFault("InvalidRequest", message, { status: 400 });
}

export function notImplemented(what: string): ServiceFault {
  const message = `A header you provided implies functionality that is not implemented: ${what}`;
  return new ServiceFault("NotImplemented", message, { status: 501 });
}

export function preconditionFailed(condition: string): ServiceFault {
  return new ServiceFault("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", {
    status: 412,
    members: { Condition: condition },
  });
}

/** Not one of S3's: S3 has no end. A status that clients do not try again. */
export function storageFull(cause: unknown): ServiceFault {
  const message =
    cause instanceof AppError && cause.code === "ERR_DISK_FULL" ? cause.message : "The disk of this host is full";
  return new ServiceFault("InsufficientStorage", message, { status: 507, cause });
}

export function entityTooLarge(maxBytes: number): ServiceFault {
  return new ServiceFault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", {
    status: 400,
    members: { MaxSizeAllowed: maxBytes },
  });
}
