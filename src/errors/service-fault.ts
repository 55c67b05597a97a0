import { AppError } from "./app-error.ts";

/**
 * A modelled AWS exception: `name` is the shape's name ("ValidationException", "NoSuchBucket"), the HTTP status comes
 * from the SDK's error schema unless `status` is given (needed only for errors the SDK does not model, S3 and IAM).
 */
export class ServiceFault extends AppError {
  readonly shape: string;
  readonly status: number | undefined;
  /** Further members of the error shape, such as resourceId, resourceType. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    shape: string,
    message: string,
    options: { status?: number; members?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super("ERR_SERVICE_FAULT", { message, cause: options.cause });
    this.shape = shape;
    this.status = options.status;
    this.members = options.members ?? {};
  }
}
