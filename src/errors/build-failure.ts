import { AppError } from "./app-error.ts";

/** Public failure codes of an image build (contract 3.6). */
export type BuildFailureCode =
  | "S3_ACCESS_DENIED"
  | "S3_NO_SUCH_KEY"
  | "S3_NO_SUCH_BUCKET"
  | "S3_INVALID_OBJECT"
  | "S3_CROSS_REGION_ACCESS_DENIED"
  | "ARCHIVE_DOCKERFILE_NOT_FOUND"
  | "ARCHIVE_INVALID"
  | "CONTAINER_BUILD_FAILED"
  | "DISK_STORAGE_FULL"
  | "INTERNAL_PLATFORM_ERROR";

/** Ends an image build; `reason` becomes the build's `stateReason` (contract 3.3, 3.6). */
export class BuildFailure extends AppError {
  readonly failureCode: BuildFailureCode;
  readonly reason: string;
  /** Bytes of the code that had been installed by then, where it had been (contract 3.3). */
  readonly codeInstallBytes: number | undefined;

  constructor(
    failureCode: BuildFailureCode,
    reason: string,
    options: { cause?: unknown; codeInstallBytes?: number } = {},
  ) {
    super("ERR_BUILD", { message: reason, cause: options.cause, details: { failureCode } });
    this.failureCode = failureCode;
    this.reason = reason;
    this.codeInstallBytes = options.codeInstallBytes;
  }
}
